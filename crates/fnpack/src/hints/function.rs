//! Functions and their instances.

use fnpack_core::function_mesh::InstanceError;

use super::{Advice, Explain};
use crate::error::Class::Configuration;

impl Explain for InstanceError {
    fn advice(&self) -> Advice {
        let advice = Advice::new(Configuration);
        match self {
            Self::Unsafe { .. } => advice.hint("use letters, digits and `._/-` only: under Function Mesh it would not start"),
            Self::Missing { what: "class name" } => advice.hint("name it with `--class-name`"),
            Self::Missing { .. } => advice.hint("see what the image says with `fnpack inspect`"),
        }
    }
}
