//! Archives in a real containerd, as `kind load image-archive` and `k3s ctr images import` bring them into a cluster.

use super::engine;
use super::environment::Environment;

#[test]
fn archives_are_imported_under_their_names() {
    let Some(engine) = engine::docker() else { return };
    let environment = Environment::empty();
    environment.write("context/Dockerfile", "FROM scratch\nCOPY Dockerfile /\n");
    let names = [("containerd/app", "docker.io/containerd/app:latest"), ("registry.example.com/app:1", "registry.example.com/app:1")];
    for (name, full_name) in names {
        environment.call(&format!("image build -t {name} context")).success();
        for (number, way) in
            ["save -o FILE NAME", "save --format docker -o FILE NAME", "copy NAME oci-archive:FILE", "copy NAME docker-archive:FILE"]
                .into_iter()
                .enumerate()
        {
            let file = environment.path().join(format!("{number}.tar")).display().to_string();
            let _ = fs_err::remove_file(&file);
            environment.call(&format!("image {}", way.replace("FILE", &file).replace("NAME", name))).success();
            // The layers are unpacked, too, which proves their digests.
            let told = engine.containerd(["images", "import", &file]).success();
            assert!(told.ends_with("done"), "{way}: {told}");
            assert_eq!(engine.containerd(["images", "ls", "--quiet"]).success(), full_name, "{way}");
            engine.containerd(["images", "rm", "--sync", full_name]).success();
        }
    }
}
