//! Analyze: which images there are to start from, and whether the result can be written (CNB platform
//! specification, "analyzer").

use fnpack_core::image::{BlobError, VerifiedReader};
use fnpack_core::layers::decompress::decompress;
use fnpack_core::lifecycle::analyze::{Analyzed, AnalyzedRunImage};
use fnpack_core::lifecycle::exit::ExitCode;
use fnpack_core::lifecycle::label::RunImageNames;
use fnpack_core::lifecycle::restore::{UnpackError, unpack};
use fnpack_core::reference::Reference;
use fnpack_core::registry::RegistryError;

use super::run_images;
use crate::arguments::Flag;
use crate::documents;
use crate::failure::{Failure, OrFail, Step, with_causes};
use crate::images::{Found, Images};
use crate::session::{Names, Session};
use crate::site::place;

const STEP: Step = Step { code: ExitCode::Analyze, action: "analyze" };

/// The images that a build starts from.
#[derive(Debug)]
pub(super) struct Analysis {
    /// What of it other phases are told.
    pub(super) analyzed: Analyzed,
    pub(super) previous: Option<Found>,
    pub(super) run_image: Found,
    /// The names to record for rebases.
    pub(super) run_image_names: RunImageNames,
}

/// Why a bill of materials did not come back.
#[derive(Debug, thiserror::Error)]
enum SbomError {
    #[error("cannot read the layer")]
    Read(#[from] std::io::Error),
    #[error(transparent)]
    Blob(#[from] BlobError),
    #[error(transparent)]
    Unpack(#[from] UnpackError),
}

/// The analyzer.
pub(super) fn alone(session: &Session<'_>) -> Result<(), Failure> {
    let names = Names::of(&session.arguments)?;
    let images = session.images()?;
    session.identity.prepare(&session.arguments.path(Flag::Layers)).or_fail(STEP)?;
    let analysis = analyze(session, &images, &names)?;
    if !session.arguments.is_on(Flag::SkipLayers) {
        restore_sbom(session, &analysis)?;
    }
    let path = session.arguments.path(Flag::Analyzed);
    documents::write(&path, &analysis.analyzed.encode(), &session.identity).or_fail(STEP)
}

/// Finds the images, and makes sure that the result can be written before anybody waits for it.
pub(super) fn analyze(session: &Session<'_>, images: &Images, names: &Names) -> Result<Analysis, Failure> {
    let unreachable = |name: &Reference, access: &'static str| {
        let action = format!("analyze: ensure registry {access} access to `{}`", name.familiar());
        |error: RegistryError| Failure::new(ExitCode::Analyze, action, error)
    };
    let previous = images.find(&names.previous).map_err(unreachable(&names.previous, "read"))?;
    let chosen = run_images::choose(&session.arguments, images, names.first().registry())
        .or_fail(Step { code: ExitCode::Analyze, action: "find the run image" })?;
    for name in names.all.iter().chain(&names.cache) {
        images.check_write(name).map_err(unreachable(name, "read/write"))?;
    }
    match &previous {
        Some(found) => session.log.debug(&format!("Previous image is `{}`", found.reference)),
        None => session.log.info(&format!("Image with name {:?} not found", names.previous.to_string())),
    }
    session.log.debug(&format!("Run image is `{}`", chosen.found.reference));

    let reference = chosen.found.reference.to_string();
    let mut run_image = AnalyzedRunImage::of(&chosen.found.image, &chosen.name, &reference);
    run_image.target = run_image.target.filter(|_| session.arguments.api.has_targets());
    let previous_name = previous.as_ref().map(|found| found.reference.to_string());
    let analyzed = Analyzed::of(previous_name.as_deref().zip(previous.as_ref().map(|found| &found.image)), run_image);
    let listed = run_images::listed(&session.arguments).or_fail(Step { code: ExitCode::Analyze, action: "find the run image" })?;
    let run_image_names = run_images::recorded(&listed, &chosen.name);
    Ok(Analysis { analyzed, previous, run_image: chosen.found, run_image_names })
}

/// Brings back the bills of materials of the previous image's layers. One that is damaged is left out: the
/// buildpacks whose layers are reused have made the same once and will be asked again.
pub(super) fn restore_sbom(session: &Session<'_>, analysis: &Analysis) -> Result<(), Failure> {
    let recorded = analysis.analyzed.metadata.sbom.as_ref().filter(|_| session.arguments.api.has_sbom_layer());
    let (Some(record), Some(previous)) = (recorded, &analysis.previous) else { return Ok(()) };
    let Some(layer) = previous.image.layers().iter().find(|layer| layer.diff_id.to_string() == record.sha) else { return Ok(()) };
    let layers = place(&session.arguments.path(Flag::Layers)).or_fail(Step { code: ExitCode::Analyze, action: "restore the SBOM" })?;
    let restore = || -> Result<(), SbomError> {
        let blob = VerifiedReader::open(&layer.blob, &layer.descriptor)?;
        unpack(decompress(blob)?, &layers, "sbom/launch".as_ref(), session.identity.heir())?;
        Ok(())
    };
    match restore() {
        Ok(()) => session.log.debug("Restored the SBOM of the previous image"),
        Err(error) => session.log.warn(&format!("the SBOM of the previous image is not restored: {}", with_causes(&error))),
    }
    Ok(())
}
