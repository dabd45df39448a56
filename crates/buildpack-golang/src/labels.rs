//! What is recorded of the function as image labels, so that nothing has to look into the image later.
//! The names are documented in `docs/labels.md`.

use std::path::Path;

use libcnb::data::launch::Label;

use crate::build::Record;

/// The labels of a function.
pub(crate) fn labels(record: &Record, artifact: &Path, architecture: &str) -> Vec<Label> {
    let artifact = artifact.to_string_lossy();
    let pairs = [
        ("io.fnpack.function.language", "go"),
        ("io.fnpack.function.artifact", &artifact),
        ("io.fnpack.function.arch", architecture),
        ("io.fnpack.function.static", if record.is_static { "true" } else { "false" }),
        ("io.fnpack.function.go.version", &record.info.go_version),
        ("io.fnpack.function.pf.version", &record.info.function_version),
    ];
    let known = pairs.into_iter().filter(|(_, value)| !value.is_empty());
    known.map(|(key, value)| Label { key: key.to_owned(), value: value.to_owned() }).collect()
}
