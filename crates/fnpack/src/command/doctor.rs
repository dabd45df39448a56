//! `fnpack doctor`: what works on this machine, and what to change.

use std::process::ExitCode;

use fnpack_sandbox::{Fact, Facts};

use super::table::Table;
use crate::arguments::{DoctorArguments, GlobalArguments, OutputForm, Requirement};
use crate::error::CommandError;
use crate::settings::Settings;
use crate::ui::Ui;

/// Prints the facts; fails if something required does not work.
pub(super) fn run(arguments: &DoctorArguments, global: &GlobalArguments, ui: &Ui) -> Result<ExitCode, CommandError> {
    let facts = fnpack_sandbox::probe();
    match arguments.output {
        OutputForm::Json => ui.document(&serde_json::to_string_pretty(&facts).unwrap_or_default()),
        OutputForm::Table => {
            let mut table = Table::default();
            for fact in facts.all() {
                table.row([if fact.ok { "ok" } else { "no" }, &fact.name, &fact.found]);
                if !fact.ok {
                    table.row(["", "", &format!("to do: {}", fact.remedy)]);
                }
            }
            if let Some(settings) = Settings::read(global.store.clone()) {
                table.row(["--", "store", &settings.store.display().to_string()]);
            }
            ui.document(&table.render());
        }
    }
    let failed = arguments.require.contains(&Requirement::Sandbox) && obstacle(&facts).is_some();
    Ok(if failed { ExitCode::from(5) } else { ExitCode::SUCCESS })
}

/// The first fact that keeps build steps from being isolated here.
pub(super) fn obstacle(facts: &Facts) -> Option<&Fact> {
    facts.all().find(|fact| fact.needed && !fact.ok)
}
