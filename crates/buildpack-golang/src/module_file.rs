//! The lines of `go.mod` and `go.work` that matter before Go runs: the version asked for, and folders named.
//!
//! Go is the judge of these files; what is not understood here is left to it.

use std::path::{Component, Path};

/// What a file says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct ModuleFile {
    /// The newest of the `go` and `toolchain` lines, as a version such as `1.25.0`.
    pub(crate) go_version: Option<String>,
    /// Targets of `replace` and `use` that are folders, as written.
    pub(crate) folders: Vec<String>,
}

impl ModuleFile {
    pub(crate) fn parse(text: &str) -> Self {
        let mut file = Self::default();
        let mut block = None;
        for line in text.lines() {
            let words: Vec<&str> = line.split("//").next().unwrap_or_default().split_whitespace().collect();
            match (block, words.as_slice()) {
                (_, []) => {}
                (None, [directive, "("]) => block = Some(*directive),
                (Some(_), [")"]) => block = None,
                (None, [directive, arguments @ ..]) => file.directive(directive, arguments),
                (Some(directive), arguments) => file.directive(directive, arguments),
            }
        }
        file
    }

    fn directive(&mut self, directive: &str, arguments: &[&str]) {
        match (directive, arguments) {
            ("go", [version]) => self.ask_for(version),
            ("toolchain", [name]) => self.ask_for(name.trim_start_matches("go")),
            ("use", [folder]) => self.folders.push(unquoted(folder)),
            ("replace", [.., "=>", folder]) if is_folder(&unquoted(folder)) => self.folders.push(unquoted(folder)),
            _ => {}
        }
    }

    fn ask_for(&mut self, version: &str) {
        if self.go_version.as_deref().is_none_or(|present| is_newer(version, present)) {
            self.go_version = Some(version.to_owned());
        }
    }
}

/// Whether a Go version comes after another; a part that is not a number counts as 0, as in `1.26rc1`.
pub(crate) fn is_newer(version: &str, than: &str) -> bool {
    version_key(version) > version_key(than)
}

fn version_key(version: &str) -> [u32; 3] {
    let digits = |part: &str| part.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap_or(0);
    let mut parts = version.split('.').map(digits);
    std::array::from_fn(|_| parts.next().unwrap_or(0))
}

fn unquoted(word: &str) -> String {
    word.trim_matches(['"', '`']).to_owned()
}

/// As Go has it: a replacement without version is a folder if it starts like one.
fn is_folder(target: &str) -> bool {
    target.starts_with("./") || target.starts_with("../") || target.starts_with('/') || target == "." || target == ".."
}

/// Whether a folder named in a file of `base` (relative to the source folder) is inside the source folder.
pub(crate) fn is_inside(base: &Path, folder: &str) -> bool {
    let mut depth = base.components().count();
    for component in Path::new(folder).components() {
        match component {
            Component::Normal(_) => depth += 1,
            Component::CurDir => {}
            Component::ParentDir if depth > 0 => depth -= 1,
            _ => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn module_file_versions() {
        for (text, expected) in [
            ("", None),
            ("module x\n\ngo 1.21\n", Some("1.21")),
            ("go 1.21\ntoolchain go1.24.1\n", Some("1.24.1")),
            ("go 1.25.0 // newest\ntoolchain go1.24.1", Some("1.25.0")),
            ("toolchain default", Some("default")),
            ("// go 1.21", None),
            ("go", None),
        ] {
            assert_eq!(ModuleFile::parse(text).go_version.as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn module_file_folders() {
        let text = "replace a => ./a\nreplace (\n\tb v1 => ../b // near\n\tc => example.com/c v1.0.0\n\td => \"/d e\"\n)\nuse (\n ./f\n)\nuse g\nrequire ./no v1\n";
        assert_eq!(ModuleFile::parse(text).folders, ["./a", "../b", "./f", "g"]);
    }

    #[test]
    fn version_order() {
        for (version, than, newer) in [
            ("1.25", "1.24.9", true),
            ("1.9", "1.10", false),
            ("1.24", "1.24.0", false),
            ("1.26rc1", "1.25.3", true),
            ("default", "1.0", false),
        ] {
            assert_eq!(is_newer(version, than), newer, "{version} {than}");
        }
    }

    #[test]
    fn folder_inside_the_source() {
        for (base, folder, inside) in [
            ("", "./lib", true),
            ("", "../lib", false),
            ("fn", "../lib", true),
            ("fn", "../../lib", false),
            ("fn", "../../lib/../fn", false),
            ("", "/lib", false),
            ("a/b", "./c/../../d", true),
        ] {
            assert_eq!(is_inside(Path::new(base), folder), inside, "{base} {folder}");
        }
    }
}
