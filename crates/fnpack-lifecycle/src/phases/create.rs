//! Create: all phases of a build in one process, handing each other values (CNB platform specification, "creator").

use fnpack_core::lifecycle::exit::ExitCode;

use super::export::{Additions, Target};
use super::restore::Extent;
use super::{analyze, build, detect, export, restore};
use crate::arguments::Flag;
use crate::cache::Cache;
use crate::failure::{Failure, OrFail, Step};
use crate::session::{Names, Session};
use crate::site::{Site, run_target};

const STEP: Step = Step { code: ExitCode::Failed, action: "create" };

/// The creator.
pub(super) fn create(session: &Session<'_>) -> Result<(), Failure> {
    let arguments = &session.arguments;
    let names = Names::of(arguments)?;
    // Logins may be in a file that root alone can read, and before folders change hands.
    let images = session.images()?;
    // What would be missed at the end of a long build is looked at before it.
    let additions = Additions::read(session)?;
    session.identity.prepare(&arguments.path(Flag::Layers)).or_fail(STEP)?;
    let site = Site::new().or_fail(STEP)?;

    session.log.phase("ANALYZING");
    let analysis = analyze::analyze(session, &images, &names)?;
    let skip_restore = arguments.is_on(Flag::SkipRestore);
    if !skip_restore {
        analyze::restore_sbom(session, &analysis)?;
    }

    session.log.phase("DETECTING");
    let target = analysis.analyzed.run_image.as_ref().and_then(|image| image.target.clone());
    let context = site.context(arguments, &session.identity, run_target(arguments.api, target)).or_fail(detect::STEP)?;
    let detected = detect::detect(session, &context)?;

    session.log.phase("RESTORING");
    let cache = Cache::open(session, ExitCode::Restore)?;
    let extent = if skip_restore { Extent::Stores } else { Extent::Everything };
    let known = (&detected.group, &analysis.analyzed.metadata);
    restore::restore(session, &context.places.layers, known, cache.as_ref(), extent)?;

    session.log.phase("BUILDING");
    let built = build::build(session, &context, &detected.group, &detected.plan)?;

    session.log.phase("EXPORTING");
    let target = Target { images: &images, names: &names, cache: cache.as_ref(), blobs: &site.blobs() };
    export::export(session, (&context.places.layers, &built, &analysis), &additions, &target)
}
