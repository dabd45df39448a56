//! What lines of an instance's log mean: the failures that users meet, with what to do about each.

/// A known reason why a function does not work.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Cause {
    /// A line that has all of these is a sign of it.
    signs: &'static [&'static str],
    /// Whether no answer can be hoped for any more.
    pub(super) fatal: bool,
    /// What it is.
    pub(super) text: &'static str,
    /// What to do.
    pub(super) hint: &'static str,
}

/// The reason that a line is a sign of, and its place in the table: the earlier the more it explains.
pub(super) fn of(line: &str) -> Option<(usize, &'static Cause)> {
    CAUSES.iter().enumerate().find(|(_, cause)| cause.signs.iter().all(|sign| line.contains(sign)))
}

const fn fatal(signs: &'static [&'static str], text: &'static str, hint: &'static str) -> Cause {
    Cause { signs, fatal: true, text, hint }
}

const fn sign(signs: &'static [&'static str], text: &'static str, hint: &'static str) -> Cause {
    Cause { signs, fatal: false, text, hint }
}

const OWNER: &str = "files of the function belong to 10000:10001: build it with `fnpack build`, or `COPY --chown=10000:10001`";
const WRITABLE: &str = "the runner's `/pulsar/conf`, `/pulsar/logs` and the instance's folder must be writable for 10000:10001: take a runner made for functions";
const RUNNER: &str = "put the function on a runner of its language: see what it stands on with `fnpack inspect`";
const CLASS_NAME: &str =
    "a class name of Python is a module with a function `process`, or `module.Class`; name another with `--class-name`";
const TYPES: &str = "say the function's types with `--input-type` and `--output-type`, and in manifests with `typeClassName`";
const DEPENDENCY: &str = "add it to the project's dependencies and build anew";

static CAUSES: [Cause; 30] = [
    // Java
    fatal(&["ClassCastException", "class [B cannot be cast"], "the instance gave bytes to a function of another type", TYPES),
    fatal(&["ClassCastException"], "the function was given a value of another type than its class takes", TYPES),
    fatal(
        &["UnsupportedClassVersionError"],
        "the function was compiled for a newer Java than the runner has",
        "compile with `--release` of the runner's Java, or take a newer runner",
    ),
    fatal(
        &["IncompatibleSchemaException"],
        "the topic holds messages of another schema than the function's type",
        "take a new topic, or give the function the type that the topic has",
    ),
    fatal(
        &["Could not find or load main class org.apache.pulsar.functions.instance.JavaInstanceMain"],
        "the image has no instance for Java functions",
        RUNNER,
    ),
    fatal(&["Error opening log file '/pulsar/logs/gc.log'"], "`/pulsar/logs` is missing or cannot be written", WRITABLE),
    fatal(
        &["NoSuchMethodException", "<init>()"],
        "the function's class has no public constructor without arguments",
        "give the class one: Pulsar makes the function by it",
    ),
    fatal(&["NoClassDefFoundError"], "a class that the function needs is not in its image", DEPENDENCY),
    fatal(
        &["ClassNotFoundException"],
        "a class is not in the function's image",
        "see that the class name is right (`--class-name`) and that its library is among the dependencies",
    ),
    fatal(&["User class must", "Function"], "the class is not a function", "name the class of the function with `--class-name`"),
    fatal(&["OutOfMemoryError"], "the instance ran out of memory", "give it more, or let the function keep less"),
    // Python
    fatal(
        &["Detected incompatible Protobuf"],
        "the function brings a protobuf that the instance cannot work with",
        "leave protobuf, grpcio and pulsar-client to the runner: take them out of the function's dependencies",
    ),
    fatal(
        &["Descriptors cannot be created directly"],
        "the function brings a protobuf that the instance cannot work with",
        "leave protobuf, grpcio and pulsar-client to the runner: take them out of the function's dependencies",
    ),
    fatal(
        &["ModuleNotFoundError"],
        "a Python module is missing",
        "add it to the project's dependencies, or correct the module in `--class-name`",
    ),
    fatal(
        &["ImportError"],
        "a Python module cannot be loaded",
        "see that it was made for the runner's Python and C library; build it anew for this runner",
    ),
    fatal(&["Could not import User Function Module"], "the instance does not find the function's module or class", CLASS_NAME),
    fatal(&["AttributeError", "process"], "what the class name names has no `process`", CLASS_NAME),
    fatal(&["python_instance_main.py", "No such file or directory"], "the image has no instance for Python functions", RUNNER),
    // Go
    fatal(
        &["config file is nil"],
        "the instance could not read its configuration",
        "leave out `--user-config`, or `--under function-mesh`: Function Mesh breaks the configuration of Go functions",
    ),
    fatal(&["chmod: changing permissions", "Operation not permitted"], "the function's file belongs to another user", OWNER),
    // All
    fatal(
        &["Read-only file system"],
        "the instance wants to write where nothing can be written",
        "run it with a root file system that can be written",
    ),
    fatal(&["Exec format error"], "the function was made for another processor", "build it for the runner's platform"),
    fatal(
        &["version `GLIBC_", "not found"],
        "the function was made for a newer C library than the runner has",
        "build it on a system as old as the runner, or statically (`CGO_ENABLED=0`)",
    ),
    fatal(&["java: not found"], "the image has no Java", RUNNER),
    fatal(&["python: not found"], "the image has no Python", RUNNER),
    fatal(&["Permission denied"], "the instance may not write where it must, or not read the function", WRITABLE),
    fatal(&["ddress already in use"], "a port of the instance is taken", "end whoever has it: see `ss -ltnp`"),
    sign(
        &["Connection refused"],
        "the broker cannot be reached from the instance",
        "see that the broker's own name (`advertisedAddress`) can be reached from here",
    ),
    sign(&["AuthenticationE"], "the broker wants to know who the instance is", "give it a token with `--token-file`"),
    sign(
        &["AuthorizationE"],
        "the broker does not let the instance at its topics",
        "take a tenant and namespace that the token is good for",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn text(line: &str) -> Option<&'static str> {
        of(line).map(|(_, cause)| cause.text)
    }

    #[test]
    fn lines_of_real_failures_are_known() {
        let lines = [
            (
                "java.lang.ClassCastException: class [B cannot be cast to class java.lang.String ([B and java.lang.String are in module java.base of loader 'bootstrap')",
                "the instance gave bytes to a function of another type",
            ),
            ("ImportError: libstdc++.so.6: cannot open shared object file: No such file or directory", "a Python module cannot be loaded"),
            ("ModuleNotFoundError: No module named 'requests'", "a Python module is missing"),
            (
                "[2025-01-01 00:00:00 +0000] [CRITICAL] python_instance.py:194: Could not import User Function Module orders.Orders",
                "the instance does not find the function's module or class",
            ),
            ("AttributeError: 'function' object has no attribute 'process'", "what the class name names has no `process`"),
            (
                "java.lang.UnsupportedClassVersionError: org/example/Exclaim has been compiled by a more recent version of the Java Runtime (class file version 69.0), this version of the Java Runtime only recognizes class file versions up to 65.0",
                "the function was compiled for a newer Java than the runner has",
            ),
            (
                "chmod: changing permissions of '/pulsar/function/function': Operation not permitted",
                "the function's file belongs to another user",
            ),
            ("chmod: changing permissions of '/x': Read-only file system", "the instance wants to write where nothing can be written"),
            (
                "org.apache.pulsar.client.api.PulsarClientException$IncompatibleSchemaException: Failed to add schema to an active topic with empty(BYTES) schema: new schema type STRING",
                "the topic holds messages of another schema than the function's type",
            ),
            ("Caused by: java.net.ConnectException: Connection refused", "the broker cannot be reached from the instance"),
            ("bash: line 1: exec: java: not found", "the image has no Java"),
            (
                "mkdir: cannot create directory 'logs': Permission denied",
                "the instance may not write where it must, or not read the function",
            ),
            ("panic: config file is nil", "the instance could not read its configuration"),
        ];
        for (line, expected) in lines {
            assert_eq!(text(line), Some(expected), "{line}");
        }
    }

    #[test]
    fn ordinary_lines_mean_nothing() {
        for line in ["", "shardId=0", "2025-01-01T00:00:00,000+0000 [main] INFO  - Starting function", "process finished"] {
            assert_eq!(text(line), None, "{line}");
        }
    }

    #[test]
    fn every_cause_can_be_reached() {
        for (place, cause) in CAUSES.iter().enumerate() {
            let line = cause.signs.join(" ");
            assert_eq!(of(&line).map(|(found, _)| found), Some(place), "{line}");
        }
    }
}
