//! `fnpack login` and `fnpack logout`: the logins that docker, podman and skopeo share.

use std::io::{self, Read};
use std::sync::Arc;

use fnpack_core::reference::Reference;
use fnpack_core::registry::Quiet;
use fnpack_core::registry::credentials::{FixedLogin, Login, LoginFile, Secret, registry_name};

use crate::arguments::{GlobalArguments, LoginArguments, LogoutArguments};
use crate::error::{Class, CommandError};
use crate::registries;
use crate::settings::Settings;
use crate::terminal;
use crate::ui::Ui;

/// Tokens are a few KiB.
const LONGEST_PASSWORD: u64 = 64 * 1024;

/// Proves a login to be right and keeps it.
pub(super) fn login(arguments: &LoginArguments, global: &GlobalArguments, ui: &Ui) -> Result<(), CommandError> {
    let registry = registry(&arguments.registry)?;
    let settings = settings(global)?;
    let file = settings.registries.login_file().ok_or_else(no_file)?;
    let (user, password) = if arguments.password_stdin { given(arguments)? } else { asked(arguments, &registry, ui)? };
    if !global.offline {
        prove(&registry, &user, &password, &settings, ui)?;
    }
    let place = file.store(&registry, &user, &password)?;
    ui.step(&format!("the login for `{registry}` is kept in {place}"));
    Ok(())
}

/// Forgets a login, wherever it is kept.
pub(super) fn logout(arguments: &LogoutArguments, global: &GlobalArguments, ui: &Ui) -> Result<(), CommandError> {
    let registry = registry(&arguments.registry)?;
    let files: Vec<LoginFile> = settings(global)?.registries.login_files().collect();
    let mut removed = false;
    for file in files {
        removed |= file.erase(&registry)?;
    }
    ui.step(&if removed { format!("the login for `{registry}` is forgotten") } else { format!("there was no login for `{registry}`") });
    Ok(())
}

/// The settings with what the command line says of registries.
pub(super) fn settings(global: &GlobalArguments) -> Result<Settings, CommandError> {
    let mut settings = Settings::read(global.store.clone()).ok_or_else(no_file)?;
    settings.registries.authority.clone_from(&global.registry_ca);
    Ok(settings)
}

fn no_file() -> CommandError {
    CommandError::message(Class::Usage, "there is no home folder to look for logins in").hint("name a file with REGISTRY_AUTH_FILE")
}

fn prove(registry: &str, user: &str, password: &Secret, settings: &Settings, ui: &Ui) -> Result<(), CommandError> {
    let login = Login::Password { user: user.to_owned(), password: password.clone() };
    let given = FixedLogin { registry: registry.to_owned(), login, source: format!("`{user}`") };
    let asked = registries::connect_as(settings, Arc::new(given), Arc::new(Quiet))?.check_login(registry)?;
    if !asked {
        ui.step(&format!("`{registry}` asks nobody for a login, so this one is not proven"));
    }
    Ok(())
}

/// The registry of an address as people write it.
fn registry(text: &str) -> Result<String, CommandError> {
    let name = registry_name(text);
    match format!("{name}/a/b").parse::<Reference>() {
        Ok(reference) if reference.registry() == name => Ok(name),
        _ => Err(CommandError::message(Class::Usage, format!("`{text}` is no registry")).hint("name it as `HOST[:PORT]`")),
    }
}

/// Name and password from the command line and standard input.
fn given(arguments: &LoginArguments) -> Result<(String, Secret), CommandError> {
    let Some(user) = &arguments.username else {
        return Err(CommandError::message(Class::Usage, "a password in standard input needs the name of its account")
            .hint("name it with `--username NAME`"));
    };
    if terminal::is_there() {
        return Err(CommandError::message(Class::Usage, "a password that is typed here would be seen")
            .hint("leave out `--password-stdin`: then it is asked for and not shown"));
    }
    let mut text = String::new();
    io::stdin().take(LONGEST_PASSWORD).read_to_string(&mut text).map_err(|error| CommandError::new(Class::Usage, error))?;
    let password = text.strip_suffix('\n').unwrap_or(&text);
    let password = password.strip_suffix('\r').unwrap_or(password);
    if password.is_empty() {
        return Err(CommandError::message(Class::Usage, "there is no password in standard input"));
    }
    Ok((user.clone(), Secret::new(password)))
}

/// Name and password from the person at the terminal.
fn asked(arguments: &LoginArguments, registry: &str, ui: &Ui) -> Result<(String, Secret), CommandError> {
    if !terminal::is_there() {
        return Err(CommandError::message(Class::Usage, "there is no terminal to ask for the password at")
            .hint("give it from a file or through a pipe: `fnpack login HOST --username NAME --password-stdin < FILE`"));
    }
    let user = match &arguments.username {
        Some(user) => user.clone(),
        None => terminal::ask(&format!("name at `{registry}`: "), ui)?,
    };
    if user.is_empty() {
        return Err(CommandError::message(Class::Usage, "no name was typed"));
    }
    let password = terminal::ask_hidden(&format!("password of `{user}`, or an access token (not shown): "), ui)?;
    if password.reveal().is_empty() {
        return Err(CommandError::message(Class::Usage, "no password was typed"));
    }
    Ok((user, password))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registry_is_taken_as_people_write_it() {
        for (text, expected) in [
            ("registry.example.com:5000", Some("registry.example.com:5000")),
            ("https://Registry.example.com/", Some("registry.example.com")),
            ("https://index.docker.io/v1/", Some("docker.io")),
            ("docker.io", Some("docker.io")),
            ("localhost:5000", Some("localhost:5000")),
            ("quay.io/team", None),
            ("word", None),
            ("", None),
            ("a b.c", None),
        ] {
            assert_eq!(registry(text).ok().as_deref(), expected, "{text}");
        }
    }
}
