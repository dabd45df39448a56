//! `fnpack new`: a project that builds at once.

mod names;
mod templates;

use std::io;
use std::path::Path;

use crate::arguments::NewArguments;
use crate::error::{Class, CommandError};
use crate::ui::Ui;
use names::Names;
use templates::Template;

/// Writes the project; prints its folder, and what to do next.
pub(super) fn run(arguments: &NewArguments, ui: &Ui) -> Result<(), CommandError> {
    let folder = &arguments.folder;
    require_empty(folder)?;
    let names = Names::of(folder);
    let template = Template::of(arguments.language);
    for (path, text) in template.files(&names, arguments.dockerfile) {
        write(&folder.join(&path), &text).map_err(|error| CommandError::new(Class::Machine, error))?;
        ui.detail(&path);
    }
    ui.step("next:");
    if folder != Path::new(".") {
        ui.step(&format!("  cd {}", folder.display()));
    }
    ui.step(&format!("  fnpack build {}", names.name));
    ui.result(&folder.display().to_string());
    Ok(())
}

/// A project is only written where nothing can be overwritten.
fn require_empty(folder: &Path) -> Result<(), CommandError> {
    let hint = "name a folder that does not exist yet";
    match fs_err::read_dir(folder) {
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => Err(CommandError::message(Class::Usage, format!("`{}` is not empty", folder.display())).hint(hint)),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(CommandError::new(Class::Usage, error).hint(hint)),
    }
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    fs_err::create_dir_all(path.parent().unwrap_or(Path::new("")))?;
    fs_err::write(path, text)
}
