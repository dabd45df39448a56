//! NARs: jars that carry other jars (the archive format of Apache `NiFi`, as Pulsar takes it).

use std::io::{Read, Seek};

use super::archive::{Archive, JarError};

const BUNDLED: &str = "META-INF/bundled-dependencies/";
const DESCRIPTION: &str = "META-INF/services/pulsar-io.yaml";
const DESCRIPTION_LIMIT: u64 = 1 << 20;

/// What makes a jar a NAR.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nar {
    /// As its description says; without one, Pulsar has to be told.
    pub function_class: Option<String>,
}

pub(super) fn read<R: Read + Seek>(archive: &mut Archive<R>) -> Result<Option<Nar>, JarError> {
    let has_bundled = archive.entries().iter().any(|entry| entry.name.starts_with(BUNDLED));
    match archive.find(DESCRIPTION).cloned() {
        Some(entry) => {
            let bytes = archive.read(&entry, DESCRIPTION_LIMIT)?;
            Ok(Some(Nar { function_class: function_class(&String::from_utf8_lossy(&bytes)) }))
        }
        None => Ok(has_bundled.then_some(Nar { function_class: None })),
    }
}

pub(super) fn is_bundled_jar(entry: &str) -> bool {
    entry.strip_suffix(".jar").is_some_and(|name| name.starts_with(BUNDLED))
}

/// One plain value of the document's top level; the description has nothing else.
fn function_class(yaml: &str) -> Option<String> {
    let value = yaml.lines().find_map(|line| line.strip_prefix("functionClass:"))?;
    let value = value.split(" #").next().unwrap_or_default().trim().trim_matches(['"', '\'']);
    Some(value.to_owned()).filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use testkit::java::jar;

    use super::*;

    #[test]
    fn nar_by_its_entries() {
        let none = Some(Nar { function_class: None });
        for (entries, expected) in [
            (&[("a.class", "")][..], None),
            (&[("META-INF/bundled-dependencies/a.jar", "")], none.clone()),
            (&[("META-INF/bundled-dependencies/", "")], none.clone()),
            (&[(DESCRIPTION, "name: x\n")], none),
            (&[(DESCRIPTION, "name: x\nfunctionClass: 'x.A'\n")], Some(Nar { function_class: Some("x.A".into()) })),
        ] {
            let mut archive = Archive::nested(jar(entries), "x.nar").unwrap();
            assert_eq!(read(&mut archive).unwrap(), expected, "{entries:?}");
        }
    }

    #[test]
    fn function_class_is_a_plain_value() {
        for (yaml, expected) in [
            ("functionClass: x.A", Some("x.A")),
            ("functionClass: \"x.A\" # ours", Some("x.A")),
            ("  functionClass: x.A", None),
            ("# functionClass: x.A", None),
            ("functionClass:", None),
            ("sourceClass: x.A", None),
        ] {
            assert_eq!(function_class(yaml).as_deref(), expected, "{yaml}");
        }
    }
}
