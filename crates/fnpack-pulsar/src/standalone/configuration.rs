//! The configuration of a server: Pulsar's own files with some settings replaced.

use std::path::{Path, PathBuf};

use super::StandaloneOptions;
use super::error::StandaloneError;
use super::ports::Ports;

/// To standard output, which is the log file: Pulsar's own configuration needs a part that is not there.
const LOGGING: &str = r#"<Configuration status="warn">
<Appenders><Console name="C"><PatternLayout pattern="%d %-5p [%t] %c{1} - %m%n"/></Console></Appenders>
<Loggers><Root level="info"><AppenderRef ref="C"/></Root></Loggers>
</Configuration>
"#;
const PACKAGE_STORAGE: &str = "org.apache.pulsar.packages.management.storage.filesystem.FileSystemPackagesStorageProvider";

/// The folder of one server.
pub(super) struct Site {
    pub(super) folder: PathBuf,
}

impl Site {
    /// Makes the folders and writes the configuration.
    pub(super) fn prepare(folder: &Path, options: &StandaloneOptions, ports: Ports) -> Result<Self, StandaloneError> {
        let site = Self { folder: folder.to_owned() };
        for name in ["conf", "data", "logs", "tmp", "download", "packages", "functions", "connectors", "bin"] {
            let path = folder.join(name);
            fs_err::create_dir_all(&path).map_err(StandaloneError::file("create", &path))?;
        }
        let original = options.distribution.configuration();
        let broker = read(&original.join("standalone.conf"))?;
        write(&site.broker_file(), &properties(&broker, &site.broker_settings(ports)))?;
        let worker = read(&original.join("functions_worker.yml"))?;
        write(&site.worker_file(), &yaml(&worker, &site.worker_settings(ports)))?;
        write(&site.logging_file(), LOGGING)?;
        if let Some(python) = &options.python {
            site.wrap("python3", python)?;
        }
        site.wrap("java", &options.java)?;
        Ok(site)
    }

    pub(super) fn at(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub(super) fn broker_file(&self) -> PathBuf {
        self.at("conf/standalone.conf")
    }

    pub(super) fn worker_file(&self) -> PathBuf {
        self.at("conf/functions_worker.yml")
    }

    pub(super) fn logging_file(&self) -> PathBuf {
        self.at("conf/log4j2.xml")
    }

    fn path(&self, name: &str) -> String {
        self.at(name).display().to_string()
    }

    fn broker_settings(&self, ports: Ports) -> Vec<(&'static str, String)> {
        vec![
            ("brokerServicePort", ports.service.to_string()),
            ("webServicePort", ports.web.to_string()),
            ("bindAddress", "127.0.0.1".to_owned()),
            ("advertisedAddress", "127.0.0.1".to_owned()),
            // The storage has no other setting for where it listens.
            ("listeningInterface", "lo".to_owned()),
            ("packagesManagementStorageProvider", PACKAGE_STORAGE.to_owned()),
            ("STORAGE_PATH", self.path("packages")),
        ]
    }

    fn worker_settings(&self, ports: Ports) -> Vec<(&'static str, String)> {
        vec![
            ("pulsarServiceUrl", format!("pulsar://127.0.0.1:{}", ports.service)),
            ("pulsarWebServiceUrl", format!("http://127.0.0.1:{}", ports.web)),
            ("downloadDirectory", self.path("download")),
            ("functionsDirectory", self.path("functions")),
            ("connectorsDirectory", self.path("connectors")),
        ]
    }

    /// A program of this name that is another: the worker looks for its interpreters by name. Not a link: a
    /// Python of a virtual environment knows it by its own path.
    fn wrap(&self, name: &str, program: &Path) -> Result<(), StandaloneError> {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.at("bin").join(name);
        if !program.is_absolute() {
            // To be found in the search path, by its own name.
            return Ok(());
        }
        let quoted = program.display().to_string().replace('\'', r"'\''");
        write(&path, &format!("#!/bin/sh\nexec '{quoted}' \"$@\"\n"))?;
        let mode = std::fs::Permissions::from_mode(0o755);
        fs_err::set_permissions(&path, mode).map_err(StandaloneError::file("make executable", &path))
    }
}

/// A file of Java properties with settings replaced or added.
fn properties(text: &str, settings: &[(&str, String)]) -> String {
    let written = |value: &str| value.replace('\\', r"\\");
    replaced(text, '=', settings.iter().map(|(key, value)| (*key, format!("{key}={}", written(value)))))
}

/// A flat file of YAML with settings replaced or added. JSON's strings are YAML's.
fn yaml(text: &str, settings: &[(&str, String)]) -> String {
    replaced(text, ':', settings.iter().map(|(key, value)| (*key, format!("{key}: {}", serde_json::Value::from(value.as_str())))))
}

fn replaced<'a>(text: &str, separator: char, settings: impl Iterator<Item = (&'a str, String)>) -> String {
    let (keys, lines): (Vec<_>, Vec<_>) = settings.unzip();
    let is_set = |line: &str| line.split_once(separator).is_some_and(|(key, _)| keys.contains(&key));
    let kept = text.lines().filter(|line| !is_set(line));
    kept.chain(lines.iter().map(String::as_str)).flat_map(|line| [line, "\n"]).collect()
}

fn read(path: &Path) -> Result<String, StandaloneError> {
    fs_err::read_to_string(path).map_err(StandaloneError::file("read", path))
}

fn write(path: &Path, text: &str) -> Result<(), StandaloneError> {
    fs_err::write(path, text).map_err(StandaloneError::file("write", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_replaced_or_added() {
        let text = "# port=1\nport=6650\nhost=x\nportTls=\n";
        let settings = [("port", "7".to_owned()), ("new", r"a\b".to_owned())];
        assert_eq!(properties(text, &settings), "# port=1\nhost=x\nportTls=\nport=7\nnew=a\\\\b\n");
        let text = "url: a\nlist:\n  url: b\n";
        assert_eq!(yaml(text, &[("url", "x: \"y\"".to_owned())]), "list:\n  url: b\nurl: \"x: \\\"y\\\"\"\n");
    }
}
