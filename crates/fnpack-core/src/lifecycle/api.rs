//! Versions of the two CNB specifications, and what each of them asks for.
//!
//! The Platform API is between platform and lifecycle, the Buildpack API between lifecycle and one
//! buildpack. Their numbers are compared in this module only: everything else asks by name.

use std::fmt;
use std::str::FromStr;

/// Why a text is no version that fnpack speaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApiError {
    /// It does not have the form of a version.
    #[error("`{text}` is not an API version: two numbers with a dot are, such as `0.10`")]
    Malformed {
        /// The text as given.
        text: String,
    },
    /// It is a version, but none of ours.
    #[error("{name} API `{text}` is not supported, only 0.{oldest} to 0.{newest} are")]
    Unsupported {
        /// `Buildpack` or `Platform`.
        name: &'static str,
        /// The version as given.
        text: String,
        /// The first that is supported is `0.` and this.
        oldest: u8,
        /// The last that is supported is `0.` and this.
        newest: u8,
    },
}

/// A version of the CNB Platform API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PlatformApi(Minor);

/// A version of the CNB Buildpack API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BuildpackApi(Minor);

/// All supported versions are `0.x`, where each `x` may break what was before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Minor(u8);

impl fmt::Display for Minor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "0.{}", self.0)
    }
}

impl PlatformApi {
    /// The first version that is supported.
    pub const OLDEST: Self = Self(Minor(7));
    /// The last version that is supported.
    pub const NEWEST: Self = Self(Minor(15));

    /// All supported versions, oldest first.
    pub fn supported() -> impl Iterator<Item = Self> {
        (Self::OLDEST.0.0..=Self::NEWEST.0.0).map(|minor| Self(Minor(minor)))
    }

    /// The versions that the lifecycle in builders offers to platforms: the newest, and the one that those
    /// who know no newer one than 0.9 (kpack) ask for.
    pub fn advertised() -> impl Iterator<Item = Self> {
        [Self(Minor(9)), Self::NEWEST].into_iter()
    }

    fn since(self, minor: u8) -> bool {
        self.0.0 >= minor
    }

    /// Whether SBOM files become a layer and are restored from the previous image.
    pub fn has_sbom_layer(self) -> bool {
        self.since(8)
    }

    /// Whether the legacy bill of materials is kept as files in the SBOM folder, not as a label.
    pub fn has_legacy_bom_files(self) -> bool {
        self.since(9)
    }

    /// Whether `SOURCE_DATE_EPOCH` decides when an image was created.
    pub fn has_source_date_epoch(self) -> bool {
        self.since(9)
    }

    /// Whether commands in metadata.toml and in the build metadata label are arrays, the arguments
    /// after the first of which always count, and `args` can be replaced by the user.
    pub fn has_command_arrays(self) -> bool {
        self.since(10)
    }

    /// Whether `store.toml` is restored even if layers are not.
    pub fn restores_store_without_layers(self) -> bool {
        self.since(10)
    }

    /// Whether image extensions take part.
    pub fn has_extensions(self) -> bool {
        self.since(10)
    }

    /// Whether builders set build-time environment in `/cnb/build-config/env`.
    pub fn has_build_config(self) -> bool {
        self.since(11)
    }

    /// Whether the SBOMs of lifecycle and launcher are added to the buildpacks'.
    pub fn has_lifecycle_sbom(self) -> bool {
        self.since(11)
    }

    /// Whether run.toml names the run images; before, stack.toml does.
    pub fn has_run_toml(self) -> bool {
        self.since(12)
    }

    /// Whether buildpacks are matched with the run image's target; before, with its stack.
    pub fn has_targets(self) -> bool {
        self.since(12)
    }

    /// Whether exported images carry a history.
    pub fn has_history(self) -> bool {
        self.since(12)
    }

    /// Whether images may be kept in an OCI layout instead of a registry.
    pub fn has_layouts(self) -> bool {
        self.since(12)
    }

    /// Whether a rebase asks whether the image fits on the new base, and can be told to go on all the same.
    pub fn has_forced_rebase(self) -> bool {
        self.since(12)
    }

    /// Whether an image can be rebased from another name than its own.
    pub fn rebases_from_previous_image(self) -> bool {
        self.since(11)
    }

    /// Whether platforms name the registries that are spoken to in plain HTTP.
    pub fn has_insecure_registries(self) -> bool {
        self.since(13)
    }

    /// Whether the restorer is told the run images.
    pub fn restorer_reads_run_toml(self) -> bool {
        self.since(14)
    }

    /// Whether the analyzer knows launch caches and can leave out what layers need.
    pub fn analyzer_skips_layers(self) -> bool {
        self.since(9)
    }

    /// Whether extensions have build contexts, and the flat shape of the folder of what they generate.
    pub fn has_extension_contexts(self) -> bool {
        self.since(13)
    }

    /// Whether the metadata of layers for launch and cache may come from the cache alone.
    pub fn restores_launch_metadata_from_cache(self) -> bool {
        self.since(14)
    }

    /// Whether buildpacks and processes can be bound to execution environments.
    pub fn has_execution_environments(self) -> bool {
        self.since(15)
    }

    /// Whether system.toml adds buildpacks to every group.
    pub fn has_system_toml(self) -> bool {
        self.since(15)
    }
}

impl BuildpackApi {
    /// The first version that is supported.
    pub const OLDEST: Self = Self(Minor(7));
    /// The last version that is supported.
    pub const NEWEST: Self = Self(Minor(12));

    /// All supported versions, oldest first.
    pub fn supported() -> impl Iterator<Item = Self> {
        (Self::OLDEST.0.0..=Self::NEWEST.0.0).map(|minor| Self(Minor(minor)))
    }

    fn since(self, minor: u8) -> bool {
        self.0.0 >= minor
    }

    /// Whether paths are told by `CNB_*` variables, beside positional arguments.
    pub fn has_path_variables(self) -> bool {
        self.since(8)
    }

    /// Whether a process may name its working folder.
    pub fn has_process_working_dir(self) -> bool {
        self.since(8)
    }

    /// Whether a process may be run by a shell (`command` is a string, `direct` says so); later ones
    /// never are, and their `command` is an array.
    pub fn has_shell_processes(self) -> bool {
        !self.since(9)
    }

    /// Whether a buildpack declares targets and is told the run image's by `CNB_TARGET_*`; before,
    /// stacks.
    pub fn has_targets(self) -> bool {
        self.since(10)
    }

    /// Whether a buildpack and its processes can be bound to execution environments.
    pub fn has_execution_environments(self) -> bool {
        self.since(12)
    }
}

impl fmt::Display for PlatformApi {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl fmt::Display for BuildpackApi {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl FromStr for PlatformApi {
    type Err = ApiError;

    fn from_str(text: &str) -> Result<Self, ApiError> {
        parse("Platform", text, Self::OLDEST.0, Self::NEWEST.0).map(Self)
    }
}

impl FromStr for BuildpackApi {
    type Err = ApiError;

    fn from_str(text: &str) -> Result<Self, ApiError> {
        parse("Buildpack", text, Self::OLDEST.0, Self::NEWEST.0).map(Self)
    }
}

fn parse(name: &'static str, text: &str, oldest: Minor, newest: Minor) -> Result<Minor, ApiError> {
    let (major, minor) = numbers(text).ok_or_else(|| ApiError::Malformed { text: text.to_owned() })?;
    match u8::try_from(minor).map(Minor) {
        Ok(minor) if major == 0 && (oldest..=newest).contains(&minor) => Ok(minor),
        _ => Err(ApiError::Unsupported { name, text: text.to_owned(), oldest: oldest.0, newest: newest.0 }),
    }
}

/// `[v]MAJOR[.MINOR]`, as upstream reads it.
fn numbers(text: &str) -> Option<(u64, u64)> {
    let number = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten();
    let text = text.strip_prefix('v').unwrap_or(text);
    match text.split_once('.') {
        Some((major, minor)) => Some((number(major)?, number(minor)?)),
        None => Some((number(text)?, 0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn supported_versions_round_trip() {
        let platform: Vec<String> = PlatformApi::supported().map(|api| api.to_string()).collect();
        assert_eq!(platform.join(" "), "0.7 0.8 0.9 0.10 0.11 0.12 0.13 0.14 0.15");
        let advertised: Vec<String> = PlatformApi::advertised().map(|api| api.to_string()).collect();
        assert_eq!(advertised.join(" "), "0.9 0.15");
        assert_eq!("v0.15".parse(), Ok(PlatformApi::NEWEST));
        let buildpack: Vec<String> = BuildpackApi::supported().map(|api| api.to_string()).collect();
        assert_eq!(buildpack.join(" "), "0.7 0.8 0.9 0.10 0.11 0.12");
        assert_eq!("0.7".parse(), Ok(BuildpackApi::OLDEST));
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "v", "0.", ".7", "0.x", "0.7.1", "+0.7", " 0.7"] {
            assert!(matches!(text.parse::<PlatformApi>(), Err(ApiError::Malformed { .. })), "{text}");
        }
        for text in ["0.6", "0.16", "1.7", "0", "0.263", "0.4294967303"] {
            assert!(matches!(text.parse::<PlatformApi>(), Err(ApiError::Unsupported { .. })), "{text}");
        }
        assert_eq!("0.13".parse::<BuildpackApi>().unwrap_err().to_string(), "Buildpack API `0.13` is not supported, only 0.7 to 0.12 are");
    }

    #[test]
    fn questions_change_their_answer_at_one_version() {
        let first = |question: fn(PlatformApi) -> bool| PlatformApi::supported().find(|api| question(*api)).map(|api| api.to_string());
        assert_eq!(first(PlatformApi::has_build_config).as_deref(), Some("0.11"));
        assert_eq!(first(PlatformApi::has_run_toml).as_deref(), Some("0.12"));
        assert_eq!(first(PlatformApi::has_system_toml).as_deref(), Some("0.15"));
        assert!(BuildpackApi::OLDEST.has_shell_processes());
        assert!(!BuildpackApi::NEWEST.has_shell_processes());
    }
}
