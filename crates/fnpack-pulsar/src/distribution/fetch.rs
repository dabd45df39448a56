//! Fetching files of a Maven repository: several at once, each checked, begun ones gone on with.

use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::Duration;

use fs_err::{File, OpenOptions};
use sha2::{Digest as _, Sha256};
use ureq::http::{Request, StatusCode};

use super::artifact::Artifact;
use super::{DistributionError, Progress};
use crate::http::Http;

const AT_ONCE: usize = 8;
const MOST_TRIES: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_millis(400);

/// Where to fetch from and to.
pub(super) struct Fetch<'a> {
    pub(super) http: &'a Http,
    /// Address of the repository, without a slash at its end.
    pub(super) repository: &'a str,
    /// The files end up here; begun ones in `partial` of it.
    pub(super) folder: &'a Path,
    pub(super) progress: &'a (dyn Fn(Progress) + Sync),
}

struct Work<'a> {
    fetch: &'a Fetch<'a>,
    artifacts: &'a [Artifact],
    next: AtomicUsize,
    stopped: AtomicBool,
    bytes: AtomicU64,
    total: u64,
}

impl Fetch<'_> {
    /// Fetches what is not there yet. The first failure ends it; what is whole stays for the next time.
    pub(super) fn all(&self, artifacts: &[Artifact]) -> Result<(), DistributionError> {
        let partial = self.folder.join("partial");
        fs_err::create_dir_all(&partial).map_err(DistributionError::file("create", &partial))?;
        let work = Work {
            fetch: self,
            artifacts,
            next: AtomicUsize::new(0),
            stopped: AtomicBool::new(false),
            bytes: AtomicU64::new(0),
            total: artifacts.iter().map(|artifact| artifact.size).sum(),
        };
        let results: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(|| work.run())).collect();
            threads.into_iter().map(|thread| thread.join().expect("the work does not panic")).collect()
        });
        results.into_iter().collect::<Result<(), _>>()?;
        fs_err::remove_dir_all(&partial).map_err(DistributionError::file("remove", &partial))
    }
}

impl Work<'_> {
    fn run(&self) -> Result<(), DistributionError> {
        while !self.stopped.load(Ordering::Relaxed) {
            let Some(artifact) = self.artifacts.get(self.next.fetch_add(1, Ordering::Relaxed)) else { break };
            self.one(artifact).inspect_err(|_| self.stopped.store(true, Ordering::Relaxed))?;
        }
        Ok(())
    }

    fn one(&self, artifact: &Artifact) -> Result<(), DistributionError> {
        let target = self.fetch.folder.join(artifact.file_name());
        // Only whole files get this name.
        if target.metadata().is_ok_and(|metadata| metadata.len() == artifact.size) {
            self.advance(artifact.size);
            return Ok(());
        }
        let partial = self.fetch.folder.join("partial").join(artifact.file_name());
        let mut attempt = 1;
        while let Err(error) = self.attempt(artifact, &partial) {
            if attempt == MOST_TRIES || !may_pass(&error) || self.stopped.load(Ordering::Relaxed) {
                return Err(error);
            }
            sleep(FIRST_PAUSE * 2_u32.pow(attempt - 1));
            attempt += 1;
        }
        fs_err::rename(&partial, &target).map_err(DistributionError::file("name", target))
    }

    fn attempt(&self, artifact: &Artifact, partial: &Path) -> Result<(), DistributionError> {
        let url = format!("{}/{}", self.fetch.repository, artifact.path);
        self.download(artifact, &url, partial)?;
        let found = hash(partial).map_err(DistributionError::file("read", partial))?;
        if found == artifact.sha256 {
            return Ok(());
        }
        // Not to be gone on with.
        fs_err::remove_file(partial).map_err(DistributionError::file("remove", partial))?;
        Err(DistributionError::Damaged { url, found })
    }

    fn download(&self, artifact: &Artifact, url: &str, partial: &Path) -> Result<(), DistributionError> {
        let failed = |source| DistributionError::Fetch { url: url.to_owned(), source: Box::new(source) };
        let begun = partial.metadata().map_or(0, |metadata| metadata.len()).min(artifact.size);
        if begun == artifact.size {
            return Ok(());
        }
        let mut request = Request::builder().uri(url);
        if begun > 0 {
            request = request.header("Range", format!("bytes={begun}-"));
        }
        let answer = request.body(()).map_err(ureq::Error::from).and_then(|request| self.fetch.http.agent(url).run(request));
        let answer = answer.map_err(failed)?;
        let goes_on = match answer.status() {
            StatusCode::PARTIAL_CONTENT => true,
            StatusCode::OK => false,
            status => return Err(DistributionError::Refused { url: url.to_owned(), status: status.as_u16() }),
        };
        let mut file = open(partial, goes_on).map_err(DistributionError::file("write", partial))?;
        let rest = artifact.size - if goes_on { begun } else { 0 };
        // One byte more than expected: too long is seen as damaged.
        let body = answer.into_body().into_reader().take(rest + 1);
        self.copy(body, &mut file).map_err(|source| failed(source.into()))
    }

    fn copy(&self, mut body: impl Read, file: &mut File) -> io::Result<()> {
        let mut chunk = vec![0; 128 << 10];
        loop {
            let size = body.read(&mut chunk)?;
            if size == 0 {
                return Ok(());
            }
            file.write_all(chunk.get(..size).unwrap_or_default())?;
            self.advance(size as u64);
        }
    }

    fn advance(&self, bytes: u64) {
        let bytes = self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        (self.fetch.progress)(Progress { bytes: bytes.min(self.total), total: self.total });
    }
}

fn open(partial: &Path, goes_on: bool) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).write(true);
    if goes_on {
        options.append(true)
    } else {
        options.truncate(true)
    };
    options.open(partial)
}

fn hash(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut chunk = vec![0; 128 << 10];
    loop {
        let size = file.read(&mut chunk)?;
        if size == 0 {
            break;
        }
        hasher.update(chunk.get(..size).unwrap_or_default());
    }
    Ok(hexadecimal(&hasher.finalize()))
}

pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::new();
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Whether it is worth another try.
fn may_pass(error: &DistributionError) -> bool {
    match error {
        DistributionError::Fetch { .. } | DistributionError::Damaged { .. } => true,
        DistributionError::Refused { status, .. } => *status == 429 || *status >= 500,
        _ => false,
    }
}
