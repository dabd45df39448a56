//! The Java that runs Pulsar.

use std::path::Path;
use std::process::{Command, Stdio};

use super::error::StandaloneError;

/// Pulsar 4 is compiled for it.
pub(super) const OLDEST: u32 = 17;

/// Checks that the program is a Java that is new enough; its whole version.
pub(super) fn check(program: &Path) -> Result<String, StandaloneError> {
    let output = Command::new(program).arg("-version").stdin(Stdio::null()).output();
    let output = output.map_err(|source| StandaloneError::Java { program: program.to_owned(), source })?;
    let text = String::from_utf8_lossy(&output.stderr);
    let version = quoted(&text);
    if let Some(version) = version.filter(|version| feature_release(version).is_some_and(|release| release >= OLDEST)) {
        return Ok(version.to_owned());
    }
    let found = version.map_or_else(|| "none that tells its version".to_owned(), |version| format!("Java {version}"));
    Err(StandaloneError::JavaVersion { program: program.to_owned(), found, needed: OLDEST })
}

/// `17.0.15` of `openjdk version "17.0.15" 2025-04-15`, whichever line it is in: settings from the environment
/// are announced before it.
fn quoted(text: &str) -> Option<&str> {
    let line = text.lines().find(|line| line.contains(" version \""))?;
    line.split('"').nth(1)
}

/// `8` of `1.8.0_292`, `17` of `17.0.15` or `17-ea`.
fn feature_release(version: &str) -> Option<u32> {
    let version = version.strip_prefix("1.").unwrap_or(version);
    version.split(|letter: char| !letter.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn feature_release_is_found() {
        for (text, expected) in [
            ("openjdk version \"17.0.15\" 2025-04-15\nOpenJDK Runtime", Some(17)),
            ("Picked up JAVA_TOOL_OPTIONS: -Dx=\"y\"\njava version \"1.8.0_292\"", Some(8)),
            ("openjdk version \"25-ea\" 2025-09-16", Some(25)),
            ("openjdk version \"x\"", None),
            ("no Java", None),
        ] {
            assert_eq!(quoted(text).and_then(feature_release), expected, "{text}");
        }
    }

    #[test]
    fn program_that_is_no_java_is_refused() {
        assert!(matches!(check(Path::new("/nowhere/java")), Err(StandaloneError::Java { .. })));
        assert!(matches!(check(Path::new("/bin/true")), Err(StandaloneError::JavaVersion { needed: 17, .. })));
    }
}
