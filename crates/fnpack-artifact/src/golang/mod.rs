//! Go functions: an ELF program that has Pulsar's `pf` package in it.
//!
//! The file itself says all there is to know: its ELF header the processor and whether it needs a loader, the linker's
//! build information the release of Go and the modules. Nothing is started, and no Go is needed.

mod build_info;
mod elf;

use std::io::{Read, Seek};
use std::path::Path;

use fs_err::File;

pub use build_info::{BuildInfo, FUNCTION_MODULE};
pub use elf::Elf;

use crate::{Facts, Language};

/// The section with the build information.
const SECTION: &str = ".go.buildinfo";
/// The build information of a program with a thousand modules has some hundred kilobytes.
const LONGEST_INFORMATION: u64 = 4 << 20;

/// A program, by its headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// The processor in Go's words; `None` for one that Go does not know.
    pub architecture: Option<&'static str>,
    /// Whether it needs nothing of the system it runs on.
    pub is_static: bool,
    /// What Go wrote into it; `None` if another compiler made it, or Go before 1.18.
    pub build: Option<BuildInfo>,
}

/// Why a file is no Go function.
#[derive(Debug, thiserror::Error)]
pub enum GolangError {
    /// The file cannot be read.
    #[error("cannot read the program")]
    Read(#[source] std::io::Error),
    /// It is no ELF file.
    #[error("it is not a program (no ELF file)")]
    NotAProgram,
    /// It is for other systems.
    #[error("the program is built for `{0}`, and Pulsar runs functions on `linux`")]
    System(String),
    /// Another compiler made it.
    #[error("the program has no build information of Go 1.18 or later")]
    NotGo,
    /// It lacks Pulsar's package.
    #[error("the Go program `{package}` does not have the module `{FUNCTION_MODULE}` in it, so it is not a function")]
    NotAFunction {
        /// Import path of its main package.
        package: String,
    },
}

impl Program {
    /// Reads a program; `None` if the file is no ELF file.
    pub fn read(file: &mut (impl Read + Seek)) -> std::io::Result<Option<Self>> {
        let Some(elf) = Elf::read(file)? else { return Ok(None) };
        let build = match elf.section(SECTION).or_else(|| elf.data()) {
            Some(region) => BuildInfo::find(&elf::read_at(file, elf::Region { size: region.size.min(LONGEST_INFORMATION), ..region })?),
            None => None,
        };
        Ok(Some(Self { architecture: elf.architecture(), is_static: elf.is_static(), build }))
    }
}

/// What is known of the Go function in a file; `artifact` is where it will be in the image.
pub fn facts(path: &Path, artifact: &str) -> Result<Facts, GolangError> {
    let mut file = File::open(path).map_err(GolangError::Read)?;
    let program = Program::read(&mut file).map_err(GolangError::Read)?.ok_or(GolangError::NotAProgram)?;
    let build = program.build.ok_or(GolangError::NotGo)?;
    if let Some(system) = build.system.filter(|system| system != "linux") {
        return Err(GolangError::System(system));
    }
    let function_version = build.function_version.ok_or(GolangError::NotAFunction { package: build.package })?;
    Ok(Facts {
        arch: program.architecture.map(str::to_owned),
        is_static: Some(program.is_static),
        go_version: Some(build.go_version),
        pf_version: Some(function_version),
        ..Facts::new(Language::Go, artifact)
    })
}

#[cfg(test)]
mod tests {
    use testkit::golang::{build_info, program};

    use super::*;

    fn facts_of(bytes: &[u8]) -> Result<Facts, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs_err::write(file.path(), bytes).unwrap();
        facts(file.path(), "/pulsar/function/function").map_err(|error| error.to_string())
    }

    #[test]
    fn facts_of_a_function() {
        let modules = format!("path\texample.com/x\ndep\t{FUNCTION_MODULE}\tv0.1.0\th1:x=\nbuild\tGOOS=linux\n");
        let facts = facts_of(&program(&[1], &build_info("go1.25.0", &modules))).unwrap();
        let expected = Facts {
            arch: Some("amd64".into()),
            is_static: Some(true),
            go_version: Some("1.25.0".into()),
            pf_version: Some("v0.1.0".into()),
            ..Facts::new(Language::Go, "/pulsar/function/function")
        };
        assert_eq!(facts, expected);
    }

    #[test]
    fn facts_of_what_is_no_function_is_the_reason() {
        for (bytes, reason) in [
            (Vec::new(), "it is not a program"),
            (b"#!/bin/sh\n".to_vec(), "it is not a program"),
            (program(&[1], b""), "no build information"),
            (program(&[1], &build_info("go1.25.0", "path\texample.com/x\n")), "`example.com/x` does not have the module"),
            (program(&[1], &build_info("go1.25.0", "path\tx\nbuild\tGOOS=freebsd\n")), "built for `freebsd`"),
        ] {
            let error = facts_of(&bytes).unwrap_err();
            assert!(error.contains(reason), "{error}");
        }
        assert!(matches!(facts(Path::new("/bin/sh"), "x"), Err(GolangError::NotGo)));
    }
}
