//! Runs the buildpacks of a group (CNB platform spec, "Builder"; buildpack spec, "Phase #3: Build").
//!
//! Each buildpack is asked for the dependencies that it provides, runs in the environment that the
//! layers of those before it made, and leaves files in its own folder below the layers folder. What
//! they left is checked at once, so that an error names the buildpack that made it.

mod buildpack_plan;
mod earlier;
mod merge;
mod outputs;
mod sbom;
#[cfg(test)]
mod tests;

use std::io::Write;
use std::path::{Path, PathBuf};

pub use earlier::{EarlierError, read_built};
pub use outputs::OutputError;
pub use sbom::SbomError;

use self::buildpack_plan::Unprovided;
use self::merge::Merged;
use self::outputs::Outputs;
use super::buildpacks::{Buildpack, BuildpackError, escaped};
use super::built::Built;
use super::context::Context;
use super::environment::{self, EnvironmentError, Variables};
use super::files::group::Group;
use super::files::metadata::Metadata;
use super::files::plan::{BuildpackPlan, Plan};
use super::program::{Call, GivenEnvironment, StartError, command};
use crate::builder::ModuleId;
use crate::executor::{Executor, ExecutorError, ExitStatus};
use crate::root::RootError;

/// Why a build has no result.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A buildpack said that it failed; its own messages have passed through.
    #[error("buildpack `{}` {} failed while building ({status})", buildpack.id, buildpack.version)]
    Failed {
        /// The buildpack.
        buildpack: ModuleId,
        /// How it ended.
        status: ExitStatus,
    },
    /// A buildpack's `bin/build` did not start.
    #[error("cannot start buildpack `{buildpack}`")]
    CannotStart {
        /// The buildpack.
        buildpack: ModuleId,
        /// The reason.
        #[source]
        source: StartError,
    },
    /// The machine cannot run buildpacks.
    #[error("cannot run `bin/build` of buildpack `{buildpack}`")]
    Executor {
        /// The buildpack.
        buildpack: ModuleId,
        /// The reason.
        #[source]
        source: ExecutorError,
    },
    /// A buildpack left something that the specification does not allow.
    #[error("buildpack `{buildpack}` left something that cannot be used")]
    Output {
        /// The buildpack.
        buildpack: ModuleId,
        /// What it is.
        #[source]
        source: Box<OutputError>,
    },
    /// A buildpack of the group cannot be used.
    #[error(transparent)]
    Buildpack(#[from] BuildpackError),
    /// The user's or builder's environment cannot be used.
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    /// The lifecycle's own files cannot be written.
    #[error("cannot prepare the folders of the build")]
    Folder(#[source] RootError),
}

/// Runs every buildpack of the group in order. What they print goes to `output` unchanged.
pub fn build(
    context: &Context,
    group: &Group,
    plan: &Plan,
    executor: &dyn Executor,
    output: &mut (dyn Write + Send),
) -> Result<Built, BuildError> {
    let buildpacks = load(context, group)?;
    let mut station = Station {
        context,
        executor,
        given: GivenEnvironment::read(context)?,
        variables: environment::inherited(&context.environment),
        unprovided: Unprovided::new(plan),
    };
    sbom::start(context).map_err(BuildError::Folder)?;
    let mut merged = Merged::default();
    for (number, buildpack) in buildpacks.iter().enumerate() {
        let outputs = station.run(number, buildpack, output)?;
        merged.add(buildpack, outputs);
    }
    sbom::finish(context, &merged).map_err(BuildError::Folder)?;
    let built = merged.into_built();
    write_metadata(context, &built).map_err(BuildError::Folder)?;
    Ok(built)
}

/// All of them first, so that nothing runs if one cannot be used.
fn load(context: &Context, group: &Group) -> Result<Vec<Buildpack>, BuildpackError> {
    group.group.iter().map(|member| Buildpack::load(&context.places.buildpacks, &member.module())).collect()
}

/// What passes from one buildpack to the next.
struct Station<'a> {
    context: &'a Context,
    executor: &'a dyn Executor,
    given: GivenEnvironment,
    variables: Variables,
    unprovided: Unprovided,
}

impl Station<'_> {
    fn run(&mut self, number: usize, buildpack: &Buildpack, output: &mut (dyn Write + Send)) -> Result<Outputs, BuildError> {
        let module = &buildpack.module;
        let wanted = self.unprovided.of(&module.id);
        let (layers, plan) = self.prepare(number, buildpack, &wanted).map_err(BuildError::Folder)?;
        let places = &self.context.places;
        let (shown_layers, shown_plan) = (places.layers.shown(&layers), places.scratch.shown(&plan));
        let call = Call::Build { layers: &shown_layers, plan: &shown_plan };
        match self.executor.run(&command(self.context, buildpack, call, &self.given, self.variables.clone()), output) {
            Ok(status) if status.success() => {}
            Ok(status) => return Err(BuildError::Failed { buildpack: module.clone(), status }),
            Err(ExecutorError::CannotStart { source, .. }) => {
                let source = StartError::explain(&places.buildpacks, buildpack, call, source);
                return Err(BuildError::CannotStart { buildpack: module.clone(), source });
            }
            Err(source) => return Err(BuildError::Executor { buildpack: module.clone(), source }),
        }
        self.collect(buildpack, &wanted, &layers)
            .map_err(|source| BuildError::Output { buildpack: module.clone(), source: Box::new(source) })
    }

    /// Makes the buildpack's own folder and writes its plan; gives the places of both.
    fn prepare(&self, number: usize, buildpack: &Buildpack, wanted: &BuildpackPlan) -> Result<(PathBuf, PathBuf), RootError> {
        let places = &self.context.places;
        let layers = PathBuf::from(escaped(&buildpack.module.id));
        places.make_folder(&places.layers, &layers)?;
        let folder = PathBuf::from(format!("build-{number}"));
        places.make_folder(&places.scratch, &folder)?;
        let plan = folder.join("plan.toml");
        places.write(&places.scratch, &plan, &wanted.to_toml())?;
        Ok((layers, plan))
    }

    /// Checks what the buildpack left, and lets it have its effect on those after it.
    fn collect(&mut self, buildpack: &Buildpack, wanted: &BuildpackPlan, layers: &Path) -> Result<Outputs, OutputError> {
        let outputs = Outputs::read(&self.context.places.layers, layers, buildpack)?;
        self.unprovided.settle(wanted, &outputs.build.unmet)?;
        outputs.add_to_environment(&self.context.places.layers, layers, &mut self.variables)?;
        sbom::keep(self.context, layers, buildpack, &outputs)?;
        Ok(outputs)
    }
}

fn write_metadata(context: &Context, built: &Built) -> Result<(), RootError> {
    let places = &context.places;
    places.make_folder(&places.layers, Path::new("config"))?;
    places.write(&places.layers, Path::new("config/metadata.toml"), &Metadata::of(built, context.api).to_toml())
}
