//! The program that becomes the sandbox's first process, out of the sandbox's reach.
//!
//! A command called `/proc/self/exe`, or a script with that as its interpreter, would be this very
//! program running inside the sandbox, and could open its own file for writing: a file of the
//! host. So it is started from a read-only mount of its own, which is attached nowhere.

use std::collections::BTreeMap;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fs::{CWD, MemfdFlags, SealFlags};
use rustix::io::Result;

use crate::{SandboxError, mount, syscall};

const ITSELF: &str = "/proc/self/exe";

static PROGRAMS: Mutex<BTreeMap<PathBuf, Arc<OwnedFd>>> = Mutex::new(BTreeMap::new());

/// A program that can be executed and not be written.
#[derive(Debug, Clone)]
pub(crate) struct Program(Arc<OwnedFd>);

impl Program {
    /// Opens a program; the same one is opened once.
    pub(crate) fn open(path: &Path) -> std::result::Result<Self, SandboxError> {
        let mut programs = PROGRAMS.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(program) = programs.get(path) {
            return Ok(Self(program.clone()));
        }
        let program = Arc::new(sealed(path).map_err(|source| SandboxError::Start { program: path.to_owned(), source })?);
        programs.insert(path.to_owned(), program.clone());
        Ok(Self(program))
    }

    /// A path by which this process can execute it.
    pub(crate) fn path(&self) -> PathBuf {
        format!("/proc/self/fd/{}", self.0.as_raw_fd()).into()
    }
}

fn sealed(path: &Path) -> Result<OwnedFd> {
    match place_of(path)? {
        Some(place) => {
            let program = mount::copy(&place)?;
            syscall::set_mount_attributes(&program, syscall::ATTRIBUTE_READ_ONLY)?;
            Ok(program)
        }
        None => copied(path),
    }
}

/// Where the file has a name in this mount namespace. The link in `/proc` leads past that, to the mount
/// it was executed from, which no longer belongs to anybody after a change of namespace.
fn place_of(path: &Path) -> Result<Option<PathBuf>> {
    if path != Path::new(ITSELF) {
        return Ok(Some(path.to_owned()));
    }
    let itself = rustix::fs::stat(path)?;
    let named = fs_err::read_link(path).ok().filter(|place| {
        // Another file of this name, or none: the program was replaced while it runs.
        rustix::fs::stat(place).is_ok_and(|stat| (stat.st_dev, stat.st_ino) == (itself.st_dev, itself.st_ino))
    });
    Ok(named)
}

/// A copy in memory that cannot be changed.
fn copied(path: &Path) -> Result<OwnedFd> {
    let mut from = std::fs::File::from(rustix::fs::openat(
        CWD,
        path,
        rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::CLOEXEC,
        rustix::fs::Mode::empty(),
    )?);
    let memory = rustix::fs::memfd_create("fnpack-sandbox", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
    let mut to = std::fs::File::from(memory);
    std::io::copy(&mut from, &mut to).map_err(|error| crate::error::errno_of(&error))?;
    rustix::fs::fcntl_add_seals(&to, SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?;
    Ok(to.into())
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use rustix::fs::{Mode, OFlags};
    use rustix::io::Errno;

    use super::*;

    fn is_root() -> bool {
        !crate::test_needs::missing(rustix::process::geteuid().is_root(), "root is needed to mount")
    }

    #[test]
    fn needs_root_program_runs_and_cannot_be_written() {
        if !is_root() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("true");
        fs_err::copy("/bin/true", &path).unwrap();
        for (program, expected) in [(sealed(&path).unwrap(), Errno::ROFS), (copied(&path).unwrap(), Errno::PERM)] {
            let program = Program(Arc::new(program));
            assert!(Command::new(program.path()).status().unwrap().success());
            let refused = rustix::fs::open(program.path(), OFlags::WRONLY, Mode::empty()).and_then(|file| rustix::io::write(file, b"x"));
            assert_eq!(refused.unwrap_err(), expected);
        }
    }

    #[test]
    fn place_of_this_program_is_its_file() {
        assert_eq!(place_of(ITSELF.as_ref()).unwrap().unwrap(), std::env::current_exe().unwrap());
    }
}
