//! layers: being written.

pub mod apply;
pub mod decompress;
