//! A Pulsar of one process on this machine: broker, storage, package service, and functions worker if asked for.
//!
//! It listens on free ports of the loopback only, and lives no longer than its owner, however that ends.

mod command;
mod configuration;
mod error;
mod java;
mod log;
mod ports;
mod process;
mod readiness;

use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use fs_err::File;

use crate::Endpoint;
use crate::distribution::Distribution;
use command::{Classes, Preparation};
use configuration::Site;
use log::Log;
use ports::Ports;
use process::ServerProcess;
use readiness::Readiness;

pub use error::{LogTail, StandaloneError};

const PAUSE: Duration = Duration::from_millis(100);
/// Pulsar needs three to five seconds to write out its data.
const TIME_TO_STOP: Duration = Duration::from_secs(8);
const TIME_TO_ARCHIVE: Duration = Duration::from_mins(3);
/// So often other ports are tried.
const MOST_TRIES: u32 = 3;

/// What to start.
#[derive(Debug, Clone)]
pub struct StandaloneOptions {
    /// Java 17 or later, as a path or to be found in the search path.
    pub java: PathBuf,
    /// What Pulsar is made of.
    pub distribution: Distribution,
    /// Where configuration, data and logs go.
    pub folder: Folder,
    /// Whether functions can be registered. Takes two seconds more to start.
    pub functions_worker: bool,
    /// The Python of Python functions at the worker, with the packages of the Python instance; else `python3`.
    pub python: Option<PathBuf>,
    /// Heap and direct memory, each in MiB.
    pub heap_mebibytes: u32,
    /// How long to wait until it is ready.
    pub timeout: Duration,
}

/// Where the data of a server are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Folder {
    /// In a new folder below this one, removed at the end.
    Temporary(PathBuf),
    /// In this folder. They stay, and the next server there goes on with them.
    Kept(PathBuf),
}

impl StandaloneOptions {
    /// A broker alone, with data below a folder for temporary files.
    pub fn new(distribution: Distribution, temporary: &Path) -> Self {
        Self {
            java: PathBuf::from("java"),
            distribution,
            folder: Folder::Temporary(temporary.to_owned()),
            functions_worker: false,
            python: None,
            heap_mebibytes: 512,
            timeout: Duration::from_mins(2),
        }
    }
}

/// A running Pulsar; dropped, it is killed.
pub struct Standalone {
    // The order is that of the end: first the process, then its folder.
    process: ServerProcess,
    folder: Place,
    endpoint: Endpoint,
    runs_java_functions: bool,
}

enum Place {
    Temporary(tempfile::TempDir),
    Kept(PathBuf),
}

impl Standalone {
    /// Does what is to be done once for a Java, if it was not: makes the jar that runs Java functions, and lets a
    /// Pulsar run to keep its classes in a form that starts faster. That takes half a minute, and saves half of
    /// each start's work. `false` if this Java keeps none; everything works without.
    pub fn prepare(options: &StandaloneOptions, interrupted: &dyn Fn() -> bool) -> Result<bool, StandaloneError> {
        let version = java::check(&options.java)?;
        let kept = options.distribution.class_archive(&version);
        if kept.exists() {
            return Ok(true);
        }
        let parent = options.distribution.folder();
        let folder = tempfile::tempdir_in(parent).map_err(StandaloneError::file("create a folder in", parent))?;
        let archive = folder.path().join("classes.jsa");
        let options = StandaloneOptions { functions_worker: true, folder: Folder::Temporary(folder.path().to_owned()), ..options.clone() };
        let mut pulsar =
            Self::launch(&options, interrupted, |java_instance| Preparation { java_instance, classes: Classes::Into(archive.clone()) })?;
        pulsar.process.stop(TIME_TO_ARCHIVE).map_err(StandaloneError::system("stop Pulsar"))?;
        // Java does not check an archive that was cut off by a failure of the machine, and crashes.
        let whole = File::open(&archive).and_then(|file| file.sync_all());
        Ok(whole.is_ok() && fs_err::rename(&archive, &kept).is_ok())
    }

    /// Starts it and waits until it can be used, or until `interrupted` says that nobody wants it any more.
    pub fn start(options: &StandaloneOptions, interrupted: &dyn Fn() -> bool) -> Result<Self, StandaloneError> {
        let archive = options.distribution.class_archive(&java::check(&options.java)?);
        let classes = if archive.exists() { Classes::From(archive) } else { Classes::Loaded };
        Self::launch(options, interrupted, |java_instance| Preparation { java_instance, classes })
    }

    fn launch(
        options: &StandaloneOptions,
        interrupted: &dyn Fn() -> bool,
        prepared: impl FnOnce(Option<PathBuf>) -> Preparation,
    ) -> Result<Self, StandaloneError> {
        let options = &StandaloneOptions { java: program(&options.java)?, ..options.clone() };
        let failed = |source| StandaloneError::Distribution { source };
        let java_instance =
            if options.functions_worker { options.distribution.java_instance(&options.java).map_err(failed)? } else { None };
        let preparation = prepared(java_instance);
        let folder = Place::make(&options.folder)?;
        let mut tries = 1;
        loop {
            match run(options, folder.path(), &preparation, interrupted) {
                (Err(_), true) if tries < MOST_TRIES => tries += 1,
                (started, _) => return Self::of(started, folder, &preparation),
            }
        }
    }

    fn of(started: Started, folder: Place, preparation: &Preparation) -> Result<Self, StandaloneError> {
        let (process, endpoint) = started?;
        Ok(Self { process, folder, endpoint, runs_java_functions: preparation.java_instance.is_some() })
    }

    /// Where it answers.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Whether its functions worker can run Java functions: not if there is none, or if the Java at hand has no
    /// compiler for the one class that is needed.
    pub fn runs_java_functions(&self) -> bool {
        self.runs_java_functions
    }

    /// The log of broker and worker.
    pub fn log(&self) -> PathBuf {
        log_file(self.folder.path())
    }

    /// The log of a function's instance at the worker.
    pub fn function_log(&self, tenant: &str, namespace: &str, name: &str) -> PathBuf {
        self.folder.path().join("logs/functions").join(tenant).join(namespace).join(name).join(format!("{name}-0.log"))
    }

    /// Ends it, and removes its folder if that is a temporary one. Data that stay are written out first, which
    /// takes some seconds.
    pub fn stop(mut self) -> Result<(), StandaloneError> {
        let stopped = match &self.folder {
            Place::Temporary(_) => self.process.kill(),
            Place::Kept(_) => self.process.stop(TIME_TO_STOP),
        };
        stopped.map_err(StandaloneError::system("stop Pulsar"))?;
        match self.folder {
            Place::Kept(_) => Ok(()),
            Place::Temporary(folder) => {
                let path = folder.path().to_owned();
                folder.close().map_err(StandaloneError::file("remove", path))
            }
        }
    }
}

impl Place {
    fn make(folder: &Folder) -> Result<Self, StandaloneError> {
        match folder {
            Folder::Temporary(parent) => {
                let parent = &std::path::absolute(parent).map_err(StandaloneError::file("find", parent))?;
                let folder = tempfile::Builder::new().prefix("pulsar-").tempdir_in(parent);
                folder.map(Self::Temporary).map_err(StandaloneError::file("create a folder in", parent))
            }
            Folder::Kept(path) => {
                fs_err::create_dir_all(path).map_err(StandaloneError::file("create", path))?;
                fs_err::canonicalize(path).map(Self::Kept).map_err(StandaloneError::file("find", path))
            }
        }
    }

    fn path(&self) -> &Path {
        match self {
            Self::Temporary(folder) => folder.path(),
            Self::Kept(path) => path,
        }
    }
}

/// A path is made absolute, since Pulsar runs in another folder; a name is for the search path.
fn program(java: &Path) -> Result<PathBuf, StandaloneError> {
    if java.components().count() == 1 && !java.has_root() {
        return Ok(java.to_owned());
    }
    std::path::absolute(java).map_err(StandaloneError::file("find", java))
}

fn log_file(folder: &Path) -> PathBuf {
    folder.join("logs/standalone.log")
}

type Started = Result<(ServerProcess, Endpoint), StandaloneError>;

/// One try, and whether it failed only for a port.
fn run(options: &StandaloneOptions, folder: &Path, preparation: &Preparation, interrupted: &dyn Fn() -> bool) -> (Started, bool) {
    let mut port_is_taken = false;
    let started = (|| {
        let ports = Ports::choose().map_err(StandaloneError::system("find free ports"))?;
        let site = Site::prepare(folder, options, ports)?;
        let path = log_file(folder);
        let file = File::create(&path).map_err(StandaloneError::file("create", &path))?;
        let mut log = Log::open(&path)?;
        let command = command::of(options, &site, preparation);
        let process = ServerProcess::start(&command, &site.at("bin"), file).map_err(StandaloneError::system("start Pulsar"))?;
        let endpoint =
            Endpoint { service: format!("pulsar://127.0.0.1:{}", ports.service), web: format!("http://127.0.0.1:{}", ports.web) };
        let ready = wait(&process, &mut log, Readiness::of(&endpoint.web, options.functions_worker), options, interrupted);
        port_is_taken = log.port_is_taken();
        ready.map(|()| (process, endpoint))
    })();
    (started, port_is_taken)
}

fn wait(
    process: &ServerProcess,
    log: &mut Log,
    mut readiness: Readiness,
    options: &StandaloneOptions,
    interrupted: &dyn Fn() -> bool,
) -> Result<(), StandaloneError> {
    let begin = Instant::now();
    loop {
        let has_ended = process.has_ended().map_err(StandaloneError::system("watch Pulsar"))?;
        log.follow()?;
        if has_ended {
            return Err(StandaloneError::Ended { log: log.tail() });
        }
        if (log.is_leading() || !options.functions_worker) && readiness.ask() {
            return Ok(());
        }
        if interrupted() {
            return Err(StandaloneError::Interrupted);
        }
        if begin.elapsed() > options.timeout {
            return Err(StandaloneError::NotReady { waited: options.timeout, log: log.tail() });
        }
        sleep(PAUSE);
    }
}

#[cfg(test)]
mod tests;
