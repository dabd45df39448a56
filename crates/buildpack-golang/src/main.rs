//! The Go buildpack for Apache Pulsar functions: `bin/detect` and `bin/build` are links to this one program.
//!
//! It takes modules whose main package calls `pf.Start`, and leaves in the application folder nothing but one
//! static binary. Settings are read from the platform's environment, see [`settings`]; what it records of the
//! function is documented in `docs/labels.md`.

mod build;
mod build_constraint;
mod error;
mod go_command;
mod inputs;
mod module_file;
mod project;
mod settings;
mod source_file;

use std::path::Path;
use std::process::ExitCode;

use libcnb::Buildpack;
use libcnb::build::{BuildContext, BuildResult, BuildResultBuilder};
use libcnb::data::launch::{Label, Launch, LaunchBuilder, ProcessBuilder};
use libcnb::data::{layer_name, process_type};
use libcnb::detect::{DetectContext, DetectResult, DetectResultBuilder};
use libcnb::generic::GenericMetadata;

use build::{BuildRequest, LayerFolders, Record};
use build_constraint::BuildTags;
use error::GolangError;
use fnpack_buildpack::{FunctionPlatform, cache_layer, launch_folder, result_layer, say, say_failure, start};
use settings::Settings;

fn main() -> ExitCode {
    start(run)
}

fn run() {
    libcnb::buildpack_main!(GolangBuildpack);
    main();
}

struct GolangBuildpack;

impl Buildpack for GolangBuildpack {
    type Platform = FunctionPlatform;
    type Metadata = GenericMetadata;
    type Error = GolangError;

    fn detect(&self, context: DetectContext<Self>) -> libcnb::Result<DetectResult, GolangError> {
        let variables = context.platform.variables();
        let settings = Settings::from_variables(&variables).map_err(GolangError::Settings)?;
        let tags = BuildTags::new(&context.target.os, &context.target.arch, &variables);
        match project::find(&context.app_dir, settings.target.as_deref(), &tags).map_err(GolangError::Look)? {
            Ok(_) => DetectResultBuilder::pass().build(),
            Err(absent) => {
                say(&absent.to_string());
                DetectResultBuilder::fail().build()
            }
        }
    }

    fn build(&self, context: BuildContext<Self>) -> libcnb::Result<BuildResult, GolangError> {
        let variables = context.platform.variables();
        let (function, earlier) = result_layer::<_, Record>(&context, layer_name!("function"))?;
        let request = BuildRequest {
            application: context.app_dir.clone(),
            settings: Settings::from_variables(&variables).map_err(GolangError::Settings)?,
            variables,
            target: context.target.clone(),
            layers: LayerFolders {
                toolchain: cache_layer(&context, layer_name!("toolchain"))?,
                modules: cache_layer(&context, layer_name!("modules"))?,
                build_cache: cache_layer(&context, layer_name!("build-cache"))?,
                function: function.path(),
            },
            earlier,
        };
        let record = build::build(&request, &mut say)?;
        let artifact = launch_folder(&request.variables, &request.application).join(&request.settings.function_name);
        let labels = fnpack_buildpack::labels(&build::facts(&request, &artifact)?);
        build::leave_only_the_function(&request)?;
        function.write_metadata(record)?;
        BuildResultBuilder::new().launch(launch(&artifact, labels)).build()
    }

    fn on_error(&self, error: libcnb::Error<GolangError>) {
        say_failure(error, GolangError::hint);
    }
}

fn launch(artifact: &Path, labels: Vec<Label>) -> Launch {
    let command = [artifact.to_string_lossy()];
    let process = ProcessBuilder::new(process_type!("function"), command).default(true).build();
    LaunchBuilder::new().process(process).labels(labels).build()
}
