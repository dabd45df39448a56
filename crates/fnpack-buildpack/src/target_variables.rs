//! Target variables that platforms may leave out (CNB buildpack spec, "Targets"), filled in before libcnb asks.
//!
//! The spec calls the distribution optional, libcnb does not. Setting variables of a running process is unsafe in
//! Rust, so the program runs itself once more with them set.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use crate::say_error;

/// Where a base says which distribution it is.
const OS_RELEASE: &str = "/etc/os-release";

/// Runs a phase of the buildpack with all target variables set. What libcnb runs ends the process by itself.
pub fn start(run: fn()) -> ExitCode {
    if let Err(error) = run_again_with_defaults() {
        say_error(&format!("start the buildpack again with its target variables: {error}"));
        return ExitCode::FAILURE;
    }
    run();
    ExitCode::SUCCESS
}

/// Returns if nothing is missing; otherwise the program starts again, with what is missing set.
fn run_again_with_defaults() -> io::Result<()> {
    let given = |name: &str| std::env::var_os(name).is_some();
    let missing = missing(given, &fs_err::read_to_string(OS_RELEASE).unwrap_or_default());
    let mut arguments = std::env::args_os();
    match arguments.next() {
        Some(program) if !missing.is_empty() => {
            Err(Command::new(std::env::current_exe()?).arg0(program).args(arguments).envs(missing).exec())
        }
        _ => Ok(()),
    }
}

fn missing(given: impl Fn(&str) -> bool, os_release: &str) -> Vec<(&'static str, OsString)> {
    let defaults = [
        ("CNB_TARGET_OS", std::env::consts::OS.to_owned()),
        ("CNB_TARGET_ARCH", go_architecture(std::env::consts::ARCH).to_owned()),
        ("CNB_TARGET_DISTRO_NAME", os_release_value(os_release, "ID")),
        ("CNB_TARGET_DISTRO_VERSION", os_release_value(os_release, "VERSION_ID")),
    ];
    defaults.into_iter().filter(|(name, _)| !given(name)).map(|(name, value)| (name, OsString::from(value))).collect()
}

/// Rust's name of a processor in the words of Go, which are those of OCI.
fn go_architecture(rust: &str) -> &str {
    match rust {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        other => other,
    }
}

/// Empty if it is not there: testing releases of Debian have no version.
fn os_release_value(text: &str, key: &str) -> String {
    let mut values = text.lines().filter_map(|line| line.trim().strip_prefix(key)?.strip_prefix('='));
    values.next_back().unwrap_or_default().trim_matches(['"', '\'']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_fills_only_what_is_not_given() {
        let text = "PRETTY_NAME=\"Debian\"\nID=debian\nVERSION_ID=\"13\"\nID_LIKE=x\n";
        assert_eq!(missing(|_| true, text), []);
        let found = missing(|name| !name.contains("DISTRO"), text);
        assert_eq!(found, [("CNB_TARGET_DISTRO_NAME", "debian".into()), ("CNB_TARGET_DISTRO_VERSION", "13".into())]);
        let found = missing(|name| name != "CNB_TARGET_DISTRO_VERSION", "ID=debian\n");
        assert_eq!(found, [("CNB_TARGET_DISTRO_VERSION", "".into())]);
        assert_eq!(missing(|_| false, "").first().map(|(name, _)| *name), Some("CNB_TARGET_OS"));
    }
}
