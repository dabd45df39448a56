//! The documents' tree for each language: its runner, its stack, its builder and its example, in the shared store.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::environment::{Environment, Outcome, cache, repository};

/// A language as the repository's tree has it.
pub(crate) struct Language {
    pub(crate) name: &'static str,
    /// The folder below `builders/`, and the builder's name.
    pub(crate) builder: &'static str,
    /// The folder below `examples/`.
    pub(crate) example: &'static str,
    ready: OnceLock<()>,
}

pub(crate) static GO: Language = Language { name: "go", builder: "golang-builder", example: "go/exclamation", ready: OnceLock::new() };
pub(crate) static JAVA: Language =
    Language { name: "java", builder: "java-builder", example: "java/order-enricher", ready: OnceLock::new() };
pub(crate) static PYTHON: Language =
    Language { name: "python", builder: "python-builder", example: "python/product-match", ready: OnceLock::new() };

impl Language {
    /// The shared store with the language's stack and builder, made from the repository's tree.
    pub(crate) fn tree(&self) -> Option<Environment> {
        let environment = Environment::with_base()?;
        self.ready.get_or_init(|| self.make(&environment));
        Some(environment)
    }

    fn make(&self, environment: &Environment) {
        let (name, stack) = (self.name, repository().join("stack"));
        runner(environment, name);
        for (image, file, argument) in [
            (format!("stack/build-{name}"), "stack.build".to_owned(), format!("LANGUAGES={name}")),
            (format!("stack/{name}-runner"), format!("stack.{name}-runner.run"), format!("RUNNER_IMAGE=runner/{name}")),
        ] {
            let file = stack.join(format!("{file}.Dockerfile"));
            environment.fnpack(["image", "build", "-t", &image, "-f", path(&file), "--build-arg", &argument, path(&stack)]).success();
        }
        let config = repository().join("builders").join(self.builder).join("builder.toml");
        environment.fnpack(["builder", "create", &format!("fnpack/{}", self.builder), "-c", path(&config)]).success();
    }

    /// Where the example is.
    pub(crate) fn example(&self) -> PathBuf {
        repository().join("examples").join(self.example)
    }

    /// `fnpack build NAME SOURCE`, with Pulsar's Go module from the prepared file-system GOPROXY.
    pub(crate) fn build(&self, environment: &Environment, name: &str, source: &Path, more: &[&str]) -> Outcome {
        environment.fnpack(self.arguments(&["build", name, path(source)], more))
    }

    /// `fnpack package SOURCE -o FILE`.
    pub(crate) fn package(&self, environment: &Environment, source: &Path, file: &Path, more: &[&str]) -> Outcome {
        environment.fnpack(self.arguments(&["package", path(source), "-o", path(file)], more))
    }

    /// A command that builds a function, with what it needs here.
    pub(crate) fn arguments(&self, command: &[&str], more: &[&str]) -> Vec<String> {
        let mut arguments: Vec<String> = command.iter().map(|word| (*word).to_owned()).collect();
        if self.name == "go" {
            let volume = format!("--volume={}:/goproxy", path(&cache().unwrap().join("goproxy")));
            let proxy = format!("--env=GOPROXY=file:///goproxy,{}", go_proxy());
            arguments.extend([volume, proxy, "--env=GONOSUMDB=github.com/apache/pulsar/pulsar-function-go".to_owned()]);
        }
        arguments.extend(more.iter().map(|word| (*word).to_owned()));
        arguments
    }
}

/// Makes the runner of a recipe, as `runner/<recipe>`.
pub(crate) fn runner(environment: &Environment, recipe: &str) {
    let context = repository().join("stack/runner");
    environment.fnpack(["image", "build", "-t", &format!("runner/{recipe}"), "--target", recipe, path(&context)]).success();
}

pub(crate) fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The Go module proxy of this machine, as the `go` command would have it.
pub(crate) fn go_proxy() -> String {
    let configured = std::process::Command::new("go").args(["env", "GOPROXY"]).output();
    let answer = configured.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default();
    if answer.is_empty() { "https://proxy.golang.org".to_owned() } else { answer }
}
