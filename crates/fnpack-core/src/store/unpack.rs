//! One layer from blob to folder: read, uncompressed and hashed by one thread, applied by another.

use std::io::{self, Read, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use crate::digest::{DiffId, Hashing};
use crate::layers::apply::{Applied, ApplyError, ApplyOptions, apply};
use crate::layers::decompress::decompress;
use crate::root::Root;

const PIECE: usize = 256 * 1024;
/// What is larger unpacked, and so many times as large as packed, is made to fill disks: programs and libraries unpack to
/// three times their size, files of nothing but zeros are rarely this long.
const LONGEST_ODD: u64 = 4 * 1024 * 1024 * 1024;
const MOST_GROWTH: u64 = 200;
/// Pieces in flight: enough that neither thread waits for a short stall of the other.
const AHEAD: usize = 8;

/// Applies a packed layer to `root`; gives what its tar hashes to.
pub(super) fn unpack(blob: impl Read + Send, root: &Root, options: &ApplyOptions) -> Result<(Applied, DiffId), ApplyError> {
    std::thread::scope(|scope| {
        let (sender, receiver) = sync_channel(AHEAD);
        let reading = scope.spawn(move || pump(blob, &sender));
        // The receiver goes with the call, so that a reader whose bytes nobody wants stops.
        let applied = apply(Pieces { receiver, piece: Vec::new(), position: 0 }, root, options)?;
        let diff_id = reading.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        Ok((applied, diff_id))
    })
}

fn pump(blob: impl Read + Send, pieces: &SyncSender<io::Result<Vec<u8>>>) -> DiffId {
    let mut hashing = Hashing::new(io::sink());
    if let Err(error) = forward(blob, &mut hashing, pieces) {
        let _nobody_listens = pieces.send(Err(error));
    }
    DiffId::from_sha256(hashing.finish().1)
}

fn forward(blob: impl Read + Send, hashing: &mut impl Write, pieces: &SyncSender<io::Result<Vec<u8>>>) -> io::Result<()> {
    let packed = AtomicU64::new(0);
    let mut tar = decompress(Counted { reader: blob, bytes: &packed })?;
    let mut unpacked = 0;
    loop {
        let mut piece = Vec::with_capacity(PIECE);
        unpacked += tar.by_ref().take(PIECE as u64).read_to_end(&mut piece)? as u64;
        if is_bomb(packed.load(Ordering::Relaxed), unpacked) {
            return Err(io::Error::other(format!(
                "it unpacks to more than {MOST_GROWTH} times its size, which no honest layer of this size does"
            )));
        }
        hashing.write_all(&piece)?;
        // Nobody listens once applying has failed.
        if piece.is_empty() || pieces.send(Ok(piece)).is_err() {
            return Ok(());
        }
    }
}

fn is_bomb(packed: u64, unpacked: u64) -> bool {
    unpacked > LONGEST_ODD && unpacked / MOST_GROWTH > packed
}

/// Counts what is read.
struct Counted<'a, R> {
    reader: R,
    bytes: &'a AtomicU64,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(bytes)?;
        self.bytes.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

/// The receiving end as a reader.
struct Pieces {
    receiver: Receiver<io::Result<Vec<u8>>>,
    piece: Vec<u8>,
    position: usize,
}

impl Read for Pieces {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        if self.position == self.piece.len() {
            self.position = 0;
            self.piece = match self.receiver.recv() {
                Ok(piece) => piece?,
                Err(_) => return Ok(0),
            };
        }
        let mut rest = self.piece.get(self.position..).unwrap_or_default();
        let read = rest.read(bytes)?;
        self.position += read;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_that_grow_without_measure_are_bombs() {
        const GIB: u64 = 1 << 30;
        for (packed, unpacked, expected) in [
            (1_000, 2 * GIB, false),
            (1_000, 4 * GIB + 1, true),
            (20 << 20, 5 * GIB, true),
            (100 << 20, 5 * GIB, false),
            (3 * GIB, 10 * GIB, false),
            (10 * GIB, 10 * GIB, false),
        ] {
            assert_eq!(is_bomb(packed, unpacked), expected, "{packed} to {unpacked}");
        }
    }
}
