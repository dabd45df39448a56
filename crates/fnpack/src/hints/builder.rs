//! Builders and buildpacks, as their authors write them.

use fnpack_core::builder::{
    BuilderTomlError, BuildpackTomlError, CheckError, ContentsError, CreateError, DescriptionError, DocumentError, Fault, LoadError,
    ReferenceError, UnpackError,
};

use super::{Advice, Explain};
use crate::error::Class::Configuration;

const PACKAGE_ANEW: &str = "have the package made anew: it is damaged or not whole";

impl Explain for BuilderTomlError {
    fn advice(&self) -> Advice {
        match self {
            Self::Read { .. } => Advice::new(Configuration).hint("name the builder.toml with `--config FILE`"),
            Self::Document(source) => source.advice(),
        }
    }
}

impl Explain for BuildpackTomlError {
    fn advice(&self) -> Advice {
        match self {
            Self::Read { .. } => Advice::new(Configuration).hint("name the folder that has the buildpack.toml"),
            Self::Document(source) => source.advice(),
        }
    }
}

impl Explain for DocumentError {
    fn advice(&self) -> Advice {
        self.fault.advice()
    }
}

impl Explain for Fault {
    /// The texts name the place and what is accepted there.
    fn advice(&self) -> Advice {
        let configuration = Advice::new(Configuration);
        match self {
            Self::Missing { key } => configuration.hint(format!("add `{key}`")),
            Self::Exclusive { key, .. } => configuration.hint(format!("remove one of them, `{key}` for instance")),
            Self::Syntax { .. }
            | Self::UnknownKey { .. }
            | Self::WrongType { .. }
            | Self::Refused { .. }
            | Self::Disagrees { .. }
            | Self::Unsupported { .. } => configuration,
        }
    }
}

impl Explain for LoadError {
    fn advice(&self) -> Advice {
        let configuration = Advice::new(Configuration);
        match self {
            Self::NotThere { .. } => configuration.hint("correct the path; in a file, relative ones begin at its folder"),
            Self::Open { source, .. } => source.advice(),
            Self::Folder { source, .. } => source.advice(),
            Self::Unpack { source, .. } => source.advice(),
            Self::BuildpackToml(source) => source.advice(),
            Self::Image { .. } | Self::Label { .. } | Self::Incomplete { .. } => configuration.hint(PACKAGE_ANEW),
            Self::NotAPackage { .. } => configuration.hint("name a folder or archive with a buildpack.toml, or a buildpack package"),
            Self::Differs { found, .. } => configuration.hint(format!("write `{found}` there, or name the other buildpack's place")),
        }
    }
}

impl Explain for UnpackError {
    fn advice(&self) -> Advice {
        match self {
            Self::Unreadable(source) => {
                Advice { class: Configuration, ..source.advice() }.or_hint("give it a tar, as it is or packed with gzip")
            }
            Self::Refused { .. } => Advice::new(Configuration).hint("make the archive anew, of the buildpack's folder alone"),
            Self::TooMuch => Advice::new(Configuration).hint("see with `tar -tf` what is in it: a buildpack is small"),
            Self::Write(source) => source.advice(),
        }
    }
}

impl Explain for CreateError {
    fn advice(&self) -> Advice {
        match self {
            Self::Check(source) => source.advice(),
            Self::Reference(source) => source.advice(),
            Self::Description(source) => source.advice(),
            Self::Contents(source) => source.advice(),
        }
    }
}

impl Explain for CheckError {
    fn advice(&self) -> Advice {
        let configuration = Advice::new(Configuration);
        match self {
            Self::StackDiffers { .. } | Self::StackMissing { .. } => {
                configuration.hint("correct `stack.id`, or make the image with this label: `LABEL io.buildpacks.stack.id=…`")
            }
            Self::BuilderTarget { .. } => configuration.hint("add the target to `targets`, or name another image"),
            Self::LifecycleTarget { .. } => configuration.hint("name a build image for the lifecycle's target with `build.image`"),
            Self::BadName { .. } => configuration.hint("correct them in the buildpack.toml"),
            Self::SameFolder { .. } => configuration.hint("give one of them another id or version"),
            Self::GivenTwice { .. } => configuration.hint("remove one of them, or give it another version"),
            Self::Api { .. } => configuration.hint("take a version of the buildpack for one of these"),
            Self::Stack { .. } | Self::Target { .. } => configuration.hint("take another build image, or add this to the buildpack.toml"),
            Self::Mixins { .. } => {
                configuration.hint("install the packages in the build image and name them in its label `io.buildpacks.stack.mixins`")
            }
            Self::ProgramMissing { .. } => configuration.hint("a buildpack has both, `bin/detect` and `bin/build`"),
            Self::ProgramUnreadable { source, .. } => source.advice(),
            Self::WindowsLineEnds { .. } => configuration,
            Self::NotAProgram { .. } => configuration.hint("begin the script with `#!/usr/bin/env bash`, for example"),
        }
    }
}

impl Explain for ReferenceError {
    fn advice(&self) -> Advice {
        let configuration = Advice::new(Configuration);
        match self {
            Self::NotThere { .. } => configuration.hint("add it under `[[buildpacks]]`, or take it out of the order"),
            Self::Ambiguous { .. } => configuration.hint("write `version` beside its `id`"),
            Self::Cycle { .. } => configuration.hint("take one of them out of the other's order"),
        }
    }
}

impl Explain for ContentsError {
    fn advice(&self) -> Advice {
        match self {
            Self::Unreadable { source, .. } | Self::Place { source, .. } => source.advice(),
            Self::SpecialFile { .. } => Advice::new(Configuration).hint("take it out of the buildpack's folder"),
            Self::Layer { source, .. } => source.advice(),
        }
    }
}

impl Explain for DescriptionError {
    fn advice(&self) -> Advice {
        let configuration = Advice::new(Configuration);
        match self {
            Self::NotABuilder { .. } => {
                configuration.hint("make a builder with `fnpack builder create`; `fnpack builder ls` shows those there are")
            }
            Self::Label { .. } => configuration.hint("make the builder anew with `fnpack builder create`"),
            Self::UserMissing { .. } => configuration,
            Self::UserNotANumber { .. } | Self::UserIsRoot { .. } => {
                configuration.hint("correct its `ENV` in the build image's Dockerfile")
            }
        }
    }
}
