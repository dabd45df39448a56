//! The sandbox by itself: carries out a plan given as JSON on standard input. For tests, and to look
//! into a plan by hand.
//!
//! ```text
//! fnpack-sandbox probe                  what of this machine a sandbox needs
//! fnpack-sandbox run [--single-id] < plan.json   as user 0 of a user namespace if not root
//! fnpack-sandbox mapping [--single-id]  how ids are mapped there
//! ```
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command")]

use std::error::Error;
use std::process::ExitCode;

use fnpack_sandbox::{EnterPlan, Entered, ExitStatus, IdMapping, Sandbox, SandboxPlan, enter, init_if_asked, probe};

fn main() -> ExitCode {
    init_if_asked();
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    match run(&arguments.iter().map(String::as_str).collect::<Vec<_>>()) {
        Ok(ExitStatus::Code(code)) => ExitCode::from(u8::try_from(code).unwrap_or(1)),
        Ok(ExitStatus::Signal(number)) => {
            eprintln!("ended by signal {number}");
            ExitCode::from(u8::try_from(128 + number).unwrap_or(1))
        }
        Err(error) => {
            eprintln!("{error}{}", error.source().map(|source| format!(": {source}")).unwrap_or_default());
            ExitCode::from(125)
        }
    }
}

fn run(arguments: &[&str]) -> Result<ExitStatus, Box<dyn Error>> {
    let Some((verb, options)) = arguments.split_first() else { return Err("probe, run or mapping?".into()) };
    if *verb == "probe" {
        return Ok(print_facts());
    }
    let plan = EnterPlan { subordinate_ids: !options.contains(&"--single-id"), ..EnterPlan::default() };
    let mapping = match enter(&plan)? {
        Entered::Here(mapping) => mapping,
        Entered::Finished(status) => return Ok(status),
    };
    match *verb {
        "run" => carry_out(),
        "mapping" => Ok(print_mapping(&mapping)),
        other => Err(format!("`{other}`: probe, run or mapping?").into()),
    }
}

fn print_facts() -> ExitStatus {
    let facts = probe("/proc/self/exe".as_ref());
    for fact in &facts.0 {
        println!("{:4} {}: {}{}", if fact.works { "ok" } else { "NOT" }, fact.name, fact.found, if fact.works { "" } else { " -> " });
        if !fact.works {
            println!("     {}", fact.remedy);
        }
    }
    ExitStatus::Code(i32::from(!facts.sandbox_works()))
}

fn print_mapping(mapping: &IdMapping) -> ExitStatus {
    println!("{} {mapping:?}", mapping.key());
    ExitStatus::Code(0)
}

fn carry_out() -> Result<ExitStatus, Box<dyn Error>> {
    let plan: SandboxPlan = serde_json::from_reader(std::io::stdin().lock())?;
    Ok(Sandbox::spawn(&plan)?.wait(&mut std::io::stdout())?)
}
