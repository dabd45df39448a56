//! Whether what is there is what was said, looked at past the client and past the network.

use std::path::Path;

use fnpack_core::digest::Digest;
use fnpack_core::pipeline::{self, Address, Selection};
use fnpack_core::reference::Reference;
use fnpack_core::store::CheckOptions;
use serde_json::Value;

use super::steps::{Done, Goal};
use super::world::World;

impl World {
    /// What is wrong after a step.
    pub(super) fn judge(&self, done: &Done) -> Result<(), String> {
        match &done.goal {
            Goal::Nothing => Ok(()),
            Goal::Tag { repository, tag, digest } => {
                self.judge_tag(done, repository, (tag, digest.as_deref()))?;
                if done.what == "copy" && done.result.is_ok() { self.judge_referrers(digest.as_deref()) } else { Ok(()) }
            }
            Goal::Listed { repository, tag, referrer } => {
                self.judge_tag(done, repository, (tag, None))?;
                if done.result.is_ok() && !self.listed(repository, tag).contains(referrer) {
                    return Err(format!("`{tag}` does not list {referrer} after a success"));
                }
                Ok(())
            }
            Goal::Stored { name, digest } => self.judge_store(name, digest, done.result.is_ok()),
            Goal::Saved { path, address, digest } => self.judge_file(path, address, digest, done.result.is_ok()),
        }?;
        let faults = self.store.check(&CheckOptions { deep: true, repair: false }).map_err(|error| format!("{error:?}"))?;
        if faults.is_empty() { Ok(()) } else { Err(format!("the store is damaged: {faults:?}")) }
    }

    /// All tags of the repository are whole, and none has moved but the one that should.
    fn judge_tag(&self, done: &Done, repository: &str, (goal, digest): (&str, Option<&str>)) -> Result<(), String> {
        let repository = self.registry.repository(repository);
        for tag in repository.tags() {
            let now = repository.digest(&tag).ok_or_else(|| format!("`{tag}` points to nothing"))?;
            let damages = repository.damages(&now);
            if !damages.is_empty() {
                return Err(format!("`{tag}` points to half of an image: {damages:?}"));
            }
            let old = done.before.get(&tag) == Some(&now);
            let new = tag == goal && digest.is_none_or(|digest| digest == now);
            // What refers to an image is listed under a tag of its own.
            if !old && !new && !tag.starts_with("sha256-") {
                return Err(format!("`{tag}` points to {now}, which nobody asked for"));
            }
        }
        let now = repository.digest(goal);
        if done.result.is_ok() && digest.is_some() && now.as_deref() != digest {
            return Err(format!("`{goal}` points to {now:?} after a success"));
        }
        Ok(())
    }

    /// What refers to a function is listed where its copy is.
    fn judge_referrers(&self, digest: Option<&str>) -> Result<(), String> {
        let tag = digest.unwrap_or_default().replace(':', "-");
        let copied = self.listed("copy", &tag);
        match self.listed("function", &tag).iter().find(|referrer| !copied.contains(referrer)) {
            None => Ok(()),
            Some(referrer) => Err(format!("{referrer} was not copied with what it refers to")),
        }
    }

    /// Digests of the entries of an index.
    fn listed(&self, repository: &str, tag: &str) -> Vec<String> {
        let bytes = self.registry.repository(repository).manifest(tag).unwrap_or_default();
        let index: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        let entries = index["manifests"].as_array().into_iter().flatten();
        entries.filter_map(|entry| entry["digest"].as_str().map(str::to_owned)).collect()
    }

    fn judge_store(&self, name: &Reference, digest: &str, success: bool) -> Result<(), String> {
        let stored = self.store.digest_of(name).map_err(|error| format!("{error:?}"))?.map(|stored| stored.to_string());
        if success && stored.as_deref() != Some(digest) {
            return Err(format!("the store has {stored:?} for {name} after a success"));
        }
        Ok(())
    }

    /// A file is there as a whole or not at all; a layout grows blob by blob, each of them whole.
    fn judge_file(&self, path: &Path, address: &Address, digest: &str, success: bool) -> Result<(), String> {
        if success {
            let bench = pipeline::Workbench { registry: None, ..self.bench() };
            let tree = bench.tree_at(address).map_err(|error| format!("{error:?}"))?;
            if tree.descriptor.digest.to_string() != digest {
                return Err(format!("{address} holds {}", tree.descriptor.digest));
            }
            let kept = Address::Named("saved".parse().unwrap());
            pipeline::copy(&bench, address, &kept, &Selection::All).map_err(|error| format!("{error:?}"))?;
        }
        let part = path.with_extension("tar.part");
        if part.exists() || (path.is_file() && !success) {
            return Err(format!("half of a file was left at {}", path.display()));
        }
        for entry in fs_err::read_dir(path.join("blobs/sha256")).into_iter().flatten() {
            let file = entry.map_err(|error| error.to_string())?.path();
            let hash = Digest::of(fs_err::read(&file).map_err(|error| error.to_string())?);
            if !file.ends_with(hash.hex()) {
                return Err(format!("half of a blob was left at {}", file.display()));
            }
        }
        Ok(())
    }
}
