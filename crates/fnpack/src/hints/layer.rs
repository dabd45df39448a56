//! Layers: archives that are written, read and applied.

use fnpack_core::image::BlobError;
use fnpack_core::layers::apply::ApplyError;
use fnpack_core::layers::{LayerError, TarError};

use super::{Advice, Explain};
use crate::error::Class::{Configuration, Machine, Registry, YourCode};

pub(super) const CHANGED: &str = "let nothing write there while fnpack works, and try again";

impl Explain for LayerError {
    fn advice(&self) -> Advice {
        match self {
            Self::Read(source) => source.advice(),
            Self::Tar(source) => source.advice(),
            Self::Unfit { .. } => Advice::new(YourCode).hint("remove it in the step that made it"),
            Self::Store(source) => source.advice(),
        }
    }
}

impl Explain for TarError {
    fn advice(&self) -> Advice {
        match self {
            Self::Write(source) | Self::Contents { source, .. } => source.advice(),
            Self::SizeChanged { .. } => Advice::new(Machine).hint(CHANGED),
            Self::Unrepresentable { .. } => Advice::new(YourCode).hint("give the file another name"),
        }
    }
}

impl Explain for ApplyError {
    fn advice(&self) -> Advice {
        match self {
            Self::Read { source } | Self::HardLink { source, .. } | Self::Place { source, .. } => source.advice(),
            Self::Malformed { .. } | Self::Entry { .. } | Self::TooManyEntries { .. } | Self::GrowsTooMuch { .. } => {
                Advice::new(Machine).hint("have the image made anew by whom it is from: no engine can unpack it safely")
            }
            Self::UnmappedOwner { .. } => {
                Advice::new(Machine).hint("give this user more ids in /etc/subuid and /etc/subgid; `fnpack doctor` says how")
            }
        }
    }
}

impl Explain for BlobError {
    fn advice(&self) -> Advice {
        match self {
            Self::Read { source, .. } | Self::Write { source, .. } => source.advice(),
            Self::DigestMismatch { .. } | Self::Truncated { .. } | Self::TooLong { .. } => {
                Advice::new(Registry).hint("try again; if it stays, the copy there is damaged: have it pushed anew")
            }
        }
    }
}

impl Explain for fnpack_core::image::ImageError {
    fn advice(&self) -> Advice {
        match self {
            Self::NotAnImage { .. } => Advice::new(Configuration).hint("name an image; this is something else kept in a registry"),
            Self::ConfigAbsent { .. } => {
                Advice::new(Registry).hint("try again; if it stays, have the image pushed anew: its config is gone")
            }
            Self::Unreadable { .. } | Self::LayerCount { .. } | Self::ConfigDigest { .. } | Self::TooManyManifests => {
                Advice::new(Machine).hint("have the image made or pushed anew: it is damaged")
            }
        }
    }
}
