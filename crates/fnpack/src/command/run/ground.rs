//! An image unpacked, with a place for what its process changes.

use std::collections::BTreeMap;
use std::ffi::OsString;

use fnpack_core::executor::{Changes, Command, Network, SandboxExecutor, SandboxRoot, new_upper};
use fnpack_core::image::{ContainerConfig, Image};
use fnpack_core::pipeline::Workbench;
use fnpack_core::root::Root;
use fnpack_core::store::{Scratch, Snapshot};
use fnpack_sandbox::{Mount, Overlay, SandboxPlan, Stdio, Upper};

use crate::command::Session;
use crate::command::variables::volume;
use crate::error::{Class, CommandError};

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What a process stands on. Its changes go with it.
pub(super) struct Ground<'s> {
    bench: &'s Workbench<'s>,
    snapshot: Snapshot,
    upper: Upper,
    _scratch: Scratch,
}

impl<'s> Ground<'s> {
    /// Of an image.
    pub(super) fn of(image: &Image, session: &'s Session<'s>) -> Result<Self, CommandError> {
        let bench = &session.bench;
        let snapshot = bench.unpack(image)?;
        session.ui.progress_done();
        let scratch = bench.store.scratch()?;
        let upper = new_upper(&scratch.path().join("run")).map_err(machine)?;
        snapshot.describe_upper(&upper.folder)?;
        Ok(Self { bench, snapshot, upper, _scratch: scratch })
    }

    /// The files, as the process will find them.
    pub(super) fn view(&self) -> Result<Root, CommandError> {
        let overlay = Overlay { lowers: self.snapshot.lowers().to_vec(), upper: Some(self.upper.clone()), xattr: self.bench.xattr };
        Ok(Root::from_fd(overlay.view()?))
    }

    /// The sandbox of a command; `volumes` as the command line has them.
    pub(super) fn plan(&self, command: &Command, volumes: &[String], stdio: Stdio) -> Result<SandboxPlan, CommandError> {
        let mounts = self.mounts(command.network, volumes)?;
        let changes = Changes::Kept(self.upper.clone());
        let root = SandboxRoot { lowers: self.snapshot.lowers().to_vec(), changes, xattr: self.bench.xattr };
        SandboxExecutor::new(root, mounts, self.bench.surroundings.init.clone()).plan(command, stdio).map_err(machine)
    }

    fn mounts(&self, network: Network, volumes: &[String]) -> Result<Vec<Mount>, CommandError> {
        let mut mounts = self.bench.surroundings.mounts(network);
        for text in volumes {
            mounts.push((&volume(text)?).into());
        }
        Ok(mounts)
    }
}

/// What container engines give to an image's process, the stronger last.
pub(super) fn environment(
    config: &ContainerConfig,
    home: &str,
    more: impl IntoIterator<Item = (String, String)>,
) -> BTreeMap<OsString, OsString> {
    let mut environment: BTreeMap<OsString, OsString> =
        config.env.iter().filter_map(|entry| entry.split_once('=')).map(|(name, value)| (name.into(), value.into())).collect();
    environment.entry("PATH".into()).or_insert_with(|| PATH.into());
    environment.entry("HOME".into()).or_insert_with(|| home.into());
    environment.extend(more.into_iter().map(|(name, value)| (name.into(), value.into())));
    environment
}

/// Where an image's process starts.
pub(super) fn working_folder(config: &ContainerConfig) -> std::path::PathBuf {
    if config.working_dir.is_empty() { "/".into() } else { (&config.working_dir).into() }
}

/// Of a fault of this machine.
pub(super) fn machine(error: std::io::Error) -> CommandError {
    CommandError::new(Class::Machine, error)
}
