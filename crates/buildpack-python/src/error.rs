//! Everything that can go wrong in a build, and what the user may do about it.

use std::ffi::OsStr;
use std::io;
use std::process::ExitStatus;

use fnpack_artifact::python::{NoFunction, PackageError};
use fnpack_buildpack::Variables;

use crate::index::masked;
use crate::manifest::ManifestError;
use crate::settings::SettingsError;

/// What `uv` takes if nothing else is said.
const DEFAULT_INDEX: &str = "https://pypi.org/simple";

/// Why there is no function.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PythonError {
    #[error("settings of the build")]
    Settings(#[source] SettingsError),
    #[error("look through the source folder")]
    Look(#[source] io::Error),
    #[error("{0}")]
    Function(NoFunction),
    #[error("dependencies of the function")]
    Manifest(#[from] ManifestError),
    #[error("read pip.conf")]
    PipConf(#[source] io::Error),
    #[error("there is no `python3` in the PATH of the build")]
    PythonMissing,
    #[error("there is no `uv` in the PATH of the build")]
    UvMissing,
    #[error("the `uv` of the build image cannot leave out what the runner has")]
    UvTooOld,
    #[error("run `{command}`")]
    Run { command: String, source: io::Error },
    #[error("`{command}` failed with {status}")]
    Failed { command: String, status: ExitStatus },
    #[error("uv could not read uv.lock: {0}")]
    Export(String),
    #[error("no packages can be chosen for processor `{0}` on another machine")]
    Architecture(String),
    #[error("uv could not install the dependencies of {file}, see its words above")]
    Install { file: String, output: String, goal: String, index: String },
    #[error("{project} is for {tag} and does not run on the runner ({goal})")]
    Unfit { project: String, tag: String, goal: String },
    #[error("{project} has no wheel for the runner and was compiled, which does not serve: {difference}")]
    CompiledHere { project: String, difference: String },
    #[error("pyproject.toml asks for Python {asked}, the runner has {present}")]
    RequiresPython { asked: String, present: String },
    #[error("your `{file}` and `{found}` of {project} have the same name")]
    Clash { file: String, found: String, project: String },
    #[error("the function's module is called `{0}`, as one of Pulsar's own that is imported before it")]
    InstanceModule(String),
    #[error("pack the dependencies")]
    Pack(#[source] PackageError),
    #[error("lay out the function")]
    Lay(#[source] io::Error),
    #[error("import `{class}`: {said}")]
    Import { class: String, said: String, missing: Option<String> },
    #[error("`{0}` has no `process`")]
    NoProcess(String),
    #[error("import `{class}`: Python ended with {status}")]
    Crash { class: String, status: ExitStatus },
}

impl From<PythonError> for libcnb::Error<PythonError> {
    fn from(error: PythonError) -> Self {
        Self::BuildpackError(error)
    }
}

/// Words of `uv`, and what helps. The first that is found counts. `{goal}` and `{index}` are put in.
const HINTS: [(&str, &str); 22] = [
    (
        "invalid peer certificate",
        "the certificate of the index {index} is not trusted in the build: give its CA certificate to the build (SSL_CERT_FILE)",
    ),
    (
        "dns error",
        "the host of the index {index} cannot be found: is there a network in the build, or is another index meant (PIP_INDEX_URL)?",
    ),
    ("401 Unauthorized", "the index {index} wants to know who asks: give a netrc file or pip.conf by a service binding"),
    ("403 Forbidden", "the index {index} refuses this: see its rules, and the user in netrc or pip.conf"),
    (
        "tcp connect error",
        "the index {index} cannot be reached: is there a network in the build, a proxy (HTTPS_PROXY), or is another index meant (PIP_INDEX_URL)?",
    ),
    (
        "error sending request",
        "the index {index} cannot be reached: is there a network in the build, a proxy (HTTPS_PROXY), or is another index meant (PIP_INDEX_URL)?",
    ),
    ("Network connectivity is disabled", "uv was told not to use the network; give it wheels with PIP_FIND_LINKS"),
    (
        "Hash mismatch",
        "a package is not the one whose hash is pinned: make the lock again if it was published anew, else distrust the index {index}",
    ),
    ("require-hashes", "some packages have a hash and others not: pin all of them, for instance with `uv pip compile --generate-hashes`"),
    ("no wheels with a matching", "a package has no wheel for the runner ({goal}): take another version of it, or another runner"),
    ("no usable wheels", "a package has no wheel for the runner ({goal}), and building from source is switched off"),
    (
        "does not satisfy Python",
        "a package is for other releases of Python than the runner's ({goal}): take another version of it, or another runner",
    ),
    (
        "Unknown compiler",
        "a package has no wheel for the runner ({goal}) and must be compiled, but the build image has no compiler: take a version with a wheel, or a build image with one",
    ),
    (
        "command 'gcc' failed",
        "a package has no wheel for the runner ({goal}) and must be compiled, but the build image has no compiler: take a version with a wheel, or a build image with one",
    ),
    (
        "command 'cc' failed",
        "a package has no wheel for the runner ({goal}) and must be compiled, but the build image has no compiler: take a version with a wheel, or a build image with one",
    ),
    (
        "-linux-gnu-gcc'",
        "a package has no wheel for the runner ({goal}) and must be compiled, but the build image has no compiler: take a version with a wheel, or a build image with one",
    ),
    (
        "linker `cc` not found",
        "a package has no wheel for the runner ({goal}) and must be compiled, but the build image has no compiler: take a version with a wheel, or a build image with one",
    ),
    ("Failed to build", "a package has no wheel for the runner ({goal}) and its source could not be built: take a version with a wheel"),
    (
        "Failed to download and build",
        "a package has no wheel for the runner ({goal}) and its source could not be built: take a version with a wheel",
    ),
    (
        "was not found in the package registry",
        "the index {index} does not have it: is the name right, or is it in another index (PIP_EXTRA_INDEX_URL)?",
    ),
    ("there is no version of", "the index {index} does not have that version"),
    ("unexpected argument", "the uv of the build image is too old: 0.11.20 or newer is needed"),
];

/// Mistakes that no setting helps with.
const SYNTAX_ERRORS: [&str; 3] = ["SyntaxError: ", "IndentationError: ", "TabError: "];

impl PythonError {
    /// What the user may do, where it is known.
    pub(crate) fn hint(&self) -> Option<String> {
        let text = match self {
            Self::Function(NoFunction::Several(names)) => return Some(format!("name one of them: BP_FUNCTION_CLASS={}", names.first()?)),
            Self::Install { output, goal, index, .. } => {
                let (_, hint) = HINTS.iter().find(|(words, _)| output.contains(words))?;
                return Some(hint.replace("{goal}", goal).replace("{index}", index));
            }
            Self::Import { missing: Some(module), .. } => {
                return Some(format!(
                    "add the project that has `{module}` to the dependencies; BP_PYTHON_IMPORT_CHECK=false leaves the import out"
                ));
            }
            Self::Import { said, .. } if SYNTAX_ERRORS.iter().any(|name| said.contains(name)) => "correct the file at that line",
            Self::Import { .. } | Self::Crash { .. } => "BP_PYTHON_IMPORT_CHECK=false leaves the import out",
            Self::PythonMissing => "use a build image with Python 3",
            Self::UvMissing => "use a build image with uv, or add it where the build runs: `python3 -m pip install uv`",
            Self::UvTooOld => "use a build image with uv 0.11.20 or newer",
            Self::Unfit { .. } | Self::CompiledHere { .. } => "take a version of it that has a wheel for the runner, or another runner",
            Self::Export(_) => "make the lock again with `uv lock`",
            Self::RequiresPython { .. } => "take a runner with such a Python, or change requires-python",
            Self::Clash { .. } => {
                "rename your own (which of them Python finds would be a matter of chance); if it is the same, take your own project out of the dependencies"
            }
            Self::InstanceModule(_) => "rename it: the instance would be given its own in its place",
            Self::Manifest(ManifestError::NoLock { lock: "poetry.lock", .. }) => "run `poetry lock` and add the lock to the source",
            Self::Manifest(ManifestError::NoLock { .. }) => "run `pipenv lock` and add the lock to the source",
            Self::Manifest(ManifestError::Ambiguous { .. }) => "make the lock again with Poetry 2 or newer",
            _ => return None,
        };
        Some(text.to_owned())
    }
}

/// The index that packages come from, without a password.
pub(crate) fn index_of(variables: &Variables) -> String {
    let value = |name: &str| variables.get(OsStr::new(name)).filter(|value| !value.is_empty());
    let given = ["UV_DEFAULT_INDEX", "UV_INDEX_URL"].into_iter().find_map(value);
    masked(&given.map_or_else(|| DEFAULT_INDEX.into(), |given| given.to_string_lossy()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hint_by_the_words_of_uv() {
        for (output, expected) in [
            ("error: Failed to fetch\n  cause: invalid peer certificate: UnknownIssuer", "the certificate of the index https://***@index"),
            ("cause: error sending request for url\n  cause: dns error", "the host of the index https://***@index cannot be found"),
            ("cause: error sending request\n cause: tcp connect error", "the index https://***@index cannot be reached"),
            ("Because nosuch was not found in the package registry and", "the index https://***@index does not have it"),
            ("cause: Hash mismatch for `a==1`", "a package is not the one whose hash is pinned"),
            ("Because a==1 has no wheels with a matching Python ABI tag", "a package has no wheel for the runner (Python 3.13)"),
            ("does not satisfy Python>=3.11 and", "a package is for other releases of Python than the runner's (Python 3.13)"),
            (
                "error: Failed to build `a`\n ERROR: Unknown compiler(s)",
                "a package has no wheel for the runner (Python 3.13) and must be compiled",
            ),
            (
                "error: Failed to build `a`\n error: [Errno 2] No such file or directory: 'x86_64-linux-gnu-gcc'",
                "a package has no wheel for the runner (Python 3.13) and must be compiled",
            ),
        ] {
            let variables = [("UV_DEFAULT_INDEX".into(), "https://me:secret@index".into())].into();
            let error = PythonError::Install {
                file: "requirements.txt".into(),
                output: output.into(),
                goal: "Python 3.13".into(),
                index: index_of(&variables),
            };
            let hint = error.hint().unwrap();
            assert!(hint.starts_with(expected), "{hint}");
        }
    }

    #[test]
    fn hint_of_several_functions() {
        let error = PythonError::Function(NoFunction::Several(vec!["a.A".into(), "b.B".into()]));
        assert_eq!(error.to_string(), "several Python functions: a.A, b.B");
        assert_eq!(error.hint().as_deref(), Some("name one of them: BP_FUNCTION_CLASS=a.A"));
    }
}
