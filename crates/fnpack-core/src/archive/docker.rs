//! Reading what `docker save` writes, before version 25 and in engines that keep its form.

use std::io::{self, Read};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::files::{self, Files, blob, read_verified};
use super::layout::LONGEST_CONFIG;
use super::{ArchiveError, Named};
use crate::digest::{DiffId, Digest, Hashing};
use crate::image::{Descriptor, Image, ImageConfig, ImageError, Manifest, media_type};
use crate::layers::decompress::Compression;
use crate::reference::Reference;
use crate::target::Target;

/// The list of images.
pub(super) const MANIFEST: &str = "manifest.json";
/// A line for each image of the archive.
const LONGEST_LIST: u64 = 16 * 1024 * 1024;

/// One image of the list.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Entry {
    /// Name of the config's file.
    pub(super) config: String,
    /// `name:tag`; `null` if there are none.
    #[serde(default)]
    pub(super) repo_tags: Option<Vec<String>>,
    /// Names of the layers' files, lowest first.
    #[serde(default)]
    pub(super) layers: Option<Vec<String>>,
}

/// All images, whatever they are for.
pub(super) fn read_all(files: &Arc<dyn Files>) -> Result<Vec<Named>, ArchiveError> {
    let bytes = files::read(&**files, MANIFEST, LONGEST_LIST)?;
    let entries: Vec<Entry> = serde_json::from_slice(&bytes).map_err(|source| ArchiveError::Unreadable {
        name: MANIFEST.to_owned(),
        place: files.place(),
        source,
    })?;
    entries.iter().map(|entry| image(files, entry)).collect()
}

/// All images of a target.
pub(super) fn read(files: &Arc<dyn Files>, target: &Target) -> Result<Vec<Named>, ArchiveError> {
    let (fitting, others): (Vec<Named>, Vec<Named>) = read_all(files)?.into_iter().partition(|named| fits(&named.image, target));
    if fitting.is_empty() && !others.is_empty() {
        let available = others.iter().map(|named| named.image.target().to_string()).collect();
        return Err(ArchiveError::NoTarget { place: files.place(), target: target.to_string(), available });
    }
    Ok(fitting)
}

fn fits(image: &Image, target: &Target) -> bool {
    image.config().os.is_empty() || image.target().satisfies(target)
}

fn image(files: &Arc<dyn Files>, entry: &Entry) -> Result<Named, ArchiveError> {
    let failed = |source| ArchiveError::Image { place: files.place(), source };
    let config_bytes = config(&**files, &entry.config)?;
    let config = ImageConfig::parse(&config_bytes).map_err(failed)?;
    let (names, diff_ids) = (entry.layers.as_deref().unwrap_or_default(), &config.rootfs.diff_ids);
    if names.len() != diff_ids.len() {
        return Err(failed(ImageError::LayerCount { diff_ids: diff_ids.len(), layers: names.len() }));
    }
    let layers = names.iter().zip(diff_ids).map(|(name, diff_id)| layer(files, name, *diff_id)).collect::<Result<Vec<_>, _>>()?;
    let manifest = Manifest::new(Descriptor::of(media_type::OCI_CONFIG, &config_bytes), layers.clone());
    let name_of =
        |layer: &Descriptor| layers.iter().zip(names).find(|(known, _)| known.digest == layer.digest).map(|(_, name)| name.as_str());
    let layer_blob = |layer: &Descriptor, _| blob(files, name_of(layer).unwrap_or_default());
    let image = Image::from_bytes(manifest.encode(), config_bytes, layer_blob).map_err(failed)?;
    let tags = entry.repo_tags.iter().flatten();
    let names: Vec<Reference> = tags.filter_map(|tag| tag.parse().ok()).collect();
    Ok(Named { names, label: None, image })
}

/// The config. Its name is its digest in all that Docker writes; where it is, it is held to it.
fn config(files: &dyn Files, name: &str) -> Result<Vec<u8>, ArchiveError> {
    let stem = name.rsplit('/').next().unwrap_or_default();
    let stem = stem.strip_suffix(".json").unwrap_or(stem);
    match format!("sha256:{stem}").parse::<Digest>() {
        Ok(digest) => read_verified(files, name, digest, LONGEST_CONFIG),
        Err(_) => files::read(files, name, LONGEST_CONFIG),
    }
}

/// A plain layer is named by its diff ID and never read here; a packed one has to be hashed to be named.
fn layer(files: &Arc<dyn Files>, name: &str, diff_id: DiffId) -> Result<Descriptor, ArchiveError> {
    let size = files.length(name)?;
    let failed = |source| ArchiveError::File { action: "read", path: format!("{name} in {}", files.place()).into(), source };
    let mut start = Vec::new();
    files.open(name)?.take(4).read_to_end(&mut start).map_err(failed)?;
    let kind = match Compression::detect(&start) {
        Compression::None => {
            return Ok(Descriptor::new(media_type::OCI_LAYER, Digest::from(diff_id), size));
        }
        Compression::Gzip => media_type::OCI_LAYER_GZIP,
        Compression::Zstd => media_type::OCI_LAYER_ZSTD,
    };
    let mut hashing = Hashing::new(files.open(name)?);
    io::copy(&mut hashing, &mut io::sink()).map_err(failed)?;
    let (_, hash, size) = hashing.finish();
    Ok(Descriptor::new(kind, Digest::from_sha256(hash), size))
}
