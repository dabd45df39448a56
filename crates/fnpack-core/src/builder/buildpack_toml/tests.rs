use super::*;
use crate::builder::{Distro, Fault};

fn parse(text: &str) -> Result<BuildpackToml, DocumentError> {
    BuildpackToml::parse("buildpack.toml", text)
}

#[test]
fn buildpack_toml_every_part_is_read() {
    let buildpack = parse(
        r#"
api = "0.10"
[buildpack]
id = "some_id/with_underscores"
version = "any version"
name = "n"
homepage = "h"
description = "d"
keywords = ["k"]
clear-env = true
sbom-formats = ["application/spdx+json"]
exec-env = ["test"]
[[buildpack.licenses]]
type = "MIT"
[[stacks]]
id = "*"
mixins = ["build:git"]
[[targets]]
os = "linux"
[[targets.distros]]
name = "debian"
version = "13"
[metadata]
free = { as = "air" }
"#,
    )
    .unwrap();
    assert_eq!(buildpack.module().to_string(), "some_id/with_underscores@any version");
    assert!(buildpack.clear_env && !buildpack.is_composite());
    assert_eq!(buildpack.licenses[0].kind.as_deref(), Some("MIT"));
    assert_eq!(buildpack.stacks[0].mixins, ["build:git"]);
    assert_eq!(buildpack.targets[0].distros, [Distro { name: "debian".into(), version: "13".into() }]);
    assert_eq!(buildpack.exec_env, ["test"]);
    assert_eq!(buildpack.warnings, []);
}

#[test]
fn buildpack_toml_unknown_keys_are_only_noted() {
    let text = "api = \"0.10\"\nnew = 1\n[buildpack]\nid = \"a\"\nversion = \"1\"\nhompage = \"x\"\n[[targets]]\nos = \"linux\"\nlibc = \"musl\"\n";
    let warnings: Vec<String> = parse(text).unwrap().warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        [
            "`buildpack.toml` line 6: unknown key `buildpack.hompage`, did you mean `homepage`?",
            "`buildpack.toml` line 9: unknown key `targets.libc`",
            "`buildpack.toml` line 2: unknown key `new`",
        ]
    );
}

#[test]
fn buildpack_toml_mistakes_are_named_with_line_and_key() {
    let head = "api = \"0.10\"\n[buildpack]\nid = \"a\"\nversion = \"1\"\n";
    for (text, message) in [
        (String::new(), ": `api` is missing"),
        ("api = 0.10".to_owned(), " line 1: `api` must be a string, not a number"),
        ("api = \"ten\"".to_owned(), " line 1: `api` is `ten`: an API version is two numbers with a dot, such as `0.10`"),
        ("api = \"0.10\"".to_owned(), ": `buildpack` is missing"),
        ("api = \"0.10\"\n[buildpack]\nid = \"\"".to_owned(), " line 3: `buildpack.id` is missing"),
        ("api = \"0.10\"\n[buildpack]\nid = \"a\"".to_owned(), " line 2: `buildpack.version` is missing"),
        (format!("{head}keywords = \"a\""), " line 5: `buildpack.keywords` must be a list of strings, not a string"),
        (format!("{head}[[stacks]]\nmixins = []"), " line 5: `stacks.id` is missing"),
        (format!("{head}[[order]]\n[[order.group]]\nversion = \"1\""), " line 6: `order.group.id` is missing"),
        (
            format!("{head}[[order]]\n[[order.group]]\nid = \"b\"\n[[targets]]\nos = \"linux\""),
            " line 8: `targets` and `order` exclude each other",
        ),
        (format!("{head}id = \"b\""), " line 5: not valid TOML: duplicate key"),
    ] {
        assert_eq!(parse(&text).unwrap_err().to_string(), format!("`buildpack.toml`{message}"), "{text}");
    }
}

#[test]
fn buildpack_toml_of_hostile_depth_is_an_error() {
    let text = format!("api = {}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(matches!(*parse(&text).unwrap_err().fault, Fault::Syntax { .. }));
}
