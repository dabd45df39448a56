//! What a build of a Dockerfile asks of the world around it.
//!
//! The pipeline implements [`Host`] over the store, the registries and the sandbox; tests implement
//! it over plain folders.

use std::error::Error;
use std::io::Write;
use std::path::Path;
use std::time::SystemTime;

use crate::digest::Digest;
use crate::executor::{Command, ExecutorError, ExitStatus};
use crate::image::{Image, Layer};
use crate::reference::Reference;
use crate::root::Root;
use crate::target::Target;

/// A failure on the other side, kept as the cause of ours.
pub type HostError = Box<dyn Error + Send + Sync>;

/// Images, writable root file systems and the memory of earlier builds.
pub trait Host: Sync {
    /// The image that `FROM` or `COPY --from` names, for `target`.
    fn base(&self, reference: &Reference, target: &Target) -> Result<Image, HostError>;

    /// A writable root file system over `image`, for one step. Dropped without a commit, nothing of it stays.
    fn open<'a>(&'a self, image: &Image) -> Result<Box<dyn Workspace + 'a>, HostError>;

    /// What the step of this key changed in an earlier build.
    fn cached(&self, key: &Digest) -> Option<Delta>;

    /// Keeps what the step of this key changed. A failure is the host's to report: the build goes on.
    fn remember(&self, key: &Digest, delta: &Delta);

    /// Takes note of progress.
    fn report(&self, event: &Event<'_>);
}

/// A writable root file system.
pub trait Workspace {
    /// The merged tree.
    fn root(&self) -> &Root;

    /// Runs a command inside, to its end; what it prints goes to `output`.
    fn run(&mut self, command: &Command, output: &mut (dyn Write + Send)) -> Result<ExitStatus, ExecutorError>;

    /// Gives the last component of a path an owner. Where the process may not do so itself, the
    /// implementation records the owner and puts it into the layer.
    fn set_owner(&self, path: &Path, uid: u32, gid: u32) -> Result<(), HostError> {
        Ok(self.root().chown(path, uid, gid)?)
    }

    /// Makes a layer of what is different from the image below. Times after `since` are those of this
    /// build and do not get into the layer.
    fn commit(self: Box<Self>, since: SystemTime) -> Result<Delta, HostError>;
}

/// What a step did to the root file system.
#[derive(Debug, Clone)]
pub enum Delta {
    /// It changed what is in this layer.
    Layer(Box<Layer>),
    /// It changed nothing.
    Nothing,
}

/// A step in progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StepInfo<'a> {
    /// Counted from 1 over all stages that are built.
    pub number: usize,
    /// How many there are.
    pub total: usize,
    /// The stage's name, if it has one.
    pub stage: Option<&'a str>,
    /// The line in the file.
    pub line: usize,
    /// The instruction, continuations joined.
    pub text: &'a str,
}

/// Progress of a build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event<'a> {
    /// A step starts.
    Started(StepInfo<'a>),
    /// Its result is taken from an earlier build.
    Cached(StepInfo<'a>),
    /// Its command printed something.
    Output(StepInfo<'a>, &'a [u8]),
    /// Something is allowed and probably not meant.
    Warning {
        /// The line in the file; 0 for something outside of it.
        line: usize,
        /// The remark.
        message: &'a str,
    },
}
