//! The folder that `COPY` takes files from.

pub(super) mod glob;
mod ignore;

use std::path::{Path, PathBuf};

pub use ignore::{Ignore, IgnoreError};

use crate::root::{Root, RootError};

/// A longer ignore file is refused.
const MAXIMUM_IGNORE_FILE: u64 = 1 << 20;

/// A build context: a folder and what of it the build does not see.
#[derive(Debug)]
pub struct Context {
    /// The folder; nothing outside of it is reached, whatever symlinks say.
    pub root: Root,
    /// The folder as the user named it, for messages.
    pub path: PathBuf,
    /// What is left out.
    pub ignore: Ignore,
}

/// A build context cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ContextError {
    /// The folder cannot be opened.
    #[error("cannot open the build context `{}`", path.display())]
    Open {
        /// The folder.
        path: PathBuf,
        /// The cause.
        #[source]
        source: RootError,
    },
    /// An ignore file cannot be read.
    #[error("cannot read the ignore file of the build context `{}`", path.display())]
    Read {
        /// The folder.
        path: PathBuf,
        /// The cause.
        #[source]
        source: RootError,
    },
    /// An ignore file has a bad line.
    #[error("`{}` is not an ignore file", path.display())]
    Ignore {
        /// The ignore file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: IgnoreError,
    },
}

impl Context {
    /// Opens a folder as context of a Dockerfile at `file` inside it. `<file>.dockerignore` counts
    /// before `.dockerignore`.
    pub fn open(path: &Path, file: Option<&Path>) -> Result<Self, ContextError> {
        let root = Root::open(path).map_err(|source| ContextError::Open { path: path.to_owned(), source })?;
        let own = file.map(|file| {
            let mut name = file.as_os_str().to_owned();
            name.push(".dockerignore");
            PathBuf::from(name)
        });
        let mut ignore = Ignore::default();
        for name in own.into_iter().chain([PathBuf::from(".dockerignore")]) {
            let fail = |source| ContextError::Read { path: path.to_owned(), source };
            if root.try_metadata(&name).map_err(fail)?.is_none() {
                continue;
            }
            let text = root.read_to_string(&name, MAXIMUM_IGNORE_FILE).map_err(fail)?;
            ignore = Ignore::parse(&text).map_err(|source| ContextError::Ignore { path: path.join(&name), source })?;
            break;
        }
        Ok(Self { root, path: path.to_owned(), ignore })
    }
}

/// A path as written in an instruction, relative to the top of the tree it is looked up in.
pub(super) fn clean(path: &str) -> String {
    ignore::clean(path)
}
