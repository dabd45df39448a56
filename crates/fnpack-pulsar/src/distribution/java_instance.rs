//! The Java instance: the program that runs a Java function for a functions worker.
//!
//! Pulsar's distribution has it as one jar of its starting class and the libraries that it shares with
//! functions. That jar is in no repository, so it is put together here. Its one class is compiled with the
//! compiler module of the Java at hand, which Debian's runtimes have as well as development kits.

use std::collections::HashSet;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use fs_err::File;
use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

use super::{DistributionError, artifact};

/// The libraries that the instance shares with functions.
const SHARED: [&str; 16] = [
    "pulsar-io-core",
    "pulsar-functions-api",
    "pulsar-client-api",
    "pulsar-client-admin-api",
    "avro",
    "commons-compress",
    "jackson-core",
    "jackson-databind",
    "jackson-annotations",
    "protobuf-java",
    "protobuf-java-util",
    "gson",
    "slf4j-api",
    "log4j-slf4j2-impl",
    "log4j-api",
    "log4j-core",
];
const MANIFEST: &str = "META-INF/MANIFEST.MF";
const MAIN_CLASS: &str = "org/apache/pulsar/functions/instance/JavaInstanceMain.class";

/// Makes `jar` from the parts in `folder`; `false` if this Java has no compiler.
pub(super) fn assemble(java: &Path, folder: &Path, libraries: &Path, jar: &Path) -> Result<bool, DistributionError> {
    let parent = jar.parent().unwrap_or(folder);
    let classes = tempfile::tempdir_in(parent).map_err(DistributionError::file("create a folder in", parent))?;
    if !compile(java, folder, classes.path()) {
        return Ok(false);
    }
    let temporary = tempfile::NamedTempFile::new_in(parent).map_err(DistributionError::file("create a file in", parent))?;
    let mut assembly = Assembly { path: jar, writer: ZipWriter::new(temporary.as_file()), seen: HashSet::new() };
    assembly.add(MANIFEST, b"Manifest-Version: 1.0\r\nMulti-Release: true\r\n\r\n")?;
    assembly.add_file(MAIN_CLASS, &classes.path().join(MAIN_CLASS))?;
    for resource in ["java_instance_log4j2.xml", "kubernetes_instance_log4j2.xml"] {
        assembly.add_file(resource, &folder.join(resource))?;
    }
    for library in artifact::all().iter().filter(|artifact| artifact.is_jar() && SHARED.contains(&artifact.name())) {
        assembly.add_jar(&libraries.join(library.file_name()))?;
    }
    assembly.finish()?;
    temporary.persist(jar).map_err(|error| DistributionError::file("name", jar)(error.error))?;
    Ok(true)
}

/// Whether it could be compiled: a Java without compiler says so by its status.
fn compile(java: &Path, folder: &Path, classes: &Path) -> bool {
    let mut command = Command::new(java);
    command.args(["-m", "jdk.compiler/com.sun.tools.javac.Main", "-nowarn", "-proc:none", "-d"]).arg(classes);
    command.arg(folder.join("JavaInstanceMain.java"));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

struct Assembly<'a> {
    path: &'a Path,
    writer: ZipWriter<&'a std::fs::File>,
    seen: HashSet<String>,
}

impl Assembly<'_> {
    fn add(&mut self, name: &str, bytes: &[u8]) -> Result<(), DistributionError> {
        self.seen.insert(name.to_owned());
        self.writer.start_file(name, SimpleFileOptions::default()).map_err(|source| self.failed(source))?;
        self.writer.write_all(bytes).map_err(DistributionError::file("write", self.path))
    }

    fn add_file(&mut self, name: &str, path: &Path) -> Result<(), DistributionError> {
        let mut bytes = Vec::new();
        let read = File::open(path).and_then(|mut file| file.read_to_end(&mut bytes));
        read.map_err(DistributionError::file("read", path))?;
        self.add(name, &bytes)
    }

    /// Adds what is in a jar and not there yet, as it is compressed.
    fn add_jar(&mut self, path: &Path) -> Result<(), DistributionError> {
        let failed = |source| DistributionError::Archive { path: path.to_owned(), source };
        let file = File::open(path).map_err(DistributionError::file("open", path))?;
        let mut jar = ZipArchive::new(file).map_err(failed)?;
        for index in 0..jar.len() {
            let entry = jar.by_index_raw(index).map_err(failed)?;
            let name = entry.name().map_err(failed)?.into_owned();
            if entry.is_dir() || is_signature(&name) || !self.seen.insert(name) {
                continue;
            }
            self.writer.raw_copy_file(entry).map_err(failed)?;
        }
        Ok(())
    }

    fn finish(self) -> Result<(), DistributionError> {
        let path = self.path;
        self.writer.finish().map(drop).map_err(|source| DistributionError::Archive { path: path.to_owned(), source })
    }

    fn failed(&self, source: zip::result::ZipError) -> DistributionError {
        DistributionError::Archive { path: self.path.to_owned(), source }
    }
}

/// Signatures hold for the jar that they were made for.
fn is_signature(name: &str) -> bool {
    name.strip_prefix("META-INF/")
        .is_some_and(|file| !file.contains('/') && [".SF", ".RSA", ".DSA", ".EC"].iter().any(|suffix| file.ends_with(suffix)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_libraries_are_in_the_list_once() {
        for name in SHARED {
            let count = artifact::all().iter().filter(|artifact| artifact.is_jar() && artifact.name() == name).count();
            assert_eq!(count, 1, "{name}");
        }
    }

    #[test]
    fn signature_is_recognised() {
        for (name, expected) in [("META-INF/BC.RSA", true), ("META-INF/A.SF", true), ("META-INF/versions/9/a.SF", false), ("a.RSA", false)]
        {
            assert_eq!(is_signature(name), expected, "{name}");
        }
    }
}
