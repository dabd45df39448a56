//! Python sources, zips and wheels.

mod archive;
mod own_code;
mod package;
mod requires_python;
mod search;
mod source;
pub mod wheel;

pub use archive::{ArtifactError, Layout, facts, layout, recorded_files};
pub use own_code::{import_root, is_source, own_files};
pub use package::{PackageError, pack_wheel, zip_package};
pub use requires_python::python_fits;
pub use search::{Located, NoFunction, Search};
pub use source::{Definition, Kind, Position, Refusal, SourceFile, Verdict};
