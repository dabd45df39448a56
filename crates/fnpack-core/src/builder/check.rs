//! What must hold before a builder is made: the images fit together and every buildpack can run on them.

use std::collections::BTreeSet;

use super::create::{CreateInput, CreateWarning, Module};
use super::description::{distro, stack_id};
use super::labels::{self, ApiVersions};
use super::module::{ModuleId, ModuleTarget, Stack};
use crate::image::Image;
use crate::root::RootError;
use crate::target::Target;

/// Names below `<layers>` that the lifecycle keeps for itself.
const RESERVED_IDS: [&str; 4] = ["app", "config", "generated", "sbom"];
/// Longer first lines are no interpreter that Linux would start.
const LONGEST_FIRST_LINE: u64 = 256;

/// Why no builder can be made of these parts.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// The build image is of another stack than `builder.toml` says.
    #[error("`stack.id` of `{file}` is `{wanted}`, but `{image}` is of stack `{found}`")]
    StackDiffers {
        /// The `builder.toml`.
        file: String,
        /// What it says.
        wanted: String,
        /// A build or run image.
        image: String,
        /// What its label says.
        found: String,
    },
    /// The build image says no stack, but `builder.toml` does.
    #[error("`stack.id` of `{file}` is `{wanted}`, but `{image}` has no label `{}`", labels::STACK_ID)]
    StackMissing {
        /// The `builder.toml`.
        file: String,
        /// What it says.
        wanted: String,
        /// A build or run image.
        image: String,
    },
    /// The build image is for none of the builder's targets.
    #[error("`{image}` is for {target}, which is none of the `targets` of `{file}`")]
    BuilderTarget {
        /// The build image.
        image: String,
        /// Its target.
        target: Target,
        /// The `builder.toml`.
        file: String,
    },
    /// The lifecycle's programs do not run on the build image.
    #[error("the lifecycle is for {lifecycle}, but `{image}` is for {target}")]
    LifecycleTarget {
        /// The lifecycle's target.
        lifecycle: Box<Target>,
        /// The build image.
        image: String,
        /// Its target.
        target: Target,
    },
    /// An id or a version that cannot be a folder's name in the builder.
    #[error("buildpack `{module}` cannot have this id and version: {reason}")]
    BadName {
        /// The buildpack.
        module: ModuleId,
        /// Why, one clause.
        reason: &'static str,
    },
    /// Two buildpacks that would have the same folder.
    #[error("buildpacks `{first}` and `{second}` would both be in `{}`", first.folder())]
    SameFolder {
        /// The one.
        first: ModuleId,
        /// The other.
        second: ModuleId,
    },
    /// The same buildpack twice, with other contents.
    #[error("buildpack `{module}` is given twice, with different contents: `{first}` and `{second}`")]
    GivenTwice {
        /// The buildpack.
        module: ModuleId,
        /// Where the one is.
        first: String,
        /// Where the other is.
        second: String,
    },
    /// The lifecycle does not speak the Buildpack API that the buildpack wants.
    #[error("buildpack `{module}` is written for Buildpack API {api}; the lifecycle speaks {}", spoken(.supported))]
    Api {
        /// The buildpack.
        module: ModuleId,
        /// What it wants.
        api: String,
        /// What there is.
        supported: Box<ApiVersions>,
    },
    /// None of the buildpack's stacks is the builder's.
    #[error("buildpack `{module}` does not support stack `{stack}`, only {}", list(.supported))]
    Stack {
        /// The buildpack.
        module: ModuleId,
        /// The builder's.
        stack: String,
        /// The buildpack's.
        supported: Vec<String>,
    },
    /// The buildpack wants packages that the build image does not name.
    #[error("buildpack `{module}` needs {} in the build image", list(.mixins))]
    Mixins {
        /// The buildpack.
        module: ModuleId,
        /// What is not there.
        mixins: Vec<String>,
    },
    /// None of the buildpack's targets is the builder's.
    #[error("buildpack `{module}` does not support {target}, only {}", list(.supported))]
    Target {
        /// The buildpack.
        module: ModuleId,
        /// The builder's.
        target: Box<Target>,
        /// The buildpack's.
        supported: Vec<String>,
    },
    /// A program that every buildpack has is not there.
    #[error("buildpack `{module}` has no `{program}`")]
    ProgramMissing {
        /// The buildpack.
        module: ModuleId,
        /// `bin/detect` or `bin/build`.
        program: &'static str,
    },
    /// A program cannot be looked at.
    #[error("cannot read a program of buildpack `{module}`")]
    ProgramUnreadable {
        /// The buildpack.
        module: ModuleId,
        /// Why not.
        #[source]
        source: RootError,
    },
    /// The interpreter's name would end with a carriage return.
    #[error("`{program}` of buildpack `{module}` has Windows line ends and cannot start: convert it, for example with `sed -i 's/\\r$//'`")]
    WindowsLineEnds {
        /// The buildpack.
        module: ModuleId,
        /// `bin/detect` or `bin/build`.
        program: &'static str,
    },
    /// Neither a binary nor a script with an interpreter.
    #[error("`{program}` of buildpack `{module}` cannot start: it is neither a Linux binary nor a script that begins with `#!`")]
    NotAProgram {
        /// The buildpack.
        module: ModuleId,
        /// `bin/detect` or `bin/build`.
        program: &'static str,
    },
}

pub(super) fn list(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn spoken(versions: &ApiVersions) -> String {
    versions.deprecated.iter().chain(&versions.supported).map(String::as_str).collect::<Vec<_>>().join(", ")
}

type Result<T> = std::result::Result<T, CheckError>;

/// Checks the images against `builder.toml` and each other.
pub(super) fn images(input: &CreateInput<'_>) -> Result<()> {
    let (config, image) = (input.config, input.build_image);
    let name = config.build_image.familiar();
    let target = image.target();
    if !input.lifecycle.target.satisfies(&target) {
        return Err(CheckError::LifecycleTarget { lifecycle: Box::new(input.lifecycle.target.clone()), image: name, target });
    }
    if !config.targets.is_empty() && !config.targets.iter().any(|wanted| wanted.matches(&target, distro(image).as_ref())) {
        return Err(CheckError::BuilderTarget { image: name, target, file: config.file.clone() });
    }
    let Some(wanted) = &config.stack_id else { return Ok(()) };
    let run_images = input.run_images.iter().map(|(name, image)| (name.clone(), image));
    for (name, image) in std::iter::once((name, image)).chain(run_images) {
        let (file, wanted) = (config.file.clone(), wanted.clone());
        match stack_id(image) {
            Some(found) if found == wanted => {}
            Some(found) => return Err(CheckError::StackDiffers { file, wanted, image: name, found }),
            None => return Err(CheckError::StackMissing { file, wanted, image: name }),
        }
    }
    Ok(())
}

/// What a buildpack is to run on.
#[derive(Debug)]
pub struct Ground<'a> {
    /// The build image, or a builder made of it.
    pub image: &'a Image,
    /// The Buildpack APIs that the lifecycle speaks.
    pub apis: &'a ApiVersions,
    /// The stack of the old style that is asked for; the image's own if none.
    pub stack: Option<String>,
}

/// Checks that one buildpack can run there: name, API, programs, target.
pub fn check_module(module: &Module, ground: &Ground<'_>) -> Result<Vec<CreateWarning>> {
    let buildpack = &module.buildpack;
    let id = buildpack.module();
    if RESERVED_IDS.contains(&buildpack.id.as_str()) {
        return Err(CheckError::BadName { module: id, reason: "the lifecycle keeps the name for itself" });
    }
    id.check().map_err(|reason| CheckError::BadName { module: id.clone(), reason })?;
    if !ground.apis.has(&buildpack.api) {
        return Err(CheckError::Api { module: id, api: buildpack.api.clone(), supported: Box::new(ground.apis.clone()) });
    }
    if buildpack.is_composite() {
        return Ok(Vec::new());
    }
    for program in ["bin/detect", "bin/build"] {
        check_program(module, program)?;
    }
    platform(module, ground.image, ground.stack.clone().or_else(|| stack_id(ground.image)))
}

/// Targets count where the buildpack names any, else its stacks, else it is for every Linux.
fn platform(module: &Module, image: &Image, stack: Option<String>) -> Result<Vec<CreateWarning>> {
    let (buildpack, id, target) = (&module.buildpack, module.buildpack.module(), image.target());
    let unsupported = |supported| CheckError::Target { module: id.clone(), target: Box::new(target.clone()), supported };
    if !buildpack.targets.is_empty() {
        let matches = buildpack.targets.iter().any(|wanted| wanted.matches(&target, distro(image).as_ref()));
        let supported = || buildpack.targets.iter().map(ModuleTarget::to_string).collect();
        return if matches { Ok(Vec::new()) } else { Err(unsupported(supported())) };
    }
    match stack {
        Some(stack) if !buildpack.stacks.is_empty() => on_stack(&id, &buildpack.stacks, &stack, image).map(|()| Vec::new()),
        _ if target.os != "linux" => Err(unsupported(vec!["linux/*".to_owned()])),
        _ => Ok(vec![CreateWarning::NoTargets(id)]),
    }
}

fn on_stack(id: &ModuleId, stacks: &[Stack], stack: &str, image: &Image) -> Result<()> {
    let Some(supported) = stacks.iter().find(|supported| supported.id == stack || supported.id == "*") else {
        let supported = stacks.iter().map(|supported| supported.id.clone()).collect();
        return Err(CheckError::Stack { module: id.clone(), stack: stack.to_owned(), supported });
    };
    // A label that is no list names no packages: what the buildpack needs is then reported as missing.
    let label = image.label(labels::STACK_MIXINS).unwrap_or("[]");
    let present: BTreeSet<String> = serde_json::from_str::<Vec<String>>(label).unwrap_or_default().into_iter().collect();
    let missing = |mixin: &&String| {
        let name = mixin.strip_prefix("build:").unwrap_or(mixin);
        !mixin.starts_with("run:") && !present.contains(name) && !present.contains(&format!("build:{name}"))
    };
    let mixins: Vec<String> = supported.mixins.iter().filter(missing).cloned().collect();
    if mixins.is_empty() { Ok(()) } else { Err(CheckError::Mixins { module: id.clone(), mixins }) }
}

fn check_program(module: &Module, program: &'static str) -> Result<()> {
    use std::io::Read as _;

    let id = || module.buildpack.module();
    let unreadable = |source| CheckError::ProgramUnreadable { module: id(), source };
    let file = match module.root.open_file(program) {
        Ok(file) => file,
        Err(error) if error.is_not_found() => return Err(CheckError::ProgramMissing { module: id(), program }),
        Err(error) => return Err(unreadable(error)),
    };
    let mut start = Vec::new();
    let read = file.take(LONGEST_FIRST_LINE).read_to_end(&mut start);
    read.map_err(|source| unreadable(RootError { action: "read", path: program.into(), source }))?;
    let first_line = start.split(|byte| *byte == b'\n').next().unwrap_or_default();
    match start.get(..2) {
        Some(b"#!") if first_line.ends_with(b"\r") => Err(CheckError::WindowsLineEnds { module: id(), program }),
        Some(b"#!") => Ok(()),
        _ if start.starts_with(b"\x7fELF") => Ok(()),
        _ => Err(CheckError::NotAProgram { module: id(), program }),
    }
}
