//! One layer from blob to folder: read, uncompressed and hashed by one thread, applied by another.

use std::io::{self, Read, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use crate::digest::{DiffId, Hashing};
use crate::layers::apply::{Applied, ApplyError, ApplyOptions, apply};
use crate::layers::decompress::decompress;
use crate::root::Root;

const PIECE: usize = 256 * 1024;
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
    let mut tar = decompress(blob)?;
    loop {
        let mut piece = Vec::with_capacity(PIECE);
        tar.by_ref().take(PIECE as u64).read_to_end(&mut piece)?;
        hashing.write_all(&piece)?;
        // Nobody listens once applying has failed.
        if piece.is_empty() || pieces.send(Ok(piece)).is_err() {
            return Ok(());
        }
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
