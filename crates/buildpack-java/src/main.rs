//! The Java buildpack for Apache Pulsar functions: `bin/detect` and `bin/build` are links to this one program.
//!
//! It takes Maven and Gradle projects whose sources mention a function, and leaves in the application folder the
//! function's jar and, in `lib`, the libraries that its manifest names. Settings are read from the platform's
//! environment, see [`settings`].

mod artifact;
mod build;
mod build_files;
mod command;
mod connection;
mod error;
mod gradle;
mod inputs;
mod jdk;
mod maven;
mod program;
mod project;
mod settings;
mod tool;
mod trust_store;

use std::path::Path;
use std::process::ExitCode;

use libcnb::Buildpack;
use libcnb::build::{BuildContext, BuildResult, BuildResultBuilder};
use libcnb::data::launch::{Launch, LaunchBuilder, ProcessBuilder, Slice};
use libcnb::data::{layer_name, process_type};
use libcnb::detect::{DetectContext, DetectResult, DetectResultBuilder};
use libcnb::generic::GenericMetadata;

use fnpack_buildpack::{FunctionPlatform, cache_layer, labels, launch_folder, result_layer, say, say_failure, start};

use build::{BuildRequest, LIBRARY_FOLDER, LayerFolders, Record};
use error::JavaError;
use gradle::GradleFiles;
use jdk::Jdk;
use maven::MavenFiles;
use settings::Settings;

fn main() -> ExitCode {
    start(run)
}

fn run() {
    libcnb::buildpack_main!(JavaBuildpack);
    main();
}

struct JavaBuildpack;

impl Buildpack for JavaBuildpack {
    type Platform = FunctionPlatform;
    type Metadata = GenericMetadata;
    type Error = JavaError;

    fn detect(&self, context: DetectContext<Self>) -> libcnb::Result<DetectResult, JavaError> {
        let settings = Settings::from_variables(&context.platform.variables()).map_err(JavaError::Settings)?;
        match project::find(&context.app_dir, &settings).map_err(JavaError::Look)? {
            Ok(_) => DetectResultBuilder::pass().build(),
            Err(absent) => {
                say(&absent.to_string());
                DetectResultBuilder::fail().build()
            }
        }
    }

    fn build(&self, context: BuildContext<Self>) -> libcnb::Result<BuildResult, JavaError> {
        let variables = context.platform.variables();
        let (function, earlier) = result_layer::<_, Record>(&context, layer_name!("function"))?;
        let request = BuildRequest {
            application: context.app_dir.clone(),
            settings: Settings::from_variables(&variables).map_err(JavaError::Settings)?,
            maven: MavenFiles::of(&context.platform),
            gradle: GradleFiles::of(&context.platform).map_err(JavaError::Look)?,
            jdk: Jdk::find(&variables)?,
            variables,
            layers: LayerFolders { tool: cache_layer(&context, layer_name!("repository"))?, function: function.path() },
            earlier,
        };
        let record = build::build(&request, &mut say)?;
        build::leave_only_the_function(&request, &record)?;
        let folder = launch_folder(&request.variables, &request.application);
        let launch = launch(&folder.join(record.file_name(&request.settings.function_name)), &record);
        function.write_metadata(record)?;
        BuildResultBuilder::new().launch(launch).build()
    }

    fn on_error(&self, error: libcnb::Error<JavaError>) {
        say_failure(error, JavaError::hint);
    }
}

/// A function does not start by itself: Pulsar's instance loads it. So the process only tells who starts the image
/// what it holds. Libraries are a layer of their own, as they change less often than the function.
fn launch(artifact: &Path, record: &Record) -> Launch {
    let text = format!(
        "This image holds the Pulsar function {} in {}. Function Mesh starts it, or Pulsar's Java instance with --jar and --function_details.",
        record.class,
        artifact.display()
    );
    let script = "printf '%s\\n' \"$1\" >&2; exit 64";
    let process = ProcessBuilder::new(process_type!("function"), ["sh", "-c", script, "function", &text]).default(true).build();
    let libraries = Slice { path_globs: vec![format!("{LIBRARY_FOLDER}/*")] };
    LaunchBuilder::new().process(process).slice(libraries).labels(labels(&record.facts(artifact))).build()
}
