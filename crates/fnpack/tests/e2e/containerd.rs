//! Archives in a real containerd, as `kind load image-archive` and `k3s ctr images import` bring them into a cluster.

use super::engine;
use super::environment::Environment;

const WAYS: [&str; 4] =
    ["save -o FILE NAME", "save --format docker -o FILE NAME", "copy NAME oci-archive:FILE", "copy NAME docker-archive:FILE"];

/// What each says to containerd.
const K3S: &[&str] = &[];
const KIND: &[&str] = &["--all-platforms", "--digests", "--snapshotter=overlayfs"];

#[test]
fn archives_are_imported_under_their_names() {
    let Some(engine) = engine::docker() else { return };
    let environment = Environment::empty();
    environment.write("context/Dockerfile", "FROM scratch\nCOPY Dockerfile /\n");
    let names = [("containerd/app", "docker.io/containerd/app:latest"), ("registry.example.com/app:1", "registry.example.com/app:1")];
    for (name, full_name) in names {
        environment.call(&format!("image build -t {name} context")).success();
        for (number, way) in WAYS.into_iter().enumerate() {
            let file = environment.path().join(format!("{number}.tar")).display().to_string();
            let _ = fs_err::remove_file(&file);
            environment.call(&format!("image {}", way.replace("FILE", &file).replace("NAME", name))).success();
            for import in [K3S, KIND] {
                // The layers are unpacked, too, which proves their digests.
                let told = engine.containerd(["images", "import"].iter().chain(import).chain(&[file.as_str()])).success();
                assert!(told.ends_with("done"), "{way}: {told}");
                let listed = engine.containerd(["images", "ls", "--quiet"]).success();
                let names: Vec<&str> = listed.lines().filter(|name| !name.contains('@')).collect();
                assert_eq!(names, [full_name], "{way}");
                engine.containerd(["images", "rm", "--sync"].into_iter().chain(listed.lines())).success();
            }
        }
    }
}
