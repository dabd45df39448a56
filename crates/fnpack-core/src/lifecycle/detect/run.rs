//! Runs `bin/detect` of several buildpacks side by side.

use std::io::{self, Write};
use std::panic::resume_unwind;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::{DetectError, DetectResult, Outcome};
use crate::executor::{Executor, ExecutorError, ExitStatus};
use crate::lifecycle::buildpacks::Buildpack;
use crate::lifecycle::context::Context;
use crate::lifecycle::environment;
use crate::lifecycle::files::{Source, plan};
use crate::lifecycle::program::{Call, GivenEnvironment, StartError, command};

/// Larger groups wait in line; a detect mostly waits for the file system.
const SIDE_BY_SIDE: usize = 16;

/// What is kept of the output of one `bin/detect`.
const OUTPUT_LIMIT: usize = 1 << 20;

const WRONG_STATUS: &str = "status 1 or 2 means that the detection itself failed; a buildpack that does not apply must exit with 100";

/// All that a `bin/detect` is run with.
pub(super) struct Runner<'a> {
    pub(super) context: &'a Context,
    pub(super) executor: &'a dyn Executor,
    pub(super) given: &'a GivenEnvironment,
}

impl Runner<'_> {
    /// Runs each, and returns the results in the same order. `first` tells the folders for plans apart
    /// from those of earlier calls.
    pub(super) fn run_all(&self, first: usize, buildpacks: &[&Buildpack]) -> Result<Vec<DetectResult>, DetectError> {
        let next = AtomicUsize::new(0);
        let work = || {
            let mut done = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let Some(buildpack) = buildpacks.get(number) else { return done };
                done.push((number, self.run(first + number, buildpack)));
            }
        };
        let mut done: Vec<(usize, Result<DetectResult, DetectError>)> = thread::scope(|scope| {
            let workers: Vec<_> = (0..buildpacks.len().min(SIDE_BY_SIDE)).map(|_| scope.spawn(work)).collect();
            workers.into_iter().flat_map(|worker| worker.join().unwrap_or_else(|panic| resume_unwind(panic))).collect()
        });
        done.sort_by_key(|(number, _)| *number);
        done.into_iter().map(|(_, result)| result).collect()
    }

    fn run(&self, number: usize, buildpack: &Buildpack) -> Result<DetectResult, DetectError> {
        let module = &buildpack.module;
        let places = &self.context.places;
        let folder = format!("detect-{number}");
        let plan_file = Path::new(&folder).join("plan.toml");
        places
            .make_folder(&places.scratch, Path::new(&folder))
            .and_then(|()| places.write(&places.scratch, &plan_file, ""))
            .map_err(|source| DetectError::Scratch { module: module.clone(), source })?;

        let shown = places.scratch.shown(&plan_file);
        let call = Call::Detect { plan: &shown };
        let variables = environment::inherited(&self.context.environment);
        let mut output = Captured::default();
        let outcome = match self.executor.run(&command(self.context, buildpack, call, self.given, variables), &mut output) {
            Ok(ExitStatus::Code(0)) => self.read_plan(&plan_file),
            Ok(ExitStatus::Code(100)) => Outcome::Declined,
            Ok(status @ ExitStatus::Code(1 | 2)) => Outcome::Errored { status, hint: Some(WRONG_STATUS) },
            Ok(status) => Outcome::Errored { status, hint: None },
            Err(ExecutorError::CannotStart { source, .. }) => {
                Outcome::CannotStart(StartError::explain(&places.buildpacks, buildpack, call, source))
            }
            Err(source) => return Err(DetectError::Executor { module: module.clone(), source }),
        };
        Ok(DetectResult { module: module.clone(), outcome, output: output.bytes })
    }

    fn read_plan(&self, file: &Path) -> Outcome {
        let scratch = &self.context.places.scratch;
        let source = Source { root: &scratch.root, path: file.to_owned(), shown: scratch.shown(file) };
        match source.read_if_present(plan::parse_build_plan) {
            Ok(Some(plan)) => Outcome::Passed(plan),
            // Deleting the file that was there is the same as leaving it empty.
            Ok(None) => Outcome::Passed(plan::BuildPlan { alternatives: vec![plan::Alternative::default()] }),
            Err(error) => Outcome::InvalidPlan(error),
        }
    }
}

/// Keeps the first part of what is written, and takes the rest without keeping it.
#[derive(Default)]
struct Captured {
    bytes: Vec<u8>,
}

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = OUTPUT_LIMIT - self.bytes.len();
        self.bytes.extend(bytes.iter().take(room));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
