//! Divides the application folder into layers.
//!
//! A slice takes what its patterns match and nobody took before, folders with all that is in them; the
//! folders above are in each slice that needs them. What is left is the last layer: a folder all of
//! which was taken is not in it.
//!
//! Answers the CNB platform specification, "exporter", and the buildpack specification, "launch.toml",
//! `slices`.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use rustix::fs::FileType;

use super::ExportError;
use super::glob::Glob;
use crate::lifecycle::files::launch::Slice;
use crate::root::{Root, RootError};

/// The paths of each slice, then those of the rest: sorted by their bytes, the folder itself being the
/// empty path. A slice may be empty.
pub(super) fn divide(app: &Root, slices: &[Slice]) -> Result<Vec<Vec<PathBuf>>, ExportError> {
    let mut tree = Tree::read(app).map_err(ExportError::App)?;
    let mut layers = Vec::with_capacity(slices.len() + 1);
    for slice in slices {
        let mut globs = Vec::with_capacity(slice.paths.len());
        for pattern in &slice.paths {
            globs.push(Glob::parse(pattern).map_err(|_| ExportError::SlicePattern { pattern: pattern.clone() })?);
        }
        layers.push(tree.take_slice(&globs));
    }
    layers.push(tree.rest());
    Ok(layers)
}

/// Every path of the folder. Keys are bytes, because that is the order in which layers have them:
/// `a-b` is before `a/b`.
struct Tree {
    nodes: BTreeMap<Vec<u8>, Node>,
}

#[derive(Default)]
struct Node {
    children: Vec<Vec<u8>>,
    taken: bool,
}

impl Tree {
    fn read(app: &Root) -> Result<Self, RootError> {
        let mut nodes = BTreeMap::new();
        let mut folders = vec![PathBuf::new()];
        while let Some(folder) = folders.pop() {
            let mut node = Node::default();
            for entry in app.read_dir(&folder)? {
                let path = folder.join(&entry.name);
                node.children.push(key(&path));
                if entry.kind == FileType::Directory {
                    folders.push(path);
                } else {
                    nodes.insert(key(&path), Node::default());
                }
            }
            nodes.insert(key(&folder), node);
        }
        Ok(Self { nodes })
    }

    fn take_slice(&mut self, globs: &[Glob]) -> Vec<PathBuf> {
        let matched: Vec<Vec<u8>> = self.nodes.keys().filter(|path| globs.iter().any(|glob| glob.matches(path))).cloned().collect();
        let mut slice = BTreeSet::new();
        for path in matched {
            self.take(path, &mut slice);
        }
        let parents: BTreeSet<Vec<u8>> = slice.iter().flat_map(|path| parents(path)).filter(|parent| !slice.contains(parent)).collect();
        // A folder's path is longer than those above it: each sees what became of the folders in it.
        let mut deepest_first: Vec<&Vec<u8>> = parents.iter().collect();
        deepest_first.sort_by_key(|path| std::cmp::Reverse(path.len()));
        for parent in deepest_first {
            let all = self.nodes.get(parent).is_some_and(|node| node.children.iter().all(|child| self.is_taken(child)));
            if let Some(node) = self.nodes.get_mut(parent) {
                node.taken = all;
            }
        }
        slice.extend(parents);
        slice.into_iter().map(path).collect()
    }

    /// Takes a path and all that is in it, but for what was taken before.
    fn take(&mut self, path: Vec<u8>, slice: &mut BTreeSet<Vec<u8>>) {
        let mut open = vec![path];
        while let Some(path) = open.pop() {
            if let Some(node) = self.nodes.get_mut(&path).filter(|node| !node.taken) {
                node.taken = true;
                open.extend(node.children.iter().cloned());
                slice.insert(path);
            }
        }
    }

    fn is_taken(&self, path: &[u8]) -> bool {
        self.nodes.get(path).is_none_or(|node| node.taken)
    }

    fn rest(self) -> Vec<PathBuf> {
        self.nodes.into_iter().filter(|(_, node)| !node.taken).map(|(key, _)| path(key)).collect()
    }
}

fn key(path: &Path) -> Vec<u8> {
    path.as_os_str().as_bytes().to_vec()
}

fn path(key: Vec<u8>) -> PathBuf {
    PathBuf::from(OsString::from_vec(key))
}

/// The folders above a path, the whole folder (the empty path) among them, but not above itself.
fn parents(path: &[u8]) -> Vec<Vec<u8>> {
    let above = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(slash, _)| path[..slash].to_vec());
    above.chain((!path.is_empty()).then(Vec::new)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Divides a folder with these files (those that end in a slash are folders).
    fn divided(files: &[&str], slices: &[&[&str]]) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::open(folder.path()).unwrap();
        for file in files {
            match file.rsplit_once('/') {
                Some((parent, "")) => root.create_dir_all(parent, 0o755).unwrap(),
                Some((parent, _)) => {
                    root.create_dir_all(parent, 0o755).unwrap();
                    root.write(file, b"", 0o644).unwrap();
                }
                None => root.write(file, b"", 0o644).unwrap(),
            }
        }
        let slices: Vec<Slice> =
            slices.iter().map(|paths| Slice { paths: paths.iter().map(|path| (*path).to_owned()).collect() }).collect();
        let joined = |paths: Vec<PathBuf>| paths.iter().map(|path| format!("/{}", path.display())).collect::<Vec<_>>().join(" ");
        divide(&root, &slices).unwrap().into_iter().map(joined).collect()
    }

    #[test]
    fn without_slices_all_is_one_layer_in_the_order_of_bytes() {
        assert_eq!(divided(&["a/b", "a-b", "c/"], &[]), ["/ /a /a-b /a/b /c"]);
        assert_eq!(divided(&[], &[]), ["/"]);
    }

    #[test]
    fn slices_take_what_they_match_first() {
        for (case, files, slices, expected) in [
            ("one file", &["a", "b"][..], &[&["a"][..]][..], &["/ /a", "/ /b"][..]),
            ("a folder with all in it", &["d/x/y", "d/z", "e"], &[&["d"]], &["/ /d /d/x /d/x/y /d/z", "/ /e"]),
            ("parents are in each slice", &["d/a", "d/b", "d/c"], &[&["d/a"], &["d/b"]], &["/ /d /d/a", "/ /d /d/b", "/ /d /d/c"]),
            ("first slice wins", &["d/a", "d/b"], &[&["d/a"], &["d"]], &["/ /d /d/a", "/ /d /d/b", ""]),
            ("star stops at a slash", &["d/a", "d/e/a", "a"], &[&["*/a"]], &["/ /d /d/a", "/ /a /d /d/e /d/e/a"]),
            ("hidden names match", &[".env", "a"], &[&["*"]], &["/ /.env /a", ""]),
            ("folder taken file by file is gone", &["d/a", "d/b", "e"], &[&["d/a", "d/b"]], &["/ /d /d/a /d/b", "/ /e"]),
            ("folder taken by two slices is gone", &["d/a", "d/b", "e"], &[&["d/a"], &["d/b"]], &["/ /d /d/a", "/ /d /d/b", "/ /e"]),
            ("the whole folder", &["a"], &[&["."], &["a"]], &["/ /a", "", ""]),
            ("nothing matches", &["a"], &[&["x/*"], &[]], &["", "", "/ /a"]),
            ("outside the folder", &["a"], &[&["../a", "../../etc"]], &["", "/ /a"]),
            ("empty folder", &["d/"], &[&["d"]], &["/ /d", ""]),
            ("nested folders taken whole", &["d/e/a", "b"], &[&["d/e/a"]], &["/ /d /d/e /d/e/a", "/ /b"]),
        ] {
            assert_eq!(divided(files, slices), expected, "{case}");
        }
    }

    #[test]
    fn symlink_to_a_folder_is_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::open(folder.path()).unwrap();
        root.create_dir("d", 0o755).unwrap();
        root.write("d/a", b"", 0o644).unwrap();
        root.symlink("d", "link").unwrap();
        let slices = [Slice { paths: vec!["link/*".into()] }, Slice { paths: vec!["link".into()] }];
        let layers = divide(&root, &slices).unwrap();
        assert_eq!(layers[0], Vec::<PathBuf>::new());
        assert_eq!(layers[1], [PathBuf::new(), "link".into()]);
    }

    #[test]
    fn bad_pattern_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::open(folder.path()).unwrap();
        let error = divide(&root, &[Slice { paths: vec!["a[".into()] }]).unwrap_err();
        assert_eq!(error.to_string(), "slice pattern `a[` is not a glob pattern");
    }
}
