//! `fnpack image …`: images in and out of the store.

use std::collections::BTreeMap;
use std::path::Path;

use fnpack_core::archive::rootfs::{self, ImportOptions};
use fnpack_core::archive::{self, Format, ImageArchive, Named};
use fnpack_core::dockerfile::{Context, Plan, parse};
use fnpack_core::image::CONSTANT_TIME;
use fnpack_core::pipeline;
use fnpack_core::reference::Reference;
use serde::Serialize;

use super::Session;
use super::table::{Table, bytes};
use super::variables::variable;
use crate::arguments::{ArchiveFormat, ImageBuildArguments, ImageCommand, ImportArguments, LoadArguments, OutputForm, SaveArguments};
use crate::error::{Class, CommandError};

/// Carries out one of them.
pub(super) fn run(command: ImageCommand, session: &Session<'_>) -> Result<(), CommandError> {
    match command {
        ImageCommand::Build(arguments) => build(&arguments, session),
        ImageCommand::Ls { output } => list(output, session),
        ImageCommand::Inspect(arguments) => super::inspect::run(&arguments, session),
        ImageCommand::Rm { names } => remove(&names, session),
        ImageCommand::Tag { name, new } => tag(&name, &new, session),
        ImageCommand::Save(arguments) => save(&arguments, session),
        ImageCommand::Load(arguments) => load(&arguments, session),
        ImageCommand::Import(arguments) => import(&arguments, session),
        ImageCommand::Push { name, destination } => push(&name, destination.as_ref(), session),
        ImageCommand::Pull { name, platform } => {
            let target = platform.unwrap_or_else(|| session.bench.target.clone());
            let image = session.bench.pull(&name, &target)?;
            session.ui.progress_done();
            session.pinned(&name, image.digest());
            Ok(())
        }
    }
}

fn build(arguments: &ImageBuildArguments, session: &Session<'_>) -> Result<(), CommandError> {
    let file = arguments.file.clone().unwrap_or_else(|| arguments.context.join("Dockerfile"));
    let text =
        fs_err::read(&file).map_err(|error| CommandError::new(Class::Configuration, error).hint("name the Dockerfile with `-f FILE`"))?;
    let dockerfile = parse::parse_bytes(&text).map_err(|error| error.in_file(&file))?;
    let plan = Plan {
        context: Context::open(&arguments.context, Some(&file))?,
        file,
        dockerfile,
        target: arguments.platform.clone().unwrap_or_else(|| session.bench.target.clone()),
        machine: session.bench.target.clone(),
        stage: arguments.target.clone(),
        build_args: pairs(&arguments.build_args)?,
        labels: pairs(&arguments.labels)?,
        no_cache: arguments.no_cache,
        network: arguments.network.into(),
        created: CONSTANT_TIME.to_owned(),
    };
    let image = pipeline::build_dockerfile(&session.bench, &plan, &arguments.tags)?;
    session.ui.progress_done();
    for tag in &arguments.tags {
        session.pinned(tag, image.digest());
    }
    Ok(())
}

fn pairs(texts: &[String]) -> Result<BTreeMap<String, String>, CommandError> {
    texts.iter().map(|text| variable(text)).collect()
}

#[derive(Serialize)]
struct Listed {
    name: String,
    digest: String,
    target: String,
    created: Option<String>,
    size: u64,
}

fn list(output: OutputForm, session: &Session<'_>) -> Result<(), CommandError> {
    let listed: Vec<Listed> = session
        .bench
        .store
        .references()?
        .into_iter()
        .map(|stored| Listed {
            name: stored.reference.familiar(),
            digest: stored.digest.to_string(),
            target: stored.target.map(|target| target.to_string()).unwrap_or_default(),
            created: stored.created,
            size: stored.size,
        })
        .collect();
    match output {
        OutputForm::Json => session.json(&listed),
        OutputForm::Table => {
            let mut table = Table::default();
            table.row(["NAME", "DIGEST", "TARGET", "SIZE"]);
            for image in &listed {
                let digest: String = image.digest.chars().skip("sha256:".len()).take(12).collect();
                table.row([&image.name, &digest, &image.target, &bytes(image.size)]);
            }
            session.ui.document(&table.render());
        }
    }
    Ok(())
}

fn remove(names: &[Reference], session: &Session<'_>) -> Result<(), CommandError> {
    // All are looked up first: a mistyped name removes nothing.
    for name in names {
        session.stored(name)?;
    }
    for name in names {
        session.bench.store.remove(name)?;
        session.ui.result(&name.familiar());
    }
    Ok(session.bench.store.publish_index()?)
}

fn tag(name: &Reference, new: &Reference, session: &Session<'_>) -> Result<(), CommandError> {
    let image = session.stored(name)?;
    session.bench.store.tag(name, new)?;
    session.bench.store.publish_index()?;
    session.pinned(new, image.digest());
    Ok(())
}

fn save(arguments: &SaveArguments, session: &Session<'_>) -> Result<(), CommandError> {
    let image = session.stored(&arguments.name)?;
    let named = Named { names: vec![arguments.name.clone()], label: None, image };
    let format = match arguments.format {
        ArchiveFormat::Oci => Format::Oci,
        ArchiveFormat::Docker => Format::Docker,
    };
    write_aside(&arguments.output, |file| Ok(archive::write(&[named], format, file)?))?;
    session.ui.result(&arguments.output.display().to_string());
    Ok(())
}

/// Writes a file beside its name and renames it, so that nobody ever sees half of it.
fn write_aside(path: &Path, write: impl FnOnce(&mut fs_err::File) -> Result<(), CommandError>) -> Result<(), CommandError> {
    let machine = |error| CommandError::new(Class::Machine, error);
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    let part = std::path::PathBuf::from(name);
    let mut file = fs_err::File::create(&part).map_err(machine)?;
    match write(&mut file) {
        Ok(()) => fs_err::rename(&part, path).map_err(machine),
        Err(error) => {
            // The first failure is the one to tell.
            let _ = fs_err::remove_file(&part);
            Err(error)
        }
    }
}

fn load(arguments: &LoadArguments, session: &Session<'_>) -> Result<(), CommandError> {
    let scratch = session.bench.store.scratch()?;
    let archive = ImageArchive::open(&arguments.file, scratch.path())?;
    for named in archive.images(&session.bench.target)? {
        let names: Vec<Reference> = arguments.tag.clone().map_or(named.names, |tag| vec![tag]);
        if names.is_empty() {
            return Err(CommandError::message(Class::Usage, format!("the image in `{}` has no name", arguments.file.display()))
                .hint("give it one with `-t NAME`"));
        }
        for name in &names {
            session.bench.store.put_image(&named.image, Some(name))?;
            session.pinned(name, named.image.digest());
        }
    }
    Ok(session.bench.store.publish_index()?)
}

fn import(arguments: &ImportArguments, session: &Session<'_>) -> Result<(), CommandError> {
    let file = fs_err::File::open(&arguments.file).map_err(|error| CommandError::new(Class::Machine, error))?;
    let target = arguments.platform.clone().unwrap_or_else(|| session.bench.target.clone());
    let image = rootfs::import(file, &ImportOptions::new(target), &session.bench.store)?;
    session.bench.store.put_image(&image, Some(&arguments.name))?;
    session.bench.store.publish_index()?;
    session.pinned(&arguments.name, image.digest());
    Ok(())
}

fn push(name: &Reference, destination: Option<&Reference>, session: &Session<'_>) -> Result<(), CommandError> {
    let image = session.stored(name)?;
    let registry =
        session.bench.registry.as_ref().ok_or_else(|| CommandError::message(Class::Usage, "`--offline` keeps from asking a registry"))?;
    let pushed = registry.client()?.push(&image, destination.unwrap_or(name)).map_err(|error| {
        CommandError::from(error).details([format!("`{}` stays in the store: the same command tries again", name.familiar())])
    })?;
    session.ui.progress_done();
    session.ui.step(&format!("{} layers sent, {} mounted, {} already there", pushed.sent, pushed.mounted, pushed.present));
    session.ui.result(&pushed.reference.familiar());
    Ok(())
}
