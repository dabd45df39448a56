//! Which phase a call is for: by the program's name, or by the first argument of `lifecycle`.

use std::path::Path;

use crate::failure::Failure;

/// A phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Analyze,
    Build,
    Create,
    Detect,
    Export,
    Rebase,
    Restore,
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    /// The version of the whole lifecycle.
    Version,
    /// A phase; so many of the arguments served to tell which.
    Phase(Phase, usize),
}

/// Phase, the program's name, the name as argument of `lifecycle`.
const NAMES: [(Phase, &str, &str); 7] = [
    (Phase::Analyze, "analyzer", "analyze"),
    (Phase::Build, "builder", "build"),
    (Phase::Create, "creator", "create"),
    (Phase::Detect, "detector", "detect"),
    (Phase::Export, "exporter", "export"),
    (Phase::Rebase, "rebaser", "rebase"),
    (Phase::Restore, "restorer", "restore"),
];

impl Call {
    /// What `program` called with `arguments` is to do.
    pub(crate) fn of(program: &str, arguments: &[String]) -> Result<Self, Failure> {
        let name = Path::new(program).file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if let Some((phase, ..)) = NAMES.iter().find(|(_, program, _)| *program == name) {
            return Ok(Self::Phase(*phase, 0));
        }
        if name == "extender" {
            return Err(no_extensions());
        }
        match arguments.first().map(String::as_str) {
            Some("-version" | "--version") => Ok(Self::Version),
            Some("extend") => Err(no_extensions()),
            Some(asked) => match NAMES.iter().find(|(_, _, subcommand)| *subcommand == asked) {
                Some((phase, ..)) => Ok(Self::Phase(*phase, 1)),
                None => Err(Failure::arguments(format!("unknown phase `{asked}`, there are {}", all()))),
            },
            None => Err(Failure::arguments(format!("a phase is missing, there are {}", all()))),
        }
    }
}

impl Phase {
    /// The name of its program.
    pub(crate) fn program(self) -> &'static str {
        NAMES.iter().find(|(phase, ..)| *phase == self).map_or("lifecycle", |(_, program, _)| program)
    }

    /// What it does, in one word.
    pub(crate) fn verb(self) -> &'static str {
        NAMES.iter().find(|(phase, ..)| *phase == self).map_or("run", |(_, _, verb)| verb)
    }
}

fn all() -> String {
    NAMES.map(|(_, _, name)| format!("`{name}`")).join(", ")
}

fn no_extensions() -> Failure {
    Failure::unsupported("this lifecycle has no phase `extender`, as it does not support image extensions")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phase_is_told_by_program_or_argument() {
        let call = |program: &str, arguments: &[&str]| {
            let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
            Call::of(program, &arguments).map_err(|failure| failure.code.code())
        };
        assert_eq!(call("/cnb/lifecycle/creator", &["image"]).ok(), Some(Call::Phase(Phase::Create, 0)));
        assert_eq!(call("analyzer.exe", &[]).ok(), Some(Call::Phase(Phase::Analyze, 0)));
        assert_eq!(call("/cnb/lifecycle/lifecycle", &["detect", "-app", "x"]).ok(), Some(Call::Phase(Phase::Detect, 1)));
        assert_eq!(call("lifecycle", &["-version"]).ok(), Some(Call::Version));
        for (program, arguments) in
            [("lifecycle", &[][..]), ("lifecycle", &["creator"]), ("lifecycle", &["extend"]), ("extender", &[]), ("", &["--help"])]
        {
            assert_eq!(call(program, arguments), Err(3), "{program} {arguments:?}");
        }
    }
}
