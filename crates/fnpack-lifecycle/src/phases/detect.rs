//! Detect: which buildpacks take part (CNB platform specification, "detector").

use fnpack_core::executor::Here;
use fnpack_core::lifecycle::analyze::Analyzed;
use fnpack_core::lifecycle::context::Context;
use fnpack_core::lifecycle::detect::{self, Attempt, DetectError, DetectResult, Detected, Outcome};
use fnpack_core::lifecycle::exit::ExitCode;
use fnpack_core::lifecycle::files::order::{self, OrderToml};
use fnpack_core::lifecycle::files::system;
use fnpack_core::root::RootError;

use crate::arguments::{Arguments, Flag};
use crate::documents::{self, DocumentError};
use crate::failure::{Failure, OrFail, Step, with_causes};
use crate::log::Log;
use crate::session::Session;
use crate::site::{Site, run_target};

pub(super) const STEP: Step = Step { code: ExitCode::Detect, action: "detect" };

/// Why buildpacks cannot be given what they need.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(super) enum ContextError {
    Document(#[from] DocumentError),
    Folder(#[from] RootError),
}

/// The detector.
pub(super) fn alone(session: &Session<'_>) -> Result<(), Failure> {
    no_arguments(session)?;
    let arguments = &session.arguments;
    session.identity.prepare(&arguments.path(Flag::Layers)).or_fail(STEP)?;
    let site = Site::new().or_fail(STEP)?;
    let context = context(session, &site).or_fail(STEP)?;
    let detected = detect(session, &context)?;
    documents::write(&arguments.path(Flag::Group), &detected.group.to_toml(), &session.identity).or_fail(STEP)?;
    documents::write(&arguments.path(Flag::Plan), &detected.plan.to_toml(), &session.identity).or_fail(STEP)
}

/// What detect and build are given, with the run image that the analyzer found.
pub(super) fn context(session: &Session<'_>, site: &Site) -> Result<Context, ContextError> {
    let arguments = &session.arguments;
    let path = Some(arguments.path(Flag::Analyzed)).filter(|_| arguments.api.has_targets());
    let analyzed = path.map(|path| documents::read_if_present(&path, Analyzed::parse)).transpose()?.flatten().unwrap_or_default();
    let target = run_target(arguments.api, analyzed.run_image.and_then(|image| image.target));
    Ok(site.context(arguments, &session.identity, target)?)
}

/// Phases that are about no image take no arguments.
pub(super) fn no_arguments(session: &Session<'_>) -> Result<(), Failure> {
    if session.arguments.positional.is_empty() { Ok(()) } else { Err(Failure::arguments("received unexpected arguments")) }
}

/// Finds the group, and tells of it.
pub(super) fn detect(session: &Session<'_>, context: &Context) -> Result<Detected, Failure> {
    let order = read_order(&session.arguments).or_fail(STEP)?;
    match detect::detect(context, &order, &Here) {
        Ok(detected) => {
            tell_outputs(&detected.results, |text| session.log.debug(text));
            tell_group(&detected, session.log);
            Ok(detected)
        }
        Err(error) => {
            let code = ExitCode::of_detect(&error);
            if let DetectError::NoGroup { results, attempts } = &error {
                tell_failure(results, attempts, code, session.log);
            }
            Err(Failure::new(code, "detect", error))
        }
    }
}

fn read_order(arguments: &Arguments) -> Result<OrderToml, DocumentError> {
    let mut order = documents::read(&arguments.order_path(), order::parse)?;
    if arguments.api.has_system_toml()
        && let Some(system) = documents::read_if_present(&arguments.path(Flag::System), system::parse)?
    {
        system.add_to(&mut order.order);
    }
    Ok(order)
}

fn tell_group(detected: &Detected, log: Log) {
    let members = &detected.group.group;
    if members.len() < detected.considered {
        log.info(&format!("{} of {} buildpacks participating", members.len(), detected.considered));
    }
    let width = members.iter().map(|member| member.id.len()).max().unwrap_or_default();
    for member in members {
        log.info(&format!("{:width$} {}", member.id, member.version));
    }
}

fn tell_failure(results: &[DetectResult], attempts: &[Attempt], code: ExitCode, log: Log) {
    tell_outputs(results, |text| log.info(text));
    log.info("======== Results ========");
    for result in results {
        let mark = match &result.outcome {
            Outcome::Passed(_) => "pass",
            Outcome::Declined => "fail",
            _ => "err:",
        };
        log.info(&format!("{mark}: {}: {}", result.module, result.outcome));
        if let Outcome::CannotStart(error) = &result.outcome {
            log.debug(&with_causes(error));
        }
    }
    for attempt in attempts {
        let group: Vec<String> = attempt.group.iter().map(|member| member.module.to_string()).collect();
        log.info(&format!("group [{}]: {}", group.join(", "), attempt.refusal));
    }
    if code == ExitCode::NoGroup {
        log.info("Please check that you are running against the correct path.");
    }
    log.error("No buildpack groups passed detection.");
}

fn tell_outputs(results: &[DetectResult], say: impl Fn(&str)) {
    for result in results.iter().filter(|result| !result.output.is_empty()) {
        say(&format!("======== Output: {} ========", result.module));
        say(String::from_utf8_lossy(&result.output).trim_end());
    }
}
