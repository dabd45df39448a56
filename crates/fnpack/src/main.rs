//! fnpack: function source to function image, as one command.
//!
//! This crate talks: arguments, progress, error texts, exit codes. The work is done by
//! `fnpack-core`, which never prints and never reads the environment.

mod arguments;
mod command;
mod embedded;
mod engines;
mod error;
mod hints;
mod registries;
mod settings;
mod terminal;
mod transfers;
mod ui;

use std::process::ExitCode;

use clap::Parser;

use arguments::{Arguments, GlobalArguments};
use ui::{Level, Ui};

fn main() -> ExitCode {
    // A sandbox's first process is this program again; it must be known before anything else happens.
    fnpack_sandbox::init_if_asked();
    let arguments = Arguments::parse();
    let ui = Ui::new(level(&arguments.global), !arguments.global.no_color);
    match command::run(arguments, &ui) {
        Ok(code) => code,
        Err(error) => {
            ui.progress_done();
            ui.error(&error.render());
            ExitCode::from(error.code())
        }
    }
}

fn level(global: &GlobalArguments) -> Level {
    match (global.quiet, global.verbose) {
        (true, _) => Level::Quiet,
        (_, true) => Level::Verbose,
        _ => Level::Normal,
    }
}
