//! `fnpack access`: whether the registries give and take images, before a build depends on it.

use std::sync::Arc;

use fnpack_core::reference::Reference;
use fnpack_core::registry::{RegistryClient, RegistryError};
use serde::Serialize;

use super::login::settings;
use super::table::Table;
use crate::arguments::{AccessArguments, GlobalArguments, OutputForm};
use crate::error::{Class, CommandError};
use crate::registries;
use crate::transfers::Transfers;
use crate::ui::Ui;

/// What is known of one name.
#[derive(Serialize)]
struct Proven {
    name: String,
    /// `yes`, `no`, or that there is no such image.
    pull: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    push: Option<&'static str>,
    #[serde(skip)]
    failures: Vec<RegistryError>,
}

/// Proves all names, says all, and fails if one cannot be used as it should.
pub(super) fn run(arguments: &AccessArguments, global: &GlobalArguments, ui: &Ui) -> Result<(), CommandError> {
    if global.offline {
        return Err(CommandError::message(Class::Usage, "`--offline` keeps from asking a registry"));
    }
    let client = registries::connect(&settings(global)?, Arc::new(Transfers::new(ui.clone())))?;
    let proven: Vec<Proven> = arguments.names.iter().map(|name| prove(name, arguments.pull_only, &client)).collect();
    match arguments.output {
        // Strings alone, which have a JSON form.
        OutputForm::Json => ui.document(&serde_json::to_string_pretty(&proven).unwrap_or_default()),
        OutputForm::Table => ui.document(&table(&proven)),
    }
    let mut failures = proven.into_iter().flat_map(|proven| proven.failures);
    let Some(first) = failures.next() else { return Ok(()) };
    let told = first.to_string();
    // What keeps from pulling mostly keeps from pushing, too.
    let further: Vec<String> = failures.map(|error| error.to_string()).filter(|text| *text != told).collect();
    Err(CommandError::from(first).details(further))
}

fn prove(name: &Reference, pull_only: bool, client: &RegistryClient) -> Proven {
    let mut failures = Vec::new();
    let pull = match client.digest(name) {
        Ok(Some(_)) => "yes",
        // What is pushed for the first time is not there yet.
        Ok(None) => "no such image",
        Err(error) => {
            failures.push(error);
            "no"
        }
    };
    let push = (!pull_only).then(|| match client.check_push(name) {
        Ok(()) => "yes",
        Err(error) => {
            failures.push(error);
            "no"
        }
    });
    Proven { name: name.familiar(), pull, push, failures }
}

fn table(proven: &[Proven]) -> String {
    let mut table = Table::default();
    table.row(["NAME", "PULL", "PUSH"]);
    for proven in proven {
        table.row([&proven.name, proven.pull, proven.push.unwrap_or_default()]);
    }
    table.render()
}
