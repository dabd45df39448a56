use super::*;

fn parse(text: &str) -> Result<ProjectToml> {
    ProjectToml::parse("project.toml", text, Path::new("/source"))
}

const SECOND: &str = r#"
[_]
schema-version = "0.2"
id = "example.orders"
name = "Orders"
version = "1.0"
authors = ["A"]
[[_.licenses]]
type = "Apache-2.0"
[_.metadata]
anything = 1

[com.example]
other = "tool"

[io.buildpacks]
builder = "fnpack/golang-builder"
exclude = ["*.md", "/docs/"]

[[io.buildpacks.group]]
id = "example/a"
version = "1"

[[io.buildpacks.group]]
uri = "buildpack"
id = "example/b"

[[io.buildpacks.group]]
uri = "from=builder"

[[io.buildpacks.group]]
id = "example/inline"
[io.buildpacks.group.script]
api = "0.10"
inline = "echo done"

[[io.buildpacks.pre.group]]
id = "example/before"
[[io.buildpacks.post.group]]
uri = "./after"

[[io.buildpacks.build.env]]
name = "BP_A"
value = "1"
[[io.buildpacks.env.build]]
name = "BP_OLD"
value = "2"
"#;

fn in_builder(id: &str, version: &str) -> BuildpackSource {
    BuildpackPlace::Builder(ModuleId::new(id, version)).into()
}

#[test]
fn second_schema_is_read() {
    let project = parse(SECOND).unwrap();
    assert_eq!(project.warnings, Vec::<String>::new());
    assert_eq!(project.builder.unwrap().familiar(), "fnpack/golang-builder:latest");
    assert_eq!(project.env, [("BP_A".into(), "1".into()), ("BP_OLD".into(), "2".into())]);
    assert!(!project.selection.takes(Path::new("sub/a.md"), false) && project.selection.takes(Path::new("main.go"), false));
    let BuildpackChoice { only, before, after } = project.buildpacks;
    let inline = InlineBuildpack {
        module: ModuleId::new("example/inline", "0.0.0"),
        api: "0.10".into(),
        shell: "/bin/sh".into(),
        script: "echo done".into(),
    };
    // Nothing lies at `/source/buildpack`, so the name may still be the builder's.
    let second = BuildpackSource { place: BuildpackPlace::Name("buildpack".into()), id: Some("example/b".into()), version: None };
    assert_eq!(only, [in_builder("example/a", "1"), second, BuildpackPlace::BuilderOrder.into(), BuildpackPlace::Inline(inline).into()]);
    assert_eq!(before, [in_builder("example/before", "")]);
    assert_eq!(after, [BuildpackPlace::Path("/source/./after".into()).into()]);
}

#[test]
fn first_schema_is_read() {
    let text = r#"
[project]
id = "example"
[build]
builder = "b"
include = ["*.go"]
[[build.buildpacks]]
id = "example/a"
[[build.env]]
name = "A"
value = "1"
[metadata]
x = 1
"#;
    for text in [text.to_owned(), format!("[_]\nschema-version = \"0.1\"\n{text}")] {
        let project = parse(&text).unwrap();
        assert_eq!(project.buildpacks.only, [in_builder("example/a", "")]);
        assert_eq!(project.env, [("A".into(), "1".into())]);
        assert!(project.selection.takes(Path::new("sub/a.go"), false) && !project.selection.takes(Path::new("a.md"), false));
    }
}

#[test]
fn schema_that_is_not_said_is_guessed_with_a_warning() {
    for (text, version) in [("[io.buildpacks]\nbuilder = 'b'\n", "0.2"), ("[build]\nbuilder = 'b'\n", "0.1")] {
        let project = parse(text).unwrap();
        assert!(project.builder.is_some(), "{text}");
        let warning = format!("`project.toml` does not say its schema: taken for {version}; add `[_]` with `schema-version`");
        assert_eq!(project.warnings, [warning]);
    }
}

#[test]
fn unknown_keys_are_warnings_with_line_and_suggestion() {
    let project = parse("[_]\nschema-version = \"0.2\"\n[io.buildpacks]\nbuidler = 'b'\n[[io.buildpacks.group]]\nid = 'a'\noptional = 1\n");
    assert_eq!(
        project.unwrap().warnings,
        [
            "`project.toml` line 7: unknown key `io.buildpacks.group.optional`",
            "`project.toml` line 4: unknown key `io.buildpacks.buidler`, did you mean `builder`?",
        ]
    );
}

#[test]
fn faults_name_place_and_reason() {
    let second = |rest: &str| format!("[_]\nschema-version = \"0.2\"\n[io.buildpacks]\n{rest}");
    for (text, message) in [
        (
            "[_]\nschema-version = \"0.3\"\n".to_owned(),
            "`project.toml` line 2: `_.schema-version` is `0.3`: fnpack knows the schema versions `0.1` and `0.2`",
        ),
        (second("builder = 'A B'"), "`project.toml` line 4: `io.buildpacks.builder` is `A B`: it is not the name of an image"),
        (second("include = ['a']\nexclude = ['b']"), "`project.toml` line 5: `io.buildpacks.exclude` and `include` exclude each other"),
        (second("exclude = ['[']"), "cannot use `exclude` of `project.toml`"),
        (second("[[io.buildpacks.group]]\nversion = '1'"), "`project.toml` line 4: `io.buildpacks.group.id` is missing"),
        (second("[[io.buildpacks.group]]\nuri = 'https://x/y'"), "cannot use a `uri` of `project.toml`"),
        (
            second("[[io.buildpacks.group]]\nid = 'a'\nuri = 'b'\nscript = { api = '0.10', inline = 'x' }"),
            "`project.toml` line 7: `io.buildpacks.group.script` and `uri` exclude each other",
        ),
        (
            second("[[io.buildpacks.group]]\nid = 'a'\nscript = { inline = 'x' }"),
            "`project.toml` line 6: `io.buildpacks.group.script.api` is missing",
        ),
        (
            second("[[io.buildpacks.build.env]]\nname = 'a/b'\n"),
            "`project.toml` line 5: `io.buildpacks.build.env.name` is `a/b`: it is not a name for a variable",
        ),
        ("a = [".to_owned(), "`project.toml` line 1: not valid TOML: "),
    ] {
        let error = parse(&text).unwrap_err().to_string();
        assert!(error.starts_with(message), "{error}\nfor\n{text}");
    }
}
