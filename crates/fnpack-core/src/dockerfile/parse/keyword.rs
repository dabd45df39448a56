//! The names of instructions.

use std::fmt;

/// An instruction of the Dockerfile language, supported or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keyword {
    /// `ADD`
    Add,
    /// `ARG`
    Arg,
    /// `CMD`
    Cmd,
    /// `COPY`
    Copy,
    /// `ENTRYPOINT`
    Entrypoint,
    /// `ENV`
    Env,
    /// `EXPOSE`
    Expose,
    /// `FROM`
    From,
    /// `HEALTHCHECK`
    Healthcheck,
    /// `LABEL`
    Label,
    /// `MAINTAINER`
    Maintainer,
    /// `ONBUILD`
    Onbuild,
    /// `RUN`
    Run,
    /// `SHELL`
    Shell,
    /// `STOPSIGNAL`
    Stopsignal,
    /// `USER`
    User,
    /// `VOLUME`
    Volume,
    /// `WORKDIR`
    Workdir,
}

impl Keyword {
    const ALL: [(Self, &'static str); 18] = [
        (Self::Add, "ADD"),
        (Self::Arg, "ARG"),
        (Self::Cmd, "CMD"),
        (Self::Copy, "COPY"),
        (Self::Entrypoint, "ENTRYPOINT"),
        (Self::Env, "ENV"),
        (Self::Expose, "EXPOSE"),
        (Self::From, "FROM"),
        (Self::Healthcheck, "HEALTHCHECK"),
        (Self::Label, "LABEL"),
        (Self::Maintainer, "MAINTAINER"),
        (Self::Onbuild, "ONBUILD"),
        (Self::Run, "RUN"),
        (Self::Shell, "SHELL"),
        (Self::Stopsignal, "STOPSIGNAL"),
        (Self::User, "USER"),
        (Self::Volume, "VOLUME"),
        (Self::Workdir, "WORKDIR"),
    ];

    /// The instruction of this name, in either case.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, name)| name.eq_ignore_ascii_case(word)).map(|(keyword, _)| *keyword)
    }

    /// The instruction that was probably meant by a word that is none.
    pub(super) fn nearest(word: &str) -> Option<Self> {
        let word = word.to_ascii_uppercase();
        let distance = |name: &str| strsim::damerau_levenshtein(&word, name);
        let (keyword, name) = Self::ALL.iter().min_by_key(|(_, name)| distance(name))?;
        (word.len() <= 16 && distance(name) <= 1 + name.len() / 5).then_some(*keyword)
    }

    /// Whether fnpack carries it out.
    pub fn is_supported(self) -> bool {
        use Keyword::{Add, Expose, Healthcheck, Maintainer, Onbuild, Shell, Stopsignal, Volume};
        !matches!(self, Add | Expose | Healthcheck | Maintainer | Onbuild | Shell | Stopsignal | Volume)
    }

    /// Whether its line may name here-documents.
    pub(super) fn takes_documents(self) -> bool {
        matches!(self, Self::Add | Self::Copy | Self::Run)
    }

    pub(super) fn supported_list() -> String {
        let names: Vec<&str> = Self::ALL.iter().filter(|(keyword, _)| keyword.is_supported()).map(|(_, name)| *name).collect();
        names.join(", ")
    }
}

impl fmt::Display for Keyword {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::ALL.iter().find(|(keyword, _)| keyword == self).map_or("", |(_, name)| *name);
        formatter.write_str(name)
    }
}
