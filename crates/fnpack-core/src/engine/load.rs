//! Giving an engine an image (`POST /images/load`), without what it has.

use std::collections::BTreeSet;
use std::io::{self, BufWriter, PipeReader, Read};
use std::sync::mpsc::{Receiver, channel};

use super::answers::{Details, LoadMessage};
use super::connection::{Answer, encoded, in_one_line};
use super::layers::details;
use super::{Engine, EngineError, Kind};
use crate::archive::{self, ArchiveError, Named};
use crate::digest::{DiffId, Digest};
use crate::image::Image;
use crate::reference::Reference;

/// What went to an engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loaded {
    /// Layers sent.
    pub sent: usize,
    /// Layers that it had.
    pub present: usize,
}

/// Is told the bytes that have passed and how many will.
pub type Progress<'a> = &'a (dyn Fn(u64, u64) + Sync);

/// The other end of the pipe that an archive is written to: how that went is asked when it ends.
struct Packed<'a> {
    pipe: PipeReader,
    outcome: Receiver<Result<(), ArchiveError>>,
    fault: Option<ArchiveError>,
    passed: u64,
    total: u64,
    progress: Progress<'a>,
}

impl Engine {
    /// Gives the engine an image under these names. Nothing of it is sent if the engine has it.
    pub fn load(&self, image: &Image, names: &[Reference], progress: Progress<'_>) -> Result<Loaded, EngineError> {
        let names: Vec<Reference> = names.iter().map(Reference::without_digest).collect();
        if self.tag_present(image, &names)? {
            return Ok(Loaded { sent: 0, present: image.layers().len() });
        }
        // What cannot be learnt is sent.
        let mut left_out = self.present_layers(image, &names).unwrap_or_default();
        let content = Named { names, label: None, image: image.clone() };
        match self.send(&content, &left_out, progress) {
            // What it had may have been removed meanwhile.
            Err(EngineError::NotTaken { .. } | EngineError::Refused { .. }) if !left_out.is_empty() => {
                left_out.clear();
                self.send(&content, &left_out, progress)?;
            }
            result => result?,
        }
        self.verify(&content)?;
        let present = image.layers().iter().filter(|layer| left_out.contains(&layer.diff_id)).count();
        Ok(Loaded { sent: image.layers().len() - present, present })
    }

    /// Gives names to an image that the engine has; whether it has it.
    fn tag_present(&self, image: &Image, names: &[Reference]) -> Result<bool, EngineError> {
        let id = config_digest(image);
        let Some(known) = details(&self.connection, &id.to_string())?.filter(|known| known.digest() == Some(id)) else {
            return Ok(false);
        };
        for name in names.iter().filter(|name| !known.is_called(name)) {
            let (repository, tag) = (encoded(&name.name()), name.tag().unwrap_or_default());
            match self.connection.post(&format!("/images/{id}/tag?repo={repository}&tag={tag}")) {
                // It was removed in between.
                Err(EngineError::Refused { status: 404, .. }) => return Ok(false),
                result => drop(result?),
            }
        }
        Ok(true)
    }

    /// Sends the image, some of its layers empty.
    fn send(&self, named: &Named, left_out: &BTreeSet<DiffId>, progress: Progress<'_>) -> Result<(), EngineError> {
        let (pipe, input) = io::pipe().map_err(EngineError::Pipe)?;
        let (tell, outcome) = channel();
        let sent = named.image.layers().iter().filter(|layer| !left_out.contains(&layer.diff_id));
        let total = sent.map(|layer| layer.descriptor.size).sum();
        let mut packed = Packed { pipe, outcome, fault: None, passed: 0, total, progress };
        std::thread::scope(|scope| {
            scope.spawn(move || {
                let mut input = BufWriter::with_capacity(128 * 1024, input);
                let result = archive::write_without(named, left_out, &mut input);
                // Nobody listens any more if the engine has closed its end; the outcome comes before the end of the pipe.
                let _ = tell.send(result);
            });
            let answer = self.connection.post_tar("/images/load?quiet=1", &mut packed);
            let fault = packed.fault.take();
            // The writer ends when nobody reads.
            drop(packed);
            match fault {
                Some(fault) => Err(EngineError::Packing(fault)),
                None => self.accepted(answer?, &named.names),
            }
        })
    }

    fn accepted(&self, answer: Answer, names: &[Reference]) -> Result<(), EngineError> {
        for message in answer.json_stream::<LoadMessage>() {
            if let Some(message) = message?.failure() {
                let (name, place) = (shown(names), self.place().to_owned());
                return Err(EngineError::NotTaken { name, place, message: in_one_line(&message) });
            }
        }
        Ok(())
    }

    /// Holds what the engine has under the names against the image.
    fn verify(&self, Named { names, image, .. }: &Named) -> Result<(), EngineError> {
        for name in names {
            let (shown, place) = (name.familiar(), self.place().to_owned());
            let Some(known) = details(&self.connection, &name.to_string())? else {
                return Err(EngineError::NoSuchImage { name: shown, place });
            };
            if !self.is(&known, image) {
                return Err(EngineError::OtherImage { name: shown, place, expected: config_digest(image).to_string(), actual: known.id });
            }
        }
        Ok(())
    }

    fn is(&self, known: &Details, image: &Image) -> bool {
        match self.kind {
            Kind::Containerd => known.diff_ids() == image.diff_ids(),
            Kind::Docker | Kind::Podman => known.digest() == Some(config_digest(image)),
        }
    }
}

fn config_digest(image: &Image) -> Digest {
    image.manifest().config.digest
}

fn shown(names: &[Reference]) -> String {
    names.iter().map(Reference::familiar).collect::<Vec<_>>().join(", ")
}

impl Read for Packed<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = self.pipe.read(bytes)?;
        if read == 0 {
            // Half an archive must not look like a whole one.
            if let Ok(Err(fault)) = self.outcome.recv() {
                self.fault = Some(fault);
                return Err(io::ErrorKind::InvalidData.into());
            }
        }
        self.passed += read as u64;
        (self.progress)(self.passed, self.total);
        Ok(read)
    }
}
