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
    let (found, likely_base) = std::thread::scope(|scope| {
        // Most images are for this machine's target, so their runner is asked for meanwhile.
        let base = options.run_image.map(|run_image| scope.spawn(|| bench.in_registry(run_image, &bench.target).ok()));
        let found = bench.images_in_registry(options.image);
        (found, base.and_then(|base| base.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))))
    });
    let (tree, found) = found?;
    let rebased = found.into_iter().map(|(entry, old)| Ok((entry, bench.rebase_one(old, options, likely_base.as_ref())?)));
    let (entries, images): (Vec<_>, Vec<_>) = rebased.collect::<Result<Vec<_>, RegistryRebaseError>>()?.into_iter().unzip();
    let index = if tree.is_index() { Some(new_index(&tree, entries, &images).map_err(not_an_image(options.image))?) } else { None };
    send(bench, options, &images, index.as_ref())?;
    let digest = match (&index, images.first()) {
        (None, Some(only)) => only.new.digest(),
        (index, _) => index.as_ref().unwrap_or(&tree).descriptor.digest,
    };
    Ok(RebasedInRegistry { digest, left_out: tree.children.len().saturating_sub(images.len()), images })
}

fn not_an_image(name: &Reference) -> impl Fn(ImageError) -> RegistryRebaseError + '_ {
    |source| RegistryRebaseError::NotAnImage { name: name.familiar(), source }
}

/// The index with the new images in the place of the old ones.
fn new_index(old: &ManifestTree, entries: Vec<Descriptor>, images: &[RebasedImage]) -> Result<ManifestTree, ImageError> {
    let entries = entries.into_iter().zip(images).map(|(entry, RebasedImage { new, .. })| Descriptor {
        platform: entry.platform,
        annotations: entry.annotations,
        ..Descriptor::of(new.manifest().media_type(), new.manifest_bytes())
    });
    Ok(of_index(&Index { manifests: entries.collect(), ..Index::parse(&old.bytes)? }))
}

/// An index whose images are there already.
fn of_index(index: &Index) -> ManifestTree {
    let bytes = index.encode();
    let media_type = index.media_type.as_deref().unwrap_or(media_type::OCI_INDEX);
    ManifestTree { descriptor: Descriptor::of(media_type, &bytes), bytes: bytes.into(), blobs: Vec::new(), children: Vec::new() }
}

impl Workbench<'_> {
    /// What a name stands for, and the images in it with their entries.
    fn images_in_registry(&self, name: &Reference) -> Result<(ManifestTree, Vec<(Descriptor, Image)>), RegistryRebaseError> {
        let tree = self.tree_in_registry(name)?;
        if !tree.is_index() {
            let image = self.with_known_config(tree.clone()).image().map_err(not_an_image(name))?;
            return Ok((tree.clone(), vec![(tree.descriptor, image)]));
        }
        let mut images = Vec::new();
        for child in &tree.children {
            let image = self.with_known_config(child.clone()).image_if_one().map_err(not_an_image(name))?;
            images.extend(image.filter(|image| image.config().os != "unknown").map(|image| (child.descriptor.clone(), image)));
        }
        Ok((tree, images))
    }

    /// A config that the store has is not asked for again.
    fn with_known_config(&self, mut tree: ManifestTree) -> ManifestTree {
        if let Some((descriptor, blob)) = tree.blobs.last_mut()
            && let Some(known) = self.store.blob(&descriptor.digest)
        {
            *blob = known;
        }
        tree
    }

    /// `likely_base` is the runner for the target of this machine, if it is known already.
    fn rebase_one(
        &self,
        old: Image,
        options: &RebaseOptions<'_>,
        likely_base: Option<&Image>,
    ) -> Result<RebasedImage, RegistryRebaseError> {
        let no_run_image = || RegistryRebaseError::NoRunImage { name: options.image.familiar() };
        let run_image = options.run_image.cloned().or_else(|| Inspection::of(&old).base?.image?.parse().ok()).ok_or_else(no_run_image)?;
        let base = match likely_base.filter(|_| old.target() == self.target) {
            Some(base) => base.clone(),
            None => self.in_registry(&run_image, &old.target())?,
        };
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
