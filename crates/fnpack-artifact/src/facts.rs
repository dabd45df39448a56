//! What is known of a function, and the image labels that say it.

use std::fmt;
use std::str::FromStr;

/// What the names of all labels of a function begin with.
pub const LABEL_PREFIX: &str = "io.fnpack.function.";

/// The languages that Pulsar runs functions of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Language {
    /// Go
    Go,
    /// Java and what else makes class files
    Java,
    /// Python
    Python,
}

impl Language {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Go, Self::Java, Self::Python];

    /// As labels have it: `go`, `java`, `python`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Go => "go",
            Self::Java => "java",
            Self::Python => "python",
        }
    }
}

impl fmt::Display for Language {
    /// As people write it.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Go => "Go",
            Self::Java => "Java",
            Self::Python => "Python",
        })
    }
}

/// A word that names no language of functions.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a language of functions: `go`, `java` or `python`")]
pub struct UnknownLanguage(pub String);

impl FromStr for Language {
    type Err = UnknownLanguage;

    fn from_str(text: &str) -> Result<Self, UnknownLanguage> {
        Self::ALL.into_iter().find(|language| language.as_str() == text).ok_or_else(|| UnknownLanguage(text.to_owned()))
    }
}

/// What is known of a function. `None` means "not known", never "no".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// What it is written in.
    pub language: Language,
    /// Absolute path, in the image, of what Pulsar is told to run.
    pub artifact: String,
    /// The name that Pulsar calls it by: a Java class, `module.Class` or a bare module in Python.
    pub class_name: Option<String>,
    /// The Java class of its input.
    pub input_type: Option<String>,
    /// The Java class of its output.
    pub output_type: Option<String>,
    /// Whether it takes windows of messages.
    pub window: Option<bool>,
    /// The processor it needs, in Go's words; none if any will do.
    pub arch: Option<String>,
    /// Whether it needs nothing of the runner's libraries.
    pub is_static: Option<bool>,
    /// The Go release that compiled it, such as `1.25.0`.
    pub go_version: Option<String>,
    /// Version of `github.com/apache/pulsar/pulsar-function-go` in it, `(devel)` if it came from a folder.
    pub pf_version: Option<String>,
    /// The Java feature release that its highest class file needs, such as `17`.
    pub java_release: Option<u16>,
    /// The Python minor it is bound to, such as `3.13`; none if any will do.
    pub python_version: Option<String>,
    /// The C library it is bound to: `glibc` or `musl`; none if any will do.
    pub libc: Option<String>,
    /// The lowest version of that library that fits, such as `2.28`.
    pub libc_version: Option<String>,
}

impl Facts {
    /// Nothing known yet but the language and the path.
    pub fn new(language: Language, artifact: impl Into<String>) -> Self {
        Self {
            language,
            artifact: artifact.into(),
            class_name: None,
            input_type: None,
            output_type: None,
            window: None,
            arch: None,
            is_static: None,
            go_version: None,
            pf_version: None,
            java_release: None,
            python_version: None,
            libc: None,
            libc_version: None,
        }
    }

    /// Label names and values of what is known.
    pub fn labels(&self) -> Vec<(String, String)> {
        let texts = [
            ("language", Some(self.language.as_str().to_owned())),
            ("artifact", Some(self.artifact.clone())),
            ("class", self.class_name.clone()),
            ("input-type", self.input_type.clone()),
            ("output-type", self.output_type.clone()),
            ("window", self.window.map(|window| window.to_string())),
            ("arch", self.arch.clone()),
            ("static", self.is_static.map(|is_static| is_static.to_string())),
            ("go.version", self.go_version.clone()),
            ("pf.version", self.pf_version.clone()),
            ("java.release", self.java_release.map(|release| release.to_string())),
            ("python.version", self.python_version.clone()),
            ("libc", self.libc.clone()),
            ("libc.version", self.libc_version.clone()),
        ];
        let known = texts.into_iter().filter_map(|(key, value)| Some((key, value.filter(|value| !value.is_empty())?)));
        known.map(|(key, value)| (format!("{LABEL_PREFIX}{key}"), value)).collect()
    }

    /// The same from the labels of an image; none if they name no function. A value that cannot be read counts as
    /// not known.
    pub fn from_labels<'a>(label: impl Fn(&str) -> Option<&'a str>) -> Option<Self> {
        let text = |key: &str| label(&format!("{LABEL_PREFIX}{key}")).filter(|value| !value.is_empty()).map(str::to_owned);
        let truth = |key: &str| text(key).and_then(|value| value.parse().ok());
        Some(Self {
            language: text("language")?.parse().ok()?,
            artifact: text("artifact")?,
            class_name: text("class"),
            input_type: text("input-type"),
            output_type: text("output-type"),
            window: truth("window"),
            arch: text("arch"),
            is_static: truth("static"),
            go_version: text("go.version"),
            pf_version: text("pf.version"),
            java_release: text("java.release").and_then(|release| release.parse().ok()),
            python_version: text("python.version"),
            libc: text("libc"),
            libc_version: text("libc.version"),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn read(labels: &BTreeMap<String, String>) -> Option<Facts> {
        Facts::from_labels(|name| labels.get(name).map(String::as_str))
    }

    #[test]
    fn labels_say_what_is_known_and_read_back() {
        let plain = Facts::new(Language::Python, "/pulsar/function/function.py");
        let full = Facts {
            class_name: Some("org.example.Orders".into()),
            input_type: Some("java.lang.String".into()),
            output_type: Some("[B".into()),
            window: Some(false),
            arch: Some("amd64".into()),
            is_static: Some(true),
            go_version: Some("1.25.0".into()),
            pf_version: Some("(devel)".into()),
            java_release: Some(17),
            python_version: Some("3.13".into()),
            libc: Some("musl".into()),
            libc_version: Some("1.2".into()),
            ..Facts::new(Language::Java, "/pulsar/function/function.jar")
        };
        for (facts, count) in [(plain, 2), (full, 14)] {
            let labels: BTreeMap<String, String> = facts.labels().into_iter().collect();
            assert_eq!(labels.len(), count);
            assert_eq!(read(&labels), Some(facts));
        }
    }

    #[test]
    fn labels_of_others_are_not_trusted() {
        for (labels, expected) in [
            (vec![], None),
            (vec![("language", "perl"), ("artifact", "/x")], None),
            (vec![("language", "go")], None),
            (
                vec![("language", "go"), ("artifact", "/x"), ("static", "maybe"), ("java.release", "99999999"), ("arch", "")],
                Some(Facts::new(Language::Go, "/x")),
            ),
        ] {
            let labels = labels.into_iter().map(|(key, value)| (format!("{LABEL_PREFIX}{key}"), value.to_owned())).collect();
            assert_eq!(read(&labels), expected, "{labels:?}");
        }
    }
}
