//! Wheels: file names, tags and metadata, and what a set of them needs of a runner.
//!
//! Specs: "Binary distribution format", "Platform compatibility tags" (manylinux, musllinux) and "Core metadata" of
//! the Python packaging user guide.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

/// Tags of one file beyond this are not read: published wheels have a dozen.
const TAG_LIMIT: usize = 512;

/// The glibc of the platform tags that came before `manylinux_X_Y`.
const OLD_PLATFORMS: [(&str, Version); 3] =
    [("manylinux1", Version(2, 5)), ("manylinux2010", Version(2, 12)), ("manylinux2014", Version(2, 17))];

/// Two numbers, such as a Python minor or a release of a C library.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(
    /// The first
    pub u16,
    /// The second
    pub u16,
);

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.0, self.1)
    }
}

/// A text that does not start with two numbers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a version of two numbers")]
pub struct NoVersion(pub String);

impl FromStr for Version {
    type Err = NoVersion;

    /// What follows the second number is left out: `1.2.5` is `1.2`.
    fn from_str(text: &str) -> Result<Self, NoVersion> {
        let mut numbers = text.splitn(3, '.').map(|number| number.parse().ok());
        match (numbers.next().flatten(), numbers.next().flatten()) {
            (Some(first), Some(second)) => Ok(Self(first, second)),
            _ => Err(NoVersion(text.to_owned())),
        }
    }
}

/// The C libraries that Linux wheels are made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Libc {
    /// The GNU C library
    Glibc,
    /// musl
    Musl,
}

impl Libc {
    /// As labels have it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Glibc => "glibc",
            Self::Musl => "musl",
        }
    }
}

impl fmt::Display for Libc {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// The Python of a runner, or of a build image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Runtime {
    /// Such as 3.13.
    pub python: Version,
    /// Its C library, if it is known.
    pub libc: Option<Libc>,
    /// The version of that, if it is known.
    pub libc_version: Option<Version>,
    /// The processor in Go's words.
    pub arch: String,
}

impl fmt::Display for Runtime {
    /// Such as `Python 3.13, glibc 2.41, amd64`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Python {}", self.python)?;
        if let Some(libc) = self.libc {
            write!(formatter, ", {libc}")?;
        }
        if let Some(version) = self.libc_version {
            write!(formatter, " {version}")?;
        }
        write!(formatter, ", {}", self.arch)
    }
}

/// The name of a wheel file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WheelName {
    /// The project, as the file has it.
    pub project: String,
    /// Its version.
    pub version: String,
    /// What it runs on; any of them will do.
    pub tags: Vec<Tag>,
}

/// Why a name is not that of a wheel.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not the name of a wheel, which is project-version-python-abi-platform.whl")]
pub struct NoWheelName(pub String);

impl FromStr for WheelName {
    type Err = NoWheelName;

    fn from_str(name: &str) -> Result<Self, NoWheelName> {
        let invalid = || NoWheelName(name.to_owned());
        let parts: Vec<&str> = name.strip_suffix(".whl").ok_or_else(invalid)?.split('-').collect();
        let (project, version, tags) = match parts.as_slice() {
            [project, version, python, abi, platform] => (project, version, [python, abi, platform]),
            [project, version, build, python, abi, platform] if build.starts_with(|first: char| first.is_ascii_digit()) => {
                (project, version, [python, abi, platform])
            }
            _ => return Err(invalid()),
        };
        if parts.iter().any(|part| part.is_empty()) || name.contains('/') {
            return Err(invalid());
        }
        let [python, abi, platform] = tags;
        Ok(Self { project: (*project).to_owned(), version: (*version).to_owned(), tags: Tag::expand(python, abi, platform) })
    }
}

/// What a wheel runs on: an interpreter, its binary interface and a platform.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tag {
    python: String,
    abi: String,
    platform: String,
}

impl fmt::Display for Tag {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{}-{}", self.python, self.abi, self.platform)
    }
}

impl Tag {
    /// The tags of a line `Tag:` of a wheel's own file, such as `cp313-cp313-manylinux_2_17_x86_64`. Nothing if it
    /// is something else.
    pub fn parse(text: &str) -> Vec<Self> {
        match text.trim().split('-').collect::<Vec<_>>().as_slice() {
            [python, abi, platform] => Self::expand(python, abi, platform),
            _ => Vec::new(),
        }
    }

    /// Each part may be a set, divided by dots.
    fn expand(python: &str, abi: &str, platform: &str) -> Vec<Self> {
        let pairs = python.split('.').flat_map(|python| abi.split('.').map(move |abi| (python, abi)));
        let all = pairs.flat_map(|(python, abi)| {
            platform.split('.').map(move |platform| Self { python: python.to_owned(), abi: abi.to_owned(), platform: platform.to_owned() })
        });
        all.take(TAG_LIMIT).collect()
    }

    /// The file name of a wheel with these tags. `stem` is its project and version, as in the name of its
    /// `.dist-info` folder.
    pub fn file_name(stem: &str, tags: &[Self]) -> String {
        let set = |part: fn(&Self) -> &str| {
            let mut parts: Vec<&str> = Vec::new();
            for part in tags.iter().map(part) {
                if !parts.contains(&part) {
                    parts.push(part);
                }
            }
            parts.join(".")
        };
        format!("{stem}-{}-{}-{}.whl", set(|tag| &tag.python), set(|tag| &tag.abi), set(|tag| &tag.platform))
    }

    /// Whether it runs on any Linux with a fitting Python.
    fn is_pure(&self) -> bool {
        self.platform == "any"
    }

    /// The one minor it is compiled for; none if the stable interface or plain Python will do.
    fn bound_python(&self) -> Option<Version> {
        let minor = self.abi.strip_prefix("cp").and_then(python_digits);
        minor.or_else(|| if self.abi == "none" { self.python.strip_prefix("cp").and_then(python_digits) } else { None })
    }

    /// The C library, its lowest version and the processor. A plain `linux` was made on a machine that it does not
    /// name.
    fn platform(&self) -> Option<Platform> {
        if let Some((libc, rest)) = [(Libc::Glibc, "manylinux_"), (Libc::Musl, "musllinux_")]
            .into_iter()
            .find_map(|(libc, prefix)| Some((libc, self.platform.strip_prefix(prefix)?)))
        {
            let mut parts = rest.splitn(3, '_');
            let version = Version(parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
            return Some(Platform { libc: Some((libc, version)), arch: architecture(parts.next()?) });
        }
        if let Some(machine) = self.platform.strip_prefix("linux_") {
            return Some(Platform { libc: None, arch: architecture(machine) });
        }
        let of_old = |(prefix, version)| {
            let machine = self.platform.strip_prefix(prefix)?.strip_prefix('_')?;
            Some(Platform { libc: Some((Libc::Glibc, version)), arch: architecture(machine) })
        };
        OLD_PLATFORMS.into_iter().find_map(of_old)
    }

    /// Whether the runtime can use it. What is not known of the runtime is taken to fit.
    fn fits(&self, runtime: &Runtime) -> bool {
        self.fits_python(runtime.python) && (self.is_pure() || self.platform().is_some_and(|platform| platform.fits(runtime)))
    }

    fn fits_python(&self, python: Version) -> bool {
        let Some(implementation) = self.python.get(..2) else { return false };
        let digits = self.python.get(2..).unwrap_or_default();
        match (implementation, self.abi.as_str()) {
            ("py", "none") => digits == "3" || python_digits(digits).is_some_and(|least| least.0 == python.0 && least <= python),
            ("cp", "abi3") => python_digits(digits).is_some_and(|least| least.0 == python.0 && least <= python),
            ("cp", "none") => digits == "3" || python_digits(digits) == Some(python),
            ("cp", abi) => python_digits(digits) == Some(python) && abi.strip_prefix("cp").and_then(python_digits) == Some(python),
            _ => false,
        }
    }
}

/// `313` is 3.13; `313t`, without the global lock, is another interface.
fn python_digits(digits: &str) -> Option<Version> {
    let (major, minor) = digits.split_at_checked(1)?;
    // Before 3.8 the interface had a letter, which no runner is of any more.
    Some(Version(major.parse().ok()?, minor.trim_end_matches('m').parse().ok()?))
}

/// The processor of a platform tag in Go's words.
fn architecture(machine: &str) -> String {
    let go = match machine {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "i686" | "i386" => "386",
        "armv7l" | "armv6l" => "arm",
        "loongarch64" => "loong64",
        other => other,
    };
    go.to_owned()
}

#[derive(Debug, PartialEq, Eq)]
struct Platform {
    libc: Option<(Libc, Version)>,
    arch: String,
}

impl Platform {
    fn fits(&self, runtime: &Runtime) -> bool {
        let libc_fits = self.libc.is_none_or(|(libc, least)| {
            runtime.libc.is_none_or(|present| present == libc) && runtime.libc_version.is_none_or(|present| present >= least)
        });
        self.arch == runtime.arch && libc_fits
    }
}

/// Whether a runtime can use what has these tags.
pub fn fits(tags: &[Tag], runtime: &Runtime) -> bool {
    tags.iter().any(|tag| tag.fits(runtime))
}

/// What compiled parts need of a runner.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needs {
    /// The minor they are bound to.
    pub python: Option<Version>,
    /// The C library they are bound to, and its lowest version if that is known.
    pub libc: Option<(Libc, Option<Version>)>,
    /// The processor.
    pub arch: Option<String>,
}

impl Needs {
    /// Adds what one wheel needs: the least that its tags ask for.
    pub fn add(&mut self, tags: &[Tag]) {
        if tags.is_empty() || tags.iter().any(Tag::is_pure) {
            return;
        }
        let pythons: BTreeSet<Option<Version>> = tags.iter().map(Tag::bound_python).collect();
        if let (1, Some(Some(python))) = (pythons.len(), pythons.first()) {
            self.python = Some(*python);
        }
        let platforms: Vec<Platform> = tags.iter().filter_map(Tag::platform).collect();
        if let Some(platform) = platforms.first() {
            self.arch = Some(platform.arch.clone());
        }
        let known = platforms.iter().filter_map(|platform| platform.libc).min();
        if let Some((libc, least)) = known.filter(|_| platforms.iter().all(|platform| platform.libc.is_some())) {
            self.add_libc(libc, Some(least));
        }
    }

    /// Adds what was compiled on a machine with this C library.
    pub fn add_libc(&mut self, libc: Libc, least: Option<Version>) {
        let earlier = self.libc.filter(|(present, _)| *present == libc).and_then(|(_, version)| version);
        self.libc = Some((libc, earlier.max(least)));
    }
}

/// What a wheel, or an installed project, says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Metadata {
    /// The project.
    pub name: String,
    /// Its version.
    pub version: String,
    /// What it depends on, without what only extras ask for.
    pub requires: Vec<Requirement>,
    /// The Python releases it is for.
    pub requires_python: Option<String>,
}

impl Metadata {
    /// Reads a file `METADATA`.
    pub fn parse(text: &str) -> Self {
        let mut metadata = Self::default();
        for (key, value) in headers(text) {
            match key.to_ascii_lowercase().as_str() {
                "name" if metadata.name.is_empty() => value.clone_into(&mut metadata.name),
                "version" if metadata.version.is_empty() => value.clone_into(&mut metadata.version),
                "requires-python" => metadata.requires_python = Some(value.to_owned()),
                "requires-dist" => metadata.requires.extend(Requirement::parse(value).filter(|requirement| !requirement.is_for_extra())),
                _ => {}
            }
        }
        metadata
    }
}

/// The tags that a wheel's own file `WHEEL` names.
pub fn tags_of(wheel: &str) -> Vec<Tag> {
    let tags = headers(wheel).filter(|(key, _)| key.eq_ignore_ascii_case("tag"));
    tags.flat_map(|(_, value)| Tag::parse(value)).take(TAG_LIMIT).collect()
}

/// Fields of an e-mail's head, up to the first empty line.
fn headers(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let head = text.lines().take_while(|line| !line.trim().is_empty());
    head.filter_map(|line| line.split_once(':')).map(|(key, value)| (key, value.trim()))
}

/// What is asked of another project (PEP 508), as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// The project in its normal form.
    pub name: String,
    /// What follows the name: extras, versions.
    pub versions: String,
    /// When it is asked for; empty is always.
    pub marker: String,
}

impl Requirement {
    /// None if the text does not start with a name.
    pub fn parse(text: &str) -> Option<Self> {
        let (requirement, marker) = text.split_once(';').unwrap_or((text, ""));
        let requirement = requirement.trim();
        let end = requirement.find(|letter: char| !letter.is_ascii_alphanumeric() && !"-_.".contains(letter)).unwrap_or(requirement.len());
        let (name, versions) = requirement.split_at_checked(end).filter(|(name, _)| !name.is_empty())?;
        Some(Self { name: normal_name(name), versions: versions.trim().to_owned(), marker: marker.trim().to_owned() })
    }

    fn is_for_extra(&self) -> bool {
        self.marker.contains("extra ==") || self.marker.contains("extra==")
    }
}

/// A project's name as indexes compare it: lower case, runs of `-`, `_`, `.` as one `-`.
pub fn normal_name(name: &str) -> String {
    let parts = name.split(['-', '_', '.']).filter(|part| !part.is_empty());
    parts.map(str::to_ascii_lowercase).collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests;
