//! What fnpack sends is read by skopeo and crane, and what they send and save is read by fnpack, all with the same digest.

use std::process::Command;

use testkit::docker_registry::installed;

use super::*;
use crate::environment::cache;

/// A registry with passwords, whose login all clients take from the file that `fnpack login` wrote.
struct Clients {
    place: Place,
    crane: std::path::PathBuf,
}

impl Clients {
    /// `None` is a skip.
    fn here() -> Option<Self> {
        if !user_is_root() || !installed("skopeo") {
            return None;
        }
        let crane = cache()?.join("crane");
        assert!(crane.is_file() || std::env::var_os("CI").is_none(), "crane is not built: run ./test");
        if !crane.is_file() {
            eprintln!("skipped: crane is not built; ./test does that");
            return None;
        }
        Some(Self { place: Place::new(Guard::Token, Environment::empty())?, crane })
    }

    fn tool(&self, program: &std::path::Path, arguments: &[&str]) -> String {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(self.place.environment.path()).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", self.place.environment.path().join("home"));
        Outcome::from(command.output().unwrap()).success()
    }

    fn crane(&self, arguments: &[&str]) -> String {
        self.tool(&self.crane, &[&["--insecure"], arguments].concat())
    }

    fn skopeo(&self, line: &str) -> String {
        let file = self.place.environment.path().join("home/.docker/config.json");
        let words: Vec<&str> = line.split_whitespace().collect();
        let (verb, rest) = words.split_first().unwrap();
        let checks: &[&str] = match *verb {
            "copy" => &["--src-tls-verify=false", "--dest-tls-verify=false"],
            _ => &["--tls-verify=false"],
        };
        self.tool("skopeo".as_ref(), &[&[*verb, "--authfile", file.to_str().unwrap()], checks, rest].concat())
    }

    fn fnpack(&self, line: &str) -> String {
        self.place.environment.call(line).success()
    }

    /// By fnpack, of any address.
    fn digest(&self, address: &str) -> String {
        let value: Value = serde_json::from_str(&self.fnpack(&format!("inspect -o json {address}"))).unwrap();
        value["digest"].as_str().unwrap().to_owned()
    }

    /// `amd` and `arm` in the store, and an index `both` of them; gives the digest of each.
    fn images(&self) -> [String; 3] {
        let amd = image(&self.place.environment, "amd", "linux/amd64", "amd");
        let arm = image(&self.place.environment, "arm", "linux/arm64", "arm");
        [amd, arm, digest_in(&self.fnpack("index create both amd arm"))]
    }
}

#[test]
fn other_clients_read_what_was_pushed() {
    let Some(clients) = Clients::here() else { return };
    let [amd, arm, both] = clients.images();
    let name = |tag: &str| clients.place.name(&format!("team/app:{tag}"));
    clients.fnpack(&format!("image push amd {}", name("one")));
    clients.fnpack(&format!("index push both {}", name("both")));
    for (tag, digest) in [("one", &amd), ("both", &both)] {
        assert_eq!(clients.crane(&["digest", &name(tag)]), *digest);
        clients.crane(&["validate", "--remote", &name(tag)]);
        let inspected: Value = serde_json::from_str(&clients.skopeo(&format!("inspect docker://{}", name(tag)))).unwrap();
        assert_eq!(inspected["Digest"], *digest);
    }
    let listed: Value = serde_json::from_str(&clients.crane(&["manifest", &name("both")])).unwrap();
    assert_eq!((&listed["manifests"][0]["digest"], &listed["manifests"][1]["digest"]), (&json!(amd), &json!(arm)));

    clients.skopeo(&format!("copy --all docker://{} oci:by-skopeo:both", name("both")));
    clients.crane(&["pull", "--format", "oci", &name("both"), "by-crane"]);
    clients.skopeo(&format!("copy --all docker://{} docker://{}", name("both"), clients.place.name("team/skopeo:both")));
    clients.crane(&["copy", &name("both"), &clients.place.name("team/crane:both")]);
    for repository in ["team/skopeo", "team/crane"] {
        assert_eq!(clients.place.whole(repository, "both"), both);
    }
    let back = |place: &str, tag: &str| digest_in(&clients.fnpack(&format!("image copy --all {place} {tag}")));
    assert_eq!(back("oci:by-skopeo:both", "back:skopeo"), both);
    assert_eq!(back("oci:by-crane", "back:crane"), both);
}

#[test]
fn what_other_clients_push_is_read() {
    let Some(clients) = Clients::here() else { return };
    let [amd, _, both] = clients.images();
    clients.fnpack("image copy --all both oci:layout:both");
    clients.fnpack("image copy amd oci-archive:amd.tar:1");
    clients.fnpack("image save -o docker.tar --format docker amd");
    let name = |tag: &str| clients.place.name(&format!("team/theirs:{tag}"));
    clients.skopeo(&format!("copy --all oci:layout:both docker://{}", name("layout")));
    clients.skopeo(&format!("copy oci-archive:amd.tar:1 docker://{}", name("archive")));
    clients.skopeo(&format!("copy docker-archive:docker.tar docker://{}", name("docker")));
    clients.crane(&["push", "layout", &name("crane")]);
    clients.crane(&["push", "docker.tar", &name("tarball")]);
    clients.crane(&["index", "append", "-m", &name("layout"), "-m", &name("tarball"), "-t", &name("appended")]);
    for (tag, expected) in
        [("layout", Some(&both)), ("archive", Some(&amd)), ("crane", None), ("docker", None), ("tarball", None), ("appended", None)]
    {
        let digest = clients.crane(&["digest", &name(tag)]);
        assert!(expected.is_none_or(|expected| *expected == digest), "{tag}");
        let copied = clients.fnpack(&format!("image copy --all docker://{} theirs:{tag}", name(tag)));
        assert_eq!(digest_in(&copied), digest, "{tag}");
        // And where it came from takes it for the same.
        clients.fnpack(&format!("image copy --all theirs:{tag} docker://{}", clients.place.name(&format!("team/back:{tag}"))));
        assert_eq!(clients.crane(&["digest", &clients.place.name(&format!("team/back:{tag}"))]), digest, "{tag}");
    }
}

#[test]
fn what_other_clients_save_is_read() {
    let Some(clients) = Clients::here() else { return };
    let [amd, ..] = clients.images();
    let name = clients.place.name("team/app:1");
    clients.fnpack(&format!("image push amd {name}"));
    let layers = |address: &str| -> Vec<Value> {
        let shown: Value = serde_json::from_str(&clients.fnpack(&format!("inspect -o json {address}"))).unwrap();
        shown["layers"].as_array().unwrap().iter().map(|layer| layer["diff_id"].clone()).collect()
    };
    clients.skopeo(&format!("copy docker://{name} oci-archive:skopeo-oci.tar:1"));
    clients.skopeo(&format!("copy docker://{name} docker-archive:skopeo.tar:saved:skopeo"));
    clients.crane(&["pull", &name, "crane.tar"]);
    clients.crane(&["pull", "--format", "legacy", &name, "legacy.tar"]);
    assert_eq!(clients.digest("oci-archive:skopeo-oci.tar:1"), amd);
    for file in ["skopeo.tar", "crane.tar", "legacy.tar"] {
        assert_eq!(layers(&format!("docker-archive:{file}")), layers("amd"), "{file}");
        clients.fnpack(&format!("image load {file} -t loaded/{file}"));
        assert_eq!(layers(&format!("loaded/{file}")), layers("amd"), "{file}");
    }
}
