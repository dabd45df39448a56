//! Jars and NARs: which classes in them Pulsar can run, what those need of a runner, and how jars are put together
//! so that a runner finds everything and the same input gives the same bytes.

mod archive;
mod class_file;
mod compare;
mod hierarchy;
mod inspect;
mod manifest;
mod nar;
mod provided;
mod rewrite;
mod signature;

pub use archive::JarError;
pub use compare::{bundles, is_union};
pub use hierarchy::Interface;
pub use inspect::{FunctionClass, JavaArchive, Unusable};
pub use nar::Nar;
pub use provided::is_provided_library;
pub use rewrite::{Duplicate, FatJar, fat_jar, thin_jar};
