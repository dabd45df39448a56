//! Signatures, SBOMs and attestations in an OCI layout: entries of its index without a name that refer to another, and
//! entries under the tags by which registries have them.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::ArchiveError;
use super::files::Files;
use super::layout::{self, LayoutSource};
use super::oci_layout::{CONTAINERD_NAME, REF_NAME, blob_name};
use crate::digest::Digest;
use crate::image::companion::{Companion, subject_of, subject_of_tag};
use crate::image::{Descriptor, Index, ManifestTree};
use crate::reference::Reference;

/// What an entry of a layout's index goes along with.
struct Entry<'a> {
    subject: Digest,
    tag: Option<String>,
    descriptor: &'a Descriptor,
}

/// The entries of an index that stand for themselves: those that go along with others are left out.
pub(super) fn without(files: &Arc<dyn Files>, index: &Index) -> Index {
    let along: BTreeSet<usize> = all(files, index).into_iter().map(|(position, _)| position).collect();
    let own = index.manifests.iter().enumerate().filter(|(position, _)| !along.contains(position));
    Index { manifests: own.map(|(_, entry)| entry.clone()).collect(), ..index.clone() }
}

/// What goes along with these manifests, and with that.
pub(super) fn read(files: &Arc<dyn Files>, subjects: &[Digest]) -> Result<Vec<Companion>, ArchiveError> {
    let index = layout::index(files)?;
    let entries: Vec<Entry<'_>> = all(files, &index).into_iter().map(|(_, entry)| entry).collect();
    let (mut found, mut taken) = (Vec::<Companion>::new(), BTreeSet::new());
    let mut wanted: BTreeSet<Digest> = subjects.iter().copied().collect();
    loop {
        let next: Vec<&Entry<'_>> =
            entries.iter().filter(|entry| wanted.contains(&entry.subject) && taken.insert(entry.descriptor.digest)).collect();
        if next.is_empty() {
            return Ok(found);
        }
        for entry in next {
            let of_entry = entry.read(files)?;
            wanted.extend(of_entry.iter().map(|companion| companion.tree.descriptor.digest));
            found.extend(of_entry);
        }
    }
}

impl Entry<'_> {
    fn read(&self, files: &Arc<dyn Files>) -> Result<Vec<Companion>, ArchiveError> {
        let subject = self.subject;
        // The entry's name is not the document's.
        let bare = Descriptor { annotations: std::collections::BTreeMap::new(), ..self.descriptor.clone() };
        let tree = ManifestTree::read(&LayoutSource(Arc::clone(files)), bare)?;
        let is_list = self.tag.as_ref().is_some_and(|tag| !tag.contains('.')) && tree.is_index();
        if is_list {
            return Ok(tree.children.into_iter().map(|tree| Companion { subject, tag: None, tree }).collect());
        }
        Ok(vec![Companion { subject, tag: self.tag.clone(), tree }])
    }
}

/// All entries that go along with something that is here, by their positions.
fn all<'a>(files: &Arc<dyn Files>, index: &'a Index) -> Vec<(usize, Entry<'a>)> {
    let mut found = Vec::new();
    for (position, descriptor) in index.manifests.iter().enumerate() {
        let (subject, tag) = match tag_of(descriptor) {
            Some(tag) => (subject_of_tag(&tag), Some(tag)),
            // What is damaged or not there is told to who wants it itself.
            None => (layout::document(files, descriptor.digest).ok().and_then(|document| subject_of(&document)), None),
        };
        // A signature whose image is elsewhere stands for itself.
        if let Some(subject) = subject.filter(|subject| files.length(&blob_name(*subject)).is_ok()) {
            found.push((position, Entry { subject, tag, descriptor }));
        }
    }
    found
}

/// The tag in the name of an entry, if it has a name.
fn tag_of(entry: &Descriptor) -> Option<String> {
    let name = entry.annotations.get(REF_NAME).or_else(|| entry.annotations.get(CONTAINERD_NAME))?;
    let full = name.contains(['/', ':']).then(|| name.parse().ok()).flatten();
    Some(full.and_then(|full: Reference| full.tag().map(str::to_owned)).unwrap_or_else(|| name.clone()))
}
