//! Credentials of package indexes: by service binding or variable they open the index, and then they are nowhere in the
//! image and nowhere in what fnpack prints.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use testkit::java::{ClassSource, jar};

use super::environment::{Environment, Outcome};
use super::language::{GO, JAVA, Language, PYTHON};
use super::layers::{image, own_layers};

const SECRET: &str = "a-well-kept-secret";
/// `me:` and the secret, as HTTP sends them.
const BASIC: &str = "bWU6YS13ZWxsLWtlcHQtc2VjcmV0";

/// A server that gives its files to `me` alone.
struct Index {
    port: u16,
    /// Requests answered with a file.
    given: Arc<AtomicUsize>,
}

impl Index {
    /// Serves until the process ends.
    fn of(files: impl Fn(u16) -> HashMap<String, Vec<u8>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (files, given) = (Arc::new(files(port)), Arc::new(AtomicUsize::new(0)));
        let counted = Arc::clone(&given);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (files, given) = (Arc::clone(&files), Arc::clone(&counted));
                std::thread::spawn(move || answer(stream, &files, &given));
            }
        });
        Self { port, given }
    }

    fn given(&self) -> usize {
        self.given.load(Ordering::SeqCst)
    }
}

/// Clients that go away in the middle are none of ours.
fn answer(mut stream: TcpStream, files: &HashMap<String, Vec<u8>>, given: &AtomicUsize) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok).take_while(|line| !line.is_empty());
    let request = lines.next().unwrap_or_default();
    let is_known = lines.any(|line| line.to_lowercase().starts_with("authorization: basic") && line.contains(BASIC));
    let (is_head, path) = (request.starts_with("HEAD"), request.split(' ').nth(1).unwrap_or_default());
    let none = Vec::new();
    let (status, body) = match files.get(path) {
        _ if !is_known => ("401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"ours\"", &none),
        None => ("404 Not Found", &none),
        Some(body) => {
            given.fetch_add(1, Ordering::SeqCst);
            ("200 OK", body)
        }
    };
    let kind = if path.ends_with('/') { "text/html" } else { "application/octet-stream" };
    let head = format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(if is_head { &none } else { body }));
}

/// Searches layers, config, manifest and output.
fn assert_kept(environment: &Environment, name: &str, outcome: Outcome) {
    for secret in [SECRET, BASIC] {
        let has = |bytes: &[u8]| bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!has(outcome.stdout.as_bytes()) && !has(outcome.stderr.as_bytes()), "{secret} in\n{}", outcome.stderr);
        let image = image(environment, name);
        assert!(!has(image.config_bytes()) && !has(image.manifest_bytes()), "{secret} in {name}");
        for (made_by, tar) in own_layers(environment, name) {
            assert!(!has(&tar), "{secret} in {made_by} of {name}");
        }
    }
    outcome.success();
}

fn build(language: &Language, environment: &Environment, source: &str, more: &[&str]) {
    let name = format!("secrets/{}", language.name);
    let more: Vec<&str> = more.iter().copied().chain(["--verbose"]).collect();
    let outcome = language.build(environment, &name, &environment.path().join(source), &more);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert_kept(environment, &name, outcome);
}

/// The version is of this run alone, so that no cache has it.
fn version() -> String {
    format!("1.{}", std::process::id())
}

/// A folder that is mounted as a service binding.
fn binding(environment: &Environment, kind: &str, file: &str, text: &str) -> String {
    environment.write(&format!("bindings/{kind}/type"), kind);
    let file = environment.write(&format!("bindings/{kind}/{file}"), text);
    // As their owners keep such files; the buildpack is another user.
    fs_err::set_permissions(file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let folder: PathBuf = environment.path().join("bindings").join(kind);
    format!("{}:/platform/bindings/{kind}", folder.display())
}

#[test]
fn settings_of_maven_are_kept() {
    let Some(environment) = JAVA.tree() else { return };
    let version = version();
    let place = format!("/maven/org/example/tiny/{version}/tiny-{version}");
    let index = Index::of(|_| {
        let pom = format!(
            "<project><modelVersion>4.0.0</modelVersion><groupId>org.example</groupId><artifactId>tiny</artifactId><version>{version}</version></project>"
        );
        let library = jar(&[ClassSource::new("org/example/tiny/Tiny").entry()]);
        [(format!("{place}.pom"), pom.into_bytes()), (format!("{place}.jar"), library)].into()
    });
    let code = "package x; public class F implements java.util.function.Function<String, String> { public String apply(String s) { return s + new org.example.tiny.Tiny(); } }";
    environment.write("java/src/main/java/x/F.java", code);
    environment.write("java/pom.xml", &format!(
        "<project xmlns=\"http://maven.apache.org/POM/4.0.0\"><modelVersion>4.0.0</modelVersion><groupId>x</groupId><artifactId>f</artifactId>\
         <version>1</version><properties><maven.compiler.release>17</maven.compiler.release></properties>\
         <repositories><repository><id>ours</id><url>http://127.0.0.1:{}/maven</url></repository></repositories>\
         <dependencies><dependency><groupId>org.example</groupId><artifactId>tiny</artifactId><version>{version}</version></dependency></dependencies>\
         <build><plugins><plugin><artifactId>maven-compiler-plugin</artifactId><version>3.13.0</version></plugin></plugins></build></project>",
        index.port
    ));
    let settings = format!(
        "<settings><servers><server><id>ours</id><username>me</username><password>{SECRET}</password></server></servers></settings>"
    );
    let volume = binding(&environment, "maven", "settings.xml", &settings);
    build(&JAVA, &environment, "java", &["--volume", &volume]);
    assert_eq!(index.given(), 2, "pom and jar were fetched with the secret");
}

/// A wheel, on the page that lists it.
fn python_index() -> Index {
    let wheel_name = format!("tiny_secret-{}-py3-none-any.whl", version());
    let info = format!("tiny_secret-{}.dist-info", version());
    let metadata = format!("Metadata-Version: 2.1\nName: tiny-secret\nVersion: {}\n", version());
    let record = format!("tiny_secret.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n");
    let wheel = jar(&[
        ("tiny_secret.py".to_owned(), "NAME = 'tiny'\n".to_owned()),
        (format!("{info}/METADATA"), metadata),
        (format!("{info}/WHEEL"), "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n".to_owned()),
        (format!("{info}/RECORD"), record),
    ]);
    Index::of(|_| {
        let page = format!("<!DOCTYPE html><html><body><a href=\"/files/{wheel_name}\">{wheel_name}</a></body></html>");
        [("/simple/tiny-secret/".to_owned(), page.into_bytes()), (format!("/files/{wheel_name}"), wheel.clone())].into()
    })
}

#[test]
fn index_of_pip_is_kept() {
    let Some(environment) = PYTHON.tree() else { return };
    environment.write(
        "python/f.py",
        "import tiny_secret\n\n\nclass F:\n    def process(self, input, context):\n        return tiny_secret.NAME\n",
    );
    environment.write("python/requirements.txt", &format!("tiny-secret=={}\n", version()));

    let index = python_index();
    let variable = format!("PIP_INDEX_URL=http://me:{SECRET}@127.0.0.1:{}/simple", index.port);
    build(&PYTHON, &environment, "python", &["-e", &variable]);
    assert!(index.given() >= 2, "page and wheel were fetched with the secret of the variable");

    let index = python_index();
    let conf = format!("[global]\nindex-url = http://127.0.0.1:{}/simple\n", index.port);
    let conf = binding(&environment, "pip", "pip.conf", &conf);
    let netrc = binding(&environment, "netrc", ".netrc", &format!("machine 127.0.0.1\nlogin me\npassword {SECRET}\n"));
    build(&PYTHON, &environment, "python", &["--volume", &conf, "--volume", &netrc]);
    assert!(index.given() >= 2, "page and wheel were fetched with the secret of the netrc");
}

#[test]
fn proxy_of_go_is_kept() {
    let Some(environment) = GO.tree() else { return };
    let status = std::process::Command::new("cp").arg("-r").arg(GO.example()).arg(environment.path().join("go")).status().unwrap();
    assert!(status.success());
    // Nothing listens there: the next proxy is asked, and the error has the address.
    let variable = format!("GOPROXY=https://me:{SECRET}@127.0.0.1:1|file:///goproxy,{}", super::language::go_proxy());
    let netrc = binding(&environment, "netrc", ".netrc", &format!("machine 127.0.0.1\nlogin me\npassword {SECRET}\n"));
    build(&GO, &environment, "go", &["-e", &variable, "--volume", &netrc]);
}
