use std::io::{Cursor, Write as _};

use super::rootfs::{ImportError, ImportOptions, import};
use super::*;
use crate::digest::DiffId;
use crate::image::{BlobSink, Descriptor, ImageConfig, Index, Layer, MemoryBlobs, copy_verified, media_type};
use crate::layers::{Compression, Entry, EntryKind, FilesLayer, Owner, TarWriter};

const ROOT: Owner = Owner { uid: 0, gid: 0 };

fn target() -> Target {
    "linux/amd64".parse().unwrap()
}

/// A layer that is a tar, packed.
fn layer(name: &str, compression: Compression) -> Layer {
    crate::layers::write(&FilesLayer::new().file(name, 0o644, ROOT, name), compression, &MemoryBlobs::default()).unwrap()
}

/// The same, not packed.
fn plain_layer(name: &str) -> Layer {
    let mut bytes = Vec::new();
    let packed = layer(name, Compression::Gzip);
    std::io::copy(&mut crate::layers::decompress::decompress(packed.blob.open().unwrap()).unwrap(), &mut bytes).unwrap();
    let mut pending = MemoryBlobs::default().create().unwrap();
    pending.write_all(&bytes).unwrap();
    let (digest, size, blob) = pending.commit(None).unwrap();
    Layer { descriptor: Descriptor::new(media_type::OCI_LAYER, digest, size), diff_id: packed.diff_id, blob }
}

fn image(layers: Vec<Layer>) -> Image {
    Image::from_parts(ImageConfig::new(&target()), layers)
}

fn named(name: &str, image: Image) -> Named {
    Named { names: vec![name.parse().unwrap()], label: None, image }
}

fn open(path: &Path) -> Result<ImageArchive, ArchiveError> {
    ImageArchive::open(path, path.parent().unwrap())
}

fn layer_bytes(layer: &Layer) -> Result<Vec<u8>, BlobError> {
    let mut bytes = Vec::new();
    copy_verified(&layer.blob, &layer.descriptor, &mut bytes, &mut |_| {}).map(|_| bytes)
}

/// A tar of these files and symlinks (`name`, `-> target`).
fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tar = TarWriter::new(Vec::new());
    for (name, bytes) in files {
        match bytes.strip_prefix(b"-> ") {
            Some(target) => tar.append_empty(&Entry::new(*name, EntryKind::Symlink { target: target.to_vec() }, 0o777)).unwrap(),
            None => tar.append(&Entry::new(*name, EntryKind::File { size: bytes.len() as u64 }, 0o644), &mut &bytes[..]).unwrap(),
        }
    }
    tar.finish().unwrap()
}

fn file(bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("archive");
    fs_err::write(&path, bytes).unwrap();
    (folder, path)
}

#[test]
fn archives_round_trip_however_they_are_packed() {
    let layers = || vec![layer("a", Compression::Gzip), layer("b", Compression::Zstd), plain_layer("c"), layer("a", Compression::Gzip)];
    let image = image(layers());
    for format in [Format::Oci, Format::Docker] {
        let mut plain = Vec::new();
        write(&[named("team/app:1", image.clone()), named("other", image.clone())], format, &mut plain).unwrap();
        let gzip = {
            let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            gzip.write_all(&plain).unwrap();
            gzip.finish().unwrap()
        };
        let zstd = zstd::encode_all(&plain[..], 1).unwrap();
        for bytes in [plain, gzip, zstd] {
            let (folder, path) = file(&bytes);
            let archive = open(&path).unwrap();
            assert_eq!(archive.format(), format);
            let images = archive.images(&target()).unwrap();
            let names: Vec<String> = images.iter().map(|named| shown(&named.names, named.label.as_deref(), named.image.digest())).collect();
            assert_eq!(names, ["team/app:1", "other:latest"]);
            let read = &images[0].image;
            assert_eq!(read.config_bytes(), image.config_bytes());
            if format == Format::Oci {
                assert_eq!(read.digest(), image.digest());
            }
            for (layer, written) in read.layers().iter().zip(image.layers()) {
                let unpacked = crate::layers::decompress::decompress(Cursor::new(layer_bytes(layer).unwrap())).unwrap();
                let mut hashing = crate::digest::Hashing::new(unpacked);
                std::io::copy(&mut hashing, &mut std::io::sink()).unwrap();
                assert_eq!(DiffId::from_sha256(hashing.finish().1), written.diff_id);
            }
            assert_eq!(fs_err::read_dir(folder.path()).unwrap().count(), 1, "nothing else stays");
        }
    }
}

#[test]
fn docker_archive_has_no_zstd_and_keeps_gzip() {
    let image = image(vec![layer("a", Compression::Gzip), layer("b", Compression::Zstd)]);
    let mut bytes = Vec::new();
    write(&[named("app", image.clone())], Format::Docker, &mut bytes).unwrap();
    let (_folder, path) = file(&bytes);
    let read = open(&path).unwrap().image(None, &target()).unwrap().image;
    let kinds: Vec<&str> = read.layers().iter().map(|layer| layer.descriptor.media_type.as_str()).collect();
    assert_eq!(kinds, [media_type::OCI_LAYER_GZIP, media_type::OCI_LAYER]);
    assert_eq!(read.layers()[0].descriptor.digest, image.layers()[0].descriptor.digest);
}

#[test]
fn layout_folder_keeps_other_images_and_replaces_names() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("layout");
    let (first, second) =
        (image(vec![layer("a", Compression::Gzip)]), image(vec![layer("a", Compression::Gzip), layer("b", Compression::Gzip)]));
    oci_layout::write(&path, &NamedTree::from(&named("app:1", first.clone()))).unwrap();
    oci_layout::write(&path, &NamedTree::from(&named("app:2", first))).unwrap();
    oci_layout::write(&path, &NamedTree::from(&named("app:1", second.clone()))).unwrap();
    oci_layout::write(&path, &NamedTree::from(&Named { names: Vec::new(), label: Some("label".into()), image: second.clone() })).unwrap();
    let archive = open(&path).unwrap();
    let names: Vec<String> =
        archive.images(&target()).unwrap().iter().map(|named| shown(&named.names, named.label.as_deref(), named.image.digest())).collect();
    assert_eq!(names, ["app:2", "app:1", "label"]);
    for wanted in ["app:1", "docker.io/library/app:1", "label", "1"] {
        assert_eq!(archive.image(Some(wanted), &target()).unwrap().image.digest(), second.digest(), "{wanted}");
    }
    let error = archive.image(Some("app:3"), &target()).map(|_| ()).unwrap_err().to_string();
    assert!(error.ends_with("has 3 images (app:2, app:1, label), and not one called `app:3`"), "{error}");
    assert!(archive.image(None, &target()).is_err());
    let blobs = fs_err::read_dir(path.join("blobs/sha256")).unwrap().count();
    assert_eq!(blobs, 2 + 2 + 2, "layers, configs and manifests, and no file aside");
}

#[test]
fn layout_without_names_is_one_image_for_several_targets() {
    let folder = tempfile::tempdir().unwrap();
    let image = image(vec![layer("a", Compression::Gzip)]);
    let unnamed = NamedTree::from(&Named { names: Vec::new(), label: None, image: image.clone() });
    oci_layout::write(folder.path(), &unnamed).unwrap();
    let entry = oci_layout::entries(&unnamed).remove(0);
    let arm = Descriptor {
        platform: Some((&"linux/arm64".parse::<Target>().unwrap()).into()),
        ..Descriptor::of(media_type::OCI_MANIFEST, b"absent")
    };
    let nested = Index::new(vec![arm, entry]).encode();
    let outer = Index::new(vec![Descriptor::of(media_type::OCI_INDEX, &nested)]).encode();
    let path = folder.path().join(oci_layout::blob_name(Digest::of(&nested)));
    fs_err::write(path, &nested).unwrap();
    for index in [&nested, &outer] {
        fs_err::write(folder.path().join("index.json"), index).unwrap();
        let archive = open(folder.path()).unwrap();
        assert_eq!(archive.image(None, &target()).unwrap().image.digest(), image.digest());
        let error = archive.images(&"linux/s390x".parse().unwrap()).unwrap_err().to_string();
        assert!(error.ends_with("only for linux/arm64, linux/amd64"), "{error}");
    }
}

/// A manifest of no image, that refers to another if it is given.
fn artifact(text: &str, subject: Option<Digest>) -> ManifestTree {
    let config = Descriptor::of("application/vnd.oci.empty.v1+json", text.as_bytes());
    let mut manifest = serde_json::json!({ "schemaVersion": 2, "config": config, "layers": [] });
    if let Some(digest) = subject {
        manifest["subject"] = serde_json::to_value(Descriptor::new(media_type::OCI_MANIFEST, digest, 1)).unwrap();
    }
    let bytes = manifest.to_string().into_bytes();
    let mut blob = MemoryBlobs::default().create().unwrap();
    blob.write_all(text.as_bytes()).unwrap();
    let descriptor = Descriptor::of(media_type::OCI_MANIFEST, &bytes);
    ManifestTree { descriptor, bytes: bytes.into(), blobs: vec![(config, blob.commit(None).unwrap().2)], children: Vec::new() }
}

#[test]
fn what_refers_to_an_image_is_found_and_is_no_image_of_its_own() {
    let image = image(vec![layer("a", Compression::Gzip)]);
    let digest = image.digest();
    let sbom = artifact("sbom", Some(digest));
    let of_sbom = artifact("of sbom", Some(sbom.descriptor.digest));
    let cosign = artifact("cosign", None);
    let tag = format!("sha256-{}.sig", digest.hex());
    let along =
        |label: Option<&str>, tree: &ManifestTree| NamedTree { names: Vec::new(), label: label.map(str::to_owned), tree: tree.clone() };
    for names in [vec!["app:1".parse().unwrap()], Vec::new()] {
        let own = NamedTree { names, label: None, tree: ManifestTree::of(&image) };
        let all = [along(None, &of_sbom), own, along(Some(&tag), &cosign), along(None, &sbom)];
        let folder = tempfile::tempdir().unwrap();
        for named in &all {
            oci_layout::write(folder.path(), named).unwrap();
        }
        let mut bytes = Vec::new();
        write_trees(&all, &mut bytes).unwrap();
        let (_kept, path) = file(&bytes);
        for archive in [open(folder.path()).unwrap(), open(&path).unwrap()] {
            assert_eq!(archive.image(None, &target()).unwrap().image.digest(), digest);
            assert_eq!(archive.tree(None).unwrap().tree.descriptor.digest, digest);
            let mut found: Vec<(Digest, Option<String>, Digest)> = archive
                .companions(&[digest])
                .unwrap()
                .into_iter()
                .map(|companion| (companion.subject, companion.tag, companion.tree.descriptor.digest))
                .collect();
            found.sort();
            let mut expected = vec![
                (digest, None, sbom.descriptor.digest),
                (digest, Some(tag.clone()), cosign.descriptor.digest),
                (sbom.descriptor.digest, None, of_sbom.descriptor.digest),
            ];
            expected.sort();
            assert_eq!(found, expected);
            assert!(archive.companions(&[Digest::of("another")]).unwrap().is_empty());
        }
    }
}

#[test]
fn list_of_referrers_under_its_tag_is_read() {
    let image = image(vec![layer("a", Compression::Gzip)]);
    let signature = artifact("signature", Some(image.digest()));
    let list = Index::new(vec![signature.descriptor.clone()]).encode();
    let list = ManifestTree {
        descriptor: Descriptor::of(media_type::OCI_INDEX, &list),
        bytes: list.into(),
        blobs: Vec::new(),
        children: vec![signature.clone()],
    };
    let folder = tempfile::tempdir().unwrap();
    oci_layout::write(folder.path(), &NamedTree::from(&named("app:1", image.clone()))).unwrap();
    let label = Some(format!("sha256-{}", image.digest().hex()));
    oci_layout::write(folder.path(), &NamedTree { names: Vec::new(), label, tree: list }).unwrap();
    let archive = open(folder.path()).unwrap();
    assert_eq!(archive.trees().unwrap().len(), 1);
    let found = archive.companions(&[image.digest()]).unwrap();
    assert_eq!(
        found.iter().map(|companion| (companion.tag.clone(), companion.tree.descriptor.digest)).collect::<Vec<_>>(),
        [(None, signature.descriptor.digest)]
    );
}

#[test]
fn signature_alone_stands_for_itself() {
    let signature = artifact("signature", Some(Digest::of("elsewhere")));
    let folder = tempfile::tempdir().unwrap();
    oci_layout::write(folder.path(), &NamedTree { names: Vec::new(), label: None, tree: signature.clone() }).unwrap();
    assert_eq!(open(folder.path()).unwrap().tree(None).unwrap().tree.descriptor.digest, signature.descriptor.digest);
}

#[test]
fn docker_archive_of_old_engines_is_read_through_its_links() {
    let layer = plain_layer("a");
    let bytes = layer_bytes(&layer).unwrap();
    let image = image(vec![layer.clone(), layer]);
    let hex = Digest::of(image.config_bytes()).hex();
    let list = format!(r#"[{{"Config":"{hex}.json","RepoTags":null,"Layers":["1/layer.tar","2/layer.tar"]}}]"#);
    let config = format!("{hex}.json");
    let archive = tar(&[
        ("1/layer.tar", &bytes),
        ("2/layer.tar", b"-> ../1/layer.tar"),
        (&config, image.config_bytes()),
        ("./manifest.json", list.as_bytes()),
    ]);
    let (_folder, path) = file(&archive);
    let named = open(&path).unwrap().image(None, &target()).unwrap();
    assert!(named.names.is_empty());
    assert_eq!(named.image.diff_ids(), image.diff_ids());
    assert_eq!(layer_bytes(&named.image.layers()[1]).unwrap(), bytes);
}

#[test]
fn hostile_archives_are_refused() {
    let config = image(vec![plain_layer("a")]);
    let config = config.config_bytes();
    let wrong = "0".repeat(64);
    let list = |config: &str, layers: &str| format!(r#"[{{"Config":"{config}","RepoTags":["a:1"],"Layers":[{layers}]}}]"#);
    let big = vec![b' '; 17 * 1024 * 1024];
    for (files, expected) in [
        (vec![], "has neither `index.json` nor `manifest.json`"),
        (vec![("index.json", b"[]".to_vec())], "cannot be used"),
        (vec![("manifest.json", b"{}".to_vec())], "cannot read `manifest.json`"),
        (vec![("manifest.json", big)], "is longer than 16777216 bytes"),
        (vec![("manifest.json", list("c", "").into_bytes())], "`c` is missing"),
        (vec![("manifest.json", list("../../etc/passwd", "").into_bytes())], "`../../etc/passwd` is missing"),
        (vec![("manifest.json", list("c", "").into_bytes()), ("c", b"-> /etc/passwd".to_vec())], "`c` is missing"),
        (vec![("manifest.json", list("c", "").into_bytes()), ("c", b"-> c".to_vec())], "`c` is missing"),
        (vec![("manifest.json", list("c", "").into_bytes()), ("c", config.to_vec())], "cannot be used"),
        (vec![("manifest.json", list("c", "\"l\"").into_bytes()), ("c", config.to_vec())], "`l` is missing"),
        (vec![("manifest.json", list(&wrong, "").into_bytes()), (&wrong, config.to_vec())], "is sha256:"),
    ] {
        let files: Vec<(&str, &[u8])> = files.iter().map(|(name, bytes)| (*name, bytes.as_slice())).collect();
        let (_folder, path) = file(&tar(&files));
        let error = open(&path).and_then(|archive| archive.images(&target()).map(|_| ())).unwrap_err().to_string();
        assert!(error.contains(expected), "{expected}: {error}");
    }
}

#[test]
fn damaged_archives_are_refused() {
    let mut bytes = Vec::new();
    write(&[named("app", image(vec![layer("a", Compression::Gzip)]))], Format::Oci, &mut bytes).unwrap();
    let (_folder, path) = file(&bytes[..bytes.len() / 2]);
    assert!(open(&path).and_then(|archive| archive.images(&target()).map(|_| ())).is_err());
    let (_folder, path) = file(b"this is no archive at all, and not short either".repeat(40).as_slice());
    assert!(matches!(open(&path).map(|_| ()), Err(ArchiveError::Tar { .. })));
    // A layer with other bytes is only found out when it is read.
    let folder = tempfile::tempdir().unwrap();
    let image = image(vec![layer("a", Compression::Gzip)]);
    oci_layout::write(folder.path(), &NamedTree::from(&named("app", image.clone()))).unwrap();
    let blob = folder.path().join(oci_layout::blob_name(image.layers()[0].descriptor.digest));
    let length = usize::try_from(image.layers()[0].descriptor.size).unwrap();
    fs_err::write(&blob, vec![0; length]).unwrap();
    let read = open(folder.path()).unwrap().image(None, &target()).unwrap().image;
    assert!(matches!(layer_bytes(&read.layers()[0]), Err(BlobError::DigestMismatch { .. })));
    fs_err::write(&blob, vec![0; length + 1]).unwrap();
    assert!(matches!(open(folder.path()).unwrap().images(&target()), Err(ArchiveError::WrongLength { .. })));
    fs_err::remove_file(&blob).unwrap();
    std::os::unix::fs::symlink("/etc/hostname", &blob).unwrap();
    assert!(matches!(open(folder.path()).unwrap().images(&target()), Err(ArchiveError::Missing { .. })));
}

#[test]
fn addresses_are_those_of_skopeo() {
    for (text, place, name) in [
        ("oci:folder", Place::OciLayout("folder".into()), None),
        ("oci:/a/b:tag", Place::OciLayout("/a/b".into()), Some("tag")),
        ("oci-archive:a.tar:docker.io/x:1", Place::OciArchive("a.tar".into()), Some("docker.io/x:1")),
        ("docker-archive:a.tar", Place::DockerArchive("a.tar".into()), None),
    ] {
        assert_eq!(text.parse::<Address>().unwrap(), Address { place, name: name.map(str::to_owned) });
    }
    for text in ["", "oci", "oci:", "oci::x", "oci:a:", "docker://x", "app:1"] {
        assert!(text.parse::<Address>().is_err(), "{text}");
    }
}

#[test]
fn rootfs_becomes_an_image_of_one_layer() {
    let bytes = tar(&[("./etc/os-release", b"ID=debian\n"), ("./bin/sh", b"-> dash")]);
    for packed in [bytes.clone(), zstd::encode_all(&bytes[..], 1).unwrap()] {
        let blobs = MemoryBlobs::default();
        let image = import(&packed[..], &ImportOptions::new(target()), &blobs).unwrap();
        assert_eq!(image.diff_ids(), [DiffId::of(&bytes)]);
        assert_eq!(image.env("PATH"), Some("/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"));
        assert_eq!((image.target(), image.config().history.len()), (target(), 1));
        let mut unpacked = Vec::new();
        let blob = layer_bytes(&image.layers()[0]).unwrap();
        std::io::copy(&mut crate::layers::decompress::decompress(&blob[..]).unwrap(), &mut unpacked).unwrap();
        assert_eq!(unpacked, bytes);
    }
}

#[test]
fn rootfs_that_is_none_is_refused() {
    let refused = |bytes: &[u8]| import(bytes, &ImportOptions::new(target()), &MemoryBlobs::default()).map(|_| ()).unwrap_err();
    assert!(matches!(refused(b""), ImportError::Empty));
    assert!(matches!(refused(&[0; 1024]), ImportError::Empty));
    assert!(matches!(refused(&[b'x'; 2000]), ImportError::Read(_)));
    assert!(matches!(refused(&[0x1f, 0x8b, 1, 2, 3]), ImportError::Read(_)));
    assert!(matches!(refused(&tar(&[("manifest.json", b"[]")])), ImportError::ImageArchive { name: "manifest.json" }));
    assert!(matches!(refused(&tar(&[("etc/../../x", b"")])), ImportError::Outside { .. }));
    let whole = tar(&[("etc/passwd", &[b'x'; 2000])]);
    assert!(matches!(refused(&whole[..1500]), ImportError::Read(_)));
}
