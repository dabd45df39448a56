//! The Python buildpack for Apache Pulsar functions: `bin/detect` and `bin/build` are links to this one program.
//!
//! It takes source folders with a class that Pulsar can call, or a module with `process(input)`, and leaves in the
//! application folder that code and its dependencies, unpacked for the runner. Settings are read from the
//! platform's environment, see [`settings`].

mod build;
mod dependencies;
mod error;
mod import_check;
mod index;
mod interpreter;
mod manifest;
mod placement;
mod settings;
mod syntax;
mod uv;

use std::process::ExitCode;

use fnpack_buildpack::{FunctionPlatform, cache_layer, labels, result_layer, say, say_failure, start};
use libcnb::Buildpack;
use libcnb::build::{BuildContext, BuildResult, BuildResultBuilder};
use libcnb::data::launch::{Launch, LaunchBuilder, ProcessBuilder, Slice};
use libcnb::data::{layer_name, process_type};
use libcnb::detect::{DetectContext, DetectResult, DetectResultBuilder};
use libcnb::generic::GenericMetadata;

use build::{BuildRequest, Built, Project};
use dependencies::{Layers, Record};
use error::PythonError;
use fnpack_artifact::python::NoFunction;
use settings::Settings;

/// What starts functions in a runner.
const INSTANCE: [&str; 2] = ["python", "/pulsar/instances/python-instance/python_instance_main.py"];

fn main() -> ExitCode {
    start(run)
}

fn run() {
    libcnb::buildpack_main!(PythonBuildpack);
    main();
}

struct PythonBuildpack;

impl Buildpack for PythonBuildpack {
    type Platform = FunctionPlatform;
    type Metadata = GenericMetadata;
    type Error = PythonError;

    /// Several functions are for the build to complain of: Python it is all the same.
    fn detect(&self, context: DetectContext<Self>) -> libcnb::Result<DetectResult, PythonError> {
        let variables = context.platform.variables();
        let settings = Settings::from_variables(&variables).map_err(PythonError::Settings)?;
        let project = Project::read(&context.app_dir, &settings)?;
        match project.search.choose(settings.class.as_deref()) {
            Ok(_) | Err(NoFunction::Several(_)) => DetectResultBuilder::pass().build(),
            Err(absent) => {
                let folder = context.app_dir.join(&project.root);
                say(&syntax::explained(absent, project.search.broken(), &folder, &variables).to_string());
                DetectResultBuilder::fail().build()
            }
        }
    }

    fn build(&self, context: BuildContext<Self>) -> libcnb::Result<BuildResult, PythonError> {
        let variables = context.platform.variables();
        let (dependencies, earlier) = result_layer::<_, Record>(&context, layer_name!("dependencies"))?;
        let request = BuildRequest {
            application: context.app_dir.clone(),
            settings: Settings::from_variables(&variables).map_err(PythonError::Settings)?,
            variables,
            arch: context.target.arch.clone(),
            layers: Layers { cache: cache_layer(&context, layer_name!("uv-cache"))?, dependencies: dependencies.path() },
            pip_conf: context.platform.file("pip", "pip.conf"),
            earlier,
        };
        let built = build::build(&request, &mut say)?;
        let launch = launch(&built);
        dependencies.write_metadata(built.record)?;
        BuildResultBuilder::new().launch(launch).build()
    }

    fn on_error(&self, error: libcnb::Error<PythonError>) {
        say_failure(error, PythonError::hint);
    }
}

/// Dependencies are a layer of their own: a change of the function's code leaves it as it is.
fn launch(built: &Built) -> Launch {
    let command = INSTANCE.into_iter().chain(["--py", built.facts.artifact.as_str()]);
    let process = ProcessBuilder::new(process_type!("function"), command).default(true).build();
    let slices = (!built.slice.is_empty()).then(|| Slice { path_globs: built.slice.clone() });
    LaunchBuilder::new().process(process).labels(labels(&built.facts)).slices(slices).build()
}
