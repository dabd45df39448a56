//! `--cache-image`: a machine that has nothing builds with what another one cached.

use std::io::Read;

use fnpack_core::layers::decompress::decompress;
use testkit::registry::{Fault, Registry};

use super::environment::{Environment, Outcome, bash_builder};
use super::language::GO;

/// Makes a layer for the next build and one that is in the image, too, and says whether they were there.
const BUILD: &str = r#"for layer in kept both; do
    if [ -e "$1/$layer/file" ]; then echo "$layer: $(cat "$1/$layer/file")"; else echo "$layer: missing"; fi
    mkdir -p "$1/$layer/folder" && echo "made with $(cat input)" > "$1/$layer/file" && ln -sf file "$1/$layer/folder/link"
done
chmod 500 "$1/kept/folder"
printf '[types]\ncache = true\nbuild = true\n[metadata]\nof = "kept"\n' > "$1/kept.toml"
printf '[types]\ncache = true\nlaunch = true\n' > "$1/both.toml"
"#;

/// A registry with a builder, and the machines that use it.
struct Ground {
    registry: Registry,
    builder: String,
}

impl Ground {
    fn new(test: &str) -> Option<Self> {
        let environment = Environment::with_base()?;
        let registry = Registry::new();
        let builder = format!("{}/cached/builder:{test}", registry.host());
        bash_builder(&environment, &builder, "exit 0", BUILD);
        environment.fnpack(["image", "push", &builder]).success();
        environment.fnpack(["image", "push", "test/run", &format!("{}/cached/run:1", registry.host())]).success();
        Some(Self { registry, builder })
    }

    /// A machine with an empty store.
    fn machine(&self, input: &str) -> Environment {
        let environment = Environment::empty();
        environment.write("function/input", input);
        environment
    }

    fn name(&self, rest: &str) -> String {
        format!("{}/{rest}", self.registry.host())
    }

    fn build(&self, environment: &Environment, more: &[&str]) -> Outcome {
        let (name, run, cache) = (self.name("team/function:1"), self.name("cached/run:1"), self.name("team/cache:1"));
        let fixed = ["build", &name, "function", "-B", &self.builder, "--run-image", &run, "--cache-image", &cache];
        environment.fnpack(fixed.iter().chain(more))
    }

    /// The layers' digests of an image, and its labels.
    fn cache(&self) -> (Vec<String>, serde_json::Value) {
        let json = |bytes: Vec<u8>| serde_json::from_slice::<serde_json::Value>(&bytes).unwrap();
        let manifest = json(self.registry.manifest("team/cache", "1").unwrap());
        let config = json(self.registry.blob("team/cache", manifest["config"]["digest"].as_str().unwrap()).unwrap());
        let digests = manifest["layers"].as_array().unwrap().iter().map(|layer| layer["digest"].as_str().unwrap().to_owned());
        (digests.collect(), config["config"]["Labels"].clone())
    }

    fn uploads(&self) -> usize {
        self.registry.requests().iter().filter(|request| request.method == "PUT" && request.target.contains("/team/cache/blobs/")).count()
    }
}

#[test]
fn second_machine_builds_with_what_the_first_one_cached() {
    let Some(ground) = Ground::new("two") else { return };
    let first = ground.machine("1");
    let outcome = ground.build(&first, &["--publish", "-e", "TOKEN=very-secret"]);
    assert!(outcome.stderr.contains("there is no cache image") && outcome.stderr.contains("kept: missing"), "{}", outcome.stderr);
    let made = outcome.success();
    let (layers, labels) = ground.cache();
    let metadata = labels["io.buildpacks.lifecycle.cache.metadata"].as_str().unwrap();
    let metadata: serde_json::Value = serde_json::from_str(metadata).unwrap();
    assert_eq!(metadata["buildpacks"][0]["key"], "example/bash");
    assert_eq!(metadata["buildpacks"][0]["layers"]["kept"]["data"]["of"], "kept");
    assert_eq!(layers.len(), 2);
    let mounts = |request: &testkit::registry::Seen| request.target.contains("/team/cache/") && request.target.contains("mount=");
    assert!(ground.registry.requests().iter().any(mounts), "the layer that is in the image, too, is taken over from there");

    for more in [&["--publish"][..], &[]] {
        let second = ground.machine("1");
        ground.registry.forget_requests();
        let outcome = ground.build(&second, more);
        assert!(
            outcome.stderr.contains("kept: made with 1") && outcome.stderr.contains("both: made with 1"),
            "{more:?} {}",
            outcome.stderr
        );
        assert!(!outcome.stderr.contains("warning"), "{}", outcome.stderr);
        assert_eq!(outcome.success(), made, "{more:?}: the same image");
        assert_eq!((ground.cache().0, ground.uploads()), (layers.clone(), 0), "{more:?}: nothing is sent again");
        // What the machine has itself comes first.
        ground.registry.forget_requests();
        ground.build(&second, more).success();
        let read = |request: &testkit::registry::Seen| {
            layers.iter().any(|layer| request.target.contains(layer.as_str()) && request.method == "GET")
        };
        assert!(!ground.registry.requests().iter().any(read));
    }

    // Only what changed is sent: the folders of both layers have other contents now.
    let third = ground.machine("2");
    ground.registry.forget_requests();
    let outcome = ground.build(&third, &["--publish"]);
    assert!(outcome.stderr.contains("kept: made with 1"), "{}", outcome.stderr);
    outcome.success();
    assert_ne!(ground.cache().0, layers);
    for digest in ground.cache().0 {
        let mut tar = Vec::new();
        let blob = ground.registry.blob("team/cache", &digest).unwrap();
        decompress(std::io::Cursor::new(blob)).unwrap().read_to_end(&mut tar).unwrap();
        assert!(!String::from_utf8_lossy(&tar).contains("very-secret"));
    }
}

#[test]
fn cache_that_is_none_or_broken_is_told_and_the_build_goes_on() {
    let Some(ground) = Ground::new("broken") else { return };
    // Another image of the name stays as it is.
    let foreign = Environment::empty();
    foreign.write("small/Dockerfile", "FROM scratch\nCOPY file /\n");
    foreign.write("small/file", "");
    foreign.fnpack(["image", "build", "-t", &ground.name("team/cache:1"), "--publish", "small"]).success();
    let before = ground.registry.manifest("team/cache", "1");
    let outcome = ground.build(&ground.machine("1"), &[]);
    assert!(outcome.stderr.contains("is no cache image and stays as it is"), "{}", outcome.stderr);
    outcome.success();
    assert_eq!(ground.registry.manifest("team/cache", "1"), before);

    let other = Ground::new("damaged").unwrap();
    other.build(&other.machine("1"), &[]).success();
    let layer = other.cache().0[0].clone();
    other.registry.fault(Fault::corrupt("GET", &layer));
    let outcome = other.build(&other.machine("1"), &[]);
    assert!(outcome.stderr.contains("is not restored from the cache image"), "{}", outcome.stderr);
    assert!(outcome.stderr.contains(": missing") && outcome.stderr.contains(": made with 1"), "{}", outcome.stderr);
    outcome.success();

    // A registry that does not take it costs the cache alone.
    other.registry.fault(Fault::status("PUT", "/team/cache/manifests/", 403));
    let outcome = other.build(&other.machine("3"), &[]);
    assert!(outcome.stderr.contains("warning: the cache image") && outcome.stderr.contains("is not kept"), "{}", outcome.stderr);
    outcome.success();
}

/// Removes what earlier runs of the test left: the store is shared and stays.
fn forget_cache(environment: &Environment, image: &str) {
    for entry in fs_err::read_dir(environment.store().join("records/build-cache")).unwrap() {
        let path = entry.unwrap().path();
        let record = fs_err::read(&path).unwrap_or_default();
        let head = String::from_utf8_lossy(record.split(|byte| *byte == b'\n').next().unwrap_or_default()).into_owned();
        if head.contains(image) {
            fs_err::remove_file(path).unwrap();
        }
    }
}

#[test]
fn go_function_needs_no_download_with_a_cache_image() {
    let Some(environment) = GO.tree() else { return };
    let registry = Registry::new();
    let cache = format!("{}/team/go-cache:1", registry.host());
    let build = |name: &str, more: &[&str]| GO.build(&environment, name, &GO.example(), &[&["--cache-image", &cache], more].concat());
    let first = build("cached/go-one", &[]).success();
    registry.forget_requests();
    // A name of which this machine has no cache, without a network.
    forget_cache(&environment, "cached/go-two");
    let outcome = build("cached/go-two", &["--network", "none"]);
    assert!(outcome.stderr.contains("from the cache image"), "{}", outcome.stderr);
    assert_eq!(outcome.success().split('@').nth(1), first.split('@').nth(1), "the same image");
    let sent = registry.requests().iter().filter(|request| request.method == "PUT").count();
    assert_eq!(sent, 0, "{:#?}", registry.request_lines());
}
