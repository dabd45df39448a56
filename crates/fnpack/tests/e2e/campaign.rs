//! Registries that fail: a long run of pushes, pulls, copies and rebases through a network that breaks, limits, stalls and
//! changes what passes. After each either all is there, or nothing has changed and a documented error was told.
//!
//! A short run belongs to the tests; `just campaign` makes a long one. The seed repeats a run:
//! `FNPACK_CAMPAIGN_SEED=1 scripts/failing-registry 1000`.

mod errors;
mod report;
mod steps;
mod verdict;
mod world;

use std::time::Instant;

use report::Report;
use world::World;

/// Steps that share a store: a deep look at it after each of them takes its time.
const STEPS_PER_STORE: u64 = 40;

#[test]
fn registry_that_fails_is_survived() {
    run(300, 1);
}

/// As many requests as `FNPACK_CAMPAIGN_REQUESTS` says; the report goes to `FNPACK_CAMPAIGN_REPORT`.
#[test]
#[ignore = "takes minutes; `just campaign` runs it"]
fn registry_that_fails_is_survived_for_long() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let report = run(number("FNPACK_CAMPAIGN_REQUESTS").unwrap_or(10_000), number("FNPACK_CAMPAIGN_SEED").unwrap_or(1));
    let text = serde_json::to_string_pretty(&report.unwrap().to_json()).unwrap();
    match std::env::var_os("FNPACK_CAMPAIGN_REPORT") {
        Some(file) => fs_err::write(file, text + "\n").unwrap(),
        None => eprintln!("{text}"),
    }
}

/// Steps until so many requests have passed; `None` is a skip.
fn run(requests: u64, seed: u64) -> Option<Report> {
    let mut world = World::new(seed)?;
    let (start, mut report) = (Instant::now(), Report::new(seed));
    for number in 0.. {
        if world.proxy.requests() >= requests {
            break;
        }
        if number % STEPS_PER_STORE == 0 {
            world.begin_store();
        }
        let done = world.step(number);
        report.count(&done);
        if let Err(fault) = world.judge(&done) {
            panic!("seed {seed}, step {number}: {done:#?}\n{fault}");
        }
    }
    report.end(&world.proxy.counts(), start.elapsed());
    Some(report)
}
