//! `fnpack builder …`: make and look into builders.

use std::borrow::Cow;
use std::path::Path;

use fnpack_core::builder::labels::{ApiVersions, LifecycleApis};
use fnpack_core::builder::{BuilderDescription, BuilderToml, InspectedGroup, Inspection, LifecycleBundle, LifecycleFile};
use fnpack_core::lifecycle::api::{BuildpackApi, PlatformApi};
use fnpack_core::lifecycle::files::descriptor::{self, LifecycleToml};
use fnpack_core::pipeline::{self, Address, BuilderParts};
use fnpack_core::reference::Reference;
use fnpack_core::target::Target;

use super::table::Table;
use super::{Session, destination};
use crate::arguments::OutputForm;
use crate::embedded;
use crate::error::CommandError;

/// The names by which the lifecycle's one program is called (CNB platform specification, "Lifecycle interface").
const PHASES: [&str; 7] = ["analyzer", "builder", "creator", "detector", "exporter", "rebaser", "restorer"];

/// Makes a builder.
pub(super) fn create(
    name: &Reference,
    (config, platform): (&Path, Option<Target>),
    (publish, load): (bool, bool),
    session: &Session<'_>,
) -> Result<(), CommandError> {
    if publish {
        session.bench.prove_push(&[name])?;
    }
    let parsed = BuilderToml::read(config)?;
    let target = platform.unwrap_or_else(|| session.bench.target.clone());
    let parts = BuilderParts {
        config: &parsed,
        file: &config.display().to_string(),
        modules: None,
        lifecycle: &lifecycle(),
        version: env!("CARGO_PKG_VERSION"),
        destination: destination(publish),
    };
    let image = pipeline::create_builder(&session.bench, parts, name, &target)?;
    session.deliver(&image, std::slice::from_ref(name), publish, load)?;
    session.pinned(name, image.digest());
    Ok(())
}

/// The lifecycle that fnpack carries: one program under the name of each phase, and the launcher.
pub(super) fn lifecycle() -> LifecycleBundle {
    let program = |bytes: &'static [u8]| LifecycleFile::Program(Cow::Borrowed(bytes));
    let mut files = vec![("lifecycle".to_owned(), program(embedded::LIFECYCLE)), ("launcher".to_owned(), program(embedded::LAUNCHER))];
    files.extend(PHASES.iter().map(|phase| ((*phase).to_owned(), LifecycleFile::Link("lifecycle".to_owned()))));
    // Inside of the builder's container nobody can read its labels.
    files.push(("lifecycle.toml".to_owned(), LifecycleFile::Document(descriptor().to_toml())));
    LifecycleBundle { version: env!("CARGO_PKG_VERSION").to_owned(), apis: apis(), target: embedded::target(), files }
}

/// What the lifecycle says of itself.
pub(super) fn descriptor() -> LifecycleToml {
    LifecycleToml { lifecycle: descriptor::Lifecycle { version: env!("CARGO_PKG_VERSION").to_owned() }, apis: apis() }
}

/// What the lifecycle speaks: exactly the versions whose phases its tests walk through.
fn apis() -> LifecycleApis {
    let versions = |supported: Vec<String>| ApiVersions { deprecated: Vec::new(), supported };
    LifecycleApis {
        buildpack: versions(BuildpackApi::supported().map(|version| version.to_string()).collect()),
        platform: versions(PlatformApi::advertised().map(|version| version.to_string()).collect()),
    }
}

/// Shows a builder.
pub(super) fn inspect(name: &Address, output: OutputForm, session: &Session<'_>) -> Result<(), CommandError> {
    let image = session.bench.look_at(name, &session.bench.target)?;
    let inspection = Inspection::of(&BuilderDescription::of(&image, &name.to_string())?);
    match output {
        OutputForm::Json => session.json(&inspection),
        OutputForm::Table => session.ui.document(&describe(name, &inspection)),
    }
    Ok(())
}

/// Lists the builders.
pub(super) fn list(output: OutputForm, session: &Session<'_>) -> Result<(), CommandError> {
    let mut names = Vec::new();
    for stored in session.bench.store.references()? {
        let image = session.bench.store.image(&stored.reference, &session.bench.target)?;
        if image.is_some_and(|image| BuilderDescription::of(&image, "").is_ok()) {
            names.push(stored.reference.familiar());
        }
    }
    match output {
        OutputForm::Json => session.json(&names),
        OutputForm::Table => names.iter().for_each(|name| session.ui.result(name)),
    }
    Ok(())
}

fn describe(name: &Address, builder: &Inspection) -> String {
    let mut table = Table::default();
    table.pair("name", &name.to_string());
    table.pair_if("description", Some(builder.description.as_str()).filter(|text| !text.is_empty()));
    table.pair("created by", &format!("{} {}", builder.created_by.name, builder.created_by.version));
    table.pair("target", &builder.target);
    table.pair("builds as", &format!("{}:{}", builder.user.uid, builder.user.gid));
    table.pair_if("stack", builder.stack.as_ref().map(|stack| stack.id.as_str()));
    table.pair("lifecycle", &builder.lifecycle.version);
    table.pair("  buildpack API", &builder.lifecycle.buildpack_apis.supported.join(", "));
    table.pair("  platform API", &builder.lifecycle.platform_apis.supported.join(", "));
    for image in &builder.run_images {
        table.pair("run image", &image.name);
        for mirror in &image.mirrors {
            table.pair("  mirror", mirror);
        }
    }
    for buildpack in &builder.buildpacks {
        table.pair("buildpack", &format!("{} {}", buildpack.id, buildpack.version));
    }
    describe_order(&mut table, &builder.detection_order, 0);
    for file in builder.build_env.iter().flatten() {
        table.pair("build env", &format!("{}={}", file.name, file.value));
    }
    table.render()
}

fn describe_order(table: &mut Table, groups: &[InspectedGroup], depth: usize) {
    for (number, group) in groups.iter().enumerate() {
        table.pair("order", &format!("{}group {}", "  ".repeat(depth), number + 1));
        for entry in &group.buildpacks {
            let marks = [(entry.optional, " (optional)"), (entry.cyclic, " (contains itself)"), (entry.cut, " (more below)")];
            let marks: String = marks.iter().filter(|(set, _)| *set).map(|(_, mark)| *mark).collect();
            table.pair("", &format!("{}{} {}{marks}", "  ".repeat(depth + 1), entry.id, entry.version));
            describe_order(table, &entry.groups, depth + 2);
        }
    }
}
