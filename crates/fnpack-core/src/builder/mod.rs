//! Builders: an image with everything that a build needs, made from a `builder.toml`.
//!
//! Answers the CNB platform spec ("Builder", "Builder Metadata Label", "`buildpack.toml`") and the
//! `builder.toml` and labels of `pack`, so that builders go back and forth.

mod build_env;
mod builder_toml;
pub mod buildpack_toml;
mod check;
mod contents;
mod create;
mod description;
mod document;
mod inspection;
pub mod labels;
mod load;
mod module;
mod references;
mod unpack;

pub use build_env::{BuildEnv, EnvRule};
pub use builder_toml::{BuilderToml, BuilderTomlError, BuilderTomlWarning, LifecycleSource, ModuleSource, RunImageSource};
pub use buildpack_toml::{BuildpackToml, BuildpackTomlError};
pub use check::{CheckError, Ground, check_module};
pub use contents::{ContentsError, Output, module_digest, place_module};
pub use create::{CreateError, CreateInput, CreateWarning, Created, LifecycleBundle, LifecycleFile, Module, create};
pub use description::{BuilderDescription, DescriptionError, User};
pub use document::{DocumentError, Fault};
pub(crate) use document::{Section, read_text};
pub use inspection::{InspectedEntry, InspectedGroup, Inspection};
pub use load::{LoadError, load, load_file, load_package};
pub use module::{Distro, ModuleId, ModuleTarget, Order, OrderEntry, OrderGroup, Stack};
pub use references::ReferenceError;
pub use unpack::UnpackError;

#[cfg(test)]
mod tests;
