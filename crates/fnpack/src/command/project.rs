//! What the source's project.toml and the command line say together of a build.

use std::path::Path;

use fnpack_core::project::{BuildpackChoice, BuildpackPlace, BuildpackSource, ProjectToml};

use super::Session;
use crate::arguments::BuildpackArguments;
use crate::error::CommandError;

/// Reads the project.toml; the command line is stronger.
pub(super) fn read(source: &Path, arguments: &BuildpackArguments, session: &Session<'_>) -> Result<ProjectToml, CommandError> {
    let mut project = match &arguments.descriptor {
        Some(file) => ProjectToml::read(file)?,
        None => ProjectToml::of_source(source)?.unwrap_or_default(),
    };
    for warning in &project.warnings {
        session.ui.warning(warning);
    }
    project.buildpacks = choice(project.buildpacks, arguments)?;
    Ok(project)
}

fn choice(project: BuildpackChoice, arguments: &BuildpackArguments) -> Result<BuildpackChoice, CommandError> {
    let (only, before, after) = (sources(&arguments.only)?, sources(&arguments.before)?, sources(&arguments.after)?);
    if !only.is_empty() {
        return Ok(BuildpackChoice { only, ..BuildpackChoice::default() });
    }
    if !(before.is_empty() && after.is_empty()) {
        return Ok(BuildpackChoice { only: Vec::new(), before, after });
    }
    Ok(project)
}

fn sources(names: &[String]) -> Result<Vec<BuildpackSource>, CommandError> {
    names.iter().map(|name| Ok(BuildpackPlace::parse(name, Path::new(""))?.into())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(only: &[&str], before: &[&str]) -> BuildpackArguments {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        BuildpackArguments { only: owned(only), before: owned(before), after: Vec::new(), descriptor: None }
    }

    #[test]
    fn command_line_is_stronger_than_the_project() {
        let named = |name: &str| vec![BuildpackSource::from(BuildpackPlace::Name(name.to_owned()))];
        let project = || BuildpackChoice { only: named("project"), before: Vec::new(), after: named("project/after") };
        for (only, before, expected) in [
            (&[][..], &[][..], project()),
            (&["line"], &[], BuildpackChoice { only: named("line"), ..BuildpackChoice::default() }),
            (&[], &["line"], BuildpackChoice { before: named("line"), ..BuildpackChoice::default() }),
        ] {
            assert_eq!(choice(project(), &arguments(only, before)).unwrap(), expected, "{only:?} {before:?}");
        }
    }
}
