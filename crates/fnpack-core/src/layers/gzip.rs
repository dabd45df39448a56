//! gzip on all processors.
//!
//! The input is cut into blocks of a fixed size, each compressed by itself with the end of the one
//! before as dictionary and closed on a byte boundary; put together they are one gzip member that
//! every tool reads. The cut does not depend on the number of workers, so neither do the bytes. Memory
//! is bounded by the blocks under way.
//!
//! Answers RFC 1952.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use flate2::{Compress, Compression, Crc, FlushCompress, Status};

const LEVEL: u32 = 1;
const BLOCK: usize = 256 * 1024;
/// How far deflate looks back.
const WINDOW: usize = 32 * 1024;
/// No name, no time, fastest compression, unknown system.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 255];

/// Compresses what is written to it. Dropped without [`GzipWriter::finish`], the output has no end.
#[derive(Debug)]
pub struct GzipWriter<W: Write> {
    output: W,
    started: bool,
    block: Vec<u8>,
    previous: Arc<Vec<u8>>,
    checksum: Crc,
    workers: Workers,
}

struct Job {
    block: Arc<Vec<u8>>,
    previous: Arc<Vec<u8>>,
    last: bool,
    answer: SyncSender<io::Result<Vec<u8>>>,
}

/// Threads that take blocks from one queue; answers are read in the order of the blocks.
#[derive(Debug)]
struct Workers {
    jobs: Option<SyncSender<Job>>,
    answers: VecDeque<Receiver<io::Result<Vec<u8>>>>,
    threads: Vec<JoinHandle<()>>,
    limit: usize,
}

impl<W: Write> GzipWriter<W> {
    /// Starts a member; at least one worker is taken.
    pub fn new(output: W, workers: usize) -> Self {
        Self {
            output,
            started: false,
            block: Vec::with_capacity(BLOCK),
            previous: Arc::default(),
            checksum: Crc::new(),
            workers: Workers::start(workers.max(1)),
        }
    }

    /// Ends the member and gives the output back.
    pub fn finish(mut self) -> io::Result<W> {
        self.submit(true)?;
        while let Some(bytes) = self.workers.next()? {
            self.put(&bytes)?;
        }
        let checksum = self.checksum.sum().to_le_bytes();
        self.output.write_all(&checksum)?;
        self.output.write_all(&self.checksum.amount().to_le_bytes())?;
        Ok(self.output)
    }

    fn submit(&mut self, last: bool) -> io::Result<()> {
        if self.workers.is_full()
            && let Some(bytes) = self.workers.next()?
        {
            self.put(&bytes)?;
        }
        let block = Arc::new(std::mem::replace(&mut self.block, Vec::with_capacity(BLOCK)));
        let previous = std::mem::replace(&mut self.previous, Arc::clone(&block));
        self.workers.submit(block, previous, last)
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        if !self.started {
            self.output.write_all(&HEADER)?;
            self.started = true;
        }
        self.output.write_all(bytes)
    }
}

impl<W: Write> Write for GzipWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.block.len() == BLOCK {
            self.submit(false)?;
        }
        let (taken, _) = bytes.split_at(bytes.len().min(BLOCK - self.block.len()));
        self.checksum.update(taken);
        self.block.extend_from_slice(taken);
        Ok(taken.len())
    }

    /// Does nothing: where a block ends must not depend on who asks.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Workers {
    fn start(count: usize) -> Self {
        let (jobs, queue) = sync_channel::<Job>(2 * count);
        let queue = Arc::new(Mutex::new(queue));
        let threads = (0..count).map(|_| spawn(Arc::clone(&queue))).collect();
        Self { jobs: Some(jobs), answers: VecDeque::new(), threads, limit: 2 * count }
    }

    fn is_full(&self) -> bool {
        self.answers.len() >= self.limit
    }

    fn submit(&mut self, block: Arc<Vec<u8>>, previous: Arc<Vec<u8>>, last: bool) -> io::Result<()> {
        let (answer, answers) = sync_channel(1);
        self.answers.push_back(answers);
        let jobs = self.jobs.as_ref().ok_or_else(stopped)?;
        jobs.send(Job { block, previous, last, answer }).map_err(|_| stopped())
    }

    /// The oldest block that is under way; none if all were taken.
    fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        let Some(answer) = self.answers.pop_front() else { return Ok(None) };
        answer.recv().map_err(|_| stopped())?.map(Some)
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.jobs = None;
        self.answers.clear();
        for thread in self.threads.drain(..) {
            // A panic of a worker was seen as a missing answer.
            let _ = thread.join();
        }
    }
}

fn stopped() -> io::Error {
    io::Error::other("a compressing thread has stopped")
}

fn spawn(queue: Arc<Mutex<Receiver<Job>>>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        loop {
            let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(job) = job else { return };
            // Nobody waits for the answer when the writer was dropped.
            let _ = job.answer.send(deflate(&job.block, &job.previous, job.last));
        }
    })
}

/// One block of raw deflate. The compressor is new each time: one that was reset gives other bytes in
/// some releases of zlib-rs, and the digest must not depend on which worker took a block.
fn deflate(block: &[u8], previous: &[u8], last: bool) -> io::Result<Vec<u8>> {
    let mut compressor = Compress::new(Compression::new(LEVEL), false);
    if !previous.is_empty() {
        compressor.set_dictionary(&previous[previous.len().saturating_sub(WINDOW)..]).map_err(io::Error::other)?;
    }
    let flush = if last { FlushCompress::Finish } else { FlushCompress::Sync };
    let mut output = Vec::with_capacity(block.len() / 2 + 1024);
    loop {
        let taken = usize::try_from(compressor.total_in()).map_err(io::Error::other)?;
        let status = compressor.compress_vec(block.get(taken..).unwrap_or_default(), &mut output, flush).map_err(io::Error::other)?;
        let room = output.len() < output.capacity();
        if status == Status::StreamEnd || (!last && room && compressor.total_in() == block.len() as u64) {
            return Ok(output);
        }
        output.reserve(output.capacity().max(1024));
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;
    use crate::digest::Digest;

    fn compressed(input: &[u8], workers: usize, piece: usize) -> Vec<u8> {
        let mut writer = GzipWriter::new(Vec::new(), workers);
        for piece in input.chunks(piece) {
            writer.write_all(piece).unwrap();
        }
        writer.finish().unwrap()
    }

    fn expanded(bytes: &[u8]) -> Vec<u8> {
        let mut output = Vec::new();
        flate2::read::GzDecoder::new(bytes).read_to_end(&mut output).unwrap();
        output
    }

    /// Text with repetitions and noise, the same in every run.
    fn sample(length: usize) -> Vec<u8> {
        let mut state = 1_u64;
        let mut bytes = Vec::with_capacity(length + 64);
        while bytes.len() < length {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            if state >> 61 == 0 {
                bytes.extend_from_slice(&state.to_le_bytes());
            } else {
                bytes.extend_from_slice(format!("line {} of a layer\n", state >> 54).as_bytes());
            }
        }
        bytes.truncate(length);
        bytes
    }

    #[test]
    fn bytes_do_not_depend_on_workers_or_pieces() {
        let input = sample(9 * BLOCK + 17);
        let one = compressed(&input, 1, 1 << 20);
        assert_eq!(expanded(&one), input);
        assert!(one.len() < input.len() / 2, "{} of {}", one.len(), input.len());
        for (workers, piece) in [(2, 1 << 20), (7, 4096), (3, 333)] {
            assert_eq!(Digest::of(compressed(&input, workers, piece)), Digest::of(&one), "{workers} workers");
        }
    }

    #[test]
    fn lengths_around_a_block_come_back() {
        for length in [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK] {
            let input = sample(length);
            let output = compressed(&input, 2, 1 << 16);
            assert_eq!(output[..10], HEADER);
            assert_eq!(expanded(&output), input, "{length}");
        }
    }

    #[test]
    fn incompressible_input_comes_back() {
        let mut input = Vec::new();
        let mut state = 7_u64;
        while input.len() < 3 * BLOCK {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            input.extend_from_slice(&state.to_le_bytes());
        }
        assert_eq!(expanded(&compressed(&input, 2, 5000)), input);
    }

    #[test]
    fn failing_output_ends_with_its_error() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::Error::from(io::ErrorKind::StorageFull))
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut writer = GzipWriter::new(Full, 2);
        let written = writer.write_all(&sample(20 * BLOCK)).and_then(|()| writer.finish().map(drop));
        assert_eq!(written.unwrap_err().kind(), io::ErrorKind::StorageFull);
    }
}
