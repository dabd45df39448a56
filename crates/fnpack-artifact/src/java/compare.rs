//! Whether one jar is others put together.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use super::archive::{Archive, JarError};

/// Size and checksum.
type Identity = (u64, u32);

/// Whether `whole` has exactly what is in `parts`: no class renamed, changed, added or left out. What lies in
/// `META-INF` is not looked at; there, jars that bundle others always differ.
pub fn is_union(whole: &Path, parts: &[PathBuf]) -> Result<bool, JarError> {
    let mut expected: HashMap<String, HashSet<Identity>> = HashMap::new();
    for part in parts {
        for (name, identity) in contents(part)? {
            expected.entry(name).or_default().insert(identity);
        }
    }
    let found = contents(whole)?;
    let is_one_of = |(name, identity): (&String, &Identity)| expected.get(name).is_some_and(|known| known.contains(identity));
    Ok(found.len() == expected.len() && found.iter().all(is_one_of))
}

/// Whether a jar has classes of any of the others.
pub fn bundles(jar: &Path, libraries: &[PathBuf]) -> Result<bool, JarError> {
    let own = contents(jar)?;
    for library in libraries {
        if contents(library)?.keys().any(|name| name.strip_suffix(".class").is_some() && own.contains_key(name)) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn contents(jar: &Path) -> Result<HashMap<String, Identity>, JarError> {
    let archive = Archive::open(jar)?;
    let counts = |name: &str| !name.starts_with("META-INF/") && !name.ends_with("module-info.class");
    let entries = archive.entries().iter().filter(|entry| !entry.is_folder && counts(&entry.name));
    Ok(entries.map(|entry| (entry.name.clone(), entry.identity)).collect())
}

#[cfg(test)]
mod tests {
    use testkit::java::jar;

    use super::*;

    #[test]
    fn is_union_of_parts_alone() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, entries: &[(&str, &str)]| {
            fs_err::write(folder.path().join(name), jar(entries)).unwrap();
            folder.path().join(name)
        };
        let parts = [
            write("own.jar", &[("META-INF/MANIFEST.MF", "own"), ("x/", ""), ("x/A.class", "a"), ("same", "one")]),
            write("library.jar", &[("module-info.class", "m"), ("y/B.class", "b"), ("same", "other")]),
        ];
        for (entries, is, has) in [
            (&[("x/A.class", "a"), ("y/B.class", "b"), ("same", "one"), ("META-INF/services/s", "s")][..], true, true),
            (&[("x/A.class", "a"), ("y/B.class", "b"), ("same", "other")], true, true),
            (&[("x/A.class", "a"), ("y/B.class", "b"), ("same", "third")], false, true),
            (&[("x/A.class", "a"), ("y/B.class", "b")], false, true),
            (&[("x/A.class", "a"), ("shaded/y/B.class", "b"), ("same", "one")], false, false),
            (&[("x/A.class", "a"), ("y/B.class", "b"), ("same", "one"), ("z/C.class", "c")], false, true),
            (&[("x/A.class", "a"), ("same", "one")], false, false),
        ] {
            let whole = write("whole.jar", entries);
            assert_eq!(is_union(&whole, &parts).unwrap(), is, "{entries:?}");
            assert_eq!(bundles(&whole, parts.get(1..).unwrap()).unwrap(), has, "{entries:?}");
        }
    }
}
