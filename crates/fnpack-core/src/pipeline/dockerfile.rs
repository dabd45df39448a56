//! Dockerfiles over the store, the registries and the sandbox.

use std::io::Write;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use fnpack_sandbox::{Overlay, Upper};
use serde::{Deserialize, Serialize};

use super::report::one_line;
use super::{Destination, Workbench};
use crate::digest::{DiffId, Digest};
use crate::dockerfile::{self, Delta, Event, Host, HostError, Plan, Workspace};
use crate::executor::{Changes, Command, Executor, ExecutorError, ExitStatus, Network, SandboxExecutor, SandboxRoot, new_upper};
use crate::image::{BlobSink, Descriptor, Image, Layer};
use crate::layers::{self, Compression};
use crate::reference::Reference;
use crate::root::Root;
use crate::store::{Keep, Scratch, Snapshot};
use crate::target::Target;

const STEPS: &str = "dockerfile-step";

/// Carries out a Dockerfile and puts the image into the store; a run image gets labels that say what it offers.
pub fn build(bench: &Workbench<'_>, plan: &Plan, names: &[Reference], destination: Destination) -> Result<Image, super::PipelineError> {
    let host = DockerfileHost { bench, destination, bases: Mutex::default() };
    let image = dockerfile::build(plan, &host).map_err(Box::new)?;
    let image = bench.with_runner_labels(image.clone(), host.base_of(&image).as_ref())?;
    if let Some(name) = names.first() {
        bench.complete(&image, &name.familiar(), destination)?;
    }
    bench.put(&image, names)?;
    Ok(image)
}

struct DockerfileHost<'a> {
    bench: &'a Workbench<'a>,
    destination: Destination,
    /// All images that stages began from.
    bases: Mutex<Vec<Image>>,
}

impl DockerfileHost<'_> {
    /// The base with the most layers of those that an image stands on.
    fn base_of(&self, image: &Image) -> Option<Image> {
        let bases = self.bases.lock().unwrap_or_else(PoisonError::into_inner);
        let below = bases.iter().filter(|base| image.diff_ids().starts_with(&base.diff_ids()));
        below.max_by_key(|base| base.layers().len()).cloned()
    }
}

/// What a step did, as remembered.
#[derive(Serialize, Deserialize)]
struct StepRecord {
    layer: Option<(Descriptor, DiffId)>,
}

impl Host for DockerfileHost<'_> {
    fn base(&self, reference: &Reference, target: &Target) -> Result<Image, HostError> {
        let base = self.bench.find_base(reference, target, self.destination)?;
        self.bases.lock().unwrap_or_else(PoisonError::into_inner).push(base.clone());
        Ok(base)
    }

    fn open<'a>(&'a self, image: &Image) -> Result<Box<dyn Workspace + 'a>, HostError> {
        self.bench.fetch_missing(image, "the layers of the base")?;
        let snapshot = self.bench.unpack(image)?;
        let scratch = self.bench.store.scratch()?;
        let upper = new_upper(&scratch.path().join("step"))?;
        snapshot.describe_upper(&upper.folder)?;
        let mut workspace = StepWorkspace { bench: self.bench, snapshot, upper, view: None, _scratch: scratch };
        workspace.open_view()?;
        Ok(Box::new(workspace))
    }

    fn cached(&self, key: &Digest) -> Option<Delta> {
        // A record that cannot be read counts as none: the step is carried out again.
        let record = self.bench.store.record(STEPS, &key.hex())?;
        match serde_json::from_slice::<StepRecord>(&record).ok()?.layer {
            None => Some(Delta::Nothing),
            Some((descriptor, diff_id)) => {
                let blob = self.bench.store.existing(&descriptor.digest)?;
                Some(Delta::Layer(Box::new(Layer { descriptor, diff_id, blob })))
            }
        }
    }

    fn remember(&self, key: &Digest, delta: &Delta) {
        let (layer, keep) = match delta {
            Delta::Nothing => (None, Vec::new()),
            Delta::Layer(layer) => (Some((layer.descriptor.clone(), layer.diff_id)), vec![Keep::Blob(layer.descriptor.digest)]),
        };
        let value = serde_json::to_vec(&StepRecord { layer }).unwrap_or_default();
        if let Err(error) = self.bench.store.remember(STEPS, &key.hex(), &value, &keep) {
            self.bench.report.warning(&format!("this step will run again next time: {error}"));
        }
    }

    fn report(&self, event: &Event<'_>) {
        match event {
            Event::Started(step) => {
                self.bench.report.step(&format!("[{}/{}] {}", step.number, step.total, one_line(step.text, LONGEST_STEP)));
            }
            // The line above names the step.
            Event::Cached(_) => self.bench.report.step("  cached"),
            Event::Output(_, bytes) => self.bench.report.output(bytes),
            Event::Warning { line: 0, message } => self.bench.report.warning(message),
            Event::Warning { line, message } => self.bench.report.warning(&format!("line {line}: {message}")),
        }
    }
}

/// How much of an instruction is shown.
const LONGEST_STEP: usize = 100;

/// A `RUN` as root that is refused before it starts: half way through, package managers fail with
/// reasons that nobody understands.
#[derive(Debug, thiserror::Error)]
#[error("only one user id can be used here, and a `RUN` as root needs more: it gives files to other users")]
struct OnlyOneId;

/// The root file system of one step: unpacked layers below, changes in a folder of our own.
struct StepWorkspace<'a> {
    bench: &'a Workbench<'a>,
    snapshot: Snapshot,
    upper: Upper,
    /// The merged tree; none while a command has it mounted.
    view: Option<Root>,
    _scratch: Scratch,
}

impl StepWorkspace<'_> {
    fn lowers(&self) -> Vec<PathBuf> {
        self.snapshot.lowers().to_vec()
    }

    /// Two mounts must not share a folder of changes, so the view is only there between commands.
    fn open_view(&mut self) -> Result<(), ExecutorError> {
        let overlay = Overlay { lowers: self.lowers(), upper: Some(self.upper.clone()), xattr: self.bench.xattr };
        let view = overlay.view().map_err(|source| ExecutorError::SetUp { executor: "sandbox", source: Box::new(source) })?;
        self.view = Some(Root::from_fd(view));
        Ok(())
    }
}

impl Workspace for StepWorkspace<'_> {
    fn root(&self) -> &Root {
        self.view.as_ref().expect("the view is only away inside `run`, which has the workspace to itself")
    }

    fn run(&mut self, command: &Command, output: &mut (dyn Write + Send)) -> Result<ExitStatus, ExecutorError> {
        if self.bench.single_id && command.user.uid == 0 {
            return Err(ExecutorError::SetUp { executor: "sandbox", source: Box::new(OnlyOneId) });
        }
        self.view = None;
        let surroundings = &self.bench.surroundings;
        let root = SandboxRoot { lowers: self.lowers(), changes: Changes::Kept(self.upper.clone()), xattr: self.bench.xattr };
        let executor = SandboxExecutor::new(root, surroundings.mounts(command.network), surroundings.init.clone());
        let mut command = command.clone();
        add_surroundings(&mut command, self.bench);
        let status = executor.run(&command, output)?;
        self.open_view()?;
        Ok(status)
    }

    fn commit(mut self: Box<Self>, since: SystemTime) -> Result<Delta, HostError> {
        self.view = None;
        let upper = Root::open(&self.upper.folder)?;
        let changes = layers::Changes::new(&upper, since);
        if changes.is_empty()? {
            return Ok(Delta::Nothing);
        }
        let layer = layers::write(&changes, Compression::Gzip, &self.bench.store)?;
        Ok(Delta::Layer(Box::new(layer)))
    }
}

/// Certificates and proxies reach `RUN` by its environment and are recorded nowhere.
fn add_surroundings(command: &mut Command, bench: &Workbench<'_>) {
    if command.network == Network::None {
        return;
    }
    for (name, value) in bench.surroundings.certificate_variables(command.network, true) {
        command.environment.entry(name.into()).or_insert_with(|| value.into());
    }
    for (name, value) in bench.surroundings.proxy_variables(command.network) {
        command.environment.entry(name.clone()).or_insert_with(|| value.clone());
    }
}
