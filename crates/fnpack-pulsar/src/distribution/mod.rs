//! The parts of a standalone Pulsar, fetched once from a Maven repository into a cache folder.
//!
//! Pulsar's binary distribution is in no package registry, but all that it is made of is: the server's jars
//! with what they need, and configuration and Python instance in the source releases. What exactly is fetched
//! is fixed in the source by size and SHA-256. Once it is there, no network is needed.
//!
//! ```text
//! <cache>/pulsar-4.0.0/
//!     lib/          jars
//!     conf/         as in the source release
//!     instances/    java-instance/ python-instance/ java-instance.jar
//!     complete      the mark of a whole folder, written last
//!     classes-java-17.0.15.jsa   classes ready to run, if a standalone was prepared with that Java
//! ```

mod artifact;
mod error;
mod fetch;
mod java_instance;
mod unpack;

use std::path::{Path, PathBuf};

use fs_err::File;
use rustix::fs::{FlockOperation, flock, syncfs};

use crate::http::{Http, HttpOptions};
use artifact::Artifact;
use fetch::Fetch;

pub use error::DistributionError;

/// The version of broker and functions worker.
pub const VERSION: &str = "4.0.0";
/// The version of the Python instance: of the same line, and free of the old protobuf that 4.0.0 wants.
pub const PYTHON_INSTANCE_VERSION: &str = "4.0.13";
/// Maven Central.
pub const MAVEN_CENTRAL: &str = "https://repo1.maven.org/maven2";

const COMPLETE: &str = "complete";

/// Where to fetch from.
#[derive(Debug, Clone)]
pub struct FetchOptions {
    /// The address of a Maven repository.
    pub repository: String,
    /// How it is reached.
    pub http: HttpOptions,
}

impl Default for FetchOptions {
    fn default() -> Self {
        Self { repository: MAVEN_CENTRAL.to_owned(), http: HttpOptions::default() }
    }
}

/// How far fetching is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Bytes that are there.
    pub bytes: u64,
    /// Bytes that there will be.
    pub total: u64,
}

/// A whole distribution in a folder, only read from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Distribution {
    folder: PathBuf,
}

impl Distribution {
    /// Finds the distribution in a cache folder; `None` if it has to be fetched.
    pub fn find(cache: &Path) -> Option<Self> {
        // Pulsar runs in another folder.
        let folder = std::path::absolute(cache).ok()?.join(format!("pulsar-{VERSION}"));
        folder.join(COMPLETE).exists().then_some(Self { folder })
    }

    /// Finds the distribution, or fetches it: 250 MB. Who comes while another process does so waits for it.
    pub fn fetch(cache: &Path, options: &FetchOptions, progress: &(dyn Fn(Progress) + Sync)) -> Result<Self, DistributionError> {
        if let Some(distribution) = Self::find(cache) {
            return Ok(distribution);
        }
        let cache = std::path::absolute(cache).map_err(DistributionError::file("find", cache))?;
        let folder = cache.join(format!("pulsar-{VERSION}"));
        let libraries = folder.join("lib");
        fs_err::create_dir_all(&libraries).map_err(DistributionError::file("create", &libraries))?;
        let _lock = lock(&folder)?;
        if let Some(distribution) = Self::find(&cache) {
            return Ok(distribution);
        }
        let repository = options.repository.trim_end_matches('/');
        let failed = |source| DistributionError::Connection { repository: repository.to_owned(), source: Box::new(source) };
        let http = Http::new(&options.http).map_err(failed)?;
        let artifacts = artifact::all();
        Fetch { http: &http, repository, folder: &libraries, progress }.all(&artifacts)?;
        complete(folder, &artifacts)
    }

    /// The jars, in the order of their names: one order, so that archives of loaded classes fit.
    pub(crate) fn class_path(&self) -> String {
        let mut jars: Vec<String> = artifact::all().iter().filter(|artifact| artifact.is_jar()).map(Artifact::file_name).collect();
        jars.sort_unstable();
        jars.iter().map(|jar| self.libraries().join(jar).display().to_string()).collect::<Vec<_>>().join(":")
    }

    /// What Pulsar calls its home.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn libraries(&self) -> PathBuf {
        self.folder.join("lib")
    }

    pub(crate) fn configuration(&self) -> PathBuf {
        self.folder.join("conf")
    }

    pub(crate) fn python_instance(&self) -> PathBuf {
        self.folder.join("instances/python-instance/python_instance_main.py")
    }

    /// Where the classes of a Java of this version are kept in the form that starts faster.
    pub(crate) fn class_archive(&self, java_version: &str) -> PathBuf {
        let clean: String =
            java_version.chars().map(|letter| if letter.is_ascii_alphanumeric() || letter == '.' { letter } else { '_' }).collect();
        self.folder.join(format!("classes-java-{clean}.jsa"))
    }

    /// The jar that runs Java functions, made with the first Java that has a compiler; `None` if this has none.
    pub(crate) fn java_instance(&self, java: &Path) -> Result<Option<PathBuf>, DistributionError> {
        let jar = self.folder.join("instances/java-instance.jar");
        if jar.exists() {
            return Ok(Some(jar));
        }
        let made = java_instance::assemble(java, &self.folder.join("instances/java-instance"), &self.libraries(), &jar)?;
        Ok(made.then_some(jar))
    }
}

/// Waits until no other process is at it; ends with the returned file.
fn lock(folder: &Path) -> Result<File, DistributionError> {
    let path = folder.join("lock");
    let file = File::create(&path).map_err(DistributionError::file("create", &path))?;
    flock(&file, FlockOperation::LockExclusive).map_err(|error| DistributionError::file("lock", &path)(error.into()))?;
    Ok(file)
}

fn complete(folder: PathBuf, artifacts: &[Artifact]) -> Result<Distribution, DistributionError> {
    for (version, selections) in [(VERSION, unpack::OF_BROKER), (PYTHON_INSTANCE_VERSION, unpack::OF_PYTHON_INSTANCE)] {
        let release = format!("/pulsar-{version}-source-release.zip");
        let archive = artifacts.iter().find(|artifact| artifact.path.ends_with(&release)).map(Artifact::file_name).unwrap_or_default();
        unpack::unpack(&folder.join("lib").join(archive), selections, &folder)?;
    }
    // The mark must not be there before the rest, whatever happens to the machine.
    let synced = File::open(&folder).and_then(|file| Ok(syncfs(file.file())?));
    synced.map_err(DistributionError::file("write", &folder))?;
    let mark = folder.join(COMPLETE);
    File::create(&mark).map_err(DistributionError::file("create", &mark))?;
    Ok(Distribution { folder })
}

#[cfg(test)]
mod tests;
