//! The machine: files, the sandbox, commands in it.

use std::error::Error;
use std::io;

use fnpack_core::accounts::UserError;
use fnpack_core::executor::ExecutorError;
use fnpack_core::root::RootError;
use fnpack_core::source::SourceError;
use fnpack_core::store::StoreError;
use fnpack_sandbox::SandboxError;

use super::{Advice, Explain};
use crate::error::Class::{Configuration, Fault, Interrupted, Machine, Usage, YourCode};

const FREE_SPACE: &str = "free space, for instance with `fnpack store gc`; nothing that was there is lost";
pub(super) const DOCTOR: &str = "see what works here, and what to change, with `fnpack doctor`";

impl Explain for io::Error {
    /// Errors of the store travel through interfaces of the standard library inside of this one.
    fn advice(&self) -> Advice {
        if let Some(error) = self.get_ref().and_then(|inner| inner.downcast_ref::<StoreError>()) {
            return error.advice();
        }
        let advice = Advice::new(Machine);
        match self.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => advice.hint(FREE_SPACE),
            io::ErrorKind::ReadOnlyFilesystem => advice.hint("name a place that can be written"),
            io::ErrorKind::IsADirectory => advice.hint("name a file"),
            io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData => advice.hint("get it or make it anew: it is damaged or not whole"),
            _ => advice,
        }
    }
}

impl Explain for RootError {
    fn advice(&self) -> Advice {
        self.source.advice()
    }
}

impl Explain for UserError {
    fn advice(&self) -> Advice {
        match self {
            Self::Unknown { .. } => Advice::new(Configuration).hint("give the user as numbers, such as `10000:10001`"),
            Self::Read(source) => source.advice(),
        }
    }
}

impl Explain for SourceError {
    fn advice(&self) -> Advice {
        match self {
            Self::Missing { .. } | Self::NotAFolder { .. } => Advice::new(Usage).hint("name the folder that has the function's source"),
            Self::Unreadable { source, .. } => source.advice(),
            Self::Copy { source, .. } => source.advice(),
            Self::Special { .. } => Advice::new(Usage).hint("take it out of the source folder"),
        }
    }
}

impl Explain for ExecutorError {
    fn advice(&self) -> Advice {
        match self {
            Self::CannotStart { .. } => Advice::new(YourCode).hint("see that it is in the image, executable and made for its processor"),
            Self::SetUp { source, .. } => boxed(source.as_ref()).unwrap_or_else(|| Advice::new(Machine).hint(DOCTOR)),
            Self::Output { source, .. } => source.advice(),
            Self::Interrupted => Advice::new(Interrupted),
        }
    }
}

impl Explain for SandboxError {
    fn advice(&self) -> Advice {
        let machine = Advice::new(Machine);
        match self {
            Self::Plan { .. } => Advice::new(Fault),
            Self::CommandNotFound { .. } | Self::CommandNotExecutable { .. } => {
                Advice::new(YourCode).hint("see that it is in the image, executable and made for its processor")
            }
            Self::MountSource { .. } => Advice::new(Usage).hint("name a file or folder that is there"),
            Self::MountPoint { .. } => Advice::new(Usage).hint("mount it on a path whose folders are no symlinks in the image"),
            Self::WorkingFolder { .. } => Advice::new(Configuration).hint("name a folder of the image that its user may enter"),
            Self::TooManyLayers { .. } | Self::OverlayOptions { .. } => {
                machine.hint("make fewer layers, for instance by joining `RUN` lines")
            }
            Self::Layer { .. } => machine.hint("see what is damaged with `fnpack store check`"),
            Self::Output { source } => source.advice(),
            Self::Vanished => machine.hint("see in the kernel's log (`dmesg`) whether memory ran out"),
            Self::UserNamespace { .. }
            | Self::IdMapping { .. }
            | Self::Namespaces { .. }
            | Self::Overlay { .. }
            | Self::Mount { .. }
            | Self::Network { .. }
            | Self::Credentials { .. }
            | Self::Capabilities { .. }
            | Self::Seccomp { .. }
            | Self::Read { .. } => machine.hint(DOCTOR),
            Self::Start { .. } | Self::Channel { .. } | Self::Root { .. } | Self::HostName { .. } | Self::Process { .. } => machine,
        }
    }
}

/// Of an error whose type was lost on its way through an interface.
pub(super) fn boxed(error: &(dyn Error + Send + Sync + 'static)) -> Option<Advice> {
    fn of<E: Explain + 'static>(error: &(dyn Error + Send + Sync + 'static)) -> Option<Advice> {
        error.downcast_ref::<E>().map(Explain::advice)
    }
    of::<SandboxError>(error)
        .or_else(|| of::<io::Error>(error))
        .or_else(|| of::<RootError>(error))
        .or_else(|| of::<ExecutorError>(error))
        .or_else(|| of::<StoreError>(error))
        .or_else(|| of::<fnpack_core::pipeline::FindError>(error))
        .or_else(|| of::<fnpack_core::layers::LayerError>(error))
}
