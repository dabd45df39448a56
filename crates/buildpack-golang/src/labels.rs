//! What is recorded of the function as image labels, so that nothing has to look into the image later.
//! The names are documented in `docs/labels.md`.

use std::path::Path;

use fnpack_artifact::{Facts, Language};
use libcnb::data::launch::Label;

use crate::build::Record;

/// The labels of a function.
pub(crate) fn labels(record: &Record, artifact: &Path, architecture: &str) -> Vec<Label> {
    let facts = Facts {
        arch: Some(architecture.to_owned()),
        is_static: Some(record.is_static),
        go_version: Some(record.info.go_version.clone()),
        pf_version: Some(record.info.function_version.clone()),
        ..Facts::new(Language::Go, artifact.to_string_lossy())
    };
    fnpack_buildpack::labels(&facts)
}
