//! Everything that can go wrong in a build, and what the user may do about it.

use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;

use crate::project::{Absent, as_argument};
use crate::settings::SettingsError;

/// Why there is no function.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GolangError {
    #[error("settings of the build")]
    Settings(#[source] SettingsError),
    #[error("look through the source folder")]
    Look(#[source] io::Error),
    #[error("{0}")]
    Absent(Absent),
    #[error("several main packages start a function: {}", .0.iter().map(|folder| as_argument(folder)).collect::<Vec<_>>().join(", "))]
    SeveralFunctions(Vec<PathBuf>),
    #[error("there is no `go` in the PATH of the build")]
    GoMissing,
    #[error("run `{command}`")]
    Run { command: String, source: io::Error },
    #[error(
        "the module asks for Go {asked}, the build image has Go {present}, and a newer one cannot be had \
         (GOTOOLCHAIN is `{policy}`, GOPROXY is `{proxy}`)"
    )]
    Toolchain { asked: String, present: String, policy: String, proxy: String },
    #[error("Go could not build {package}, see its words above")]
    Build { package: String, output: String, proxy: String, cgo_files: Vec<PathBuf> },
    #[error("`{command}` failed with {status}")]
    Failed { command: String, status: ExitStatus },
    #[error("use what Go made")]
    Unfit(#[source] fnpack_artifact::golang::GolangError),
    #[error("take the binary")]
    Take(#[source] io::Error),
}

impl From<GolangError> for libcnb::Error<GolangError> {
    fn from(error: GolangError) -> Self {
        Self::BuildpackError(error)
    }
}

/// Words of Go, and what helps. The first that is found counts.
const HINTS: [(&str, &str); 11] = [
    ("missing go.sum entry", "run `go mod tidy` in the module and add go.sum to the source"),
    ("updates to go.mod needed", "run `go mod tidy` in the module"),
    ("go mod tidy", "run `go mod tidy` in the module"),
    ("no required module provides package", "add the module with `go get`, then `go mod tidy`"),
    ("inconsistent vendoring", "run `go mod vendor` in the module"),
    (
        "certificate signed by unknown authority",
        "the proxy's certificate is not trusted in the build: give its CA certificate to the build",
    ),
    ("checksum mismatch", "the module that was downloaded is not the one in go.sum; see whether GOPROXY gives the real one"),
    ("403 Forbidden", "the module proxy refuses a module; name another in GOPROXY, or vendor the modules with `go mod vendor`"),
    ("module lookup disabled", "modules cannot be downloaded; vendor them with `go mod vendor`"),
    ("dial tcp", "the module proxy cannot be reached; name another in GOPROXY, or vendor the modules with `go mod vendor`"),
    ("requires go >=", "the module needs a newer Go than its go.mod says; run `go mod tidy`"),
];

/// What Go says where files with `import "C"` are left out.
const WITHOUT_CGO: [&str; 2] = ["build constraints exclude all Go files", "undefined: "];

impl GolangError {
    /// What the user may do, where that is known.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::SeveralFunctions(folders) => {
                Some(format!("name one of them: BP_GO_TARGETS={}", folders.first().map(|folder| as_argument(folder))?))
            }
            Self::GoMissing => Some("use a build image with Go 1.21 or newer".to_owned()),
            Self::Toolchain { .. } => {
                Some("let GOPROXY name a proxy that has `golang.org/toolchain`, or use a build image with that Go".to_owned())
            }
            Self::Build { output, proxy, cgo_files, .. } => build_hint(output, proxy, cgo_files),
            _ => None,
        }
    }
}

fn build_hint(output: &str, proxy: &str, cgo_files: &[PathBuf]) -> Option<String> {
    if let Some((_, hint)) = HINTS.iter().find(|(words, _)| output.contains(words)) {
        let concerns_proxy = hint.contains("GOPROXY") || hint.contains("proxy");
        return Some(if concerns_proxy { format!("{hint} (GOPROXY is `{proxy}`)") } else { (*hint).to_owned() });
    }
    let file = cgo_files.first().filter(|_| WITHOUT_CGO.iter().any(|words| output.contains(words)))?;
    Some(format!("{} imports \"C\", and functions are built without cgo, so that they run on any base", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explained(error: &GolangError) -> String {
        fnpack_buildpack::explained(error, error.hint().as_deref())
    }

    fn build(output: &str, cgo_files: &[&str]) -> String {
        let cgo_files = cgo_files.iter().map(PathBuf::from).collect();
        explained(&GolangError::Build { package: ".".into(), output: output.into(), proxy: "https://p".into(), cgo_files })
    }

    #[test]
    fn explained_hints_by_the_words_of_go() {
        const SAID: &str = "Go could not build ., see its words above";
        for (output, cgo_files, hint) in [
            ("./a.go:1:1: undefined: x", &[][..], ""),
            (
                "./a.go:1:1: undefined: x",
                &["c.go"],
                "\nhint: c.go imports \"C\", and functions are built without cgo, so that they run on any base",
            ),
            ("m.go:2:8: missing go.sum entry for module", &[], "\nhint: run `go mod tidy` in the module and add go.sum to the source"),
            (
                "reading https://p/x: 403 Forbidden",
                &["c.go"],
                "\nhint: the module proxy refuses a module; name another in GOPROXY, or vendor the modules with `go mod vendor` (GOPROXY is `https://p`)",
            ),
        ] {
            assert_eq!(build(output, cgo_files), format!("{SAID}{hint}"));
        }
    }

    #[test]
    fn explained_names_causes() {
        let error = GolangError::Settings(SettingsError::SeveralTargets("a:b".into()));
        assert_eq!(
            explained(&error),
            "settings of the build: BP_GO_TARGETS names several packages, `a:b`, but an image holds one function"
        );
        let error = GolangError::SeveralFunctions(vec!["cmd/a".into(), "".into()]);
        assert_eq!(explained(&error), "several main packages start a function: ./cmd/a, .\nhint: name one of them: BP_GO_TARGETS=./cmd/a");
    }
}
