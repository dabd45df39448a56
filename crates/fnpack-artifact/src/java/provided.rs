//! What a Java runner brings itself.
//!
//! Pulsar's class loaders ask the one that holds the instance's own libraries first. A copy of these in a function
//! is never loaded at best, and clashes at worst.

/// Names of classes and resources begin like this.
const PREFIXES: [&str; 13] = [
    "com/fasterxml/jackson/annotation/",
    "com/fasterxml/jackson/core/",
    "com/fasterxml/jackson/databind/",
    "com/google/gson/",
    "com/google/protobuf/",
    "org/apache/avro/",
    "org/apache/logging/log4j/",
    "org/apache/logging/slf4j/",
    "org/apache/pulsar/client/admin/",
    "org/apache/pulsar/client/api/",
    "org/apache/pulsar/functions/api/",
    "org/apache/pulsar/io/core/",
    "org/slf4j/",
];

/// Parts of these that users do have: Pulsar's own examples, and bridges that no runner brings.
const NOT_PROVIDED: [&str; 2] = ["org/apache/pulsar/functions/api/examples/", "org/slf4j/bridge/"];

/// Group and name of the libraries that hold them.
const LIBRARIES: [(&str, &str); 16] = [
    ("com.fasterxml.jackson.core", "jackson-annotations"),
    ("com.fasterxml.jackson.core", "jackson-core"),
    ("com.fasterxml.jackson.core", "jackson-databind"),
    ("com.google.code.gson", "gson"),
    ("com.google.protobuf", "protobuf-java"),
    ("com.google.protobuf", "protobuf-java-util"),
    ("org.apache.avro", "avro"),
    ("org.apache.logging.log4j", "log4j-api"),
    ("org.apache.logging.log4j", "log4j-core"),
    ("org.apache.logging.log4j", "log4j-slf4j-impl"),
    ("org.apache.logging.log4j", "log4j-slf4j2-impl"),
    ("org.apache.pulsar", "pulsar-client-admin-api"),
    ("org.apache.pulsar", "pulsar-client-api"),
    ("org.apache.pulsar", "pulsar-functions-api"),
    ("org.apache.pulsar", "pulsar-io-core"),
    ("org.slf4j", "slf4j-api"),
];

/// The package, if a runner brings the classes of an entry: `com.google.gson`.
pub(super) fn provided_package(entry: &str) -> Option<String> {
    let prefix = PREFIXES.iter().find(|prefix| entry.starts_with(**prefix))?;
    let excepted = NOT_PROVIDED.iter().any(|excepted| entry.starts_with(excepted));
    (!excepted).then(|| prefix.trim_end_matches('/').replace('/', "."))
}

/// Whether a runner brings a library, by its file name with the group before it, as Maven's dependency plugin
/// writes it with `mdep.prependGroupId`: `org.slf4j.slf4j-api-2.0.13.jar`.
pub fn is_provided_library(file_name: &str) -> bool {
    LIBRARIES.iter().any(|(group, name)| {
        let version = || file_name.strip_prefix(group)?.strip_prefix('.')?.strip_prefix(name)?.strip_prefix('-');
        version().is_some_and(|version| version.starts_with(|letter: char| letter.is_ascii_digit()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn provided_package_by_entry() {
        for (entry, package) in [
            ("com/google/gson/Gson.class", Some("com.google.gson")),
            ("org/apache/pulsar/functions/api/Function.class", Some("org.apache.pulsar.functions.api")),
            ("org/apache/pulsar/functions/api/examples/Exclamation.class", None),
            ("org/slf4j/Logger.class", Some("org.slf4j")),
            ("org/slf4j/bridge/Handler.class", None),
            ("com/google/gsonic/X.class", None),
            ("shaded/com/google/gson/Gson.class", None),
            ("com/fasterxml/jackson/dataformat/yaml/X.class", None),
        ] {
            assert_eq!(provided_package(entry).as_deref(), package, "{entry}");
        }
    }

    #[test]
    fn provided_library_by_file_name() {
        for (name, provided) in [
            ("org.slf4j.slf4j-api-2.0.13.jar", true),
            ("com.fasterxml.jackson.core.jackson-core-2.17.2.jar", true),
            ("com.fasterxml.jackson.dataformat.jackson-dataformat-yaml-2.17.2.jar", false),
            ("org.slf4j.slf4j-api-extras-1.0.jar", false),
            ("org.apache.pulsar.pulsar-client-original-4.0.0.jar", false),
            ("slf4j-api-2.0.13.jar", false),
            ("", false),
        ] {
            assert_eq!(is_provided_library(name), provided, "{name}");
        }
    }
}
