//! `--help` and docs/cli.md say the same.

use super::environment::{Environment, repository};

/// Every command that has a help text, in the order of the document.
const COMMANDS: [&str; 35] = [
    "",
    "new",
    "build",
    "package",
    "run",
    "rebase",
    "inspect",
    "image",
    "image build",
    "image ls",
    "image inspect",
    "image rm",
    "image tag",
    "image save",
    "image load",
    "image import",
    "image copy",
    "image push",
    "image pull",
    "index",
    "index create",
    "index inspect",
    "index push",
    "builder",
    "builder create",
    "builder inspect",
    "builder ls",
    "store",
    "store check",
    "store gc",
    "login",
    "logout",
    "access",
    "doctor",
    "completion",
];

fn document(environment: &Environment) -> String {
    let mut text = "# The command line\n\nMade from `--help`; `UPDATE_DOCS=1 cargo test -p fnpack help` writes it anew.\n\n\
        Exit codes: 0 done · 1 your code (build) · 2 usage · 3 your configuration · 4 registry · 5 sandbox or machine · 6 partly done · 7 refused by a verdict ·\n\
        70 a fault of fnpack · 130 stopped by Ctrl-C. `run --raw` passes on the process's own.\n"
        .to_owned();
    for command in COMMANDS {
        let help = environment.call(&format!("{command} --help")).success();
        let title = format!("fnpack {command}");
        text = format!("{text}\n## {}\n\n```\n{help}\n```\n", title.trim_end());
    }
    text
}

#[test]
fn document_is_what_help_says() {
    let environment = Environment::empty();
    let path = repository().join("docs/cli.md");
    let document = document(&environment);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs_err::write(&path, &document).unwrap();
    }
    assert_eq!(fs_err::read_to_string(path).unwrap(), document, "UPDATE_DOCS=1 cargo test -p fnpack help");
}

#[test]
fn every_command_is_in_the_document() {
    let environment = Environment::empty();
    for parent in ["", "image", "builder", "store"] {
        let help = environment.call(&format!("{parent} --help")).success();
        let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
        let names =
            commands.filter(|line| line.starts_with("  ") && !line.starts_with("   ")).filter_map(|line| line.split_whitespace().next());
        for name in names.filter(|name| *name != "version") {
            let full = format!("{parent} {name}").trim_start().to_owned();
            assert!(COMMANDS.contains(&full.as_str()), "{full}");
        }
    }
}

#[test]
fn version_and_completion_print_to_stdout() {
    let environment = Environment::empty();
    assert_eq!(environment.call("version").success(), format!("fnpack {}", env!("CARGO_PKG_VERSION")));
    for shell in ["bash", "zsh", "fish"] {
        assert!(environment.call(&format!("completion {shell}")).success().contains("rebase"), "{shell}");
    }
    environment.call("manual man").success();
    assert!(environment.path().join("man/fnpack-build.1").exists());
}
