//! Cached layers between builds: folders that stay folders.
//!
//! A cached layer is a chain of committed folders of the store, the newest on top; each holds its part
//! as `<buildpack>/<layer>/…`. Layers are disjoint, so any choice of chains is one list of lower
//! folders for the overlay that a build sees as its layers folder. What the build changes lies in its
//! own upper folder: on success each cached layer's part is moved out of there and becomes the
//! next folder of its chain; on failure nothing has happened.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use fnpack_sandbox::OverlayXattr;
use rustix::fs::{AtFlags, FileType};
use serde::{Deserialize, Serialize};

use super::{PipelineError, Workbench, copies};
use crate::lifecycle::built::{Built, BuiltBuildpack, BuiltLayer};
use crate::lifecycle::label::{BuildpackLayerRecord, BuildpackRecord};
use crate::lifecycle::restore::{CacheMetadata, Restored};
use crate::root::{Root, RootError};
use crate::store::{FolderId, Keep, Scratch};

const KIND: &str = "build-cache";

/// A chain is merged into one folder when it gets longer: every lower folder costs each lookup a little.
const LONGEST_CHAIN: usize = 8;

/// Folders of a cached layer, the newest first.
type Chain = Vec<FolderId>;

/// A chain whose newest folder may still be in scratch.
struct NextChain {
    /// The name of that folder there.
    newest: Option<String>,
    older: Chain,
}

/// What a build kept for the next one.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct BuildCache {
    /// What the restorer decides by.
    pub(super) metadata: CacheMetadata,
    /// By buildpack id and layer name.
    chains: BTreeMap<String, BTreeMap<String, Chain>>,
}

/// The names that a build's cache goes by.
pub(super) struct CacheKeys {
    /// Under which it is looked for and kept, the first choice first.
    pub(super) own: Vec<String>,
    /// Under which it is looked for at last and never kept: of builds with the builder's own buildpacks alone, all of which
    /// mean the same here.
    pub(super) lent: Option<String>,
}

/// Where a build's layers folder is on this machine.
pub(super) struct LayersPlace<'a> {
    /// The layers folder itself, or the upper folder of its overlay, unmounted.
    pub(super) folder: PathBuf,
    /// Whether it has the layers as they are, not only what changed of them.
    pub(super) whole: bool,
    /// Of our own, on the file system of the store.
    pub(super) scratch: &'a Scratch,
}

impl CacheKeys {
    /// The image's own, and all others under which a cache is looked for.
    pub(super) fn own_and_others(&self) -> (Option<&String>, impl Iterator<Item = &String>) {
        (self.own.first(), self.own.iter().skip(1).chain(&self.lent))
    }
}

impl BuildCache {
    /// A cache of which only this is known yet.
    pub(super) fn of_metadata(metadata: CacheMetadata) -> Self {
        Self { metadata, chains: BTreeMap::new() }
    }

    /// Gives a layer its contents.
    pub(super) fn add(&mut self, buildpack: &str, layer: &str, folder: FolderId) {
        self.chains.entry(buildpack.to_owned()).or_default().insert(layer.to_owned(), vec![folder]);
    }

    /// The cache of the first of these keys that has one.
    pub(super) fn load<'k>(bench: &Workbench<'_>, keys: impl IntoIterator<Item = &'k String>) -> Option<Self> {
        let load = |key: &String| {
            // A record that cannot be read counts as none: the next build starts without a cache.
            let record = bench.store.record(KIND, key)?;
            let cache: Self = serde_json::from_slice(&record).ok()?;
            let whole = cache.all_folders().all(|id| matches!(bench.store.folder(id), Ok(Some(_))));
            whole.then_some(cache)
        };
        keys.into_iter().find_map(load)
    }

    /// Keeps the cache under every key.
    pub(super) fn remember(&self, bench: &Workbench<'_>, keys: &[String]) -> Result<(), PipelineError> {
        let value = serde_json::to_vec(self).unwrap_or_default();
        let keep: Vec<Keep> = self.all_folders().map(|id| Keep::Folder(id.clone())).collect();
        for key in keys {
            // After a build without a change it is the same, and writing it would cost a barrier.
            if bench.store.record(KIND, key).as_deref() != Some(value.as_slice()) {
                bench.store.remember(KIND, key, &value, &keep)?;
            }
        }
        Ok(())
    }

    fn all_folders(&self) -> impl Iterator<Item = &FolderId> {
        self.chains.values().flat_map(BTreeMap::values).flatten()
    }

    /// What of it comes back: a layer that is not restored starts anew, not on top of what it was.
    pub(super) fn only(mut self, restored: &[Restored]) -> Self {
        let comes_back = |buildpack: &str, layer: &str| {
            let layers = restored.iter().filter(|restored| restored.buildpack == buildpack).flat_map(|restored| &restored.layers);
            layers.into_iter().any(|restored| restored.name == layer && restored.contents.is_some())
        };
        for (buildpack, chains) in &mut self.chains {
            chains.retain(|layer, _| comes_back(buildpack, layer));
        }
        self
    }

    /// The lower folders that bring back the contents of the layers.
    pub(super) fn lowers(&self, bench: &Workbench<'_>) -> Result<Vec<PathBuf>, PipelineError> {
        let mut lowers = Vec::new();
        for id in self.all_folders() {
            lowers.extend(bench.store.folder(id)?);
        }
        Ok(lowers)
    }

    fn chain(&self, buildpack: &str, layer: &str) -> Option<&Chain> {
        self.chains.get(buildpack)?.get(layer)
    }

    /// The cache after a successful build. `sha` gives the diff ID of a layer that is also in the image.
    pub(super) fn after(
        &self,
        bench: &Workbench<'_>,
        built: &Built,
        place: &LayersPlace<'_>,
        sha: impl Fn(&str, &str) -> Option<String>,
    ) -> Result<Self, PipelineError> {
        let folder = Root::open(&place.folder)?;
        let mut chains = Vec::new();
        for buildpack in &built.buildpacks {
            for layer in cached_layers(buildpack) {
                let inside = Path::new(&buildpack.id.replace('/', "_")).join(&layer.name);
                let old = self.chain(&buildpack.id, &layer.name).cloned().unwrap_or_default();
                chains.push(next_chain(bench, (place, &folder), &inside, old)?);
            }
        }
        let mut chains = committed(bench, place.scratch, chains)?.into_iter();

        let mut next = Self::default();
        for buildpack in &built.buildpacks {
            let mut record = BuildpackRecord { id: buildpack.id.clone(), version: buildpack.version.clone(), ..BuildpackRecord::default() };
            let kept = next.chains.entry(buildpack.id.clone()).or_default();
            for (layer, chain) in cached_layers(buildpack).zip(&mut chains) {
                let named = || chain.first().map(|id| id.as_str().to_owned()).unwrap_or_default();
                let sha = sha(&buildpack.id, &layer.name).unwrap_or_else(named);
                record.layers.insert(layer.name.clone(), BuildpackLayerRecord::of(layer, sha));
                kept.insert(layer.name.clone(), chain);
            }
            next.metadata.buildpacks.push(record);
        }
        Ok(next)
    }
}

fn cached_layers(buildpack: &BuiltBuildpack) -> impl Iterator<Item = &BuiltLayer> {
    buildpack.layers.iter().filter(|layer| layer.cache && layer.present)
}

/// Moves what the build changed of a layer on top of its chain.
fn next_chain(
    bench: &Workbench<'_>,
    (place, folder): (&LayersPlace<'_>, &Root),
    inside: &Path,
    old: Chain,
) -> Result<NextChain, PipelineError> {
    if folder.try_symlink_metadata(inside)?.is_none() || (place.whole && is_unchanged(bench, folder, inside, &old)?) {
        return Ok(NextChain { newest: None, older: old });
    }
    let replaced = place.whole || is_opaque(folder, inside, bench.xattr)?;
    let older = if replaced { Vec::new() } else { old };
    let (name, newest) = new_folder(place.scratch)?;
    take(folder, &newest, inside)?;
    if older.len() < LONGEST_CHAIN {
        return Ok(NextChain { newest: Some(name), older });
    }
    let (name, target) = new_folder(place.scratch)?;
    for id in older.iter().rev() {
        if let Some(folder) = bench.store.folder(id)? {
            merge(&Root::open(folder)?, &target, Path::new(""), bench.xattr)?;
        }
    }
    merge(&newest, &target, Path::new(""), bench.xattr)?;
    Ok(NextChain { newest: Some(name), older: Vec::new() })
}

/// Commits the folders that are in scratch, all at once.
fn committed(bench: &Workbench<'_>, scratch: &Scratch, chains: Vec<NextChain>) -> Result<Vec<Chain>, PipelineError> {
    let names: Vec<&String> = chains.iter().filter_map(|chain| chain.newest.as_ref()).collect();
    let mut ids = bench.store.commit_folders(scratch, &names)?.into_iter();
    let whole = |chain: NextChain| chain.newest.and_then(|_| ids.next()).into_iter().chain(chain.older).collect();
    Ok(chains.into_iter().map(whole).collect())
}

/// Whether a layer that was copied from a chain of one folder is still as it was there.
fn is_unchanged(bench: &Workbench<'_>, folder: &Root, inside: &Path, chain: &Chain) -> Result<bool, PipelineError> {
    let [id] = chain.as_slice() else { return Ok(false) };
    match bench.store.folder(id)? {
        Some(committed) => Ok(copies::is_same(&Root::open(committed)?, folder, inside)?),
        None => Ok(false),
    }
}

/// Moves a layer into a new folder, with the folder of its buildpack.
fn take(from: &Root, to: &Root, inside: &Path) -> Result<(), RootError> {
    let buildpack = inside.parent().unwrap_or(Path::new(""));
    to.create_dir(buildpack, 0o755)?;
    let stat = from.symlink_metadata(buildpack)?;
    to.chown(buildpack, stat.st_uid, stat.st_gid)?;
    // A folder that its owner cannot write cannot be moved either, except by root.
    let mode = from.symlink_metadata(inside)?.st_mode;
    from.chmod(inside, mode | 0o200)?;
    rustix::fs::rename(from.proc_path().join(inside), to.proc_path().join(inside)).map_err(|errno| RootError {
        action: "keep the cached layer",
        path: inside.to_owned(),
        source: errno.into(),
    })?;
    to.chmod(inside, mode)
}

/// A new folder directly in scratch, which is where folders are committed from.
pub(super) fn new_folder(scratch: &Scratch) -> Result<(String, Root), PipelineError> {
    let root = scratch.root()?;
    let names = root.read_dir("")?;
    let name = (0..=names.len()).map(|number| format!("cached-{number}")).find(|name| !names.iter().any(|entry| entry.name == **name));
    let name = name.unwrap_or_default();
    root.create_dir(&name, 0o755)?;
    let folder = root.sub(&name)?;
    Ok((name, folder))
}

/// Whether a folder of an upper hides what is below it.
fn is_opaque(root: &Root, path: &Path, class: OverlayXattr) -> Result<bool, RootError> {
    let name = match class {
        OverlayXattr::Trusted => "trusted.overlay.opaque",
        OverlayXattr::User => "user.overlay.opaque",
    };
    let mut value = [0; 1];
    match rustix::fs::lgetxattr(root.proc_path().join(path), name, &mut value) {
        Ok(length) => Ok(value.get(..length) == Some(b"y")),
        Err(rustix::io::Errno::NODATA | rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::RANGE) => Ok(false),
        Err(errno) => Err(RootError { action: "examine", path: path.to_owned(), source: errno.into() }),
    }
}

/// Puts a folder of a chain over what is merged so far. Files are shared by hard links: committed
/// folders never change.
fn merge(from: &Root, to: &Root, folder: &Path, class: OverlayXattr) -> Result<(), RootError> {
    for entry in from.read_dir(folder)? {
        let path = folder.join(&entry.name);
        let stat = from.symlink_metadata(&path)?;
        match entry.kind {
            FileType::Directory => {
                let replaces = is_opaque(from, &path, class)? || !is_plain_folder(to, &path)?;
                if replaces {
                    to.remove_all(&path)?;
                    to.create_dir(&path, stat.st_mode)?;
                }
                merge(from, to, &path, class)?;
                to.chown(&path, stat.st_uid, stat.st_gid)?;
                to.chmod(&path, stat.st_mode)?;
            }
            // Overlayfs marks a deleted name so.
            FileType::CharacterDevice if stat.st_rdev == 0 => to.remove_all(&path)?,
            _ => {
                to.remove_all(&path)?;
                link(from, to, &path)?;
            }
        }
    }
    Ok(())
}

fn is_plain_folder(root: &Root, path: &Path) -> Result<bool, RootError> {
    let stat = root.try_symlink_metadata(path)?;
    Ok(stat.is_some_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Directory))
}

fn link(from: &Root, to: &Root, path: &Path) -> Result<(), RootError> {
    let failed = |errno: rustix::io::Errno| RootError { action: "link", path: path.to_owned(), source: errno.into() };
    let (from_parent, name) = from.parent(path).map_err(failed)?;
    let (to_parent, _) = to.parent(path).map_err(failed)?;
    rustix::fs::linkat(&from_parent, &name, &to_parent, &name, AtFlags::empty()).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, Option<&str>)]) -> (tempfile::TempDir, Root) {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::open(folder.path()).unwrap();
        for (path, contents) in files {
            let path = Path::new(path);
            root.create_dir_all(path.parent().unwrap(), 0o755).unwrap();
            match contents {
                Some(contents) => root.write(path, contents.as_bytes(), 0o644).unwrap(),
                None => rustix::fs::mknodat(&root, path, FileType::CharacterDevice, rustix::fs::Mode::empty(), 0).unwrap(),
            }
        }
        (folder, root)
    }

    #[test]
    fn newer_folders_replace_and_delete_when_chains_are_merged() {
        let (_old, old) = tree(&[("bp/layer/kept", Some("1")), ("bp/layer/changed", Some("1")), ("bp/layer/gone/file", Some("1"))]);
        let (_new, new) = tree(&[("bp/layer/changed", Some("2")), ("bp/layer/added", Some("2")), ("bp/layer/gone", None)]);
        let (_merged, merged) = tree(&[]);
        for root in [&old, &new] {
            merge(root, &merged, Path::new(""), OverlayXattr::User).unwrap();
        }
        let names: Vec<_> = merged.read_dir("bp/layer").unwrap().into_iter().map(|entry| entry.name.into_string().unwrap()).collect();
        assert_eq!(names, ["added", "changed", "kept"]);
        assert_eq!(merged.read_to_string("bp/layer/changed", 10).unwrap(), "2");
        assert_eq!(old.read_to_string("bp/layer/changed", 10).unwrap(), "1", "committed folders stay as they are");
    }

    #[test]
    fn opaque_folder_hides_what_was_below() {
        let (_old, old) = tree(&[("bp/layer/old", Some("1"))]);
        let (folder, new) = tree(&[("bp/layer/new", Some("2"))]);
        let marked = rustix::fs::setxattr(folder.path().join("bp/layer"), "user.overlay.opaque", b"y", rustix::fs::XattrFlags::empty());
        if marked == Err(rustix::io::Errno::OPNOTSUPP) {
            // A tmpfs of an old kernel has no user attributes; then overlays do not work on it either.
            return;
        }
        marked.unwrap();
        let (_merged, merged) = tree(&[]);
        for root in [&old, &new] {
            merge(root, &merged, Path::new(""), OverlayXattr::User).unwrap();
        }
        assert_eq!(merged.read_dir("bp/layer").unwrap().len(), 1);
    }
}
