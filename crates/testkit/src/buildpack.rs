//! A buildpack's program as a lifecycle calls it: links named `detect` and `build`, folders, variables.

use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// The program under test.
#[derive(Debug, Clone, Copy)]
pub struct Program {
    /// Where cargo put it.
    pub path: &'static str,
    /// The buildpack's id.
    pub id: &'static str,
    /// What its search path has after the test's own `bin`.
    pub search_path: &'static str,
}

/// The folders of a build, gone when dropped.
#[derive(Debug)]
pub struct Lifecycle {
    folder: TempDir,
    program: Program,
}

impl Lifecycle {
    /// With these files in the application folder.
    pub fn new(program: Program, files: &[(&str, &str)]) -> Self {
        let lifecycle = Self { folder: tempfile::tempdir().expect("a folder for temporary files"), program };
        for folder in ["app", "layers", "platform/env", "buildpack/bin"] {
            fs_err::create_dir_all(lifecycle.at(folder)).expect("a new folder");
        }
        for phase in ["detect", "build"] {
            symlink(program.path, lifecycle.at("buildpack/bin").join(phase)).expect("a new link");
        }
        let toml = format!("api = \"0.10\"\n[buildpack]\nid = \"{}\"\nversion = \"1.2.3\"\n", program.id);
        lifecycle.write("buildpack/buildpack.toml", toml);
        lifecycle.write("plan.toml", "");
        lifecycle.write_sources(files);
        lifecycle
    }

    /// A place below the test's folder.
    pub fn at(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    /// Writes a file, and the folders above it.
    pub fn write(&self, path: &str, contents: impl AsRef<[u8]>) {
        let path = self.at(path);
        path.parent().map(fs_err::create_dir_all).transpose().expect("a new folder");
        fs_err::write(path, contents).expect("a new file");
    }

    /// Writes files of the application folder.
    pub fn write_sources(&self, files: &[(&str, &str)]) {
        for (path, text) in files {
            self.write(&format!("app/{path}"), text);
        }
    }

    /// Puts a program into the search path.
    pub fn install(&self, name: &str, script: &str) {
        install(&self.at("bin").join(name), script);
    }

    /// With no more variables than the spec promises, so that those of the target are filled in.
    pub fn run(&self, phase: &str, folders: &[&str]) -> Output {
        Command::new(self.at("buildpack/bin").join(phase))
            .args(folders.iter().map(|folder| self.at(folder)))
            .current_dir(self.at("app"))
            .env_clear()
            .env("PATH", format!("{}:{}", self.at("bin").display(), self.program.search_path))
            .env("CNB_BUILDPACK_DIR", self.at("buildpack"))
            .output()
            .expect("the buildpack's program")
    }

    /// Calls `bin/detect`.
    pub fn detect(&self) -> Output {
        self.run("detect", &["platform", "plan.toml"])
    }

    /// Calls `bin/build`.
    pub fn build(&self) -> Output {
        self.run("build", &["layers", "platform", "plan.toml"])
    }

    /// Reads a TOML file.
    pub fn toml(&self, path: &str) -> toml::Table {
        fs_err::read_to_string(self.at(path)).expect("a text").parse().expect("TOML")
    }

    /// `launch`, `build` and `cache` of a layer.
    pub fn layer_types(&self, layer: &str) -> [bool; 3] {
        let table = self.toml(&format!("layers/{layer}.toml"));
        ["launch", "build", "cache"].map(|kind| table["types"].get(kind).and_then(toml::Value::as_bool).unwrap_or_default())
    }
}

/// Writes an executable script. Another program does it: were it open for writing here, a fork in another test's thread
/// could keep it busy when it is to be run.
pub fn install(path: &Path, script: &str) {
    let mut install = Command::new("install");
    let mut install = install.args(["-D", "-m", "755", "/dev/stdin"]).arg(path).stdin(Stdio::piped()).spawn().expect("`install`");
    install.stdin.take().expect("a pipe").write_all(script.as_bytes()).expect("a written script");
    assert!(install.wait().expect("an end").success());
}

/// What a program printed.
pub fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("UTF-8")
}

/// The names in a folder, sorted.
pub fn names(folder: &Path) -> Vec<String> {
    let entries = fs_err::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").file_name());
    let mut names: Vec<String> = entries.map(|name| name.to_string_lossy().into_owned()).collect();
    names.sort();
    names
}
