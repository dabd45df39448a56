//! Build: the buildpacks do their work (CNB platform specification, "builder").

use std::io;

use fnpack_core::executor::Here;
use fnpack_core::lifecycle::build;
use fnpack_core::lifecycle::built::Built;
use fnpack_core::lifecycle::context::Context;
use fnpack_core::lifecycle::exit::ExitCode;
use fnpack_core::lifecycle::files::group::{self, Group};
use fnpack_core::lifecycle::files::plan::{self, Plan};

use super::detect::{context, no_arguments};
use super::restore::check_apis;
use crate::arguments::Flag;
use crate::documents;
use crate::failure::{Failure, OrFail, Step};
use crate::session::Session;
use crate::site::Site;

const STEP: Step = Step { code: ExitCode::Build, action: "build" };

/// The builder.
pub(super) fn alone(session: &Session<'_>) -> Result<(), Failure> {
    no_arguments(session)?;
    let arguments = &session.arguments;
    let group = documents::read(&arguments.path(Flag::Group), group::parse).or_fail(STEP)?;
    check_apis(&group)?;
    let plan = documents::read(&arguments.path(Flag::Plan), plan::parse_plan).or_fail(STEP)?;
    let site = Site::new().or_fail(STEP)?;
    let context = context(session, &site).or_fail(STEP)?;
    build(session, &context, &group, &plan).map(drop)
}

/// Runs the buildpacks; what they print passes through.
pub(super) fn build(session: &Session<'_>, context: &Context, group: &Group, plan: &Plan) -> Result<Built, Failure> {
    let built = build::build(context, group, plan, &Here, &mut io::stdout())
        .map_err(|error| Failure::new(ExitCode::of_build(&error), "build", error))?;
    for warning in &built.warnings {
        session.log.warn(warning);
    }
    Ok(built)
}
