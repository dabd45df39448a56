//! Export: layers and application become an image in a registry (CNB platform specification, "exporter").

use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use fnpack_core::digest::Digest;
use fnpack_core::image::Image;
use fnpack_core::layers::{Compression, Entry, EntryKind};
use fnpack_core::lifecycle::analyze::Analyzed;
use fnpack_core::lifecycle::build::read_built;
use fnpack_core::lifecycle::built::Built;
use fnpack_core::lifecycle::context::Place;
use fnpack_core::lifecycle::exit::ExitCode;
use fnpack_core::lifecycle::export::{
    self, Blobs, ExportInput, Exported, Folder, Launcher, LayerOrigin, Report, RunImage, SbomFile, Sboms,
};
use fnpack_core::lifecycle::files::{group, project_metadata};
use fnpack_core::reference::Reference;
use fnpack_core::root::{Root, RootError};

use super::analyze::Analysis;
use super::restore::check_apis;
use super::run_images;
use crate::arguments::{Arguments, Environment, Flag};
use crate::blobs::FileBlobs;
use crate::cache::Cache;
use crate::documents;
use crate::failure::{Failure, OrFail, Step, with_causes};
use crate::images::{Found, Images};
use crate::session::{Names, Session};
use crate::site::{Site, execution_environment, place};

const STEP: Step = Step { code: ExitCode::Export, action: "export" };

/// Launchers have a few MB.
const LARGEST_LAUNCHER: u64 = 64 << 20;
const LARGEST_SBOM: u64 = 64 << 20;
const SBOM_FORMATS: [&str; 3] = ["sbom.cdx.json", "sbom.spdx.json", "sbom.syft.json"];

/// What comes into the image besides the results of other phases.
#[derive(Debug)]
pub(super) struct Additions {
    launcher: Vec<u8>,
    project_metadata: Option<serde_json::Value>,
    lifecycle_sboms: Vec<(&'static str, Vec<u8>)>,
    launcher_sboms: Vec<(&'static str, Vec<u8>)>,
    source_date_epoch: Option<i64>,
}

/// Where the image and the cache go.
pub(super) struct Target<'a> {
    pub(super) images: &'a Images,
    pub(super) names: &'a Names,
    pub(super) cache: Option<&'a Cache>,
    /// For layers on their way.
    pub(super) blobs: &'a Path,
}

/// The exporter.
pub(super) fn alone(session: &Session<'_>) -> Result<(), Failure> {
    let arguments = &session.arguments;
    let names = Names::listed(arguments)?;
    let images = session.images()?;
    let group = documents::read(&arguments.path(Flag::Group), group::parse).or_fail(STEP)?;
    check_apis(&group)?;
    let layers = place(&arguments.path(Flag::Layers)).or_fail(STEP)?;
    let built = read_built(&layers, &group).or_fail(STEP)?;
    let analyzed = documents::read(&arguments.path(Flag::Analyzed), Analyzed::parse).or_fail(STEP)?;
    let analysis = resume(session, &images, analyzed)?;
    let cache = Cache::open(session, ExitCode::Export)?;
    let site = Site::new().or_fail(STEP)?;
    let target = Target { images: &images, names: &names, cache: cache.as_ref(), blobs: &site.blobs() };
    export(session, (&layers, &built, &analysis), &Additions::read(session)?, &target)
}

/// The images that analyzed.toml tells of.
fn resume(session: &Session<'_>, images: &Images, analyzed: Analyzed) -> Result<Analysis, Failure> {
    let get = |reference: &str| -> Result<Found, Failure> { images.get(&reference.parse::<Reference>().or_fail(STEP)?).or_fail(STEP) };
    let recorded = analyzed.run_image.clone().unwrap_or_default();
    let reference = session.arguments.given(Flag::RunImage).unwrap_or(&recorded.reference);
    if reference.is_empty() {
        return Err(STEP.failure("a run image is required: neither `-run-image` nor analyzed.toml names one"));
    }
    let run_image = get(reference)?;
    let previous = analyzed.previous_image.as_deref().map(get).transpose()?;
    let name = [recorded.image.as_str(), reference].into_iter().find(|name| !name.is_empty()).unwrap_or_default();
    let listed = run_images::listed(&session.arguments).or_fail(STEP)?;
    let run_image_names = run_images::recorded(&listed, name);
    Ok(Analysis { analyzed, previous, run_image, run_image_names })
}

/// Makes the image, writes it under all its names, then the report and the cache.
pub(super) fn export(
    session: &Session<'_>,
    (layers, built, analysis): (&Place, &Built, &Analysis),
    additions: &Additions,
    target: &Target<'_>,
) -> Result<(), Failure> {
    let blobs = FileBlobs::new(target.blobs);
    let execution_environment = execution_environment();
    let app_path = session.arguments.path(Flag::App);
    let app = Root::open(&app_path).or_fail(STEP)?;
    let reference = analysis.run_image.reference.to_string();
    let (lifecycle, launcher) = (sbom_files(&additions.lifecycle_sboms), sbom_files(&additions.launcher_sboms));
    let owner = session.identity.owner;
    let input = ExportInput {
        platform_api: session.arguments.api,
        run_image: RunImage {
            image: &analysis.run_image.image,
            extended: None,
            reference: &reference,
            names: analysis.run_image_names.clone(),
        },
        previous: analysis.previous.as_ref().map(|found| &found.image),
        built,
        layers: Folder { root: &layers.root, at: &layers.path, parents: parents(&layers.path)? },
        app: Folder { root: &app, at: &app_path, parents: parents(&app_path)? },
        owner,
        launcher: Launcher { program: &additions.launcher, version: env!("CARGO_PKG_VERSION"), repository: "", commit: "" },
        sboms: Sboms { lifecycle: &lifecycle, launcher: &launcher },
        process_type: session.arguments.text(Flag::ProcessType),
        project_metadata: additions.project_metadata.as_ref(),
        execution_environment: Some(&execution_environment),
        source_date_epoch: additions.source_date_epoch,
        compression: Compression::Gzip,
    };
    let exported = export::export(&input, Blobs { sink: &blobs, known: &|_| None }).or_fail(STEP)?;
    tell(session, &exported);
    for name in &target.names.all {
        target.images.put(&exported.image, name).or_fail(STEP)?;
    }
    tell_images(session, exported.image.digest(), target.names);
    let report = Report::of(&exported.image, target.names.all.iter().map(ToString::to_string).collect());
    let path = session.arguments.path(Flag::Report);
    documents::write(&path, &report.encode(), &session.identity).or_fail(STEP)?;
    keep_cache(session, &input, (target, &blobs), &exported.image);
    Ok(())
}

/// The image is there already: a cache that cannot be written makes the next build slower, no more.
fn keep_cache(session: &Session<'_>, input: &ExportInput<'_>, (target, blobs): (&Target<'_>, &FileBlobs), function: &Image) {
    let Some(cache) = target.cache else { return };
    let before = cache.metadata();
    let known = |buildpack: &str, layer: &str, sha: &str| {
        let layers = before.buildpacks.iter().filter(|record| record.id == buildpack).map(|record| &record.layers);
        layers.filter_map(|layers| layers.get(layer)).any(|record| record.sha == sha)
    };
    match cache.keep(input, (target.images, blobs), function) {
        Ok(kept) => {
            for (buildpack, (name, layer)) in
                kept.buildpacks.iter().flat_map(|record| record.layers.iter().map(move |layer| (record, layer)))
            {
                let verb = if known(&buildpack.id, name, &layer.sha) { "Reusing" } else { "Adding" };
                session.log.info(&format!("{verb} cache layer '{}:{name}'", buildpack.id));
            }
        }
        Err(error) => session.log.warn(&format!("the cache is not kept: {}", with_causes(&error))),
    }
}

fn tell(session: &Session<'_>, exported: &Exported) {
    for layer in &exported.layers {
        let verb = if layer.origin == LayerOrigin::New { "Adding" } else { "Reusing" };
        session.log.info(&format!("{verb} layer '{}'", layer.name));
    }
    for label in exported.image.config().config.labels.keys().filter(|label| label.starts_with("io.buildpacks.")) {
        session.log.debug(&format!("Adding label '{label}'"));
    }
    match &exported.default_process {
        Some(process) => session.log.info(&format!("Setting default process type '{process}'")),
        None => session.log.info("no default process type"),
    }
}

/// What was written.
pub(super) fn tell_images(session: &Session<'_>, digest: Digest, names: &Names) {
    session.log.info(&format!("*** Images ({digest}):"));
    for name in &names.all {
        session.log.info(&format!("      {name}"));
    }
}

impl Additions {
    /// Reads what the platform names.
    pub(super) fn read(session: &Session<'_>) -> Result<Self, Failure> {
        let arguments = &session.arguments;
        let project = documents::read_if_present(&arguments.path(Flag::ProjectMetadata), project_metadata::parse).or_fail(STEP)?;
        let launcher = arguments.path(Flag::Launcher);
        Ok(Self {
            launcher: read_bounded(&launcher, LARGEST_LAUNCHER).or_fail(STEP)?,
            project_metadata: project.map(|project| project.to_label()),
            lifecycle_sboms: sboms(arguments, "lifecycle").or_fail(STEP)?,
            launcher_sboms: sboms(arguments, "launcher").or_fail(STEP)?,
            source_date_epoch: source_date_epoch(session.environment)?,
        })
    }
}

fn source_date_epoch(environment: Environment<'_>) -> Result<Option<i64>, Failure> {
    let Some(text) = environment("SOURCE_DATE_EPOCH").filter(|text| !text.is_empty()) else { return Ok(None) };
    text.parse().map(Some).map_err(|_| Failure::arguments(format!("SOURCE_DATE_EPOCH is `{text}`, not a number of seconds since 1970")))
}

/// Bills of materials lie beside the programs as `lifecycle.sbom.cdx.json` and the like, if they do.
fn sboms(arguments: &Arguments, program: &str) -> Result<Vec<(&'static str, Vec<u8>)>, RootError> {
    let folder = arguments.path(Flag::LauncherSbom);
    let paths = SBOM_FORMATS.map(|name| (name, folder.join(format!("{program}.{name}"))));
    paths.into_iter().filter(|(_, path)| path.is_file()).map(|(name, path)| Ok((name, read_bounded(&path, LARGEST_SBOM)?))).collect()
}

fn sbom_files<'a>(files: &'a [(&'static str, Vec<u8>)]) -> Vec<SbomFile<'a>> {
    files.iter().map(|(name, contents)| SbomFile { name, contents }).collect()
}

fn read_bounded(path: &Path, limit: u64) -> Result<Vec<u8>, RootError> {
    let failed = |source| RootError { action: "read", path: path.to_owned(), source };
    let mut bytes = Vec::new();
    fs_err::File::open(path).map_err(failed)?.take(limit + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > limit {
        return Err(failed(std::io::Error::other(format!("it is longer than {limit} bytes"))));
    }
    Ok(bytes)
}

/// The folders above a folder, as they are in this container: so they will be in the image.
fn parents(path: &Path) -> Result<Vec<Entry>, Failure> {
    let folders: Vec<PathBuf> = path.ancestors().skip(1).filter(|folder| folder.file_name().is_some()).map(Path::to_owned).collect();
    folders
        .iter()
        .rev()
        .map(|folder| {
            let metadata = fs_err::metadata(folder).or_fail(STEP)?;
            let entry = Entry::new(folder.as_os_str().as_encoded_bytes(), EntryKind::Directory, metadata.mode() & 0o7777);
            Ok(Entry { uid: metadata.uid(), gid: metadata.gid(), ..entry })
        })
        .collect()
}
