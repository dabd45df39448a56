//! `fnpack doctor`: what works on this machine, and what to change.

use std::path::Path;
use std::process::ExitCode;

use fnpack_sandbox::{Fact, Facts};
use serde::Serialize;

use super::executor;
use super::table::Table;
use crate::arguments::{DoctorArguments, GlobalArguments, OutputForm, Requirement};
use crate::error::Class;
use crate::settings::Settings;
use crate::ui::Ui;

/// Prints the facts; fails if something required does not work.
pub(super) fn run(arguments: &DoctorArguments, global: &GlobalArguments, ui: &Ui) -> ExitCode {
    let facts = fnpack_sandbox::probe(Path::new("/proc/self/exe"));
    match arguments.output {
        OutputForm::Json => {
            let shown: Vec<Shown<'_>> = facts.0.iter().map(Shown::from).collect();
            ui.document(&serde_json::to_string_pretty(&shown).unwrap_or_default());
        }
        OutputForm::Table => {
            let mut table = Table::default();
            for fact in &facts.0 {
                table.row([mark(fact), fact.name, &fact.found]);
                if !fact.works {
                    table.row(["", "", &format!("to do: {}", fact.remedy)]);
                }
            }
            table.row(["--", "executor", &format!("{}, if none is named", executor::strongest().name())]);
            if let Some(settings) = Settings::read(global.store.clone()) {
                table.row(["--", "store", &settings.store.display().to_string()]);
            }
            ui.document(&table.render());
        }
    }
    let failed = arguments.require.contains(&Requirement::Sandbox) && obstacle(&facts).is_some();
    if failed { ExitCode::from(Class::Machine as u8) } else { ExitCode::SUCCESS }
}

fn mark(fact: &Fact) -> &'static str {
    match (fact.works, fact.needed) {
        (true, _) => "ok",
        (false, true) => "no",
        (false, false) => "--",
    }
}

/// A fact for programs.
#[derive(Serialize)]
struct Shown<'a> {
    name: &'a str,
    works: bool,
    needed: bool,
    found: &'a str,
    remedy: &'a str,
}

impl<'a> From<&'a Fact> for Shown<'a> {
    fn from(fact: &'a Fact) -> Self {
        Self { name: fact.name, works: fact.works, needed: fact.needed, found: &fact.found, remedy: fact.remedy }
    }
}

/// The first fact that keeps build steps from being isolated here.
pub(super) fn obstacle(facts: &Facts) -> Option<&Fact> {
    facts.0.iter().find(|fact| fact.needed && !fact.works)
}
