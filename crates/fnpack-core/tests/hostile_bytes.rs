//! Every reader of foreign bytes survives its seeds of `fuzz/seeds`, cut and with bytes changed. `just fuzz`
//! goes on from there.
#![expect(clippy::unwrap_used, reason = "helpers of tests are not seen as tests")]

use std::io::Read;
use std::path::Path;

use fnpack_core::archive::ImageArchive;
use fnpack_core::archive::rootfs::{ImportOptions, import};
use fnpack_core::builder::{BuilderToml, BuildpackToml};
use fnpack_core::digest::Digest;
use fnpack_core::dockerfile::{Ignore, check, parse};
use fnpack_core::image::{ImageConfig, Index, Manifest, MemoryBlobs};
use fnpack_core::layers::decompress::decompress;
use fnpack_core::lifecycle::analyze::Analyzed;
use fnpack_core::project::ProjectToml;
use fnpack_core::reference::Reference;
use fnpack_core::registry::credentials::{Credentials, DockerConfig};
use fnpack_core::target::Target;
use proptest::prelude::*;
use proptest::sample::Index as Place;

/// All seeds of a target.
fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds").join(target);
    let mut paths: Vec<_> = fs_err::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| fs_err::read(path).unwrap()).collect()
}

/// A seed as it is, or damaged.
fn damaged(target: &str) -> impl Strategy<Value = Vec<u8>> + use<> {
    let changes = prop::collection::vec((any::<Place>(), any::<u8>()), 0..6);
    (prop::sample::select(seeds(target)), changes, prop::option::of(any::<Place>())).prop_map(|(mut bytes, changes, end)| {
        for (place, value) in changes {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        if let Some(end) = end {
            bytes.truncate(end.index(bytes.len()));
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn image_documents_are_read_or_refused(bytes in damaged("image_documents")) {
        if let Ok(manifest) = Manifest::parse(&bytes) {
            prop_assert!(Manifest::parse(&manifest.encode()).is_ok());
        }
        if let Ok(index) = Index::parse(&bytes) {
            let _ = index.select(&Target::of_this_program());
        }
        if let Ok(config) = ImageConfig::parse(&bytes) {
            prop_assert!(ImageConfig::parse(&config.encode()).is_ok());
        }
    }

    #[test]
    fn image_archives_are_read_or_refused(bytes in damaged("image_archive")) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("archive.tar");
        fs_err::write(&path, &bytes).unwrap();
        if let Ok(archive) = ImageArchive::open(&path, folder.path()) {
            let _ = archive.images(&"linux/amd64".parse().unwrap());
        }
    }

    #[test]
    fn packed_bytes_are_read_or_refused(bytes in damaged("decompress")) {
        if let Ok(reader) = decompress(bytes.as_slice()) {
            let _ = std::io::copy(&mut reader.take(1 << 20), &mut std::io::sink());
        }
    }

    #[test]
    fn root_file_systems_are_imported_or_refused(bytes in damaged("rootfs_import")) {
        if let Ok(image) = import(bytes.as_slice(), &ImportOptions::new(Target::of_this_program()), &MemoryBlobs::default()) {
            prop_assert_eq!(image.layers().len(), 1);
        }
    }

    #[test]
    fn dockerfiles_are_parsed_or_have_a_finding(bytes in damaged("dockerfile")) {
        prop_assert!(parse::parse_bytes(&bytes).is_ok() || !check(&bytes).is_empty());
        if let Ok(ignore) = Ignore::parse(&String::from_utf8_lossy(&bytes)) {
            let _ = ignore.excludes("a/b");
        }
    }

    #[test]
    fn builder_documents_are_read_or_refused(bytes in damaged("builder_documents")) {
        let text = String::from_utf8_lossy(&bytes);
        let _ = BuilderToml::parse("builder.toml", &text, Path::new("/")).map_err(|error| error.to_string());
        let _ = BuildpackToml::parse("buildpack.toml", &text).map_err(|error| error.to_string());
        if let Ok(project) = ProjectToml::parse("project.toml", &text, Path::new("/")) {
            let _ = project.selection.takes(Path::new("a/b"), false);
        }
    }

    #[test]
    fn analyzed_files_are_read_or_refused(bytes in damaged("lifecycle_documents")) {
        if let Ok(analyzed) = Analyzed::parse(&String::from_utf8_lossy(&bytes)) {
            prop_assert!(Analyzed::parse(&analyzed.encode()).is_ok());
        }
    }

    #[test]
    fn names_that_are_read_are_written_the_same(bytes in damaged("names")) {
        let text = String::from_utf8_lossy(&bytes);
        if let Ok(reference) = text.parse::<Reference>() {
            prop_assert_eq!(reference.familiar().parse::<Reference>().unwrap(), reference);
        }
        if let Ok(digest) = text.parse::<Digest>() {
            prop_assert_eq!(digest.to_string(), text.as_ref());
        }
    }

    #[test]
    fn logins_are_read_or_refused(bytes in damaged("docker_config")) {
        if let Ok(config) = DockerConfig::parse(&bytes, "config.json") {
            let _ = config.lookup("ghcr.io", "team/image");
        }
    }
}
