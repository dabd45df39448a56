//! `fnpack completion`, `fnpack manual`: what is made from the description of the arguments.

use std::path::Path;

use clap::CommandFactory;
use clap_complete::Shell;

use crate::arguments::Arguments;
use crate::error::{Class, CommandError};
use crate::ui::Ui;

/// Prints a completion script.
pub(super) fn completion(shell: Shell, ui: &Ui) {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "fnpack", &mut script);
    ui.document(&String::from_utf8_lossy(&script));
}

/// Writes a man page for each command.
pub(super) fn manual(folder: &Path) -> Result<(), CommandError> {
    fs_err::create_dir_all(folder)
        .and_then(|()| clap_mangen::generate_to(Arguments::command(), folder))
        .map_err(|error| CommandError::new(Class::Machine, error))
}
