use super::*;
use crate::builder::EnvRule;
use crate::root::Root;

const NEW_STYLE: &str = r#"
description = "d"
[[buildpacks]]
id = "a/go"
version = "1"
uri = "../go"
[[order]]
[[order.group]]
id = "a/go"
optional = true
[build]
image = "stack/build"
[run]
[[run.images]]
image = "stack/run"
mirrors = ["example.com/stack/run"]
"#;

fn parse(text: &str) -> Result<BuilderToml> {
    BuilderToml::parse("builder.toml", text, Path::new("builders/go"))
}

fn error(text: &str) -> String {
    parse(text).unwrap_err().to_string()
}

#[test]
fn builder_toml_new_style_is_read() {
    let builder = parse(NEW_STYLE).unwrap();
    assert_eq!(builder.description, "d");
    assert_eq!(builder.buildpacks[0].module(), Some(ModuleId::new("a/go", "1")));
    assert_eq!(builder.buildpacks[0].path, Path::new("builders/go/../go"));
    assert_eq!(builder.order[0].group[0], OrderEntry { id: "a/go".into(), optional: true, ..OrderEntry::default() });
    assert_eq!(builder.build_image.familiar(), "stack/build:latest");
    assert_eq!(builder.run_images[0].mirrors[0].to_string(), "example.com/stack/run:latest");
    assert_eq!((builder.stack_id, builder.warnings), (None, vec![]));
}

#[test]
fn builder_toml_old_style_says_the_same() {
    let stack = r#"
[stack]
id = "s"
build-image = "stack/build"
run-image = "stack/run"
run-image-mirrors = ["example.com/stack/run"]
"#;
    let (head, _) = NEW_STYLE.split_once("[build]").unwrap();
    let old = parse(&format!("{head}{stack}")).unwrap();
    let both = parse(&format!("{NEW_STYLE}{stack}")).unwrap();
    assert_eq!(old, both);
    let new = parse(NEW_STYLE).unwrap();
    assert_eq!(BuilderToml { stack_id: None, ..old }, new);
}

#[test]
fn builder_toml_of_the_repository_is_read() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../builders/golang-builder/builder.toml");
    let builder = BuilderToml::read(&file).unwrap();
    assert_eq!(builder.warnings, []);
    let scratch = tempfile::tempdir().unwrap();
    // The folder is as it is in git, without the programs that are built into it.
    let modules = crate::builder::load(&builder.buildpacks, &builder.file, &Root::open(scratch.path()).unwrap()).unwrap();
    assert_eq!(modules[0].buildpack.warnings, []);
    assert_eq!(builder.order[0].group[0].module(), modules[0].buildpack.module());
}

#[test]
fn builder_toml_uri_is_a_path_on_this_machine() {
    for (uri, path) in [
        ("../../buildpacks/golang", "builders/go/../../buildpacks/golang"),
        ("a.cnb", "builders/go/a.cnb"),
        ("/abs/a.tgz", "/abs/a.tgz"),
        ("file:///abs/a%20b", "/abs/a b"),
        ("file:/abs/a", "/abs/a"),
        ("file://localhost/abs", "/abs"),
    ] {
        let builder = parse(&NEW_STYLE.replace("../go", uri)).unwrap();
        assert_eq!(builder.buildpacks[0].path, Path::new(path), "{uri}");
    }
    for uri in ["file://host/a", "file:relative", "file:///a%2", "file:///%zz", "file:///%ff"] {
        let message = error(&NEW_STYLE.replace("../go", uri));
        assert_eq!(
            message,
            format!("`builder.toml` line 6: `buildpacks.uri` is `{uri}`: a `file:` URI names an absolute path on this machine")
        );
    }
}

#[test]
fn builder_toml_mistakes_are_named_with_line_and_key() {
    let with = |part: &str| format!("{NEW_STYLE}{part}");
    let instead = |from: &str, to: &str| NEW_STYLE.replace(from, to);
    for (text, message) in [
        (instead("[[order.group]]", "[[order.grop]]"), " line 8: unknown key `order.grop`, did you mean `group`?"),
        (instead("[build]\nimage", "[build]\nimgae"), " line 12: unknown key `build.imgae`, did you mean `image`?"),
        (instead("[build]", "[biuld]"), " line 11: unknown key `biuld`, did you mean `build`?"),
        (with("[[order]]\ngrop = 1\n[[order.group]]\nid = \"x\"\n"), " line 18: unknown key `order.grop`, did you mean `group`?"),
        (instead("description", "descripton"), " line 2: unknown key `descripton`, did you mean `description`?"),
        (instead("optional = true", "optional = true\nplanet = 1"), " line 11: unknown key `order.group.planet`"),
        (instead("optional = true", "optional = \"yes\""), " line 10: `order.group.optional` must be `true` or `false`, not a string"),
        (instead("version = \"1\"", "version = 1"), " line 5: `buildpacks.version` must be a string, not an integer"),
        (instead("[[buildpacks]]", "[buildpacks]"), " line 3: `buildpacks` must be a list of tables, not a table"),
        (instead("[run]", "run = 1\n[ru]"), " line 13: unknown key `build.run`"),
        (instead("uri = \"../go\"", ""), " line 3: `buildpacks.uri` is missing"),
        (
            instead("uri = \"../go\"", "image = \"a/b\""),
            " line 6: `buildpacks.image` cannot be used yet: give the path of a folder, a tar, a tgz or a .cnb file as `uri`",
        ),
        (
            instead("../go", "docker://a/b"),
            " line 6: `buildpacks.uri` cannot be used yet: give the path of a folder, a tar, a tgz or a .cnb file as `uri`",
        ),
        (instead("image = \"stack/build\"", ""), ": `build.image` is missing"),
        (instead("[[run.images]]\nimage = \"stack/run\"\nmirrors = [\"example.com/stack/run\"]", ""), ": `run.images` is missing"),
        (instead("stack/build", "Stack/Build"), " line 12: `build.image` is `Stack/Build`: a repository name is lower case"),
        (with("[stack]\nbuild-image = \"stack/build\"\n"), " line 17: `stack.id` is missing"),
        (
            with("[stack]\nid = \"s\"\nbuild-image = \"other\"\n"),
            " line 19: `stack.build-image` is `other`, but `build.image` is `stack/build`",
        ),
        (
            with("[stack]\nid = \"s\"\nrun-image = \"other\"\n"),
            " line 19: `stack.run-image` is `other:latest`, but `run.images.image` is `stack/run:latest`",
        ),
        (with("[lifecycle]\nversion = \"1\"\nuri = \"x\"\n"), " line 19: `lifecycle.uri` and `lifecycle.version` exclude each other"),
        (
            with("[[extensions]]\nid = \"x\"\n"),
            " line 17: `extensions` cannot be used yet: do in the build image's Dockerfile what the extension does",
        ),
        (with("[[build.env]]\nname = \"A\"\nsuffix = \"append\"\n"), " line 17: `build.env.delim` is missing"),
        (
            with("[[build.env]]\nname = \"A\"\nsuffix = \"prefix\"\n"),
            " line 19: `build.env.suffix` is `prefix`: it is one of none, default, override, append, prepend",
        ),
        (
            with("[[build.env]]\nname = \"A/B\"\n"),
            " line 18: `build.env.name` is `A/B`: it is also a file's name, so it cannot have `=`, `/` or `.` in it",
        ),
        (
            with("[[build.env]]\nname = \"A\"\n[[build.env]]\nname = \"A\"\n"),
            " line 20: `build.env.name` is `A`: there is an earlier `build.env` of this name and suffix",
        ),
        ("a = ".to_owned(), " line 1: not valid TOML: string values must be quoted, expected literal string"),
        ("\n\na = \"\n".to_owned(), " line 3: not valid TOML: invalid basic string, expected `\"`"),
    ] {
        assert_eq!(error(&text), format!("`builder.toml`{message}"), "{text}");
    }
}

#[test]
fn builder_toml_env_becomes_files() {
    let env = r#"
[[build.env]]
name = "A"
value = "1"
[[build.env]]
name = "B"
value = "2"
suffix = "append"
delim = ":"
[[build.env]]
name = "B"
value = "3"
suffix = "override"
"#;
    let builder = parse(&format!("{NEW_STYLE}{env}")).unwrap();
    assert_eq!(builder.build_env[1].rule, EnvRule::Append(":".into()));
    let files: Vec<(String, &str)> = builder.build_env.iter().flat_map(BuildEnv::files).collect();
    let names: Vec<(&str, &str)> = files.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    assert_eq!(names, [("A", "1"), ("B.append", "2"), ("B.delim", ":"), ("B.override", "3")]);
}

#[test]
fn builder_toml_warns_of_what_has_no_effect() {
    let (head, tail) = (NEW_STYLE.split_once("[[order]]").unwrap().0, NEW_STYLE.split_once("[build]").unwrap().1);
    let builder = parse(&format!("{head}[lifecycle]\nversion = \"0.20.0\"\n[build]{tail}")).unwrap();
    let texts: Vec<String> = builder.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        texts,
        ["the builder has no `[[order]]`: builds must name their buildpacks", "lifecycle 0.20.0 is not taken: fnpack puts its own in"]
    );
}

#[test]
fn builder_toml_is_read_from_where_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("builder.toml");
    let error = BuilderToml::read(&file).unwrap_err();
    assert_eq!(error.to_string(), format!("cannot read `{}`", file.display()));
    fs_err::write(&file, " ".repeat(2_000_000)).unwrap();
    let BuilderTomlError::Read { source, .. } = BuilderToml::read(&file).unwrap_err() else { panic!() };
    assert_eq!(source.to_string(), "it is longer than 1048576 bytes");
    fs_err::remove_file(&file).unwrap();
    fs_err::write(folder.path().join("elsewhere"), NEW_STYLE).unwrap();
    std::os::unix::fs::symlink(folder.path().join("elsewhere"), &file).unwrap();
    assert_eq!(BuilderToml::read(&file).unwrap().buildpacks[0].path, folder.path().join("../go"));
}
