//! A look-alike of the runner images that Function Mesh's project publishes: Alpine, a dozen layers made by a
//! Dockerfile, a user by name, variables that no shell would export, no labels. Its programs are empty files; what a
//! reader of the real ones goes by is there.

use std::io;
use std::path::Path;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tar::{Builder, EntryType, Header};

/// A runner image as a value.
#[derive(Debug, Clone)]
pub struct RunnerImage {
    layers: Vec<Vec<Entry>>,
}

#[derive(Debug, Clone)]
struct Entry {
    path: &'static str,
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    Folder,
    File(&'static [u8]),
    Symlink(&'static str),
}

const FOLDER: Kind = Kind::Folder;
/// Nobody may start it: a test that does fails.
const PROGRAM: Kind = Kind::File(b"not a program\n");
/// As in the real loader: the version is a text of its own.
const MUSL: Kind = Kind::File(b"\x7fELF\0other\0\x001.2.5\0musl libc (x86_64)\nVersion %s\nDynamic Program Loader\n\0");
const OS_RELEASE: Kind = Kind::File(b"NAME=\"Alpine Linux\"\nID=alpine\nVERSION_ID=3.21.3\nPRETTY_NAME=\"Alpine Linux v3.21\"\n");

impl RunnerImage {
    /// Like `streamnative/pulsar-functions-pulsarctl-go-runner`.
    pub fn published_go() -> Self {
        let system = [
            ("bin", FOLDER),
            ("bin/busybox", PROGRAM),
            ("bin/sh", Kind::Symlink("/bin/busybox")),
            ("etc", FOLDER),
            ("etc/os-release", Kind::Symlink("../usr/lib/os-release")),
            ("etc/passwd", Kind::File(b"root:x:0:0:root:/root:/bin/sh\n")),
            ("etc/group", Kind::File(b"root:x:0:root\n")),
            ("lib", FOLDER),
            ("lib/ld-musl-x86_64.so.1", MUSL),
            ("lib/libc.musl-x86_64.so.1", Kind::Symlink("ld-musl-x86_64.so.1")),
            ("usr", FOLDER),
            ("usr/bin", FOLDER),
            ("usr/lib", FOLDER),
            ("usr/lib/os-release", OS_RELEASE),
        ];
        let user = [
            ("etc/passwd", Kind::File(b"root:x:0:0:root:/root:/bin/sh\npulsar:x:10000:10001::/home/pulsar:/bin/sh\n")),
            ("etc/group", Kind::File(b"root:x:0:root\npulsar:x:10001:\n")),
            ("pulsar", FOLDER),
        ];
        let folders =
            ["pulsar/bin", "pulsar/conf", "pulsar/instances", "pulsar/lib", "pulsar/logs", "pulsar/tmp"].map(|folder| (folder, FOLDER));
        // The stand-in for glibc that `LD_PRELOAD` names.
        let tools = [("bin/bash", PROGRAM), ("lib/libgcompat.so.0", PROGRAM), ("pulsar/bin/pulsarctl", PROGRAM)];
        Self { layers: Vec::new() }.with(system).with(user).with(folders).with(tools)
    }

    /// Like `streamnative/pulsar-functions-pulsarctl-java-runner`.
    pub fn published_java() -> Self {
        let java = [
            ("usr/lib/jvm", FOLDER),
            ("usr/lib/jvm/default-jvm", Kind::Symlink("java-21-openjdk")),
            ("usr/lib/jvm/java-21-openjdk", FOLDER),
            ("usr/lib/jvm/java-21-openjdk/bin", FOLDER),
            ("usr/lib/jvm/java-21-openjdk/bin/java", PROGRAM),
            ("usr/lib/jvm/java-21-openjdk/release", Kind::File(b"IMPLEMENTOR=\"Alpine\"\nJAVA_VERSION=\"21.0.7\"\n")),
            ("usr/bin/java", Kind::Symlink("../lib/jvm/default-jvm/bin/java")),
        ];
        let instance = [
            ("pulsar/instances/java-instance.jar", PROGRAM),
            ("pulsar/lib/org.apache.pulsar-pulsar-functions-instance-4.0.5.2.jar", PROGRAM),
        ];
        Self::published_go().with(java).with(instance)
    }

    /// Like `streamnative/pulsar-functions-pulsarctl-python-runner`, which comes from the image `python:3.12-alpine`.
    pub fn published_python() -> Self {
        let python = [
            ("usr/local", FOLDER),
            ("usr/local/bin", FOLDER),
            ("usr/local/bin/python3.12", PROGRAM),
            ("usr/local/bin/python3", Kind::Symlink("python3.12")),
            ("usr/local/bin/python", Kind::Symlink("python3")),
        ];
        let instance = [
            ("pulsar/instances/python-instance", FOLDER),
            ("pulsar/instances/python-instance/python_instance_main.py", PROGRAM),
            ("pulsar/instances/python-instance/log.py", PROGRAM),
        ];
        Self::published_go().with(python).with(instance)
    }

    fn with<const N: usize>(mut self, entries: [(&'static str, Kind); N]) -> Self {
        self.layers.push(entries.into_iter().map(|(path, kind)| Entry { path, kind }).collect());
        self
    }

    /// Writes the files of all layers below a folder.
    pub fn unpack(&self, folder: &Path) -> io::Result<()> {
        for entry in self.layers.iter().flatten() {
            let path = folder.join(entry.path);
            match entry.kind {
                Kind::Folder => fs_err::create_dir_all(path)?,
                Kind::File(bytes) => fs_err::write(path, bytes)?,
                Kind::Symlink(target) => fs_err::os::unix::fs::symlink(target, path)?,
            }
        }
        Ok(())
    }

    /// The image config, with the diff IDs of the layers.
    fn config(&self) -> Value {
        let diff_ids: Vec<String> = self.layers.iter().map(|layer| digest(&layer_archive(layer))).collect();
        let history = self.layers.iter().map(|_| json!({ "created_by": "RUN /bin/sh -c # buildkit" }));
        let no_layer = json!({ "created_by": "USER pulsar", "empty_layer": true });
        json!({
            "architecture": "amd64",
            "os": "linux",
            "config": {
                "User": "pulsar",
                "WorkingDir": "/pulsar",
                "Cmd": ["/bin/sh"],
                "Env": [
                    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                    "GID=10001",
                    "UID=10000",
                    "USER=pulsar",
                    "PULSAR_ROOT_LOGGER=INFO,CONSOLE",
                    "LD_PRELOAD=/lib/libgcompat.so.0",
                    "java.io.tmpdir=/pulsar/tmp/",
                ],
            },
            "rootfs": { "type": "layers", "diff_ids": diff_ids },
            "history": history.chain([no_layer]).collect::<Vec<_>>(),
        })
    }

    /// A tar of an OCI image layout with the image under this name, as `skopeo copy … oci-archive:` makes it.
    pub fn archive(&self, name: &str) -> Vec<u8> {
        const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
        let blob = |media_type: &str, bytes: &[u8]| json!({ "mediaType": media_type, "digest": digest(bytes), "size": bytes.len() });
        let layers: Vec<Vec<u8>> = self.layers.iter().map(|layer| layer_archive(layer)).collect();
        let config = self.config().to_string().into_bytes();
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": blob("application/vnd.oci.image.config.v1+json", &config),
            "layers": layers.iter().map(|bytes| blob(LAYER, bytes)).collect::<Vec<_>>(),
        });
        let manifest = manifest.to_string().into_bytes();
        let mut entry = blob("application/vnd.oci.image.manifest.v1+json", &manifest);
        entry["annotations"] = json!({ "org.opencontainers.image.ref.name": name });
        let index = json!({ "schemaVersion": 2, "manifests": [entry] }).to_string().into_bytes();

        let mut archive = Builder::new(Vec::new());
        append(&mut archive, "oci-layout", EntryType::Regular, br#"{"imageLayoutVersion":"1.0.0"}"#);
        append(&mut archive, "index.json", EntryType::Regular, &index);
        for bytes in layers.iter().chain([&config, &manifest]) {
            append(&mut archive, &format!("blobs/{}", digest(bytes).replace(':', "/")), EntryType::Regular, bytes);
        }
        archive.into_inner().expect("a vector takes all")
    }
}

fn digest(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    hash.iter().fold("sha256:".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

fn layer_archive(layer: &[Entry]) -> Vec<u8> {
    let mut archive = Builder::new(Vec::new());
    for entry in layer {
        match entry.kind {
            Kind::Folder => append(&mut archive, entry.path, EntryType::Directory, b""),
            Kind::File(bytes) => append(&mut archive, entry.path, EntryType::Regular, bytes),
            Kind::Symlink(target) => {
                let mut header = header(EntryType::Symlink, 0);
                archive.append_link(&mut header, entry.path, target).expect("a vector takes all");
            }
        }
    }
    archive.into_inner().expect("a vector takes all")
}

fn append(archive: &mut Builder<Vec<u8>>, path: &str, kind: EntryType, bytes: &[u8]) {
    let mut header = header(kind, bytes.len());
    archive.append_data(&mut header, path, bytes).expect("a vector takes all");
}

fn header(kind: EntryType, size: usize) -> Header {
    let mut header = Header::new_ustar();
    header.set_entry_type(kind);
    header.set_size(size as u64);
    header.set_mode(0o755);
    header
}
