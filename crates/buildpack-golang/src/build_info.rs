//! The answer of `go version -m`: what a binary was built with and from.

use serde::{Deserialize, Serialize};

/// The module of [`crate::source_file::FUNCTION_PACKAGE`].
pub(crate) const FUNCTION_MODULE: &str = "github.com/apache/pulsar/pulsar-function-go";

/// What of the build information is recorded.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BuildInfo {
    /// Such as `1.25.0`.
    pub(crate) go_version: String,
    /// Of the function module as it was compiled in: a version, or `(devel)` for a folder; empty if it is not in.
    pub(crate) function_version: String,
}

impl BuildInfo {
    pub(crate) fn parse(text: &str) -> Self {
        let mut info = Self::default();
        let mut replaces_function = false;
        for line in text.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words.as_slice() {
                ["mod" | "dep", module, version, ..] => {
                    replaces_function = *module == FUNCTION_MODULE;
                    if replaces_function {
                        (*version).clone_into(&mut info.function_version);
                    }
                }
                ["=>", _, version, ..] if replaces_function => (*version).clone_into(&mut info.function_version),
                [.., version] if info.go_version.is_empty() => {
                    version.strip_prefix("go").unwrap_or_default().clone_into(&mut info.go_version);
                }
                _ => {}
            }
        }
        info
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn build_info_function_version() {
        for (lines, expected) in [
            ("\tdep\tgithub.com/apache/pulsar/pulsar-function-go\tv0.0.0-2025-abc\th1:x=\n", "v0.0.0-2025-abc"),
            ("\tdep\tgithub.com/apache/pulsar/pulsar-function-go\tv0.0.0\n\t=>\t./pulsar-function-go\t(devel)\t\n", "(devel)"),
            ("\tdep\tgithub.com/apache/pulsar/pulsar-function-go\tv0.0.0\n\t=>\texample.com/fork\tv1.2.0\th1:y=\n", "v1.2.0"),
            ("\tmod\tgithub.com/apache/pulsar/pulsar-function-go\t(devel)\t\n", "(devel)"),
            ("\tdep\texample.com/a\tv1\n\t=>\texample.com/b\tv2\n", ""),
        ] {
            let text = format!("/layers/function: go1.26.8\n\tpath\texample.com/x\n{lines}\tbuild\tGOOS=linux\n");
            let expected = BuildInfo { go_version: "1.26.8".into(), function_version: expected.into() };
            assert_eq!(BuildInfo::parse(&text), expected, "{lines}");
        }
        assert_eq!(BuildInfo::parse(""), BuildInfo::default());
    }
}
