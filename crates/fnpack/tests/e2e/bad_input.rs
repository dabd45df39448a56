//! Bad input gets a clear error: what, where, the causes, one next step; nothing is lost.

use super::environment::{Environment, bash_builder};

/// Each line: arguments, exit code, what must stand in the message.
const WITHOUT_STORE: [(&str, i32, &[&str]); 9] = [
    ("build my-function nowhere", 2, &["there is no folder `nowhere`", "hint:"]),
    ("build My-Function .", 2, &["lower case"]),
    ("build --bulder x my-function", 2, &["--bulder", "--builder"]),
    ("biuld my-function", 2, &["biuld", "build"]),
    ("--offline build my-function . -B no/such-builder", 4, &["no/such-builder:latest", "hint:"]),
    ("inspect no-such-image", 4, &["no-such-image:latest", "hint:"]),
    ("--offline rebase no-such-image --run-image x", 4, &["no-such-image:latest"]),
    ("builder create x -c nowhere.toml", 3, &["nowhere.toml"]),
    ("image import nowhere.tar x", 5, &["nowhere.tar"]),
];

#[test]
fn mistakes_on_the_command_line_are_named() {
    let environment = Environment::empty();
    for (arguments, code, expected) in WITHOUT_STORE {
        let outcome = environment.call(arguments);
        let text = format!("{}{}", outcome.stdout, outcome.stderr);
        assert_eq!(outcome.code, Some(code), "fnpack {arguments}\n{text}");
        for part in expected {
            assert!(text.contains(part), "`{part}` in the answer to fnpack {arguments}:\n{text}");
        }
    }
}

#[test]
fn file_that_is_no_function_is_said() {
    let environment = Environment::empty();
    environment.write("main.go", "package main");
    let error = environment.call("build my-function main.go").failure(1);
    assert!(error.contains("`main.go` is a text file not named `.py`"), "{error}");
}

#[test]
fn declining_buildpacks_are_listed_with_what_they_said() {
    let Some(environment) = Environment::with_base() else { return };
    bash_builder(&environment, "bad/declines", "echo 'looked for go.mod: not found'; exit 100", "exit 0");
    environment.write("function/file", "");
    let error = environment.call("build bad/function function -B bad/declines").failure(1);
    assert!(
        error.contains("no buildpack accepted") && error.contains("example/bash") && error.contains("looked for go.mod: not found"),
        "{error}"
    );
}

#[test]
fn detect_that_exits_1_where_100_was_meant_is_told_so() {
    let Some(environment) = Environment::with_base() else { return };
    environment.write("function/file", "");
    for code in [1, 2] {
        bash_builder(&environment, "bad/exits", &format!("exit {code}"), "exit 0");
        let error = environment.call("build bad/function function -B bad/exits").failure(1);
        assert!(error.contains(&format!("exit status {code}")) && error.contains("100"), "{error}");
    }
}

#[test]
fn failing_build_keeps_the_image_before_it() {
    let Some(environment) = Environment::with_base() else { return };
    environment.write("function/file", "");
    bash_builder(&environment, "bad/build", "exit 0", "exit 0");
    let digest = environment.call("build bad/kept function -B bad/build").success();
    bash_builder(&environment, "bad/build", "exit 0", "echo compiler: ./main.go:3: oops >&2; exit 3");
    let outcome = environment.call("build bad/kept function -B bad/build");
    assert!(outcome.stderr.contains("./main.go:3: oops"), "{}", outcome.stderr);
    let error = outcome.failure(1);
    assert!(error.contains("example/bash") && error.contains("exit status 3"), "{error}");
    let json: serde_json::Value = serde_json::from_str(&environment.call("inspect -o json bad/kept").success()).unwrap();
    assert!(digest.ends_with(json["digest"].as_str().unwrap()), "{digest}");
}

#[test]
fn invalid_layer_file_names_buildpack_and_line() {
    let Some(environment) = Environment::with_base() else { return };
    environment.write("function/file", "");
    bash_builder(&environment, "bad/layer", "exit 0", "mkdir $1/a; printf '[types]\\nlaunch = maybe\\n' > $1/a.toml");
    let error = environment.call("build bad/function function -B bad/layer").failure(1);
    assert!(error.contains("example/bash") && error.contains("a.toml") && error.contains("line 2"), "{error}");
}

#[test]
fn layer_that_is_a_symlink_is_refused() {
    let Some(environment) = Environment::with_base() else { return };
    environment.write("function/file", "");
    bash_builder(&environment, "bad/symlink", "exit 0", "ln -s /etc $1/a; printf '[types]\\nlaunch = true\\n' > $1/a.toml");
    let error = environment.call("build bad/function function -B bad/symlink").failure(1);
    assert!(error.contains("example/bash") && error.contains("symlink"), "{error}");
}

#[test]
fn scripts_with_windows_line_ends_are_told_so() {
    let Some(environment) = Environment::with_base() else { return };
    environment.write("bp/buildpack.toml", "api = \"0.10\"\n[buildpack]\nid = \"example/crlf\"\nversion = \"1.0.0\"\n");
    environment.script("bp/bin/detect", "#!/bin/bash\r\nexit 0\r\n");
    environment.script("bp/bin/build", "#!/bin/bash\r\nexit 0\r\n");
    environment.write(
        "builder.toml",
        "[[buildpacks]]\nid = \"example/crlf\"\nversion = \"1.0.0\"\nuri = \"bp\"\n[[order]]\n[[order.group]]\nid = \"example/crlf\"\n\
         [build]\nimage = \"test/build\"\n[[run.images]]\nimage = \"test/run\"\n",
    );
    let error = environment.call("builder create bad/crlf -c builder.toml").failure(3);
    assert!(error.contains("bin/") && (error.contains("CRLF") || error.contains("Windows")), "{error}");
}

#[test]
fn typing_errors_in_builder_toml_are_found_with_line_and_suggestion() {
    let environment = Environment::empty();
    let path = environment.write("builder.toml", "[[order]]\n[[order.grop]]\nid = \"x\"\n");
    let error = environment.call("builder create x -c builder.toml").failure(3);
    assert!(error.contains("builder.toml") && error.contains("grop") && error.contains("`group`") && error.contains('2'), "{error}");
    assert!(path.exists());
}

#[test]
fn corrupt_blob_is_found_by_check_and_named_on_use() {
    let Some(cache) = super::environment::cache() else { return };
    let environment = Environment::empty();
    let tar = cache.join("debian-trixie.tar");
    environment.fnpack(["image", "import", tar.to_str().unwrap(), "base"]).success();
    environment.call("store check --deep").success();
    let json: serde_json::Value = serde_json::from_str(&environment.call("inspect -o json base").success()).unwrap();
    let digest = json["layers"][0]["digest"].as_str().unwrap().to_owned();
    let blob = environment.store().join("blobs/sha256").join(digest.trim_start_matches("sha256:"));
    let mut bytes = fs_err::read(&blob).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let mut permissions = fs_err::metadata(&blob).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o644);
    fs_err::set_permissions(&blob, permissions).unwrap();
    fs_err::write(&blob, bytes).unwrap();
    let error = environment.call("store check --deep").failure(5);
    assert!(error.contains(&digest), "{error}");
    let error = environment.call("run --raw base --entrypoint true").failure(5);
    assert!(error.contains(digest.trim_start_matches("sha256:")), "{error}");
}

#[test]
fn store_of_a_newer_format_is_left_alone() {
    let environment = Environment::empty();
    environment.call("image ls").success();
    fs_err::create_dir_all(environment.store()).unwrap();
    fs_err::write(environment.store().join("version"), "999\n").unwrap();
    let error = environment.call("image ls").failure(5);
    assert!(error.contains("999") && error.contains("hint:"), "{error}");
}
