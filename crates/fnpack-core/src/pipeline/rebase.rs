//! Rebase where images live: manifests and configs pass through here, layers never do.

use std::collections::BTreeSet;

use super::{FindError, Workbench};
use crate::digest::Digest;
use crate::image::{Descriptor, Image, ImageError, Index, ManifestTree, media_type};
use crate::inspect::Inspection;
use crate::rebase::{self, NewBase, Objection, RebaseError};
use crate::reference::Reference;
use crate::registry::RegistryError;

/// What is rebased, on what, to what.
#[derive(Debug)]
pub struct RebaseOptions<'a> {
    /// The function image, or an index of it.
    pub image: &'a Reference,
    /// The new runner; the recorded one if none.
    pub run_image: Option<&'a Reference>,
    /// Names for the result.
    pub names: &'a [Reference],
    /// Whether objections are only reported.
    pub force: bool,
    /// Whether nothing is sent.
    pub dry_run: bool,
}

/// What came of it.
#[derive(Debug)]
pub struct RebasedInRegistry {
    /// Of the new image or index.
    pub digest: Digest,
    /// One each, or one a target.
    pub images: Vec<RebasedImage>,
    /// Entries of the index that are no images: they describe the old ones and were left out.
    pub left_out: usize,
}

/// One image on its new base.
#[derive(Debug)]
pub struct RebasedImage {
    /// The runner.
    pub run_image: Reference,
    /// Layers of the old base.
    pub removed: usize,
    /// Layers of the new base.
    pub added: usize,
    /// What spoke against it and was overridden.
    pub overridden: Vec<Objection>,
    old: Image,
    new: Image,
}

/// Why an image of a registry was not rebased.
#[derive(Debug, thiserror::Error)]
pub enum RegistryRebaseError {
    /// One of the images cannot be had.
    #[error(transparent)]
    Find(#[from] FindError),
    /// Facts or labels speak against it.
    #[error(transparent)]
    Rebase(#[from] RebaseError),
    /// The image does not say what it stands on.
    #[error("`{name}` does not say which run image it was built on")]
    NoRunImage {
        /// The image.
        name: String,
    },
    /// What the name stands for is no image.
    #[error("`{name}` cannot be rebased")]
    NotAnImage {
        /// The image.
        name: String,
        /// What it is.
        #[source]
        source: ImageError,
    },
    /// The result would get a name that nobody asked for.
    #[error("the result needs a name with a tag in place of `{name}`, which is the digest of the image before")]
    NoTag {
        /// As users write it.
        name: String,
    },
    /// The result could not be sent.
    #[error("cannot send `{name}` to its registry")]
    Send {
        /// Its name.
        name: String,
        /// What the registry said.
        #[source]
        source: Box<RegistryError>,
    },
}

/// Rebases an image where it is. Nothing is sent before the verdict on all its targets is known.
pub fn rebase_in_registry(bench: &Workbench<'_>, options: &RebaseOptions<'_>) -> Result<RebasedInRegistry, RegistryRebaseError> {
    if let Some(name) = options.names.iter().find(|name| name.tag().is_none()) {
        return Err(RegistryRebaseError::NoTag { name: name.familiar() });
    }
    let tree = bench.tree_in_registry(options.image)?;
    let not_an_image = |source| RegistryRebaseError::NotAnImage { name: options.image.familiar(), source };
    if !tree.is_index() {
        let rebased = bench.rebase_one(bench.with_known_config(tree).image().map_err(not_an_image)?, options)?;
        send(bench, options, std::slice::from_ref(&rebased), None)?;
        return Ok(RebasedInRegistry { digest: rebased.new.digest(), images: vec![rebased], left_out: 0 });
    }
    let mut images = Vec::new();
    let mut entries = Vec::new();
    for child in &tree.children {
        let image = bench.with_known_config(child.clone()).image_if_one().map_err(not_an_image)?;
        let Some(image) = image.filter(|image| image.config().os != "unknown") else { continue };
        let rebased = bench.rebase_one(image, options)?;
        let of_new = Descriptor::of(rebased.new.manifest().media_type(), rebased.new.manifest_bytes());
        entries.push(Descriptor {
            platform: child.descriptor.platform.clone(),
            annotations: child.descriptor.annotations.clone(),
            ..of_new
        });
        images.push(rebased);
    }
    let index = Index { manifests: entries, ..Index::parse(&tree.bytes).map_err(not_an_image)? };
    let index = of_index(&index);
    send(bench, options, &images, Some(&index))?;
    Ok(RebasedInRegistry { digest: index.descriptor.digest, left_out: tree.children.len() - images.len(), images })
}

/// An index whose images are there already.
fn of_index(index: &Index) -> ManifestTree {
    let bytes = index.encode();
    let media_type = index.media_type.as_deref().unwrap_or(media_type::OCI_INDEX);
    ManifestTree { descriptor: Descriptor::of(media_type, &bytes), bytes: bytes.into(), blobs: Vec::new(), children: Vec::new() }
}

impl Workbench<'_> {
    /// A config that the store has is not asked for again.
    fn with_known_config(&self, mut tree: ManifestTree) -> ManifestTree {
        if let Some((descriptor, blob)) = tree.blobs.last_mut()
            && let Some(known) = self.store.blob(&descriptor.digest)
        {
            *blob = known;
        }
        tree
    }

    fn rebase_one(&self, old: Image, options: &RebaseOptions<'_>) -> Result<RebasedImage, RegistryRebaseError> {
        let no_run_image = || RegistryRebaseError::NoRunImage { name: options.image.familiar() };
        let run_image = options.run_image.cloned().or_else(|| Inspection::of(&old).base?.image?.parse().ok()).ok_or_else(no_run_image)?;
        let base = self.in_registry(&run_image, &old.target())?;
        let facts = self.runner_facts_at_hand(&base);
        let new_base = NewBase { image: &base, reference: &run_image, facts: Some(&facts) };
        let rebased = rebase::rebase(&options.image.familiar(), &old, new_base, options.force)?;
        let (removed, added, overridden) = (rebased.removed, rebased.added, rebased.overridden);
        Ok(RebasedImage { run_image, removed, added, overridden, old, new: rebased.image })
    }
}

/// The images first, then the index if there is one. Only the names that are not right yet are sent.
fn send(
    bench: &Workbench<'_>,
    options: &RebaseOptions<'_>,
    images: &[RebasedImage],
    index: Option<&ManifestTree>,
) -> Result<(), RegistryRebaseError> {
    if options.dry_run {
        return Ok(());
    }
    // What cannot be reached was found out when the image was read.
    let Some(registry) = &bench.registry else { return Ok(()) };
    let client = registry.client().map_err(FindError::from)?;
    let mut filled: BTreeSet<String> = BTreeSet::new();
    for name in options.names {
        let failed = |source| RegistryRebaseError::Send { name: name.familiar(), source: Box::new(source) };
        for RebasedImage { old, new, .. } in images {
            if name == options.image && old.digest() == new.digest() && index.is_none() {
                continue;
            }
            let mut present: BTreeSet<Digest> = BTreeSet::new();
            if name.name() == options.image.name() {
                present.extend(old.blobs());
            }
            if filled.contains(&name.name()) {
                present.extend(new.blobs());
            }
            let under = if index.is_some() { name.pinned(new.digest()) } else { name.without_digest() };
            client.push_beside(new, &under, &present).map_err(failed)?;
        }
        if let Some(index) = index {
            client.push_tree(index, &name.without_digest()).map_err(failed)?;
        }
        filled.insert(name.name());
    }
    Ok(())
}
