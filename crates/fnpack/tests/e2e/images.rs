//! Images in and out: names, archives, other OCI tools, registries.

use std::process::Command;

use super::environment::Environment;

fn tool(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}; ./test installs it"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn digest(environment: &Environment, name: &str) -> String {
    let json: serde_json::Value = serde_json::from_str(&environment.fnpack(["inspect", "-o", "json", name]).success()).unwrap();
    json["digest"].as_str().unwrap().to_owned()
}

#[test]
fn names_come_and_go() {
    let Some(environment) = Environment::with_base() else { return };
    environment.call("image tag test/run images/one:a").success();
    assert_eq!(digest(&environment, "images/one:a"), digest(&environment, "test/run"));
    assert!(environment.call("image ls").success().lines().any(|line| line.starts_with("images/one:a ")));
    environment.call("image rm images/one:a").success();
    assert!(!environment.call("image ls").success().contains("images/one"));
    let error = environment.call("image rm images/one:a").failure(4);
    assert!(error.contains("images/one:a"), "{error}");
}

#[test]
fn archives_round_trip_with_their_digest() {
    let Some(environment) = Environment::with_base() else { return };
    let other = Environment::empty();
    for format in ["oci", "docker"] {
        let tar = environment.path().join(format!("{format}.tar"));
        environment.fnpack(["image", "save", "--format", format, "-o", tar.to_str().unwrap(), "test/run"]).success();
        other.fnpack(["image", "load", tar.to_str().unwrap()]).success();
        let listed = other.call("image ls").success();
        assert!(listed.contains("test/run:latest"), "{format}: {listed}");
        if format == "oci" {
            assert_eq!(digest(&other, "test/run"), digest(&environment, "test/run"));
        }
        other.call("store check --deep").success();
    }
}

#[test]
fn skopeo_and_umoci_accept_store_and_archives() {
    let Some(environment) = Environment::with_base() else { return };
    let folder = environment.path();
    let tar = folder.join("image.tar");
    environment.fnpack(["image", "save", "-o", tar.to_str().unwrap(), "test/run"]).success();
    let docker = folder.join("docker.tar");
    environment.fnpack(["image", "save", "--format", "docker", "-o", docker.to_str().unwrap(), "test/run"]).success();
    let policy = folder.join("policy.json");
    fs_err::write(&policy, r#"{"default":[{"type":"insecureAcceptAnything"}]}"#).unwrap();
    let copy = |from: &str, to: &str| {
        tool(
            Command::new("skopeo")
                .arg("--policy")
                .arg(&policy)
                .args(["copy", "--quiet"])
                .arg(from)
                .arg(format!("oci:{}:{to}", folder.join("copied").display())),
        );
    };
    copy(&format!("oci:{}:test/run:latest", environment.store().display()), "store");
    copy(&format!("oci-archive:{}", tar.display()), "archive");
    copy(&format!("docker-archive:{}", docker.display()), "docker");
    let inspected = tool(Command::new("skopeo").args(["inspect", &format!("oci:{}:store", folder.join("copied").display())]));
    assert!(inspected.contains(&digest(&environment, "test/run")), "{inspected}");
    let bundle = folder.join("bundle");
    tool(
        Command::new("umoci")
            .arg("unpack")
            .arg("--rootless")
            .arg("--image")
            .arg(format!("{}:store", folder.join("copied").display()))
            .arg(&bundle),
    );
    assert!(bundle.join("rootfs/usr/bin/env").exists());
    tool(Command::new("chmod").args(["-R", "u+rwX"]).arg(&bundle));
}

#[test]
fn registry_takes_and_gives() {
    let Some(environment) = Environment::with_base() else { return };
    let registry = testkit::registry::Registry::new();
    let name = format!("{}/team/run:1", registry.host());
    environment.fnpack(["image", "push", "test/run", &name]).success();
    let other = Environment::empty();
    other.fnpack(["image", "pull", &name]).success();
    assert_eq!(digest(&other, &name), digest(&environment, "test/run"));
    let error = other.fnpack(["image", "pull", &format!("{}/team/none:1", registry.host())]).failure(4);
    assert!(error.contains("team/none"), "{error}");
}
