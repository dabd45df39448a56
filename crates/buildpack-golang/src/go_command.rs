//! The `go` command: choosing the toolchain that a module asks for, and running it.
//!
//! Go downloads a newer toolchain by itself, as a module, checked by the checksum database. To keep it in a layer of
//! its own, the first call has that layer for its module cache; the toolchain found there is then called by path.

use std::ffi::{OsStr, OsString};
use std::io::{self, BufReader};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use fnpack_buildpack::{Variables, pass_on, without_credentials};

use crate::error::GolangError;
use crate::module_file::{ModuleFile, is_newer};

/// What Go takes if nothing else is said.
const DEFAULT_PROXY: &str = "https://proxy.golang.org,direct";

/// A chosen toolchain.
#[derive(Debug)]
pub(crate) struct Go {
    program: PathBuf,
    /// Such as `1.25.0`.
    pub(crate) version: String,
    variables: Variables,
}

impl Go {
    /// The toolchain that a module asks for. `layer` keeps what has to be downloaded.
    pub(crate) fn choose(variables: &Variables, module: &Path, layer: &Path) -> Result<Self, GolangError> {
        let mut choosing = variables.clone();
        choosing.insert("GOMODCACHE".into(), layer.into());
        choosing.entry("GOTOOLCHAIN".into()).or_insert_with(|| "auto".into());
        let (status, output) = ask(&choosing, module, &["env", "GOVERSION", "GOROOT"])?;
        let asked = asked_version(module);
        let mut lines = output.lines();
        let version = lines.next().unwrap_or_default().trim_start_matches("go").to_owned();
        let root = PathBuf::from(lines.next().unwrap_or_default());
        if !status.success() || asked.as_deref().is_some_and(|asked| is_newer(asked, &version)) {
            return Err(not_chosen(variables, module, asked, status));
        }
        keep_only(layer, &root).map_err(|source| GolangError::Run { command: "go env".to_owned(), source })?;
        let mut variables = variables.clone();
        variables.insert("GOTOOLCHAIN".into(), "local".into());
        let program = Some(root.join("bin/go")).filter(|program| program.is_file()).unwrap_or_else(|| "go".into());
        Ok(Self { program, version, variables })
    }

    /// The variables that its commands see.
    pub(crate) fn variables(&self) -> &Variables {
        &self.variables
    }

    /// Runs it in the module, with its words passed on as they come. Paths in them are made relative to the source
    /// folder, where the module is at `place`. What it said last is returned if it failed.
    pub(crate) fn run(&self, arguments: &[OsString], module: &Path, place: &Path) -> Result<Result<(), String>, GolangError> {
        let failed = |source| GolangError::Run { command: "go build".to_owned(), source };
        let mut command = Command::new(&self.program);
        command.args(arguments).current_dir(module).env_clear().envs(&self.variables);
        let mut child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().map_err(failed)?;
        let output = child
            .stderr
            .take()
            .map(|stream| pass_on(BufReader::new(stream), &mut io::stderr(), |line| relocated(line, place)))
            .transpose()
            .map_err(failed)?;
        let status = child.wait().map_err(failed)?;
        Ok(if status.success() { Ok(()) } else { Err(output.unwrap_or_default()) })
    }
}

/// Runs the build image's own `go` for an answer; its complaints go where ours do.
fn ask(variables: &Variables, folder: &Path, arguments: &[&str]) -> Result<(ExitStatus, String), GolangError> {
    let mut command = Command::new("go");
    command.args(arguments).current_dir(folder).env_clear().envs(variables).stdin(Stdio::null()).stderr(Stdio::inherit());
    match command.output() {
        Ok(output) => Ok((output.status, String::from_utf8_lossy(&output.stdout).into_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(GolangError::GoMissing),
        Err(source) => Err(GolangError::Run { command: format!("go {}", arguments.join(" ")), source }),
    }
}

/// A file that cannot be read is for Go to complain about.
fn asked_version(module: &Path) -> Option<String> {
    let bytes = fs_err::read(module.join("go.mod")).ok()?;
    ModuleFile::parse(&String::from_utf8_lossy(&bytes)).go_version
}

/// Why there is no toolchain: the module asks for one that cannot be had, or Go cannot read the module at all.
fn not_chosen(variables: &Variables, module: &Path, asked: Option<String>, status: ExitStatus) -> GolangError {
    let mut local = variables.clone();
    local.insert("GOTOOLCHAIN".into(), "local".into());
    let present = match ask(&local, module, &["env", "GOVERSION"]) {
        Ok((_, output)) => output.trim().trim_start_matches("go").to_owned(),
        Err(error) => return error,
    };
    match asked {
        Some(asked) if is_newer(&asked, &present) => {
            GolangError::Toolchain { asked, present, policy: setting(variables, "GOTOOLCHAIN", "auto"), proxy: proxy(variables) }
        }
        _ => GolangError::Failed { command: "go env".to_owned(), status },
    }
}

/// Where modules come from, as Go sees it, without the passwords that addresses may hold.
pub(crate) fn proxy(variables: &Variables) -> String {
    setting(variables, "GOPROXY", DEFAULT_PROXY).split_inclusive([',', '|']).map(without_credentials).collect()
}

fn setting(variables: &Variables, name: &str, default: &str) -> String {
    let given = variables.get(OsStr::new(name)).filter(|value| !value.is_empty());
    given.map_or_else(|| default.to_owned(), |value| value.to_string_lossy().into_owned())
}

/// Keeps in the toolchain layer only what is used: not other versions, nor the archive it was unpacked from, which
/// Go does not look at again. Go makes the folders read-only; a cache must be removable.
fn keep_only(layer: &Path, root: &Path) -> io::Result<()> {
    for folder in folders(&layer.join("golang.org"))? {
        if folder == root {
            continue;
        }
        make_writable(&folder)?;
        fs_err::remove_dir_all(&folder)?;
    }
    let downloads = layer.join("cache/download/golang.org/toolchain/@v");
    let archives = paths(&downloads)?.into_iter().filter(|path| path.extension() == Some(OsStr::new("zip")));
    let mut unpacked = false;
    for archive in archives {
        fs_err::remove_file(archive)?;
        unpacked = true;
    }
    if unpacked && root.starts_with(layer) { make_writable(root) } else { Ok(()) }
}

fn make_writable(folder: &Path) -> io::Result<()> {
    let mut waiting = vec![folder.to_path_buf()];
    while let Some(folder) = waiting.pop() {
        let mode = fs_err::metadata(&folder)?.permissions().mode();
        fs_err::set_permissions(&folder, PermissionsExt::from_mode(mode | 0o200))?;
        waiting.extend(folders(&folder)?);
    }
    Ok(())
}

fn folders(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let is_folder = |path: &PathBuf| fs_err::symlink_metadata(path).is_ok_and(|found| found.is_dir());
    Ok(paths(folder)?.into_iter().filter(is_folder).collect())
}

/// Nothing for a folder that is not there.
fn paths(folder: &Path) -> io::Result<Vec<PathBuf>> {
    match fs_err::read_dir(folder) {
        Ok(listing) => listing.map(|entry| entry.map(|entry| entry.path())).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// A line of Go with its leading path, which is relative to the module, as seen from the source folder.
fn relocated(line: &str, place: &Path) -> String {
    let indent = line.len() - line.trim_start().len();
    let (blank, words) = line.split_at(indent);
    let (path, rest) = words.split_at(words.find(':').unwrap_or(words.len()));
    let names_file = rest.starts_with(':') && names_source(Path::new(path)) && !path.starts_with('/');
    if place.as_os_str().is_empty() || !names_file {
        return line.to_owned();
    }
    let dot = if path.starts_with("./") { "./" } else { "" };
    format!("{blank}{dot}{}{rest}", joined(place, Path::new(path)).display())
}

fn names_source(path: &Path) -> bool {
    path.extension() == Some(OsStr::new("go")) || path.file_name() == Some(OsStr::new("go.mod"))
}

/// By the words of the paths alone.
fn joined(place: &Path, path: &Path) -> PathBuf {
    let mut joined = place.to_path_buf();
    for component in path.components() {
        match component {
            Component::ParentDir if joined.file_name().is_some_and(|name| name.as_bytes() != b"..") => {
                joined.pop();
            }
            Component::CurDir => {}
            other => joined.push(other),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relocated_paths_start_at_the_source_folder() {
        for (place, line, expected) in [
            ("", "./a.go:5:14: undefined: x", "./a.go:5:14: undefined: x"),
            ("services/fn", "./a.go:5:14: undefined: x", "./services/fn/a.go:5:14: undefined: x"),
            ("services/fn", "cmd/a.go:5:14: undefined: x", "services/fn/cmd/a.go:5:14: undefined: x"),
            ("services/fn", "../lib/a.go:5: x", "services/lib/a.go:5: x"),
            ("fn", "../../lib/a.go:5: x", "../lib/a.go:5: x"),
            ("fn", "\t./a.go:5:1: other declaration of x", "\t./fn/a.go:5:1: other declaration of x"),
            ("fn", "go.mod:3: unknown directive: x", "fn/go.mod:3: unknown directive: x"),
            ("fn", "/usr/lib/go/src/a.go:5: x", "/usr/lib/go/src/a.go:5: x"),
            ("fn", "go: downloading example.com/a v1", "go: downloading example.com/a v1"),
            ("fn", "# example.com/x", "# example.com/x"),
        ] {
            assert_eq!(relocated(line, Path::new(place)), expected);
        }
    }

    #[test]
    fn proxy_is_shown_without_credentials() {
        for (addresses, expected) in [
            ("https://proxy.golang.org,direct", "https://proxy.golang.org,direct"),
            ("https://me:p@ss@proxy/x@y|file:///goproxy,off", "https://***@proxy/x@y|file:///goproxy,off"),
            ("https://me@proxy", "https://***@proxy"),
            ("", DEFAULT_PROXY),
        ] {
            assert_eq!(proxy(&[("GOPROXY".into(), addresses.into())].into()), expected);
        }
        assert_eq!(proxy(&Variables::new()), DEFAULT_PROXY);
    }

    #[test]
    fn keep_only_leaves_the_chosen_toolchain() {
        let layer = tempfile::tempdir().unwrap();
        let toolchain = |version: &str| layer.path().join(format!("golang.org/toolchain@{version}"));
        for version in ["v1", "v2"] {
            fs_err::create_dir_all(toolchain(version).join("bin")).unwrap();
            fs_err::set_permissions(toolchain(version).join("bin"), PermissionsExt::from_mode(0o555)).unwrap();
        }
        let downloads = layer.path().join("cache/download/golang.org/toolchain/@v");
        fs_err::create_dir_all(&downloads).unwrap();
        fs_err::write(downloads.join("v2.zip"), "").unwrap();
        fs_err::write(downloads.join("v2.ziphash"), "").unwrap();
        keep_only(layer.path(), &toolchain("v2")).unwrap();
        assert!(!toolchain("v1").exists() && toolchain("v2").exists());
        assert_eq!(paths(&downloads).unwrap(), [downloads.join("v2.ziphash")]);
        assert_eq!(fs_err::metadata(toolchain("v2").join("bin")).unwrap().permissions().mode() & 0o777, 0o755);
    }
}
