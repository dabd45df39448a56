//! Against the registry that many run: Debian's `docker-registry`, open, with passwords, with tokens, with TLS.

mod logins;
mod other_clients;

use std::time::Duration;

use serde_json::{Value, json};
use testkit::docker_registry::{DockerRegistry, Guard, PASSWORD, Setup, USER};
use testkit::registry::Registry;

use crate::environment::{Environment, Outcome, bash_builder, fed, user_is_root};

const GUARDS: [Guard; 4] = [Guard::Open, Guard::Basic, Guard::Token, Guard::Tls];

/// A registry and surroundings that are let in.
struct Place {
    registry: DockerRegistry,
    environment: Environment,
}

impl Place {
    /// `None` is a skip.
    fn new(guard: Guard, environment: Environment) -> Option<Self> {
        let place = Self { registry: Setup::of(guard).start()?, environment };
        match guard {
            Guard::Open => {}
            Guard::Basic | Guard::Token => drop(place.login(PASSWORD).success()),
            Guard::Tls | Guard::TlsClients => place.trust(),
        }
        Some(place)
    }

    fn name(&self, rest: &str) -> String {
        format!("{}/{rest}", self.registry.host())
    }

    fn login(&self, password: &str) -> Outcome {
        let host = self.registry.host();
        fed(&self.environment, &["login", &host, "-u", USER, "--password-stdin"], password)
    }

    /// Below the folder of the test.
    fn certificates(&self) -> String {
        format!("home/.config/containers/certs.d/{}", self.registry.host())
    }

    fn trust(&self) {
        let authority = fs_err::read_to_string(self.registry.authority().certificate()).unwrap();
        self.environment.write(&format!("{}/ca.crt", self.certificates()), &authority);
    }

    /// The digest at the registry, where everything is that it names.
    #[track_caller]
    fn whole(&self, repository: &str, tag: &str) -> String {
        let repository = self.registry.repository(repository);
        let digest = repository.digest(tag).unwrap_or_else(|| panic!("there is no `{tag}`"));
        assert_eq!(repository.damages(&digest), []);
        digest
    }

    /// Requests of a call, without those that were answered by the wish for a login.
    fn requests_of(&self, arguments: &str) -> Vec<String> {
        let before = self.registry.requests().len();
        self.environment.call(arguments).success();
        let mut requests = Vec::new();
        // The registry writes its log after the answer.
        loop {
            std::thread::sleep(Duration::from_millis(50));
            let now = self.registry.requests().split_off(before);
            if !now.is_empty() && now == requests {
                break;
            }
            requests = now;
        }
        requests.retain(|request| !request.ends_with(" 401"));
        requests
    }
}

/// Each kind of registry in turn; none is a skip.
fn places() -> impl Iterator<Item = (Guard, Place)> {
    // Images are built in the sandbox.
    let guards = if user_is_root() { &GUARDS[..] } else { &[] };
    guards.iter().map_while(|guard| Some((*guard, Place::new(*guard, Environment::empty())?)))
}

/// A small image in the store; gives its digest.
fn image(environment: &Environment, name: &str, platform: &str, text: &str) -> String {
    environment.write("small/Dockerfile", &format!("FROM scratch\nCOPY file /file\nCOPY Dockerfile /\nLABEL text={text}\n"));
    environment.write("small/file", text);
    digest_in(&environment.call(&format!("image build -t {name} --platform {platform} small")).success())
}

/// The digest at the end of a reference.
fn digest_in(reference: &str) -> String {
    reference.split_once('@').unwrap_or_else(|| panic!("no digest in {reference}")).1.to_owned()
}

#[test]
fn image_comes_back_by_tag_and_digest_and_is_sent_once() {
    for (guard, place) in places() {
        let environment = &place.environment;
        let digest = image(environment, "app", "linux/amd64", "one");
        let name = place.name("team/app:1");
        environment.fnpack(["image", "push", "app", &name]).success();
        assert_eq!(place.whole("team/app", "1"), digest, "{guard:?}");
        for by in [&name, &place.name(&format!("team/app@{digest}"))] {
            let pulled = environment.fnpack(["--store", "other", "image", "pull", by]).success();
            assert!(pulled.ends_with(&digest), "{guard:?}: {pulled}");
            environment.call("--store other store check --deep").success();
        }
        environment.fnpack(["image", "push", "app", &place.name(&format!("team/pinned@{digest}"))]).success();
        assert_eq!(place.registry.repository("team/pinned").damages(&digest), [], "{guard:?}");
        let again = place.requests_of(&format!("image push app {name}"));
        assert_eq!(again, ["HEAD /v2/team/app/manifests/1 200"], "{guard:?}");
    }
}

#[test]
fn layers_are_taken_over_from_another_repository() {
    for (guard, place) in places() {
        let digest = image(&place.environment, "app", "linux/amd64", "one");
        place.environment.fnpack(["image", "push", "app", &place.name("team/one:1")]).success();
        place.environment.fnpack(["image", "rm", "app"]).success();
        let (from, to) = (place.name("team/one:1"), place.name("team/two:1"));
        let requests = place.requests_of(&format!("image copy docker://{from} docker://{to}"));
        let sent: Vec<&String> = requests.iter().filter(|request| request.starts_with("PATCH") || request.starts_with("PUT")).collect();
        // The config is read anyway, and is smaller than a question about it.
        assert!(sent.len() <= 2, "{guard:?}: {requests:#?}");
        assert_eq!(requests.iter().filter(|request| *request == "POST /v2/team/two/blobs/uploads/ 201").count(), 2, "{requests:#?}");
        assert_eq!(place.whole("team/two", "1"), digest, "{guard:?}");
        if guard == Guard::Token {
            let asked = place.registry.tokens().asked();
            let both = ["repository:team/two:pull,push", "repository:team/one:pull"];
            assert!(asked.iter().any(|scopes| both.iter().all(|scope| scopes.iter().any(|asked| asked == scope))), "{asked:?}");
        }
    }
}

#[test]
fn index_is_sent_and_read_whole() {
    for (guard, place) in places() {
        let environment = &place.environment;
        image(environment, "app:amd", "linux/amd64", "amd");
        image(environment, "app:arm", "linux/arm64", "arm");
        let digest = digest_in(&environment.call("index create app:1 app:amd app:arm").success());
        environment.fnpack(["index", "push", "app:1", &place.name("team/index:1")]).success();
        assert_eq!(place.whole("team/index", "1"), digest, "{guard:?}");
        let name = format!("docker://{}", place.name("team/index:1"));
        environment.fnpack(["--store", "other", "image", "copy", "--all", &name, "back:1"]).success();
        let table = environment.call("--store other index inspect back:1").success();
        assert!(table.contains("linux/amd64") && table.contains("linux/arm64"), "{table}");
        let again = place.requests_of(&format!("index push app:1 {}", place.name("team/index:1")));
        assert!(!again.iter().any(|request| request.starts_with("POST")), "{again:#?}");
    }
}

/// A registry in memory with `app:1` and an SBOM that refers to it; gives the digest of both.
fn with_sbom(environment: &Environment) -> (Registry, String, String) {
    const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
    let source = Registry::new();
    let subject = image(environment, "app", "linux/amd64", "one");
    environment.fnpack(["image", "push", "app", &format!("{}/app:1", source.host())]).success();
    environment.fnpack(["image", "rm", "app"]).success();
    let bytes = source.manifest("app", "1").unwrap();
    let (empty, sbom) = (source.put_blob("app", b"{}"), source.put_blob("app", b"an SBOM"));
    let referrer = json!({
        "schemaVersion": 2, "mediaType": MANIFEST, "artifactType": "application/spdx+json",
        "config": { "mediaType": "application/vnd.oci.empty.v1+json", "digest": empty, "size": 2 },
        "layers": [{ "mediaType": "application/spdx+json", "digest": sbom, "size": 7 }],
        "subject": { "mediaType": MANIFEST, "digest": subject, "size": bytes.len() },
    });
    let referrer = source.put_manifest("app", "sbom", MANIFEST, referrer.to_string().as_bytes());
    (source, subject, referrer)
}

#[test]
fn what_refers_to_an_image_goes_along_under_a_tag() {
    for (guard, place) in places() {
        let (source, subject, referrer) = with_sbom(&place.environment);
        let (first, second) = (place.name("team/first:1"), place.name("team/second:1"));
        let copy = |from: &str, to: &str| {
            place.environment.fnpack(["image", "copy", &format!("docker://{from}"), &format!("docker://{to}")]).success()
        };
        copy(&format!("{}/app:1", source.host()), &first);
        // Here the list is read from the tag, too.
        copy(&first, &second);
        for repository in ["team/first", "team/second"] {
            assert_eq!(place.whole(repository, "1"), subject, "{guard:?}");
            place.whole(repository, &subject.replace(':', "-"));
            let list = place.registry.repository(repository).manifest(&subject.replace(':', "-")).unwrap();
            let list: Value = serde_json::from_slice(&list).unwrap();
            assert_eq!(list["manifests"][0]["digest"], json!(referrer), "{guard:?}: {list}");
        }
    }
}

#[test]
fn function_is_published_and_rebased_in_the_registry() {
    const NOTHING: &str = "cat > $1/launch.toml <<'TOML'\n[[processes]]\ntype = \"show\"\ncommand = [\"/program\"]\ndefault = true\nTOML\n";
    if !user_is_root() {
        return;
    }
    for guard in GUARDS {
        let Some(environment) = Environment::with_base() else { return };
        let Some(place) = Place::new(guard, environment) else { return };
        let environment = &place.environment;
        for tag in ["1", "next"] {
            let labels = "LABEL io.buildpacks.stack.id=org.example.stack\nUSER 10000:10001\n";
            environment.write("runner/Dockerfile", &format!("FROM scratch\nCOPY patch /etc/patch\n{labels}"));
            environment.write("runner/patch", tag);
            environment.call(&format!("image build -t {} --publish runner", place.name(&format!("team/runner:{tag}")))).success();
        }
        environment.write("function/file", "");
        let builder = format!("real/{guard:?}").to_lowercase();
        bash_builder(environment, &builder, "exit 0", NOTHING);
        let (name, runner) = (place.name("team/function:1"), place.name("team/runner"));
        environment.call(&format!("build {name} function -B {builder} --run-image {runner}:1 --publish")).success();
        let built = place.whole("team/function", "1");
        let moved = place.name("team/function:2");
        let line = format!("rebase {name} --run-image {runner}:next --publish -t {moved}");
        let requests = place.requests_of(&line);
        let rebased = place.whole("team/function", "2");
        assert_ne!(built, rebased, "{guard:?}");
        assert!(requests.contains(&"POST /v2/team/function/blobs/uploads/ 201".to_owned()), "the layer is mounted: {requests:#?}");
        let sent: Vec<&String> = requests.iter().filter(|request| request.starts_with("PUT")).collect();
        assert_eq!(sent.len(), 2, "config and manifest are sent, no layer: {requests:#?}");
        assert_eq!(place.whole("team/function", "1"), built, "{guard:?}");
        let config =
            |tag: &str| -> Value { serde_json::from_slice(&place.registry.repository("team/function").manifest(tag).unwrap()).unwrap() };
        assert_ne!(config("1")["layers"][0], config("2")["layers"][0], "{guard:?}");
        assert_eq!(config("1")["layers"][1], config("2")["layers"][1], "{guard:?}");
    }
}

#[test]
fn registry_that_takes_nothing_says_so() {
    if !user_is_root() {
        return;
    }
    let environment = Environment::empty();
    let Some(registry) = Setup::of(Guard::Open).read_only().start() else { return };
    image(&environment, "app", "linux/amd64", "one");
    let name = format!("{}/team/app:1", registry.host());
    for line in [format!("image push app {name}"), format!("access {name}")] {
        let error = environment.call(&line).failure(4);
        assert!(error.contains("rejects the request") && error.contains("405") && error.contains("registries that only give"), "{error}");
    }
}
