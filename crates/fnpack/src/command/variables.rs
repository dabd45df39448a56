//! `NAME=VALUE` and `HERE:THERE` on the command line.

use std::path::{Path, PathBuf};

use fnpack_core::pipeline::Volume;

use crate::error::{Class, CommandError};

/// Variables of env files, then of `--env`, the stronger. `NAME` alone takes the value from the environment, or is empty.
pub(super) fn variables(files: &[PathBuf], arguments: &[String]) -> Result<Vec<(String, String)>, CommandError> {
    let mut variables = Vec::new();
    for file in files {
        let text = fs_err::read_to_string(file).map_err(|error| CommandError::new(Class::Usage, error))?;
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            variables.push(variable(line)?);
        }
    }
    for argument in arguments {
        variables.push(variable(argument)?);
    }
    Ok(variables)
}

/// One variable.
pub(super) fn variable(text: &str) -> Result<(String, String), CommandError> {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, value.to_owned()),
        None => (text, std::env::var(text).unwrap_or_default()),
    };
    if name.is_empty() || name.contains(['/', '\0']) || name == "." || name == ".." {
        return Err(CommandError::message(Class::Usage, format!("`{name}` is not a name for a variable")).hint("write NAME=VALUE"));
    }
    Ok((name.to_owned(), value))
}

/// `HERE:THERE`, `HERE:THERE:ro`, `HERE:THERE:rw`.
pub(super) fn volume(text: &str) -> Result<Volume, CommandError> {
    let wrong = || {
        CommandError::message(Class::Usage, format!("`{text}` is not a volume")).hint("write HERE:THERE or HERE:THERE:rw, THERE absolute")
    };
    let (paths, writable) = match text.rsplit_once(':') {
        Some((paths, "ro")) => (paths, false),
        Some((paths, "rw")) => (paths, true),
        _ => (text, false),
    };
    let (source, target) = paths.split_once(':').ok_or_else(wrong)?;
    if source.is_empty() || !Path::new(target).is_absolute() {
        return Err(wrong());
    }
    let source = fs_err::canonicalize(source).map_err(|error| CommandError::new(Class::Usage, error))?;
    Ok(Volume { source, target: target.into(), writable })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_name_and_value() {
        assert_eq!(variable("A=b=c").unwrap(), ("A".into(), "b=c".into()));
        assert_eq!(variable("FNPACK_NOT_SET_ANYWHERE").unwrap(), ("FNPACK_NOT_SET_ANYWHERE".into(), String::new()));
        for bad in ["", "=x", "a/b=c", "..=x"] {
            assert!(variable(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn volumes_are_read_only_unless_told() {
        let volume_of = |text: &str| volume(text).map(|volume| (volume.source, volume.target, volume.writable)).unwrap();
        assert_eq!(volume_of("/:/mnt"), ("/".into(), "/mnt".into(), false));
        assert_eq!(volume_of("/:/mnt:rw"), ("/".into(), "/mnt".into(), true));
        for bad in ["/", "/:mnt", ":/mnt", "/no/such/folder:/mnt"] {
            assert!(volume(bad).is_err(), "{bad}");
        }
    }
}
