use std::io::{Read, Write};
use std::sync::atomic::AtomicI64;

use super::*;
use crate::digest::{DiffId, Digest};
use crate::image::{Blob, BlobSink, BlobSource, Descriptor, Image, ImageConfig, Layer, MemoryBlobs, media_type};
use crate::reference::Reference;
use crate::target::Target;

mod collection;
mod crash;
mod images;
mod processes;
mod unpacking;

/// A store in a folder of its own.
struct Home {
    folder: tempfile::TempDir,
}

impl Home {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    /// For tests that do the same a hundred times: a sync costs nothing there.
    fn in_memory() -> Self {
        Self { folder: tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap() }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    fn open(&self) -> Store {
        Store::open(self.path(), options()).unwrap()
    }

    fn dying(&self, after: i64) -> (Arc<DiesAfter>, Result<Store>) {
        let point = Arc::new(DiesAfter { left: AtomicI64::new(after) });
        let options = StoreOptions { faults: Some(Arc::clone(&point) as Arc<dyn FaultPoint>), ..options() };
        (point, Store::open(self.path(), options))
    }

    fn faults(&self) -> Vec<String> {
        let faults = self.open().check(&CheckOptions { deep: true, repair: false }).unwrap();
        faults.iter().map(ToString::to_string).collect()
    }
}

/// A process that dies after so many changes: from then on none works, those that clean up included.
struct DiesAfter {
    left: AtomicI64,
}

impl DiesAfter {
    fn died(&self) -> bool {
        self.left.load(Ordering::SeqCst) < 0
    }
}

impl FaultPoint for DiesAfter {
    fn before(&self, _step: &'static str, _path: &Path) -> std::io::Result<()> {
        if self.left.fetch_sub(1, Ordering::SeqCst) > 0 { Ok(()) } else { Err(std::io::Error::other("killed")) }
    }
}

fn options() -> StoreOptions {
    let single_id = !rustix::process::geteuid().is_root();
    StoreOptions { single_id, ..StoreOptions::new(&IdMapping::Initial, OverlayXattr::here()) }
}

fn target() -> Target {
    "linux/amd64".parse().unwrap()
}

fn name(text: &str) -> Reference {
    text.parse().unwrap()
}

/// A tar of entries: name and text; `dir/`, `.wh.` and `name->target`, `name=>hard link` as the names say.
fn tar(entries: &[(&str, &str)]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, text) in entries {
        let mut header = tar::Header::new_gnu();
        let (kind, name, link) = match (name.split_once("->"), name.split_once("=>")) {
            (Some((name, link)), _) => (tar::EntryType::Symlink, name, Some(link)),
            (_, Some((name, link))) => (tar::EntryType::Link, name, Some(link)),
            _ if name.ends_with('/') => (tar::EntryType::Directory, *name, None),
            _ => (tar::EntryType::Regular, *name, None),
        };
        header.set_entry_type(kind);
        // For folders the text is the mode.
        let mode = if kind == tar::EntryType::Directory { u32::from_str_radix(text, 8).unwrap() } else { 0o644 };
        let data = if kind == tar::EntryType::Regular { text.as_bytes() } else { b"" };
        header.set_mode(mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(1000);
        header.set_size(data.len() as u64);
        if let Some(link) = link {
            header.set_link_name(link).unwrap();
        }
        header.set_path(name).unwrap();
        header.set_cksum();
        tar.append(&header, data).unwrap();
    }
    tar.into_inner().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn memory(bytes: &[u8]) -> (Digest, u64, Blob) {
    let mut pending = MemoryBlobs::default().create().unwrap();
    pending.write_all(bytes).unwrap();
    pending.commit(None).unwrap()
}

fn layer(tar: &[u8]) -> Layer {
    let (digest, size, blob) = memory(&gzip(tar));
    Layer { descriptor: Descriptor::new(media_type::OCI_LAYER_GZIP, digest, size), diff_id: DiffId::of(tar), blob }
}

fn image(layers: &[&[(&str, &str)]]) -> Image {
    Image::from_parts(ImageConfig::new(&target()), layers.iter().map(|entries| layer(&tar(entries))).collect())
}

fn quiet(_: Unpacking) {}

fn bytes(blob: &Blob) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    blob.open()?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Whether every part of an image can be read and is what its digest says.
fn is_readable(store: &Store, reference: &str) -> bool {
    let Ok(Some(image)) = store.image(&name(reference), &target()) else { return false };
    image.layers().iter().all(|layer| bytes(&layer.blob).is_ok_and(|bytes| Digest::of(bytes) == layer.descriptor.digest))
}

fn names_in(path: impl AsRef<Path>) -> Vec<String> {
    let mut names: Vec<_> =
        fs_err::read_dir(path.as_ref()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Overlays cannot be mounted everywhere; in CI they have to be.
fn can_mount() -> bool {
    let home = Home::new();
    let store = home.open();
    let two = image(&[&[("a", "1")], &[("b", "2")]]);
    match store.snapshot(&two, &quiet) {
        Err(StoreError::View { source, .. }) => !missing(false, &source.to_string()),
        result => result.is_ok() || panic!("{result:?}"),
    }
}

/// Whether a test has to be left out; says why. On a CI machine nothing is left out silently.
#[expect(clippy::print_stderr, reason = "the reason for leaving a test out")]
#[expect(clippy::disallowed_methods, reason = "a setting of the tests, not of the library")]
fn missing(works: bool, reason: &str) -> bool {
    assert!(works || std::env::var_os("CI").is_none(), "{reason}");
    if !works {
        eprintln!("left out: {reason}");
    }
    !works
}
