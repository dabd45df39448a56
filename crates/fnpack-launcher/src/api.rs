//! API versions as the questions that depend on them. Asked nowhere else by number.

/// Why a version is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ApiError {
    #[error("set platform API: please set `CNB_PLATFORM_API`")]
    PlatformUnset,
    #[error("set platform API: platform API version `{0}` is incompatible with the launcher")]
    Platform(String),
    #[error("set API for buildpack `{id}`: buildpack API version `{api}` is incompatible with the launcher")]
    Buildpack { id: String, api: String },
}

/// The Platform API that the image was exported by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PlatformApi(u32);

impl PlatformApi {
    /// The minor versions of 0 that are known.
    const KNOWN: std::ops::RangeInclusive<u32> = 7..=15;

    pub(crate) fn parse(text: &str) -> Result<Self, ApiError> {
        if text.trim().is_empty() {
            return Err(ApiError::PlatformUnset);
        }
        minor_of_zero(text).filter(|minor| Self::KNOWN.contains(minor)).map(Self).ok_or_else(|| ApiError::Platform(text.to_owned()))
    }

    /// Whether arguments of the user take the place of a process's own `args`; before, they follow them.
    pub(crate) fn user_arguments_replace(self) -> bool {
        self.0 >= 10
    }

    /// Whether processes may be limited to execution environments.
    pub(crate) fn has_execution_environments(self) -> bool {
        self.0 >= 15
    }
}

/// The Buildpack API that a buildpack was written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BuildpackApi(u32);

impl BuildpackApi {
    /// The minor versions of 0 that are known.
    const KNOWN: std::ops::RangeInclusive<u32> = 7..=12;

    pub(crate) fn parse(id: &str, text: &str) -> Result<Self, ApiError> {
        minor_of_zero(text)
            .filter(|minor| Self::KNOWN.contains(minor))
            .map(Self)
            .ok_or_else(|| ApiError::Buildpack { id: id.to_owned(), api: text.to_owned() })
    }

    /// Whether `args` of a process are defaults that a user may replace; before, commands were one string.
    pub(crate) fn has_overridable_arguments(self) -> bool {
        self.0 >= 9
    }
}

/// The minor version of `0.N`, which all published versions are; `+0.7` and `0.07` are not versions.
fn minor_of_zero(text: &str) -> Option<u32> {
    let minor = text.strip_prefix("0.")?;
    let canonical = minor == "0" || !minor.starts_with('0');
    (canonical && minor.bytes().all(|byte| byte.is_ascii_digit())).then(|| minor.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn platform_api_known_versions() {
        for (text, known) in [
            ("0.6", false),
            ("0.7", true),
            ("0.10", true),
            ("0.15", true),
            ("0.16", false),
            ("1.0", false),
            ("0.010", false),
            ("0.+7", false),
            ("7", false),
            ("abc", false),
        ] {
            assert_eq!(PlatformApi::parse(text).is_ok(), known, "{text}");
        }
        assert_eq!(PlatformApi::parse(" "), Err(ApiError::PlatformUnset));
    }

    #[test]
    fn platform_api_answers_by_version() {
        for (text, replace, environments) in [("0.9", false, false), ("0.10", true, false), ("0.15", true, true)] {
            let api = PlatformApi::parse(text).unwrap();
            assert_eq!((api.user_arguments_replace(), api.has_execution_environments()), (replace, environments), "{text}");
        }
    }

    #[test]
    fn buildpack_api_answers_by_version() {
        for (text, overridable) in [("0.7", Some(false)), ("0.8", Some(false)), ("0.9", Some(true)), ("0.12", Some(true)), ("0.13", None)] {
            assert_eq!(BuildpackApi::parse("id", text).ok().map(BuildpackApi::has_overridable_arguments), overridable, "{text}");
        }
    }
}
