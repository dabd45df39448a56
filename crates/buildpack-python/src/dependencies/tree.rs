//! The unpacked tree: which projects are in it, and the same bytes wherever it was made.

use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use fnpack_artifact::python::recorded_files;
use fnpack_artifact::python::wheel::{Metadata, Tag, tags_of};

/// Files of an installer about itself, the time, and where a package came from, which may be an address with a
/// password.
const OF_INSTALLER: [&str; 5] = ["INSTALLER", "REQUESTED", "direct_url.json", "uv_build.json", "uv_cache.json"];

/// A project as it is installed (Python packaging user guide, "Recording installed projects").
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Project {
    /// The name of its `.dist-info` folder, without that.
    pub(crate) stem: String,
    pub(crate) metadata: Metadata,
    pub(crate) tags: Vec<Tag>,
    /// Its files, relative to the tree.
    pub(crate) files: Vec<String>,
}

impl fmt::Display for Project {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.metadata.name, self.metadata.version)
    }
}

impl Project {
    /// Whether it was compiled in this build: what is published names a platform, not just Linux.
    pub(crate) fn is_compiled_here(&self) -> bool {
        self.tags.iter().any(|tag| tag.to_string().contains("-linux_"))
    }
}

/// The projects of a tree, by name.
pub(crate) fn projects(site: &Path) -> io::Result<Vec<Project>> {
    let project = |folder: PathBuf| {
        let text =
            |name: &str| fs_err::read(folder.join(name)).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
        Project {
            stem: folder.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
            metadata: Metadata::parse(&text("METADATA")),
            tags: tags_of(&text("WHEEL")),
            files: recorded_files(&text("RECORD")).collect(),
        }
    };
    Ok(information_folders(site)?.into_iter().map(project).collect())
}

fn information_folders(site: &Path) -> io::Result<Vec<PathBuf>> {
    let mut folders = Vec::new();
    for entry in fs_err::read_dir(site)? {
        let path = entry?.path();
        if path.extension() == Some(OsStr::new("dist-info")) {
            folders.push(path);
        }
    }
    folders.sort_unstable();
    Ok(folders)
}

/// Takes out what differs from machine to machine, and programs: nobody calls them, and they name the build
/// image's Python.
pub(crate) fn tidy(site: &Path) -> io::Result<()> {
    let has_programs = site.join("bin").is_dir() && !site.join("bin/__init__.py").exists();
    if has_programs {
        fs_err::remove_dir_all(site.join("bin"))?;
    }
    for entry in fs_err::read_dir(site)? {
        let path = entry?.path();
        if is_for_site_packages(&path) || [".lock", ".gitignore"].iter().any(|name| path.ends_with(name)) {
            remove_if_there(&path)?;
        }
    }
    for folder in information_folders(site)? {
        for name in OF_INSTALLER {
            remove_if_there(&folder.join(name))?;
        }
        let record = folder.join("RECORD");
        if record.is_file() {
            fs_err::write(&record, tidy_record(&fs_err::read_to_string(&record)?, has_programs))?;
        }
    }
    Ok(())
}

/// A list of more folders, which Python reads in `site-packages` alone. Projects installed as links to their source
/// have them, with paths of this build.
fn is_for_site_packages(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "pth")
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs_err::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn tidy_record(record: &str, has_programs: bool) -> String {
    let is_kept = |line: &&str| {
        let path = recorded_files(line).next().unwrap_or_default();
        let is_installers = path.split_once(".dist-info/").is_some_and(|(_, name)| OF_INSTALLER.contains(&name))
            || path.split('/').any(|part| part == "..")
            || (!path.contains('/') && is_for_site_packages(Path::new(&path)));
        !(path.is_empty() || is_installers || has_programs && path.starts_with("bin/"))
    };
    let mut lines: Vec<&str> = record.lines().filter(is_kept).collect();
    lines.sort_unstable();
    lines.into_iter().flat_map(|line| [line, "\n"]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site() -> tempfile::TempDir {
        let site = tempfile::tempdir().unwrap();
        let record = "z/__init__.py,sha256=a,1\nbin/z,sha256=b,2\n_z.pth,,\n../../bin/y,,\nz-1.dist-info/RECORD,,\n\
                      z-1.dist-info/INSTALLER,sha256=c,2\nz-1.dist-info/METADATA,sha256=d,3\n";
        for (path, text) in [
            ("z/__init__.py", ""),
            ("bin/z", "#!/usr/bin/python3"),
            (".lock", ""),
            ("_z.pth", "/build/z"),
            ("z-1.dist-info/RECORD", record),
            ("z-1.dist-info/INSTALLER", "uv"),
            ("z-1.dist-info/direct_url.json", "{\"url\": \"https://me:secret@host\"}"),
            ("z-1.dist-info/METADATA", "Name: z\nVersion: 1\nRequires-Dist: grpcio>=1\n"),
            ("z-1.dist-info/WHEEL", "Tag: cp313-cp313-linux_x86_64\n"),
        ] {
            let path = site.path().join(path);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, text).unwrap();
        }
        site
    }

    #[test]
    fn tidy_leaves_what_is_the_same_everywhere() {
        let site = site();
        tidy(site.path()).unwrap();
        let record = fs_err::read_to_string(site.path().join("z-1.dist-info/RECORD")).unwrap();
        assert_eq!(record, "z-1.dist-info/METADATA,sha256=d,3\nz-1.dist-info/RECORD,,\nz/__init__.py,sha256=a,1\n");
        for gone in ["bin", ".lock", "_z.pth", "z-1.dist-info/INSTALLER", "z-1.dist-info/direct_url.json"] {
            assert!(!site.path().join(gone).exists(), "{gone}");
        }
        tidy(site.path()).unwrap();
    }

    #[test]
    fn tidy_keeps_a_package_called_bin() {
        let site = site();
        fs_err::write(site.path().join("bin/__init__.py"), "").unwrap();
        tidy(site.path()).unwrap();
        assert!(site.path().join("bin/z").exists());
    }

    #[test]
    fn projects_say_what_they_are() {
        let site = site();
        let found = projects(site.path()).unwrap();
        let [project] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((project.to_string().as_str(), project.is_compiled_here(), project.files.len()), ("z 1", true, 7));
        assert_eq!(project.metadata.requires.first().map(|requirement| requirement.name.as_str()), Some("grpcio"));
    }
}
