//! Images go into real engines and come back with the config that they had.

use super::engine::{self, Engine};
use super::environment::Environment;
use super::layers::image;

/// A small image in a store of its own.
fn small(name: &str) -> Environment {
    let environment = Environment::empty();
    environment.write("context/Dockerfile", "FROM scratch\nCOPY file /file\nLABEL io.fnpack.test=ours\n");
    environment.write("context/file", "small");
    environment.call(&format!("image build -t {name} context")).success();
    environment
}

fn config_digest(environment: &Environment, name: &str) -> String {
    testkit::registry::digest(image(environment, name).config_bytes())
}

fn archives_are_loaded(engine: &Engine) {
    let environment = small("images/archived");
    for format in ["docker", "oci"] {
        let file = environment.path().join("image.tar").display().to_string();
        environment.fnpack(["image", "save", "--format", format, "-o", &file, "images/archived"]).success();
        // Docker before 25 reads its own archives only.
        if format == "docker" || engine.name == "podman" {
            engine.docker(["load", "--quiet", "--input", &file]).success();
            let id = engine.docker(["image", "inspect", "--format", "{{.Id}}", "images/archived"]).success();
            assert_eq!(id.trim_start_matches("sha256:"), &config_digest(&environment, "images/archived")["sha256:".len()..]);
        }
    }
}

#[test]
fn docker_loads_archives_with_their_config() {
    engine::docker().into_iter().for_each(archives_are_loaded);
}

#[test]
fn podman_loads_archives_with_their_config() {
    engine::podman().into_iter().for_each(archives_are_loaded);
}
