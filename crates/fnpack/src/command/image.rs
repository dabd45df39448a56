//! `fnpack image …`: images in and out of the store.

use std::collections::BTreeMap;

use fnpack_core::archive::rootfs::{self, ImportOptions};
use fnpack_core::archive::{self, ImageArchive, Place};
use fnpack_core::dockerfile::{Context, Plan, parse};
use fnpack_core::image::CONSTANT_TIME;
use fnpack_core::pipeline::{self, Address, Selection};
use fnpack_core::reference::Reference;
use serde::Serialize;

use super::table::{Table, bytes};
use super::variables::variable;
use super::{Session, destination};
use crate::arguments::{
    ArchiveFormat, ImageBuildArguments, ImageCommand, ImportArguments, LoadArguments, OutputForm, PlatformsArguments, SaveArguments,
};
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
        ImageCommand::Copy(arguments) => copy(&arguments.from, &arguments.to, &arguments.platforms, session),
        ImageCommand::Push { name, destination, platforms } => push(&name, destination.as_ref().unwrap_or(&name), &platforms, session),
        ImageCommand::Pull { name, platforms } => copy(&Address::Registry(name.clone()), &Address::Named(name), &platforms, session),
    }
}

fn build(arguments: &ImageBuildArguments, session: &Session<'_>) -> Result<(), CommandError> {
    if arguments.publish {
        session.bench.prove_push(&arguments.tags.iter().collect::<Vec<_>>())?;
    }
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
    let image = pipeline::build_dockerfile(&session.bench, &plan, &arguments.tags, destination(arguments.publish))?;
    session.ui.progress_done();
    session.deliver(&image, &arguments.tags, arguments.publish, arguments.load)?;
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
    let output = arguments.output.clone();
    let place = match arguments.format {
        ArchiveFormat::Oci => Place::OciArchive(output),
        ArchiveFormat::Docker => Place::DockerArchive(output),
    };
    let to = Address::Archive(archive::Address { place, name: None });
    pipeline::copy(&session.bench, &arguments.name, &to, &Selection::One(session.bench.target.clone()))?;
    session.ui.progress_done();
    session.ui.result(&arguments.output.display().to_string());
    Ok(())
}

fn load(arguments: &LoadArguments, session: &Session<'_>) -> Result<(), CommandError> {
    let bench = &session.bench;
    if let Some(Ok(address @ (Address::Archive(_) | Address::Engine(_)))) = arguments.file.to_str().map(str::parse) {
        let name = match &arguments.tag {
            Some(tag) => tag.clone(),
            None => bench.named(&address, &bench.target)?,
        };
        return copy(&address, &Address::Named(name), &PlatformsArguments { all: false, platform: None }, session);
    }
    let scratch = bench.store.scratch()?;
    let archive = ImageArchive::open(&arguments.file, scratch.path())?;
    for named in archive.images(&bench.target)? {
        let names: Vec<Reference> = arguments.tag.clone().map_or(named.names, |tag| vec![tag]);
        if names.is_empty() {
            return Err(CommandError::message(Class::Usage, format!("the image in `{}` has no name", arguments.file.display()))
                .hint("give it one with `-t NAME`"));
        }
        for name in &names {
            bench.store.put_image(&named.image, Some(name))?;
            session.pinned(name, named.image.digest());
        }
    }
    Ok(bench.store.publish_index()?)
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

/// Sends what the store has under a name; to a registry it is asked for, it would be sent back.
pub(super) fn push(
    name: &Reference,
    destination: &Reference,
    platforms: &PlatformsArguments,
    session: &Session<'_>,
) -> Result<(), CommandError> {
    if session.bench.store.digest_of(name)?.is_none() {
        session.stored(name)?;
    }
    let kept = || format!("`{}` stays in the store: the same command tries again", name.familiar());
    copy(&Address::Named(name.clone()), &Address::Registry(destination.clone()), platforms, session)
        .map_err(|error| error.details([kept()]))
}

fn copy(from: &Address, to: &Address, platforms: &PlatformsArguments, session: &Session<'_>) -> Result<(), CommandError> {
    let target = || platforms.platform.clone().unwrap_or_else(|| session.bench.target.clone());
    let selection = if platforms.all { Selection::All } else { Selection::One(target()) };
    let copied = pipeline::copy(&session.bench, from, to, &selection)?;
    session.ui.progress_done();
    if let Some(pushed) = &copied.pushed {
        session.pushed(pushed);
    }
    if let Some(loaded) = &copied.loaded {
        session.loaded(loaded);
    }
    match copied.companions {
        0 => {}
        1 => session.ui.step("1 signature, SBOM or the like went along"),
        several => session.ui.step(&format!("{several} signatures, SBOMs or the like went along")),
    }
    match to {
        Address::Named(reference) => {
            session.ui.step(&format!("{} is in the store", reference.familiar()));
            session.pinned(reference, copied.digest);
        }
        Address::Registry(reference) => session.pinned(reference, copied.digest),
        Address::Archive(_) | Address::Engine(_) => session.ui.result(&to.to_string()),
    }
    Ok(())
}
