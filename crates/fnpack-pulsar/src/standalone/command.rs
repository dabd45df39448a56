//! The command line of a server.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::StandaloneOptions;
use super::configuration::Site;

/// Halves the work of a start: a server that lives for minutes gains nothing from the optimising
/// compiler and from a collector with threads.
const QUICK_START: [&str; 3] = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto"];

/// What Pulsar and its libraries reach into.
const OPENED: [&str; 8] = [
    "java.base/java.io",
    "java.base/java.nio",
    "java.base/java.util.zip",
    "java.base/jdk.internal.misc",
    "java.base/jdk.internal.platform",
    "java.base/sun.net",
    "java.management/sun.management",
    "jdk.management/com.sun.management.internal",
];
const METADATA: &str = "org.apache.pulsar.metadata.bookkeeper";

/// What is prepared for a Java, beside the distribution.
#[derive(Debug, Clone, Default)]
pub(super) struct Preparation {
    /// The jar that runs Java functions.
    pub(super) java_instance: Option<PathBuf>,
    pub(super) classes: Classes,
}

/// An archive of classes as they are in memory, checked and linked. It halves the work of a start.
#[derive(Debug, Clone, Default)]
pub(super) enum Classes {
    /// There is none.
    #[default]
    Loaded,
    /// Of an earlier run. Java looks whether it fits, and does without if not.
    From(PathBuf),
    /// To be written when this run ends.
    Into(PathBuf),
}

/// The whole command.
pub(super) fn of(options: &StandaloneOptions, site: &Site, preparation: &Preparation) -> Command {
    let mut command = Command::new(&options.java);
    command.current_dir(&site.folder).env("PULSAR_HOME", options.distribution.folder());
    command.arg("-cp").arg(options.distribution.class_path());
    let heap = options.heap_mebibytes;
    command.args(["-Xms128m".to_owned(), format!("-Xmx{heap}m"), format!("-XX:MaxDirectMemorySize={heap}m")]);
    command.args(QUICK_START);
    match &preparation.classes {
        Classes::Loaded => {}
        Classes::From(path) => {
            command.arg(format!("-XX:SharedArchiveFile={}", path.display()));
        }
        Classes::Into(path) => {
            command.arg(format!("-XX:ArchiveClassesAtExit={}", path.display()));
        }
    }
    for package in OPENED {
        command.arg("--add-opens").arg(format!("{package}=ALL-UNNAMED"));
    }
    command
        .args(properties(options, site, preparation.java_instance.as_deref()).into_iter().map(|(key, value)| format!("-D{key}={value}")));
    command.arg("org.apache.pulsar.PulsarStandaloneStarter");
    command.arg("--config").arg(site.broker_file());
    command.arg("--functions-worker-conf").arg(site.worker_file());
    command.arg("--metadata-dir").arg(site.at("data/metadata"));
    command.arg("--bookkeeper-dir").arg(site.at("data/bookkeeper"));
    command.args(["--advertised-address", "127.0.0.1", "-nss"]);
    if !options.functions_worker {
        command.arg("-nfw");
    }
    command
}

fn properties(options: &StandaloneOptions, site: &Site, java_instance: Option<&Path>) -> Vec<(&'static str, String)> {
    let distribution = &options.distribution;
    let shown = |path: &Path| path.display().to_string();
    // A worker does not start without the name of an existing file, even if no Java function ever runs.
    let java_instance = java_instance.map_or_else(|| shown(&site.logging_file()), shown);
    vec![
        ("java.io.tmpdir", shown(&site.at("tmp"))),
        ("java.net.preferIPv4Stack", "true".to_owned()),
        ("io.netty.tryReflectionSetAccessible", "true".to_owned()),
        ("jute.maxbuffer", "10485760".to_owned()),
        ("log4j.configurationFile", shown(&site.logging_file())),
        ("log4j2.is.webapp", "false".to_owned()),
        ("pulsar.log.dir", shown(&site.at("logs"))),
        ("pulsar.functions.java.instance.jar", java_instance),
        ("pulsar.functions.python.instance.file", shown(&distribution.python_instance())),
        ("pulsar.functions.extra.dependencies.dir", shown(&distribution.folder().join("instances/deps"))),
        ("pulsar.functions.instance.classpath", format!("{}/*", shown(&distribution.libraries()))),
        ("pulsar.functions.process.container.log.dir", shown(&site.at("logs"))),
        ("pulsar.functions.log.conf", shown(&distribution.configuration().join("functions_log4j2.xml"))),
        ("bookkeeper.metadata.bookie.drivers", format!("{METADATA}.PulsarMetadataBookieDriver")),
        ("bookkeeper.metadata.client.drivers", format!("{METADATA}.PulsarMetadataClientDriver")),
    ]
}
