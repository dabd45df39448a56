//! Names of images, and images in files.

use fnpack_core::archive::ArchiveError;
use fnpack_core::archive::rootfs::ImportError;
use fnpack_core::pipeline::{AddressError, CopyError, FindError, RegistryRebaseError};
use fnpack_core::rebase::RebaseError;
use fnpack_core::reference::ReferenceError;

use super::{Advice, Explain};
use crate::error::Class::{Configuration, Machine, Refused, Registry, Usage};

impl Explain for ReferenceError {
    fn advice(&self) -> Advice {
        Advice::new(Usage).hint("write it as `name`, `name:tag` or `registry.example.com/path/name:tag`")
    }
}

impl Explain for ArchiveError {
    fn advice(&self) -> Advice {
        let damaged = || Advice::new(Machine).hint("make the archive anew: it is damaged or not whole");
        match self {
            Self::File { source, .. } | Self::Flush { source } | Self::Layer { source, .. } => source.advice(),
            Self::Folder { source, .. } => source.advice(),
            Self::Tar { source, .. } => source.advice(),
            Self::NoImage { .. } => Advice::new(Machine).hint("if it is a root file system, use `fnpack image import`"),
            Self::Missing { .. }
            | Self::TooLong { .. }
            | Self::Unreadable { .. }
            | Self::DigestMismatch { .. }
            | Self::WrongLength { .. }
            | Self::Image { .. }
            | Self::TooDeep { .. } => damaged(),
            Self::NoTarget { .. } => Advice::new(Usage).hint("have it saved for this machine's target too"),
            Self::NotOne { .. } => Advice::new(Usage).hint("name one of them"),
            Self::Blob(source) => source.advice(),
            Self::Write(source) => source.advice(),
            Self::Address { .. } => Advice::new(Usage),
        }
    }
}

impl Explain for ImportError {
    fn advice(&self) -> Advice {
        match self {
            Self::Read(source) => source.advice().or_hint("give it a tar, as it is or packed with gzip or zstd"),
            Self::Unpack(source) => source.advice().or_hint("make the archive anew: it is damaged or not whole"),
            Self::Empty => Advice::new(Machine).hint("see with `tar -tf` what is in the file"),
            Self::ImageArchive { .. } => Advice::new(Usage).hint("use `fnpack image load`"),
            Self::Outside { .. } => Advice::new(Machine).hint("make the archive anew, without such names"),
            Self::Store(source) => source.advice(),
        }
    }
}

impl Explain for FindError {
    fn advice(&self) -> Advice {
        let registry = Advice::new(Registry);
        match self {
            Self::Offline { .. } => {
                registry.hint("pull it without `--offline`, or bring it with `fnpack image load` or `fnpack image import`")
            }
            Self::NotStored { .. } => registry.hint("see what is there with `fnpack image ls`"),
            Self::NotGiven { source, .. } => source.advice(),
            Self::OtherTarget { present, target, .. } => {
                registry.hint(format!("build for it with `--platform {present}`, or bring the image for {target}"))
            }
            Self::Layers { source, .. } => source.advice().or_hint("try again: layers that came whole are kept"),
            Self::OfflinePush { .. } => Advice::new(Usage).hint("leave out `--offline`"),
            Self::Nameless { .. } => Advice::new(Usage).hint("give it one: `fnpack image copy` it to a name"),
            Self::Archive(source) => source.advice(),
            Self::Engine(source) => source.advice(),
            Self::Reference(source) => source.advice(),
            Self::Connect(source) => source.advice(),
            Self::Store(source) => source.advice(),
        }
    }
}

impl Explain for AddressError {
    fn advice(&self) -> Advice {
        match self {
            Self::Reference(source) => source.advice(),
            Self::Archive(source) => source.advice(),
            Self::Engine(_) => Advice::new(Usage).hint("write it as `docker-daemon:NAME[:TAG]`"),
            Self::ContainersStorage { .. } => Advice::new(Usage),
        }
    }
}

impl Explain for CopyError {
    fn advice(&self) -> Advice {
        match self {
            Self::Find(source) => source.advice(),
            Self::Archive(source) => source.advice(),
            Self::Registry { source, .. } => source.advice(),
            Self::Engine(source) => source.advice(),
            Self::NoNameInEngine { .. } => Advice::new(Usage).hint("write `docker-daemon:NAME:TAG`"),
            Self::Store(source) => source.advice(),
            Self::Unusable { source, .. } => source.advice(),
            Self::File { source, .. } => source.advice(),
            Self::OneTargetOnly { .. } => {
                Advice::new(Usage).hint("leave out `--all`, name a target with `--platform`, or write an `oci-archive:`")
            }
            Self::Nameless { .. } => Advice::new(Usage).hint("add it: `docker-archive:FILE:NAME`"),
            Self::SameTarget { .. } => Advice::new(Usage).hint("leave one of them out"),
        }
    }
}

impl Explain for RegistryRebaseError {
    fn advice(&self) -> Advice {
        match self {
            Self::Find(source) => source.advice(),
            Self::Rebase(source) => source.advice(),
            Self::NoRunImage { .. } => Advice::new(Refused).hint("name the new one with `--run-image`"),
            Self::NotAnImage { source, .. } => Advice { class: Registry, ..source.advice() },
            Self::NoTag { .. } => Advice::new(Usage).hint("name the result with `-t NAME:TAG`"),
            Self::Send { source, .. } => source.advice(),
        }
    }
}

impl Explain for RebaseError {
    fn advice(&self) -> Advice {
        let refused = Advice::new(Refused);
        match self {
            Self::Refused { objections, .. } => refused
                .details(objections.iter().map(ToString::to_string).collect())
                .hint("name a run image that fits, or override with `--force`"),
            Self::NotABuildpackImage { .. } | Self::BaseNotFound { .. } => {
                refused.hint("only images that buildpacks made can be rebased; build it again on the new run image")
            }
            Self::EmptyBase { .. } => Advice::new(Configuration).hint("name another run image"),
        }
    }
}
