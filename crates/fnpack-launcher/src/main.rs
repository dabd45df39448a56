//! The launcher: the entry point of images made by Cloud Native Buildpacks (CNB platform spec, "Launch").
//!
//! It reads what the build recorded under the layers folder, makes the environment that the buildpacks asked
//! for, and becomes the chosen process. It is one static file without name service or dynamic loading, so it
//! runs on any base; only shell processes need `/bin/bash` there.

mod api;
mod environment;
mod exec_d;
mod files;
mod launch;
mod metadata;
mod process;
mod shell;

use std::error::Error;
use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use launch::{Failure, Launch};

fn main() -> ExitCode {
    let mut arguments = std::env::args_os();
    let program = arguments.next().unwrap_or_else(|| OsString::from("launcher"));
    let arguments: Vec<OsString> = arguments.collect();
    if arguments == ["-version"] {
        return print_version();
    }
    let Err(failure) = Launch { program, arguments, environment: std::env::vars_os().collect(), warn: &mut warn }.become_process();
    say("ERROR", &format!("failed to {}", with_causes(&failure)));
    exit_code(&failure)
}

fn print_version() -> ExitCode {
    match writeln!(std::io::stdout(), "{}", env!("CARGO_PKG_VERSION")) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// The codes of the reference lifecycle, which platforms tell apart.
fn exit_code(failure: &Failure) -> ExitCode {
    ExitCode::from(match failure {
        Failure::PlatformApi(_) => 11,
        Failure::BuildpackApi(_) => 12,
        Failure::Metadata(_) => 1,
        Failure::Launch(_) => 82,
    })
}

fn warn(text: &str) {
    say("Warning", text);
}

/// Nobody is left to tell if the error stream is closed.
fn say(level: &str, text: &str) {
    let _ = writeln!(std::io::stderr(), "{level}: {text}");
}

/// An error and what caused it, in one line.
fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
