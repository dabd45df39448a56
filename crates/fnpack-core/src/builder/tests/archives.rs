//! Buildpacks out of archives and packages.

use std::io::Write as _;
use std::path::Path;

use super::{BUILDER_TOML, Workshop};
use crate::builder::{labels, unpack};
use crate::digest::DiffId;
use crate::image::{BlobSink as _, Descriptor, History, Image, Index, Layer, MemoryBlobs, media_type};
use crate::root::Root;
use crate::target::Target;

fn tar_of(folder: &Path, prefix: &str) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    archive.append_dir_all(prefix, folder).unwrap();
    archive.into_inner().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn builder_takes_buildpacks_from_archives() {
    let mut workshop = Workshop::new();
    let from_folder = workshop.create().unwrap().image.diff_ids()[3];
    let archive = tar_of(&workshop.folder.path().join("go"), "./");
    for (name, bytes) in [("go.tar", archive.clone()), ("go.tgz", gzip(&archive))] {
        fs_err::write(workshop.folder.path().join(name), bytes).unwrap();
        workshop.text = BUILDER_TOML.replace("uri = \"go\"", &format!("uri = \"{name}\""));
        assert_eq!(workshop.create().unwrap().image.diff_ids()[3], from_folder, "{name}");
    }
    workshop.write("go.tar", "no archive");
    workshop.text = BUILDER_TOML.replace("uri = \"go\"", "uri = \"go.tar\"");
    assert!(workshop.modules().unwrap_err().to_string().starts_with("cannot unpack the buildpack at `"));
}

/// A buildpack package as a tar of an OCI image layout.
fn package(workshop: &Workshop) -> Vec<u8> {
    let layer = tar_of(&workshop.folder.path().join("go"), "cnb/buildpacks/a_go/1");
    let diff_id = DiffId::of(&layer);
    let blob = gzip(&layer);
    let layers = format!(r#"{{"a/go":{{"1":{{"api":"0.10","layerDiffID":"{diff_id}"}}}}}}"#);
    let descriptor = Descriptor::of(media_type::OCI_LAYER_GZIP, &blob);
    let mut pending = MemoryBlobs::default().create().unwrap();
    pending.write_all(&blob).unwrap();
    let layer = Layer { descriptor, diff_id, blob: pending.commit(None).unwrap().2 };
    let target: Target = "linux/amd64".parse().unwrap();
    let image = Image::empty(&target).appended([(layer, History::default())]).with_config(|config| {
        config.config.labels.insert(labels::BUILDPACKAGE_METADATA.into(), r#"{"id":"a/go","version":"1","stacks":null}"#.into());
        config.config.labels.insert(labels::BUILDPACK_LAYERS.into(), layers);
    });
    let manifest = Descriptor::of(media_type::OCI_MANIFEST, image.manifest_bytes());
    let mut archive = tar::Builder::new(Vec::new());
    let mut append = |name: String, bytes: &[u8]| {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o755);
        archive.append_data(&mut header, name, bytes).unwrap();
    };
    append(format!("blobs/sha256/{}", manifest.digest.hex()), image.manifest_bytes());
    append(format!("blobs/sha256/{}", image.manifest().config.digest.hex()), image.config_bytes());
    append(format!("blobs/sha256/{}", image.layers()[0].descriptor.digest.hex()), &blob);
    append("index.json".into(), &Index::new(vec![manifest]).encode());
    archive.into_inner().unwrap()
}

#[test]
fn builder_takes_buildpacks_from_packages() {
    let mut workshop = Workshop::new();
    let from_folder = workshop.create().unwrap().image.diff_ids()[3];
    fs_err::write(workshop.folder.path().join("go.cnb"), package(&workshop)).unwrap();
    workshop.text = BUILDER_TOML.replace("uri = \"go\"", "uri = \"go.cnb\"");
    assert_eq!(workshop.create().unwrap().image.diff_ids()[3], from_folder);
}

#[test]
fn archive_that_leads_out_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let root = Root::open(folder.path()).unwrap();
    let entry = |kind, name: &str, target: &str| {
        let mut archive = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(kind);
        header.set_size(0);
        header.set_mode(0o644);
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.as_mut_bytes()[157..157 + target.len()].copy_from_slice(target.as_bytes());
        header.set_cksum();
        archive.append(&header, std::io::empty()).unwrap();
        archive.into_inner().unwrap()
    };
    for (bytes, message) in [
        (entry(tar::EntryType::Regular, "a/../../b", ""), "entry `a/../../b`: its name leads out of the archive"),
        (entry(tar::EntryType::Link, "a", "b"), "entry `a`: hard links are not taken, write the file again"),
        (entry(tar::EntryType::Fifo, "a", ""), "entry `a`: it is neither a file nor a folder nor a symlink"),
        (b"no archive".repeat(100), "cannot read it as a tar archive"),
        (gzip(b"")[..9].to_vec(), "cannot read it as a tar archive"),
    ] {
        assert_eq!(unpack::unpack(bytes.as_slice(), &root).unwrap_err().to_string(), message);
    }
    let escape = [&entry(tar::EntryType::Symlink, "out", "../../..")[..512], &entry(tar::EntryType::Regular, "out/f", "")].concat();
    unpack::unpack(escape.as_slice(), &root).unwrap();
    assert!(root.is_file("f"));
}
