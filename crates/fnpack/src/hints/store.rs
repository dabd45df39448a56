//! The store.

use fnpack_core::store::StoreError;

use super::{Advice, Explain};
use crate::error::Class::{Fault, Machine, Usage};

const DAMAGED: &str = "see all that is damaged with `fnpack store check --deep`, then pull or build the image anew";

impl Explain for StoreError {
    fn advice(&self) -> Advice {
        let machine = Advice::new(Machine);
        match self {
            Self::NewerFormat { .. } => machine.hint("use a newer fnpack, or another store with `--store DIR`"),
            Self::NotAStore { .. } => machine.hint("name an empty folder, or one that fnpack made, with `--store DIR`"),
            Self::ReadOnly { .. } => machine.hint("use another store with `--store DIR`"),
            Self::DiskFull { .. } => machine.hint("free space, for instance with `fnpack store gc`; nothing that was there is lost"),
            Self::Io { source, .. } => source.advice(),
            Self::Unreadable { .. } | Self::CorruptBlob { .. } | Self::CorruptLayer { .. } | Self::BlobAbsent { .. } => {
                machine.hint(DAMAGED)
            }
            Self::BlobRead { source, .. } => source.advice().or_hint(DAMAGED),
            Self::WrongDigest { .. } => machine.hint("get the image anew: its bytes changed on the way"),
            Self::Image { source, .. } => source.advice(),
            Self::Unpack { source, .. } => source.advice(),
            Self::View { source, .. } => source.advice(),
            Self::AmbiguousDigest { matches, .. } => {
                Advice::new(Usage).details(matches.iter().map(ToString::to_string).collect()).hint("write more of its digits")
            }
            Self::UnknownReference { .. } => Advice::new(crate::error::Class::Registry).hint("see what is there with `fnpack image ls`"),
            Self::InvalidName { .. } => Advice::new(Fault),
        }
    }
}
