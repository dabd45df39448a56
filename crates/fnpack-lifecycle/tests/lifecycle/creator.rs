//! The creator from end to end.

use std::os::unix::fs::MetadataExt;

use base64::Engine as _;
use fnpack_core::digest::DiffId;
use fnpack_core::lifecycle::api::PlatformApi;
use serde_json::json;
use testkit::registry::Access;

use crate::support::{BUILD_USER, Container, is_root, label, outcome};

const PHASES: [&str; 5] = ["ANALYZING", "DETECTING", "RESTORING", "BUILDING", "EXPORTING"];

fn phases(stdout: &str) -> Vec<&str> {
    stdout.lines().filter_map(|line| line.strip_prefix("===> ")).collect()
}

/// Every Platform API, every Buildpack API in one group; and the build after it.
#[test]
fn creator_builds_the_same_image_twice_with_every_api() {
    std::thread::scope(|scope| {
        for api in PlatformApi::supported() {
            scope.spawn(move || build_twice(api));
        }
    });
}

fn build_twice(api: PlatformApi) {
    let text: &'static str = Box::leak(api.to_string().into_boxed_str());
    let container = Container::with_buildpacks(text);
    let cache = container.path("cache").display().to_string();
    let first = container.create(&["-cache-dir", &cache]).success();
    assert_eq!(phases(&first), PHASES, "{api}\n{first}");
    let user = if is_root() { BUILD_USER } else { rustix::process::getuid().as_raw() };
    assert!(first.contains(&format!("build 7 as {user} for nobody nothing in {}", container.path("app").display())), "{first}");
    assert!(!first.contains(" hit") && !first.contains("reuse"), "{first}");
    let image = container.image("function");
    check_image(&image, api);
    check_report(&container, &image.digest().to_string());

    container.forget_layers();
    let second = container.create(&["-cache-dir", &cache]).success();
    for minor in 7..=12 {
        for line in [format!("cache {minor} hit: kept {minor}"), format!("reuse {minor}"), format!("store {minor} back")] {
            assert!(second.lines().any(|said| said == line), "{api}: {line}\n{second}");
        }
        let metadata = format!("Restoring metadata for \"test/api{minor}:dist\" from app image");
        let data = format!("Restoring data for \"test/api{minor}:kept\" from cache");
        assert!(second.contains(&metadata) && second.contains(&data), "{api}\n{second}");
        assert_eq!(second.contains(&format!("sbom {minor} back")), api.has_sbom_layer(), "{api}\n{second}");
    }
    assert!(second.contains("Reusing cache layer 'test/api7:kept'") && second.contains("Reusing layer 'test/api7:dist'"), "{second}");
    assert!(second.lines().all(|line| !line.starts_with("Adding layer")), "{api}\n{second}");
    assert_eq!(container.image("function").digest(), image.digest(), "{api}");
    assert_eq!(fs_err::read_dir(container.path("scratch")).unwrap().count(), 0, "{api}");
}

fn check_image(image: &fnpack_core::image::Image, api: PlatformApi) {
    let metadata = label(image, "io.buildpacks.lifecycle.metadata");
    let build = label(image, "io.buildpacks.build.metadata");
    assert_eq!(metadata["buildpacks"].as_array().unwrap().len(), 6);
    assert_eq!(metadata["buildpacks"][0]["layers"]["dist"]["data"], json!({"version": "7"}));
    assert_eq!(metadata["runImage"]["topLayer"], json!(image.layers()[0].diff_id));
    assert_eq!(metadata["runImage"].get("image").is_some(), api.has_run_toml(), "{api}");
    assert_eq!(metadata["stack"]["runImage"]["image"], "mirror.invalid/run");
    assert_eq!(metadata.get("sbom").is_some(), api.has_sbom_layer(), "{api}");
    let command = if api.has_command_arrays() { json!(["run", "a"]) } else { json!("run") };
    assert_eq!(build["processes"][2]["command"], command, "{api}");
    assert_eq!(build.get("bom").is_some(), !api.has_legacy_bom_files(), "{api}");
    assert_eq!(image.label("io.buildpacks.exec-env").is_some(), api.has_execution_environments(), "{api}");
    assert_eq!((image.label("label12"), image.label("io.buildpacks.project.metadata")), (Some("x"), Some("{}")));
    assert_eq!(image.env("CNB_PLATFORM_API"), Some(api.to_string().as_str()));
    assert_eq!(image.env("PATH"), Some("/cnb/process:/cnb/lifecycle:/bin"));
    assert_eq!(image.config().config.entrypoint.as_deref(), Some(["/cnb/lifecycle/launcher".to_owned()].as_slice()));
    assert_eq!(image.config().config.user, "1000:1000");
    // Base, a layer of each buildpack, perhaps an SBOM, application, launcher, config, process types.
    assert_eq!(image.layers().len(), 11 + usize::from(api.has_sbom_layer()), "{api}");
}

fn check_report(container: &Container, digest: &str) {
    let report: toml::Table = fs_err::read_to_string(container.path("layers/report.toml")).unwrap().parse().unwrap();
    assert_eq!(report["image"]["digest"].as_str(), Some(digest));
    assert_eq!(report["image"]["tags"][0].as_str(), Some(format!("{}:latest", container.name("function")).as_str()));
}

#[test]
fn creator_takes_tags_process_type_metadata_environment_and_time() {
    let container = Container::with_buildpacks("0.15");
    container.write("platform/env/USER_SAYS", "user");
    container.write("cnb/build-config/env/BUILDER_SAYS", "builder");
    container.write("project.toml", "[source]\ntype = 'git'\n[source.version]\ncommit = 'c0ffee'\n");
    container.buildpack("test/system", "0.12", "exit 0", "echo the system says $CNB_EXEC_ENV");
    container.write("cnb/system.toml", "[[system.post.buildpacks]]\nid = 'test/system'\nversion = '1'\n");
    let (project, report) = (container.path("project.toml").display().to_string(), container.path("out/report.toml").display().to_string());
    let (tag, other) = (container.name("function:two"), container.name("other"));
    let arguments =
        ["-process-type", "p9", "-project-metadata", &project, "-report", &report, "-tag", &tag, "--tag", &other, "-log-level=debug"];
    let output = outcome(
        container.creator(&arguments).env("SOURCE_DATE_EPOCH", "951782400").env("CNB_EXEC_ENV", "test").arg(container.name("function")),
    )
    .success();
    assert!(output.contains("for user builder in") && output.contains("the system says test"), "{output}");
    let image = container.image("function");
    assert_eq!(label(&image, "io.buildpacks.project.metadata"), json!({"source": {"type": "git", "version": {"commit": "c0ffee"}}}));
    assert_eq!(image.config().config.entrypoint.as_deref(), Some(["/cnb/process/p9".to_owned()].as_slice()));
    assert_eq!(image.config().created.as_deref(), Some("2000-02-29T00:00:00Z"));
    assert_eq!(image.label("io.buildpacks.exec-env"), Some("test"));
    assert_eq!(container.image("function:two").digest(), image.digest());
    assert_eq!(container.image("other").digest(), image.digest());
    let text = fs_err::read_to_string(&report).unwrap();
    assert!(text.contains("/other:latest") && text.contains("/function:two"), "{text}");
}

#[test]
fn creator_with_skip_restore_brings_back_stores_alone() {
    let container = Container::with_buildpacks("0.15");
    container.create(&[]).success();
    let first = container.image("function").digest();
    container.forget_layers();
    let again = container.create(&["-skip-restore", "-previous-image", &container.name("function")]).success();
    assert!(again.contains("store 7 back") && !again.contains("reuse 7"), "{again}");
    // Layers that were made anew are recognized all the same.
    assert!(again.contains("Reusing layer 'test/api7:dist'"), "{again}");
    assert_eq!(container.image("function").digest(), first);
}

#[test]
fn creator_goes_on_without_a_damaged_cache() {
    let container = Container::with_buildpacks("0.15");
    let cache = container.path("cache").display().to_string();
    container.create(&["-cache-dir", &cache]).success();
    let first = container.image("function").digest();
    for entry in fs_err::read_dir(container.path("cache/committed")).unwrap().map(Result::unwrap) {
        if entry.path().extension().is_some_and(|extension| extension == "tar") {
            fs_err::write(entry.path(), "damaged").unwrap();
        }
    }
    container.forget_layers();
    let second = container.create(&["-cache-dir", &cache]).success();
    assert!(second.contains("Warning: layer \"test/api7:kept\" is not restored: the cache does not have it whole"), "{second}");
    assert!(!second.contains(" hit:"), "{second}");
    assert_eq!(container.image("function").digest(), first);
    container.forget_layers();
    let third = container.create(&["-cache-dir", &cache]).success();
    assert!(third.contains("cache 7 hit:"), "{third}");
}

#[test]
fn creator_takes_its_cache_from_a_registry() {
    let container = Container::with_buildpacks("0.15");
    let name = container.name("cache");
    let first = container.create(&["-cache-image", &name]).success();
    assert!(first.contains("Adding cache layer 'test/api7:kept'") && !first.contains(" hit:"), "{first}");
    let digest = container.image("function").digest();
    let cache = container.image("cache");
    assert!(cache.label("io.buildpacks.lifecycle.cache.metadata").is_some_and(|label| label.contains("test/api12")));

    container.forget_layers();
    let second = container.create(&["-cache-image", &name]).success();
    for minor in 7..=12 {
        assert!(second.lines().any(|said| said == format!("cache {minor} hit: kept {minor}")), "{second}");
    }
    assert!(second.contains("Reusing cache layer 'test/api7:kept'") && !second.contains("Adding"), "{second}");
    assert_eq!((container.image("function").digest(), container.image("cache").digest()), (digest, cache.digest()));

    // Another image of the name stays as it is.
    container.forget_layers();
    let third = container.create(&["-cache-image", &container.name("run")]).success();
    assert!(third.contains("is no cache image and stays as it is"), "{third}");
    assert!(container.image("run").label("io.buildpacks.lifecycle.cache.metadata").is_none());
}

#[test]
fn creator_logs_in_by_header_and_by_docker_config() {
    let basic = base64::engine::general_purpose::STANDARD.encode("user:pass");
    for access in [Access::Basic("user".to_owned(), "pass".to_owned()), Access::bearer("user", "pass")] {
        let container = Container::with_access("0.15", access);
        container.only_buildpack(
            "0.10",
            "exit 0",
            "test -z \"${CNB_REGISTRY_AUTH:-}\"; ! tr '\\0' '\\n' < /proc/$PPID/environ | grep -i basic",
        );
        let (host, name) = (container.registry.host(), container.name("function"));
        let mut login = container.creator(&["-run-image", &container.name("run")]);
        login.env("CNB_REGISTRY_AUTH", json!({ &host: format!("Basic {basic}") }).to_string());
        // There is no run image yet, but that is a matter of 404 and not of 401.
        let missing = outcome(login.arg(&name));
        assert!(missing.stdout.contains("there is no image"), "{missing:?}");

        let config = json!({ "auths": { &host: { "auth": basic } } }).to_string();
        container.write("home/.docker/config.json", &config);
        let with_login = fnpack_core::registry::Settings {
            credentials: std::sync::Arc::new(fnpack_core::registry::credentials::DockerConfig::parse(config.as_bytes(), "test").unwrap()),
            ..fnpack_core::registry::Settings::default()
        };
        let client = fnpack_core::registry::RegistryClient::new(with_login).unwrap();
        client.push(&crate::support::run_image("base"), &container.reference("run")).unwrap();
        outcome(login.env_remove("HOME").env("CNB_REGISTRY_AUTH", json!({ &host: format!("Basic {basic}") }).to_string())).success();
        container.forget_layers();
        container.create(&["-run-image", &container.name("run")]).success();
        fs_err::remove_file(container.path("home/.docker/config.json")).unwrap();
        container.create(&["-run-image", &container.name("run")]).ends(32, "ERROR: failed to analyze: ensure registry read access to");
    }
}

#[test]
fn application_layer_is_that_of_the_specification() {
    let container = Container::with_buildpacks("0.15");
    container.create(&[]).success();
    let image = container.image("function");
    let app = &label(&image, "io.buildpacks.lifecycle.metadata")["app"][0]["sha"];
    let layer = image.layers().iter().find(|layer| json!(layer.diff_id) == *app).unwrap();
    let mut archive = Vec::new();
    let blob = fnpack_core::layers::decompress::decompress(layer.blob.open().unwrap()).unwrap();
    std::io::copy(&mut { blob }, &mut archive).unwrap();
    assert_eq!(DiffId::of(&archive), layer.diff_id);
    // The entry of the application folder: absolute, owned by the build's user.
    let folder = container.path("app");
    let name = folder.to_str().unwrap().as_bytes();
    let header = archive.chunks(512).find(|block| block.starts_with(name) && block[name.len()] == 0).unwrap();
    let owner = if is_root() { BUILD_USER } else { fs_err::metadata(&folder).unwrap().uid() };
    assert_eq!(&header[108..115], format!("{owner:07o}").as_bytes());
}
