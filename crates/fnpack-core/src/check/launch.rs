//! What of a launch layer takes effect only through the CNB launcher (CNB buildpack spec, "Launch").
//!
//! Pulsar and Function Mesh start a function by a command of their own. The launcher does not run then: what it would
//! have put into the environment is missing, and only the image's own variables and fixed paths count.

use std::path::{Path, PathBuf};

use super::Finding;
use crate::lifecycle::buildpacks::escaped;
use crate::lifecycle::built::Built;
use crate::root::{Root, RootError};

/// More names than anybody reads.
const MOST_NAMES: usize = 5;

/// A folder of a layer that only the launcher looks into.
struct Part {
    rule: &'static str,
    folders: &'static [&'static str],
    /// What is lost; the names of the files follow.
    why: &'static str,
    fix: &'static str,
}

const PARTS: [Part; 4] = [
    Part {
        rule: "layer-env",
        folders: &["env", "env.launch"],
        why: "sets variables that the function will not have",
        fix: "set them where the function is deployed, or in the runner's Dockerfile with ENV; or write them to a file of the application folder",
    },
    Part {
        rule: "layer-profile",
        folders: &["profile.d"],
        why: "has scripts that will not be sourced",
        fix: "do their work in `bin/build`, and leave the result in the application folder",
    },
    Part {
        rule: "layer-exec-d",
        folders: &["exec.d"],
        why: "has programs that will not run before the function",
        fix: "do their work in `bin/build`, and leave the result in the application folder",
    },
    Part {
        rule: "layer-path",
        folders: &["bin", "lib"],
        why: "has programs or libraries that no search path leads to",
        fix: "put them into the application folder or the runner, or name them by their full path",
    },
];

/// Everything that launch layers hold for the launcher alone. `layers` is the layers folder of the build; a layer that is
/// taken from an earlier image has no folder there and was looked at when it was made.
pub fn without_launcher(built: &Built, layers: &Root) -> Result<Vec<Finding>, RootError> {
    let mut findings = Vec::new();
    for buildpack in &built.buildpacks {
        for layer in buildpack.layers.iter().filter(|layer| layer.launch && layer.present) {
            let folder = Path::new(&escaped(&buildpack.id)).join(&layer.name);
            for part in &PARTS {
                let names = part.names(layers, &folder)?;
                if !names.is_empty() {
                    let place = format!("layer `{}` of buildpack `{}`", layer.name, buildpack.id);
                    let why = format!("{}: {}", part.why, listed(&names));
                    findings.push(Finding { rule: part.rule, place, why, fix: part.fix });
                }
            }
        }
    }
    Ok(findings)
}

impl Part {
    /// What lies in its folders, by names that begin at the layer.
    fn names(&self, layers: &Root, layer: &Path) -> Result<Vec<String>, RootError> {
        let mut names = Vec::new();
        for folder in self.folders {
            for path in files(layers, &layer.join(folder))? {
                names.push(path.strip_prefix(layer).unwrap_or(&path).display().to_string());
            }
        }
        Ok(names)
    }
}

/// Folders may be one level deep: `env.launch` and its like have one for each process type.
fn files(root: &Root, folder: &Path) -> Result<Vec<PathBuf>, RootError> {
    if !root.is_dir(folder) {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for entry in root.read_dir(folder)? {
        let path = folder.join(&entry.name);
        if root.is_dir(&path) {
            found.extend(root.read_dir(&path)?.into_iter().map(|entry| path.join(entry.name)));
        } else {
            found.push(path);
        }
    }
    Ok(found)
}

fn listed(names: &[String]) -> String {
    let shown: Vec<String> = names.iter().take(MOST_NAMES).map(|name| format!("`{name}`")).collect();
    let more = names.len().saturating_sub(MOST_NAMES);
    if more == 0 { shown.join(", ") } else { format!("{} and {more} more", shown.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lifecycle::built::{BuiltBuildpack, BuiltLayer};

    fn built(layers: &[(&str, bool)]) -> Built {
        let layer = |(name, launch): &(&str, bool)| BuiltLayer {
            name: (*name).to_owned(),
            launch: *launch,
            build: true,
            cache: false,
            metadata: toml::Table::new(),
            present: true,
        };
        let buildpack = BuiltBuildpack {
            id: "a/b".into(),
            version: "1".into(),
            api: "0.10".into(),
            homepage: None,
            layers: layers.iter().map(layer).collect(),
            store: None,
        };
        Built { buildpacks: vec![buildpack], ..Built::default() }
    }

    fn folder(files: &[&str]) -> (tempfile::TempDir, Root) {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join("a_b").join(file);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, "").unwrap();
        }
        let root = Root::open(folder.path()).unwrap();
        (folder, root)
    }

    #[test]
    fn parts_for_the_launcher_are_found_in_launch_layers() {
        for (files, found) in [
            (&["x/data/file"][..], &[][..]),
            (&["x/env.build/A"], &[]),
            (&["y/env/A", "y/bin/run"], &[]),
            (&["x/env/A.default"], &["layer-env: sets variables that the function will not have: `env/A.default`"]),
            (
                &["x/env.launch/A", "x/env.launch/function/B.append"],
                &["layer-env: sets variables that the function will not have: `env.launch/A`, `env.launch/function/B.append`"],
            ),
            (&["x/profile.d/a.sh"], &["layer-profile: has scripts that will not be sourced: `profile.d/a.sh`"]),
            (&["x/exec.d/a"], &["layer-exec-d: has programs that will not run before the function: `exec.d/a`"]),
            (
                &["x/bin/a", "x/bin/b", "x/lib/c.so", "x/lib/d.so", "x/lib/e.so", "x/lib/f.so"],
                &[
                    "layer-path: has programs or libraries that no search path leads to: `bin/a`, `bin/b`, `lib/c.so`, `lib/d.so`, `lib/e.so` and 1 more",
                ],
            ),
        ] {
            let (_folder, root) = folder(files);
            let findings = without_launcher(&built(&[("x", true), ("y", false)]), &root).unwrap();
            let told: Vec<String> = findings.iter().map(|finding| format!("{}: {}", finding.rule, finding.why)).collect();
            assert_eq!(told, found, "{files:?}");
            assert!(findings.iter().all(|finding| finding.place == "layer `x` of buildpack `a/b`"));
        }
    }

    #[test]
    fn finding_is_told_with_its_fix() {
        let finding = Finding { rule: "layer-env", place: "layer `x`".into(), why: "sets A".into(), fix: "do B" };
        assert_eq!(finding.to_string(), "layer-env: layer `x` sets A\n  do B");
    }
}
