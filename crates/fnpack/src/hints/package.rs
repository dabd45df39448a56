//! Ready artifacts and function packages.

use fnpack_artifact::golang::GolangError;
use fnpack_artifact::java::{JarError, Unusable};
use fnpack_artifact::python;
use fnpack_core::package::{ArtifactError, KindError, PlaceError, TakeError, UnzipError};

use super::{Advice, Explain};
use crate::error::Class::{Fault, Machine, Usage, YourCode};

const STATIC: &str = "build it for Linux with `CGO_ENABLED=0`, or name the folder with its source instead";
const CLASS_NAME: &str = "name one with `--class-name`";

impl Explain for ArtifactError {
    fn advice(&self) -> Advice {
        match self {
            Self::Kind(source) => source.advice(),
            Self::Golang { source, .. } => source.advice(),
            Self::Jar(source) => source.advice(),
            Self::Python(source) => source.advice(),
            Self::Ending { .. } => Advice::new(YourCode).hint("rename it: Pulsar tells Python packages by their endings"),
            Self::Class { source, .. } => source.advice(),
            Self::NoClass { near, .. } => Advice::new(YourCode)
                .details(near.iter().map(ToString::to_string).collect())
                .hint("a function is a public class that implements `org.apache.pulsar.functions.api.Function`"),
            Self::SeveralClasses { functions, .. } => {
                Advice::new(Usage).details(functions.iter().map(ToString::to_string).collect()).hint(CLASS_NAME)
            }
            Self::ClassOfGo { .. } => Advice::new(Usage).hint("leave out `--class-name`"),
        }
    }
}

impl Explain for KindError {
    fn advice(&self) -> Advice {
        match self {
            Self::Unreadable { .. } | Self::NotAFile { .. } => Advice::new(Usage).hint("name a folder with source, or a ready artifact"),
            Self::Damaged { .. } => Advice::new(YourCode).hint("make it anew: it may be cut off"),
            Self::Other { .. } => Advice::new(YourCode)
                .hint("fnpack takes jars, NARs, Python zips (`<name>/src`), wheels, Python modules and Go programs for Linux"),
        }
    }
}

impl Explain for GolangError {
    fn advice(&self) -> Advice {
        match self {
            Self::Read(_) => Advice::new(Machine),
            Self::NotAProgram | Self::System(_) => Advice::new(YourCode).hint(STATIC),
            Self::NotGo => Advice::new(YourCode).hint("a Go function is built by Go 1.18 or later; `-buildvcs` and `-s -w` do not matter"),
            Self::NotAFunction { .. } => Advice::new(YourCode).hint("call `pf.Start` of that module in its `main`"),
        }
    }
}

impl Explain for JarError {
    fn advice(&self) -> Advice {
        match self {
            Self::Open { .. } | Self::Write { .. } => Advice::new(Machine),
            Self::Format { .. } | Self::Entry { .. } => Advice::new(YourCode).hint("make the jar anew: it may be cut off"),
            Self::Entries { .. } | Self::Name { .. } | Self::Size { .. } => {
                Advice::new(YourCode).hint("make the jar with Maven or Gradle; fnpack does not unpack such archives")
            }
        }
    }
}

impl Explain for Unusable {
    fn advice(&self) -> Advice {
        let code = Advice::new(YourCode);
        match self {
            Self::Absent(_) => Advice::new(Usage).hint("write the whole name with its package, as in `org.example.Orders`"),
            Self::NotPublic(_) => code.hint("make it `public`"),
            Self::IsInterface(_) | Self::Abstract(_) => code.hint("name a class that Pulsar can make an instance of"),
            Self::NoConstructor(_) => code.hint("give it a public constructor without parameters"),
            Self::WrongInterface { .. } => code.hint("implement `org.apache.pulsar.functions.api.Function`"),
        }
    }
}

impl Explain for python::ArtifactError {
    fn advice(&self) -> Advice {
        let code = Advice::new(YourCode);
        match self {
            Self::Ending(_) => code.hint("rename it: Pulsar tells Python packages by their endings"),
            Self::Read { .. } => Advice::new(Machine),
            Self::Archive { .. } | Self::Entries { .. } | Self::Outside { .. } => code.hint("make it with `fnpack package`"),
            Self::NoSource { base, .. } => {
                code.hint(format!("the file's name says the folder: put the modules into `{base}/src`, or rename the file"))
            }
            Self::TopIsPackage { base, .. } => code.hint(format!("remove `{base}/__init__.py`")),
            Self::Dependency { .. } => code.hint("put wheels into `deps`, under the names that their index has"),
            Self::Function { source, .. } => source.advice(),
        }
    }
}

impl Explain for python::NoFunction {
    fn advice(&self) -> Advice {
        match self {
            Self::Absent { .. } => Advice::new(YourCode).hint("write a class with `process(self, input, context)`"),
            Self::Several(_) => Advice::new(Usage).hint(CLASS_NAME),
            Self::NotThere { .. } => Advice::new(Usage).hint("write `module.Class`, or just the module of a `process(input)`"),
            Self::Refused { .. } => Advice::new(YourCode),
        }
    }
}

impl Explain for PlaceError {
    fn advice(&self) -> Advice {
        match self {
            Self::Read { .. } | Self::Copy { .. } => Advice::new(Machine),
            Self::Write(source) => source.advice(),
            Self::Unzip { source, .. } => source.advice(),
            Self::Strip { source, .. } => source.advice(),
            Self::ClassPath { .. } => Advice::new(YourCode)
                .hint("put them where the jar's manifest says (`Class-Path`), or make a fat jar: `fnpack package` does"),
        }
    }
}

impl Explain for UnzipError {
    fn advice(&self) -> Advice {
        match self {
            Self::Archive(_) | Self::Entry { .. } => Advice::new(YourCode).hint("make it anew: it may be cut off"),
            Self::Copy { .. } => Advice::new(Machine),
            Self::Outside { .. } | Self::Symlink { .. } | Self::TooLarge { .. } => {
                Advice::new(YourCode).hint("make it with `fnpack package`")
            }
            Self::Write(source) => source.advice(),
        }
    }
}

impl Explain for TakeError {
    fn advice(&self) -> Advice {
        match self {
            Self::NoFunction | Self::Missing { .. } => {
                Advice::new(YourCode).hint("packages are made by fnpack's buildpacks, or by others that know `BP_FUNCTION_PACKAGE`")
            }
            Self::Format { .. } => Advice::new(Usage).hint("leave out `--format`"),
            Self::ModuleName { module, .. } => Advice::new(Usage).hint(format!("write `-o {module}`, or `--format zip`")),
            Self::Jar { source, .. } => source.advice(),
            Self::Zip { source, .. } => match source {
                python::PackageError::Base(_) => Advice::new(Usage).hint("name the package with `-o NAME.zip`"),
                python::PackageError::NoSource(_) => Advice::new(Fault),
                python::PackageError::File { .. } | python::PackageError::Zip { .. } => Advice::new(Machine),
            },
            Self::Read(source) => source.advice(),
            Self::Write { .. } => Advice::new(Machine).hint("name a file that can be written with `-o FILE`"),
        }
    }
}
