//! Whose fault each failure is, and what to do next: every error of the library, once.

use fnpack_core::lifecycle::{build, detect, export};
use fnpack_core::pipeline::{ConnectError, FindError, PipelineError};
use fnpack_core::{accounts, archive, builder, dockerfile, executor, rebase, reference, registry, root, source, store};
use fnpack_sandbox::SandboxError;

use crate::error::{Class, CommandError};

/// Errors that are of one class whatever they are.
macro_rules! classes {
    ($($error:ty => $class:ident),* $(,)?) => {
        $(impl From<$error> for CommandError {
            fn from(error: $error) -> Self {
                Self::new(Class::$class, error)
            }
        })*
    };
}

classes! {
    reference::ReferenceError => Usage,
    root::RootError => Machine,
    accounts::UserError => Usage,
    archive::ArchiveError => Machine,
    archive::rootfs::ImportError => Machine,
    dockerfile::ContextError => Configuration,
    builder::BuilderTomlError => Configuration,
    builder::BuildpackTomlError => Configuration,
    builder::DocumentError => Configuration,
    builder::LoadError => Configuration,
    builder::CreateError => Configuration,
    builder::DescriptionError => Configuration,
    registry::RegistryError => Registry,
    executor::ExecutorError => Machine,
}

impl From<SandboxError> for CommandError {
    fn from(error: SandboxError) -> Self {
        Self::new(Class::Machine, error).hint("see what works here with `fnpack doctor`")
    }
}

impl From<source::SourceError> for CommandError {
    fn from(error: source::SourceError) -> Self {
        use source::SourceError as Error;
        let hint = match &error {
            Error::Missing { .. } | Error::NotAFolder { .. } => Some("name the folder that has the function's source"),
            Error::Special { .. } => Some("take it out of the source folder"),
            Error::Unreadable { .. } | Error::Copy { .. } => None,
        };
        let class = match &error {
            Error::Missing { .. } | Error::NotAFolder { .. } | Error::Special { .. } => Class::Usage,
            Error::Unreadable { .. } | Error::Copy { .. } => Class::Machine,
        };
        with_hint(Self::new(class, error), hint)
    }
}

impl From<store::StoreError> for CommandError {
    fn from(error: store::StoreError) -> Self {
        use store::StoreError as Error;
        let hint = match &error {
            Error::NewerFormat { .. } => Some("use a newer fnpack, or another store with `--store DIR`"),
            Error::NotAStore { .. } => Some("name an empty folder, or one that fnpack made, with `--store DIR`"),
            Error::ReadOnly { .. } => Some("use another store with `--store DIR`"),
            Error::DiskFull { .. } => Some("free space, for instance with `fnpack store gc`; nothing that was there is lost"),
            Error::CorruptBlob { .. } | Error::CorruptLayer { .. } => {
                Some("see all that is damaged with `fnpack store check --deep`, then pull or build the image anew")
            }
            _ => None,
        };
        with_hint(Self::new(Class::Machine, error), hint)
    }
}

impl From<FindError> for CommandError {
    fn from(error: FindError) -> Self {
        let hint = match &error {
            FindError::Offline { .. } => "pull it without `--offline`, or bring it with `fnpack image load` or `fnpack image import`",
            FindError::NotStored { .. } => "see what is there with `fnpack image ls`",
            FindError::NotGiven { .. } => "check the name; bring images without a registry by `fnpack image load` or `fnpack image import`",
            FindError::Layers { .. } => "try again; what has come is kept",
            FindError::Connect(_) | FindError::Store(_) => "",
        };
        match error {
            FindError::Store(error) => error.into(),
            FindError::Connect(error) => error.into(),
            error => Self::new(Class::Registry, error).hint(hint),
        }
    }
}

impl From<ConnectError> for CommandError {
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::Registry(error) => error.into(),
            error => Self::new(Class::Configuration, error).hint("correct Docker's config.json, or name another folder with DOCKER_CONFIG"),
        }
    }
}

impl From<rebase::RebaseError> for CommandError {
    fn from(error: rebase::RebaseError) -> Self {
        use rebase::RebaseError as Error;
        let (details, hint) = match &error {
            Error::Refused { objections, .. } => {
                (objections.iter().map(ToString::to_string).collect(), "name a run image that fits, or override with `--force`")
            }
            Error::NotABuildpackImage { .. } | Error::BaseNotFound { .. } => {
                (Vec::new(), "only images that buildpacks made can be rebased; build it again on the new run image")
            }
            Error::EmptyBase { .. } => (Vec::new(), "name another run image"),
        };
        Self::new(Class::Refused, error).details(details).hint(hint)
    }
}

impl From<dockerfile::DockerfileError> for CommandError {
    fn from(error: dockerfile::DockerfileError) -> Self {
        let class = match &error {
            dockerfile::DockerfileError::RunFailed { .. } => Class::YourCode,
            _ => Class::Configuration,
        };
        Self::new(class, error)
    }
}

impl From<PipelineError> for CommandError {
    fn from(error: PipelineError) -> Self {
        match error {
            PipelineError::Source(error) => error.into(),
            PipelineError::Find(error) => error.into(),
            PipelineError::Store(error) => error.into(),
            PipelineError::Builder(error) => error.into(),
            PipelineError::Load(error) => error.into(),
            PipelineError::Create(error) => (*error).into(),
            PipelineError::Dockerfile(error) => (*error).into(),
            PipelineError::Folder(error) => error.into(),
            PipelineError::Executor(error) => error.into(),
            PipelineError::Sandbox(error) => error.into(),
            PipelineError::Reference(error) => error.into(),
            PipelineError::Detect(error) => error.into(),
            PipelineError::Build(error) => error.into(),
            PipelineError::Export(error) => error.into(),
            error @ (PipelineError::Platform(_) | PipelineError::Restore(_) | PipelineError::Prepare(_)) => {
                Self::new(Class::Machine, error)
            }
            error @ (PipelineError::NoCommonApi { .. } | PipelineError::NoRunImage { .. } | PipelineError::NoBuildpacks { .. }) => {
                Self::new(Class::Configuration, error).hint("make the builder anew with `fnpack builder create`")
            }
        }
    }
}

impl From<detect::DetectError> for CommandError {
    fn from(error: detect::DetectError) -> Self {
        let details = match &error {
            detect::DetectError::NoGroup { results, .. } => results.iter().flat_map(describe).collect(),
            _ => Vec::new(),
        };
        let class = match &error {
            detect::DetectError::NoGroup { .. } => Class::YourCode,
            detect::DetectError::Executor { .. } | detect::DetectError::Scratch { .. } => Class::Machine,
            _ => Class::Configuration,
        };
        Self::new(class, error)
            .details(details)
            .hint("name the folder that has the function's source; `-v` shows all that the buildpacks printed")
    }
}

/// What a buildpack answered and said.
fn describe(result: &detect::DetectResult) -> Vec<String> {
    use detect::Outcome;
    let module = &result.module;
    let said = result.last_line().unwrap_or_else(|| "it said nothing".to_owned());
    match &result.outcome {
        Outcome::Passed(_) => vec![format!("{module}  passed")],
        Outcome::Declined => vec![format!("{module}  declined: {said}")],
        Outcome::Errored { status, hint } => {
            let mut lines = vec![format!("{module}  failed ({status}): {said}")];
            lines.extend(hint.map(|hint| format!("  {hint}")));
            lines
        }
        Outcome::CannotStart(error) => chain(module, error),
        Outcome::InvalidPlan(error) => chain(module, error),
        Outcome::Unsupported { targets, wanted } => vec![format!("{module}  is made for {targets}, not for {wanted}")],
    }
}

fn chain(module: &builder::ModuleId, error: &dyn std::error::Error) -> Vec<String> {
    let mut lines = vec![format!("{module}  {error}")];
    let mut cause = error.source();
    while let Some(error) = cause {
        lines.push(format!("  {error}"));
        cause = error.source();
    }
    lines
}

impl From<build::BuildError> for CommandError {
    fn from(error: build::BuildError) -> Self {
        use build::BuildError as Error;
        let (class, hint) = match &error {
            Error::Failed { .. } => (Class::YourCode, Some("its own messages are above")),
            Error::Output { .. } | Error::CannotStart { .. } | Error::Buildpack(_) => {
                (Class::YourCode, Some("tell the buildpack's author, or correct it if it is yours"))
            }
            Error::Environment(_) => (Class::Configuration, None),
            Error::Executor { .. } | Error::Folder(_) => (Class::Machine, None),
        };
        with_hint(Self::new(class, error), hint)
    }
}

impl From<export::ExportError> for CommandError {
    fn from(error: export::ExportError) -> Self {
        use export::ExportError as Error;
        let class = match &error {
            Error::Layer { .. } | Error::Layers(_) | Error::App(_) | Error::Sbom { .. } => Class::Machine,
            _ => Class::YourCode,
        };
        Self::new(class, error)
    }
}

fn with_hint(error: CommandError, hint: Option<&str>) -> CommandError {
    match hint {
        Some(hint) => error.hint(hint),
        None => error,
    }
}
