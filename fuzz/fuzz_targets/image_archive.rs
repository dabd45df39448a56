//! An archive of images: the OCI layout's and Docker's.

#![no_main]

use fnpack_core::archive::ImageArchive;
use fnpack_core::target::Target;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let folder = tempfile::tempdir().expect("a folder for the archive");
    let path = folder.path().join("archive.tar");
    fs_err::write(&path, bytes).expect("the archive is written");
    let Ok(archive) = ImageArchive::open(&path, folder.path()) else { return };
    let target: Target = "linux/amd64".parse().expect("a valid target");
    for named in archive.images(&target).unwrap_or_default() {
        for layer in named.image.layers() {
            if let Ok(mut reader) = layer.blob.open() {
                let _ = std::io::copy(&mut reader, &mut std::io::sink());
            }
        }
    }
});
