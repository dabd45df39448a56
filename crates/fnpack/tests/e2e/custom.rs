//! Buildpacks of the user's own: beside a builder's, in place of them, from a project.toml.

use super::environment::{Environment, bash_builder, cache, repository};
use super::golang::{build, path, tree};

/// A builder whose one buildpack writes `first` into a file `order` of the application folder.
fn with_builder(name: &str) -> Option<Environment> {
    let environment = Environment::with_base()?;
    bash_builder(&environment, name, "exit 0", "echo first >> order");
    environment.write("function/source", "1");
    Some(environment)
}

/// A buildpack in bash, in a folder of the test.
fn buildpack(environment: &Environment, folder: &str, id: &str, build: &str) {
    environment.write(&format!("{folder}/buildpack.toml"), &buildpack_toml(id));
    environment.script(&format!("{folder}/bin/detect"), "#!/usr/bin/env bash\n");
    environment.script(&format!("{folder}/bin/build"), &format!("#!/usr/bin/env bash\nset -e\n{build}\n"));
}

fn buildpack_toml(id: &str) -> String {
    format!("api = \"0.10\"\n[buildpack]\nid = \"{id}\"\nversion = \"1.0.0\"\n[[targets]]\nos = \"linux\"\n")
}

/// The contents of a file of the image's application folder.
#[track_caller]
fn read(environment: &Environment, image: &str, file: &str) -> String {
    environment.call(&format!("run --raw {image} --entrypoint cat -- /pulsar/function/{file}")).success()
}

#[test]
fn own_buildpacks_run_where_they_are_put() {
    let Some(environment) = with_builder("custom/builder") else { return };
    buildpack(&environment, "second", "example/second", "echo second >> order");
    buildpack(&environment, "third", "example/third", "echo third >> order");
    let tar = std::process::Command::new("tar").args(["-czf", "third.tgz", "-C", "third", "."]).current_dir(environment.path()).status();
    assert!(tar.unwrap().success());
    for (arguments, order) in [
        ("-b second -b third", "second third"),
        ("-b from=builder -b second,third.tgz", "first second third"),
        ("-b third.tgz,from=builder,./second", "third first second"),
        ("-b third -b example/bash@1.0.0", "third first"),
        ("--pre-buildpack second --post-buildpack third", "second first third"),
        ("", "first"),
    ] {
        environment.call(&format!("build custom/order function -B custom/builder {arguments}")).success();
        assert_eq!(read(&environment, "custom/order", "order").replace('\n', " "), order, "{arguments}");
    }
    // What was added for one build is in no builder.
    assert!(!environment.call("builder inspect custom/builder").success().contains("example/second"));
}

#[test]
fn project_toml_says_what_the_command_line_need_not() {
    let Some(environment) = with_builder("custom/project") else { return };
    buildpack(&environment, "function/buildpacks/own", "example/own", "echo \"own $BP_OWN $BP_OTHER\" >> order");
    environment.write("function/notes/todo.md", "");
    environment.write(
        "function/project.toml",
        r#"
[_]
schema-version = "0.2"
[io.buildpacks]
builder = "custom/project"
exclude = ["/buildpacks/", "project.toml", "*.md", "notes"]
[[io.buildpacks.group]]
id = "example/bash"
[[io.buildpacks.group]]
uri = "buildpacks/own"
[[io.buildpacks.group]]
id = "example/inline"
[io.buildpacks.group.script]
api = "0.10"
shell = "/bin/bash"
inline = """
echo inline >> order
"""
[[io.buildpacks.build.env]]
name = "BP_OWN"
value = "project"
[[io.buildpacks.build.env]]
name = "BP_OTHER"
value = "project"
"#,
    );
    environment.call("build custom/project-made function -e BP_OTHER=line").success();
    assert_eq!(read(&environment, "custom/project-made", "order"), "first\nown project line\ninline");
    let names = environment.call("run --raw custom/project-made --entrypoint find -- /pulsar/function -mindepth 1 -printf %P:%U:%m,");
    let mut names: Vec<_> = names.success().trim_end_matches(',').split(',').map(str::to_owned).collect();
    names.sort();
    assert_eq!(names, ["order:10000:644", "source:10000:644"]);

    environment.write("other.toml", "[_]\nschema-version = \"0.2\"\n[io.buildpacks]\nbuidler = \"x\"\n");
    let outcome = environment.call("build custom/other function -d other.toml -B custom/project");
    assert!(outcome.stderr.contains("did you mean `builder`?"), "{}", outcome.stderr);
    outcome.success();
    assert_eq!(read(&environment, "custom/other", "order"), "first");
}

#[test]
fn own_buildpack_of_a_builders_name_stands_in_for_it() {
    let Some(environment) = with_builder("custom/replaced") else { return };
    environment.write("bp/of-the-builder", "");
    environment.call("builder create custom/replaced -c builder.toml").success();
    buildpack(&environment, "own", "example/bash", "ls $CNB_BUILDPACK_DIR > seen");
    let outcome = environment.call("build custom/instead function -B custom/replaced --post-buildpack own");
    assert!(outcome.stderr.contains("buildpack `example/bash@1.0.0` of `custom/replaced:latest` gives way"), "{}", outcome.stderr);
    outcome.success();
    assert_eq!(read(&environment, "custom/instead", "seen"), "bin\nbuildpack.toml");
}

#[test]
fn caches_of_buildpacks_of_one_name_from_two_places_stay_apart() {
    let Some(environment) = with_builder("custom/caches") else { return };
    // Caches are kept between runs of the tests.
    let run = std::process::id();
    let keeps = |mark: &str| {
        format!(
            "# {run}\nlayer=$CNB_LAYERS_DIR/kept\ncat $layer/mark > before 2>/dev/null || echo none > before\n\
             mkdir -p $layer && echo {mark} > $layer/mark && printf '[types]\\ncache = true\\n' > $layer.toml"
        )
    };
    buildpack(&environment, "one", "example/keeps", &keeps("one"));
    buildpack(&environment, "two", "example/keeps", &keeps("two"));
    for (image, own, before) in [
        ("custom/cache-a", "one", "none"),
        ("custom/cache-a", "one", "one"),
        // A first build starts from the newest cache of the same buildpacks …
        ("custom/cache-b", "one", "one"),
        // … and of no others.
        ("custom/cache-c", "two", "none"),
    ] {
        let image = format!("{image}-{run}");
        environment.call(&format!("build {image} function -B custom/caches -b from=builder -b {own}")).success();
        assert_eq!(read(&environment, &image, "before"), before, "{image} {own}");
    }
}

#[test]
fn buildpack_package_is_taken_from_an_image() {
    let Some(environment) = with_builder("custom/packages") else { return };
    buildpack(&environment, "package/cnb/buildpacks/example_packed/1.0.0", "example/packed", "echo packed >> order");
    environment.write("package/Dockerfile", "FROM scratch\nCOPY cnb /cnb\n");
    environment.call("image build -t custom/unlabelled package").success();
    let inspected: serde_json::Value = serde_json::from_str(&environment.call("inspect -o json custom/unlabelled").success()).unwrap();
    let layer = inspected["layers"][0]["diff_id"].as_str().unwrap();
    let own = r#"io.buildpacks.buildpackage.metadata={"id":"example/packed","version":"1.0.0"}"#;
    let layers = format!(r#"io.buildpacks.buildpack.layers={{"example/packed":{{"1.0.0":{{"api":"0.10","layerDiffID":"{layer}"}}}}}}"#);
    environment.fnpack(["image", "build", "-t", "custom/packed", "--label", own, "--label", &layers, "package"]).success();

    for name in ["custom/packed", "docker://custom/packed:latest"] {
        environment.call(&format!("build custom/of-package function -B custom/packages -b from=builder -b {name}")).success();
        assert_eq!(read(&environment, "custom/of-package", "order"), "first\npacked", "{name}");
    }
    let error = environment.call("build custom/of-package function -B custom/packages -b custom/unlabelled").failure(3);
    assert!(error.contains("`custom/unlabelled:latest` is not a buildpack package"), "{error}");
}

#[test]
fn buildpacks_that_cannot_be_used_are_told_with_the_fix() {
    let Some(environment) = with_builder("custom/errors") else { return };
    buildpack(&environment, "good", "example/good", "");
    buildpack(&environment, "twin", "example/good", "echo other");
    for (folder, from, to) in [
        ("old", "0.10", "0.2"),
        ("foreign", "os = \"linux\"", "os = \"linux\"\narch = \"s390x\""),
        ("reserved", "example/reserved", "config"),
    ] {
        buildpack(&environment, folder, &format!("example/{folder}"), "");
        environment.write(&format!("{folder}/buildpack.toml"), &buildpack_toml(&format!("example/{folder}")).replace(from, to));
    }
    buildpack(&environment, "no-script", "example/no-script", "");
    environment.write("no-script/bin/build", "echo no interpreter\n");
    buildpack(&environment, "no-detect", "example/no-detect", "");
    fs_err::remove_file(environment.path().join("no-detect/bin/detect")).unwrap();
    environment.write("empty/file", "");
    for (names, code, expected) in [
        (
            "example/unknown",
            3,
            &["neither a file or folder", "`custom/errors:latest` has example/bash@1.0.0", "hint: write `./example/unknown`"][..],
        ),
        (
            "example/bash@2",
            3,
            &["buildpack `example/bash@2` is not in `custom/errors:latest`", "has example/bash@1.0.0", "hint: write one of these"],
        ),
        ("urn:cnb:builder:example/x", 3, &["buildpack `example/x` is not in `custom/errors:latest`"]),
        ("./nowhere", 3, &["there is no buildpack at `./nowhere`", "hint: correct the path"]),
        ("empty", 3, &["cannot read `buildpack.toml` of the buildpack in `empty`", "hint: name the folder that has the buildpack.toml"]),
        ("old", 3, &["written for Buildpack API 0.2", "hint: take a version of the buildpack"]),
        ("foreign", 3, &["does not support linux/", "only `linux/s390x`", "hint: "]),
        ("reserved", 3, &["buildpack `config@1.0.0` cannot have this id", "hint: correct them in the buildpack.toml"]),
        ("no-script", 3, &["neither a Linux binary nor a script", "hint: begin the script with"]),
        ("no-detect", 3, &["has no `bin/detect`", "hint: a buildpack has both"]),
        ("from=builder,good,from=builder", 3, &["asked for twice", "hint: write `from=builder` once"]),
        ("good,twin", 3, &["from two places that differ, `good` and `twin`", "hint: remove one"]),
        ("https://example.com/x.tgz", 3, &["would have to be downloaded", "hint: download it"]),
        ("urn:cnb:registry:a/b", 3, &["public buildpack registry", "hint: name its image"]),
    ] {
        let error = environment.call(&format!("build custom/none function -B custom/errors -b {names}")).failure(code);
        for part in expected {
            assert!(error.contains(part), "{part}\nin\n{error}");
        }
    }
    let error = environment.call("build custom/none function -B custom/errors -b good --pre-buildpack good").failure(2);
    assert!(error.contains("cannot be used with"), "{error}");
    // The same folder twice is one buildpack.
    environment.call("build custom/twice function -B custom/errors -b good,./good").success();
}

#[test]
fn layer_that_needs_the_launcher_is_warned_of() {
    let Some(environment) = with_builder("custom/findings") else { return };
    let layer = |name: &str, file: &str| {
        format!(
            "mkdir -p $(dirname $CNB_LAYERS_DIR/{name}/{file}) && echo x > $CNB_LAYERS_DIR/{name}/{file} && \
             printf '[types]\\nlaunch = true\\n' > $CNB_LAYERS_DIR/{name}.toml\n"
        )
    };
    buildpack(
        &environment,
        "loud",
        "example/loud",
        &format!("{}{}", layer("settings", "env.launch/LEVEL.default"), layer("data", "model")),
    );
    let outcome = environment.call("build custom/finding function -B custom/findings -b from=builder -b loud");
    let expected = "warning: layer-env: layer `settings` of buildpack `example/loud` sets variables that the function will not have: \
                    `env.launch/LEVEL.default`\n  set them where the function is deployed";
    assert!(outcome.stderr.contains(expected), "{}", outcome.stderr);
    assert_eq!(outcome.stderr.matches("warning:").count(), 1, "{}", outcome.stderr);
    outcome.success();
}

#[test]
fn example_has_the_file_beside_the_program() {
    let Some(environment) = tree() else { return };
    assert!(cache().is_some());
    let source = repository().join("examples/custom/function");
    let by_project = build(&environment, "custom/example", &source, &[]).success();
    assert_eq!(read(&environment, "custom/example", "greeting.txt"), "Good morning");
    let names = environment.call("run --raw custom/example --entrypoint ls -- /pulsar/function").success();
    assert_eq!(names, "function\ngreeting.txt");

    let own = repository().join("examples/custom/buildpack");
    let line = ["-B", "fnpack/golang-builder", "-b", "from=builder", "-b", path(&own), "-e", "BP_GREETING=Good morning"];
    let by_line = build(&environment, "custom/example", &source, &line).success();
    assert_eq!(by_line, by_project, "the command line and the project.toml say the same");

    let layers = |environment: &Environment| -> Vec<String> {
        let json = environment.call("inspect -o json custom/example").success();
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        value["layers"].as_array().unwrap().iter().map(|layer| layer["diff_id"].as_str().unwrap().to_owned()).collect()
    };
    let before = layers(&environment);
    build(&environment, "custom/example", &source, &["-e", "BP_GREETING=Good evening"]).success();
    let after = layers(&environment);
    assert_eq!(before.iter().zip(&after).filter(|(left, right)| left != right).count(), 1, "{before:?}\n{after:?}");
    assert_eq!(read(&environment, "custom/example", "greeting.txt"), "Good evening");
}

#[test]
fn builder_for_all_languages_takes_the_runner_of_the_source() {
    let Some(cache) = cache() else { return };
    let environment = Environment::empty();
    environment.fnpack(["image", "import", path(&cache.join("debian-trixie.tar")), "test/run"]).success();
    environment.write(
        "build/Dockerfile",
        "FROM test/run\nRUN echo 'cnb:x:10000:10001::/:/bin/sh' >> /etc/passwd\nENV CNB_USER_ID=10000 CNB_GROUP_ID=10001\nUSER 10000:10001\n",
    );
    environment.call("image build -t test/build build").success();
    for runner in ["go", "python"] {
        environment.write("runner/Dockerfile", &format!("FROM test/run\nLABEL of={runner}\nUSER 10000:10001\n"));
        environment.call(&format!("image build -t stack/{runner}-runner runner")).success();
    }
    bash_builder(&environment, "test/any", "exit 0", "exit 0");
    let config = fs_err::read_to_string(environment.path().join("builder.toml")).unwrap();
    let several = ["go", "java", "python"].map(|name| format!("[[run.images]]\nimage = \"stack/{name}-runner\"\n")).concat();
    environment.write("builder.toml", &config.replace("[[run.images]]\nimage = \"test/run\"\n", &several));
    environment.call("builder create fnpack/function-builder -c builder.toml").success();

    environment.write("function/function.py", "");
    let runner_of = |image: &str| {
        let json = environment.call(&format!("inspect -o json {image}")).success();
        serde_json::from_str::<serde_json::Value>(&json).unwrap().to_string()
    };
    environment.call("build python-function function -B fnpack/function-builder").success();
    assert!(runner_of("python-function").contains("stack/python-runner"));
    environment.call("build python-function function -B fnpack/function-builder --run-image stack/go-runner").success();
    assert!(runner_of("python-function").contains("stack/go-runner"));

    environment.write("function/go.mod", "");
    environment.write("function/requirements.txt", "");
    let outcome = environment.call("build any-function function -B fnpack/function-builder");
    let warning = "has the files of several languages (Go: go.mod; Python: requirements.txt): the first group of fnpack/function-builder";
    assert!(outcome.stderr.contains(warning), "{}", outcome.stderr);
    outcome.success();
    assert!(runner_of("any-function").contains("stack/go-runner"));

    let error = environment.call("build any-function function").failure(2);
    assert!(error.contains("has the files of several languages\n  Go: go.mod\n  Python: requirements.txt\nhint: "), "{error}");
}
