//! What is used of Pulsar's source releases: configuration, the Python instance, the start of the Java instance.

use std::borrow::Cow;
use std::io::{self, Read};
use std::path::Path;

use fs_err::File;
use zip::ZipArchive;

use super::DistributionError;

/// No file in use is near to it.
const LONGEST_FILE: u64 = 16 << 20;

/// Files directly in a folder of an archive, and the folder of the distribution where they go.
pub(super) struct Selection {
    pub(super) from: &'static str,
    pub(super) suffix: &'static str,
    pub(super) to: &'static str,
}

/// Of the source release of the broker's version.
pub(super) const OF_BROKER: &[Selection] = &[
    Selection { from: "pulsar/conf/", suffix: "", to: "conf" },
    Selection { from: "pulsar/conf/functions-logging/", suffix: "", to: "conf/functions-logging" },
    Selection { from: "pulsar/pulsar-functions/runtime-all/src/main/resources/", suffix: ".xml", to: "instances/java-instance" },
    Selection {
        from: "pulsar/pulsar-functions/runtime-all/src/main/java/org/apache/pulsar/functions/instance/",
        suffix: ".java",
        to: "instances/java-instance",
    },
];

/// Of the source release of the instance's version.
pub(super) const OF_PYTHON_INSTANCE: &[Selection] =
    &[Selection { from: "pulsar/pulsar-functions/instance/src/main/python/", suffix: ".py", to: "instances/python-instance" }];

/// Unpacks the selected files below `folder`. Names in the archive only choose: no path of it is followed.
pub(super) fn unpack(archive: &Path, selections: &[Selection], folder: &Path) -> Result<(), DistributionError> {
    let failed = |source| DistributionError::Archive { path: archive.to_owned(), source };
    let file = File::open(archive).map_err(DistributionError::file("open", archive))?;
    let mut zip = ZipArchive::new(file).map_err(failed)?;
    for selection in selections {
        let target = folder.join(selection.to);
        fs_err::create_dir_all(&target).map_err(DistributionError::file("create", &target))?;
        let names: Vec<String> = zip.file_names().flatten().filter(|name| selection.takes(name)).map(Cow::into_owned).collect();
        if names.is_empty() {
            return Err(DistributionError::Missing { path: archive.to_owned(), what: format!("files in `{}`", selection.from) });
        }
        for name in names {
            let entry = zip.by_name(&name).map_err(failed)?;
            let path = target.join(name.strip_prefix(selection.from).unwrap_or_default());
            write(entry, &path).map_err(DistributionError::file("write", &path))?;
        }
    }
    Ok(())
}

impl Selection {
    fn takes(&self, name: &str) -> bool {
        let Some(file) = name.strip_prefix(self.from) else { return false };
        let plain = !file.is_empty() && file != "." && file != ".." && !file.contains(['/', '\\', '\0']);
        plain && file.ends_with(self.suffix)
    }
}

fn write(entry: impl Read, path: &Path) -> io::Result<()> {
    let mut file = File::create(path)?;
    let copied = io::copy(&mut entry.take(LONGEST_FILE + 1), &mut file)?;
    if copied > LONGEST_FILE { Err(io::Error::new(io::ErrorKind::FileTooLarge, "longer than any file of Pulsar")) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;

    fn archive(folder: &Path, names: &[&str]) -> std::path::PathBuf {
        let path = folder.join("a.zip");
        let mut writer = ZipWriter::new(File::create(&path).unwrap());
        for name in names {
            writer.start_file(*name, SimpleFileOptions::default()).unwrap();
            writer.write_all(name.as_bytes()).unwrap();
        }
        writer.finish().unwrap();
        path
    }

    const SELECTION: &[Selection] = &[Selection { from: "p/conf/", suffix: ".conf", to: "conf" }];

    #[test]
    fn unpack_takes_selected_files_and_follows_no_path() {
        let folder = tempfile::tempdir().unwrap();
        let names =
            ["p/conf/a.conf", "p/conf/b.txt", "p/conf/sub/c.conf", "p/conf/../../../d.conf", "p/conf/..\\e.conf", "q/f.conf", "/g.conf"];
        unpack(&archive(folder.path(), &names), SELECTION, &folder.path().join("out")).unwrap();
        let found: Vec<_> = fs_err::read_dir(folder.path().join("out/conf")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(found, ["a.conf"]);
        assert_eq!(fs_err::read_to_string(folder.path().join("out/conf/a.conf")).unwrap(), "p/conf/a.conf");
    }

    #[test]
    fn unpack_refuses_what_is_not_the_archive() {
        let folder = tempfile::tempdir().unwrap();
        let empty = archive(folder.path(), &["other"]);
        assert!(matches!(unpack(&empty, SELECTION, folder.path()), Err(DistributionError::Missing { .. })));
        fs_err::write(&empty, "no zip").unwrap();
        assert!(matches!(unpack(&empty, SELECTION, folder.path()), Err(DistributionError::Archive { .. })));
    }
}
