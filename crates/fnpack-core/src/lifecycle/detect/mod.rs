//! Which buildpacks take part (CNB platform spec, "Detector"; buildpack spec, "Phase #1: Detection").
//!
//! The candidate groups of the order are tried one after the other. Every `bin/detect` runs once,
//! whatever number of groups its buildpack is in; those of one group run side by side. What they
//! print is kept and handed back, for it matters only if something goes wrong.

mod run;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

use super::buildpacks::{Buildpack, BuildpackError, Catalog};
use super::context::Context;
use super::environment::EnvironmentError;
use super::files::FileError;
use super::files::group::{Group, GroupMember};
use super::files::order::OrderToml;
use super::files::plan::{BuildPlan, Plan};
use super::order::{Candidate, CandidateMember, OrderError, candidates};
use super::plan::{self, Reason, Resolved};
use super::program::{GivenEnvironment, StartError};
use super::target;
use crate::builder::ModuleId;
use crate::executor::{Executor, ExecutorError, ExitStatus};
use crate::root::RootError;

/// The first group that satisfies all its buildpacks.
#[derive(Debug)]
pub struct Detected {
    /// The buildpacks that take part.
    pub group: Group,
    /// What they agreed on.
    pub plan: Plan,
    /// How many buildpacks the group had before those that are not needed were left out.
    pub considered: usize,
    /// Every `bin/detect` that ran, in the order in which they were first needed.
    pub results: Vec<DetectResult>,
}

/// What came of one buildpack's detection.
#[derive(Debug)]
pub struct DetectResult {
    /// The buildpack.
    pub module: ModuleId,
    /// Its answer.
    pub outcome: Outcome,
    /// What it printed, up to a limit.
    pub output: Vec<u8>,
}

/// A buildpack's answer.
#[derive(Debug)]
pub enum Outcome {
    /// It can take part, under these conditions.
    Passed(BuildPlan),
    /// It does not apply.
    Declined,
    /// It failed, or meant to decline and said so wrongly.
    Errored {
        /// How it ended.
        status: ExitStatus,
        /// What its author may have got wrong.
        hint: Option<&'static str>,
    },
    /// It could not be run.
    CannotStart(StartError),
    /// It passed, but what it wrote cannot be used.
    InvalidPlan(FileError),
    /// It is not made for the run image; it was not run.
    Unsupported {
        /// What it is made for.
        targets: String,
        /// What is wanted.
        wanted: String,
    },
}

/// A group that was tried in vain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Its buildpacks.
    pub group: Candidate,
    /// Why it was given up.
    pub refusal: Refusal,
}

/// Why a group was given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// These required buildpacks did not pass.
    Required(Vec<ModuleId>),
    /// All buildpacks are optional, and none passed.
    NobodyPassed,
    /// What they offer and ask for does not go together.
    Plan(Vec<Reason>),
}

/// Why detection has no result.
#[derive(Debug, thiserror::Error)]
pub enum DetectError {
    /// Every group was refused.
    #[error("no {} accepted the application", whoever(results))]
    NoGroup {
        /// Every `bin/detect` that ran, in the order in which they were first needed.
        results: Vec<DetectResult>,
        /// The groups in the order in which they were tried.
        attempts: Vec<Attempt>,
    },
    /// The order makes no groups.
    #[error("cannot use the order of the buildpacks")]
    Order(#[source] OrderError),
    /// A buildpack of the order cannot be used.
    #[error(transparent)]
    Buildpack(#[from] BuildpackError),
    /// The user's or builder's environment cannot be used.
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    /// The folder for plans cannot be used.
    #[error("cannot prepare the detection of buildpack `{module}`")]
    Scratch {
        /// Whose plan it is.
        module: ModuleId,
        /// The reason.
        #[source]
        source: RootError,
    },
    /// The machine cannot run buildpacks.
    #[error("cannot run `bin/detect` of buildpack `{module}`")]
    Executor {
        /// The buildpack.
        module: ModuleId,
        /// The reason.
        #[source]
        source: ExecutorError,
    },
}

/// Single buildpacks may have passed, and still no group.
fn whoever(results: &[DetectResult]) -> &'static str {
    let passed = results.iter().any(|result| matches!(result.outcome, Outcome::Passed(_)));
    if passed { "group of buildpacks" } else { "buildpack" }
}

impl Outcome {
    /// Whether it is neither yes nor no.
    pub fn is_fault(&self) -> bool {
        !matches!(self, Self::Passed(_) | Self::Declined)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passed(_) => write!(formatter, "passed"),
            Self::Declined => write!(formatter, "declined"),
            Self::Errored { status, hint: None } => write!(formatter, "failed ({status})"),
            Self::Errored { status, hint: Some(hint) } => write!(formatter, "failed ({status}: {hint})"),
            Self::CannotStart(error) => write!(formatter, "did not start: {error}"),
            Self::InvalidPlan(error) => write!(formatter, "passed, but its plan cannot be used: {error}"),
            Self::Unsupported { targets, wanted } => write!(formatter, "is made for `{targets}`, not for `{wanted}`"),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |texts: Vec<String>| texts.join(", ");
        match self {
            Self::Required(modules) => {
                write!(formatter, "these did not pass: {}", list(modules.iter().map(|module| format!("`{module}`")).collect()))
            }
            Self::NobodyPassed => write!(formatter, "all of its buildpacks are optional, and none passed"),
            Self::Plan(reasons) => formatter.write_str(&list(reasons.iter().map(Reason::to_string).collect())),
        }
    }
}

impl DetectResult {
    /// The last line it printed that has something in it: usually why it declined.
    pub fn last_line(&self) -> Option<String> {
        let text = String::from_utf8_lossy(&self.output);
        let line = text.lines().map(str::trim).rfind(|line| !line.is_empty())?;
        Some(line.chars().filter(|letter| !letter.is_control()).collect())
    }
}

/// Finds the first group of the order whose buildpacks accept the application.
pub fn detect(context: &Context, order: &OrderToml, executor: &dyn Executor) -> Result<Detected, DetectError> {
    let environment = context.api.has_execution_environments().then_some(context.execution_environment.as_str());
    let catalog = Catalog::load(&context.places.buildpacks, &order.order, environment)?;
    let order = OrderToml { order: catalog.order.clone(), order_extensions: order.order_extensions.clone() };
    let candidates = candidates(&order, &catalog.composites).map_err(DetectError::Order)?;
    let given = GivenEnvironment::read(context)?;
    let runner = run::Runner { context, executor, given: &given };
    let mut known = Known::default();
    let mut attempts = Vec::new();
    for group in candidates {
        known.add(&runner, &catalog, &group)?;
        match known.judge(&group) {
            Ok(Resolved { group: modules, plan }) => {
                let group_toml = Group { group: members(&catalog, &modules), group_extensions: Vec::new() };
                return Ok(Detected { group: group_toml, plan, considered: group.len(), results: known.results });
            }
            Err(refusal) => attempts.push(Attempt { group, refusal }),
        }
    }
    Err(DetectError::NoGroup { results: known.results, attempts })
}

/// Results so far. A buildpack that is not made for the run image has a result of its own where it
/// is required; where it is optional, its `bin/detect` is asked all the same, as upstream does.
#[derive(Default)]
struct Known {
    results: Vec<DetectResult>,
    places: BTreeMap<(ModuleId, Asked), usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Asked {
    ByProgram,
    ByTarget,
}

impl Known {
    /// Gets the results that a group needs and that are not there yet.
    fn add(&mut self, runner: &run::Runner<'_>, catalog: &Catalog, group: &Candidate) -> Result<(), DetectError> {
        let mut to_run = Vec::new();
        for member in group {
            let Some(buildpack) = catalog.buildpacks.get(&member.module) else { continue };
            if let Some(result) = mismatch(runner.context, buildpack, member) {
                if !self.places.contains_key(&(member.module.clone(), Asked::ByTarget)) {
                    self.insert(Asked::ByTarget, result);
                }
            } else if !self.places.contains_key(&(member.module.clone(), Asked::ByProgram)) {
                to_run.push(buildpack);
            }
        }
        for result in runner.run_all(self.results.len(), &to_run)? {
            self.insert(Asked::ByProgram, result);
        }
        Ok(())
    }

    fn insert(&mut self, asked: Asked, result: DetectResult) {
        self.places.insert((result.module.clone(), asked), self.results.len());
        self.results.push(result);
    }

    fn outcome(&self, member: &CandidateMember) -> Option<&Outcome> {
        let place = |asked| self.places.get(&(member.module.clone(), asked));
        let by_target = if member.optional { None } else { place(Asked::ByTarget) };
        Some(&self.results.get(*by_target.or_else(|| place(Asked::ByProgram))?)?.outcome)
    }

    /// Whether the group passes.
    fn judge(&self, group: &Candidate) -> Result<Resolved, Refusal> {
        let mut passed = Vec::new();
        let mut refused = Vec::new();
        for member in group {
            match self.outcome(member) {
                Some(Outcome::Passed(plan)) => passed.push(plan::Candidate { module: &member.module, optional: member.optional, plan }),
                _ if member.optional => {}
                _ => refused.push(member.module.clone()),
            }
        }
        if !refused.is_empty() {
            return Err(Refusal::Required(refused));
        }
        if passed.is_empty() {
            return Err(Refusal::NobodyPassed);
        }
        plan::resolve(&passed).map_err(Refusal::Plan)
    }
}

fn mismatch(context: &Context, buildpack: &Buildpack, member: &CandidateMember) -> Option<DetectResult> {
    if member.optional || !context.api.has_targets() || target::is_made_for(buildpack, &context.run_target) {
        return None;
    }
    let targets = target::targets(buildpack).iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let wanted = context.run_target.to_string();
    Some(DetectResult { module: member.module.clone(), outcome: Outcome::Unsupported { targets, wanted }, output: Vec::new() })
}

fn members(catalog: &Catalog, modules: &[ModuleId]) -> Vec<GroupMember> {
    let buildpacks = modules.iter().filter_map(|module| catalog.buildpacks.get(module));
    let member = |buildpack: &Buildpack| GroupMember {
        id: buildpack.module.id.clone(),
        version: buildpack.module.version.clone(),
        api: buildpack.api.to_string(),
        homepage: buildpack.toml.homepage.clone(),
    };
    buildpacks.map(member).collect()
}
