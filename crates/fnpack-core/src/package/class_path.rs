//! The jars that a thin jar names in its manifest (JAR file specification, "Main Attributes", `Class-Path`).

use std::io::Read;
use std::path::{Component, Path, PathBuf};

use fs_err::File;
use zip::ZipArchive;

/// A manifest with a thousand entries has some hundred kilobytes.
const LONGEST_MANIFEST: u64 = 4 << 20;

/// The names of a jar's `Class-Path`, relative to the jar. A manifest that cannot be read names none.
pub(super) fn class_path(jar: &Path) -> Vec<String> {
    manifest(jar).map(|text| of_manifest(&text)).unwrap_or_default()
}

fn manifest(jar: &Path) -> Option<String> {
    let mut archive = ZipArchive::new(File::open(jar).ok()?).ok()?;
    let mut text = String::new();
    archive.by_name("META-INF/MANIFEST.MF").ok()?.take(LONGEST_MANIFEST).read_to_string(&mut text).ok()?;
    Some(text)
}

/// Lines of a manifest are cut at 72 bytes and go on after a blank; the main section ends with an empty line.
fn of_manifest(manifest: &str) -> Vec<String> {
    let whole = manifest.replace("\r\n", "\n").replace('\r', "\n");
    let main = whole.split("\n\n").next().unwrap_or_default().replace("\n ", "");
    let value = main.lines().filter_map(|line| line.split_once(':')).find(|(name, _)| name.eq_ignore_ascii_case("Class-Path"));
    value.map(|(_, names)| names.split_whitespace().map(str::to_owned).collect()).unwrap_or_default()
}

/// Where a name of the class path is below the jar's folder; `None` if it leads elsewhere (a URL, an absolute path).
pub(super) fn below(name: &str) -> Option<PathBuf> {
    let path = Path::new(name);
    let stays = !name.contains([':', '%', '\0']) && path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    stays.then(|| path.components().filter(|part| matches!(part, Component::Normal(_))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn class_path_is_joined_over_lines() {
        for (manifest, expected) in [
            ("Manifest-Version: 1.0\r\nClass-Path: lib/a.jar lib\r\n /b.jar\r\nX: y\r\n\r\n", &["lib/a.jar", "lib/b.jar"][..]),
            ("class-path: a.jar\n", &["a.jar"]),
            ("Manifest-Version: 1.0\n\nName: x\nClass-Path: other.jar\n", &[]),
            ("", &[]),
        ] {
            assert_eq!(of_manifest(manifest), expected, "{manifest}");
        }
    }

    #[test]
    fn class_path_stays_below_the_jar() {
        for (name, expected) in [
            ("lib/a.jar", Some("lib/a.jar")),
            ("./a.jar", Some("a.jar")),
            ("../a.jar", None),
            ("/a.jar", None),
            ("https://example.com/a.jar", None),
        ] {
            assert_eq!(below(name), expected.map(PathBuf::from), "{name}");
        }
    }
}
