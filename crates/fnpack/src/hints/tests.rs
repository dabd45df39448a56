use std::io;

use fnpack_core::archive::ArchiveError;
use fnpack_core::builder::{self, BuilderToml, CheckError, CreateError};
use fnpack_core::dockerfile::{DockerfileError, parse};
use fnpack_core::engine::EngineError;
use fnpack_core::executor::{ExecutorError, ExitStatus};
use fnpack_core::image::{BlobError, BlobSink};
use fnpack_core::layers::LayerError;
use fnpack_core::lifecycle::build::BuildError;
use fnpack_core::lifecycle::detect::{self, Attempt, DetectError, DetectResult, Outcome};
use fnpack_core::lifecycle::files::plan::BuildPlan;
use fnpack_core::lifecycle::order::CandidateMember;
use fnpack_core::lifecycle::plan::Reason;
use fnpack_core::pipeline::{ChoiceError, ConnectError, FindError, PipelineError};
use fnpack_core::project::ProjectToml;
use fnpack_core::rebase::{Objection, RebaseError};
use fnpack_core::reference::Reference;
use fnpack_core::registry::credentials::DockerConfig;
use fnpack_core::registry::{CertificateFault, Clock, LoginTrace, Refusal, RegistryError, Request};
use fnpack_core::source::Source;
use fnpack_core::store::{Store, StoreError};
use fnpack_sandbox::{IdMapping, OverlayXattr, SandboxError};

use crate::error::CommandError;

/// The exit code and the whole text.
fn told(error: impl Into<CommandError>) -> (u8, String) {
    let error = error.into();
    (error.code(), error.render())
}

fn refusal(status: u16, login: LoginTrace) -> Box<Refusal> {
    let request = Request { method: "GET", url: "https://r.example.com/v2/a/manifests/latest".into() };
    Box::new(Refusal { request, status, message: String::new(), retry_after: None, unknown_blobs: Vec::new(), login })
}

fn request() -> Request {
    Request { method: "GET", url: "https://r.example.com/v2/".into() }
}

fn certificate(fault: CertificateFault, clock: Clock) -> RegistryError {
    RegistryError::Certificate { host: host(), fault, presented: None, clock, source: "no".into() }
}

fn host() -> String {
    "r.example.com".to_owned()
}

fn disk_full() -> StoreError {
    StoreError::DiskFull { path: "/store/blobs".into(), source: io::ErrorKind::StorageFull.into() }
}

#[test]
fn engines_have_one_next_step() {
    let place = || "/run/docker.sock".to_owned();
    let refused = || io::Error::from(io::ErrorKind::ConnectionRefused);
    for (error, code, told_of) in [
        (EngineError::NoEngine { looked_at: vec!["there is no `/run/docker.sock`".into()] }, 4, "there is no `/run/docker.sock`"),
        (EngineError::NotConnected { place: place(), source: refused() }, 4, "fnpack image save"),
        (EngineError::Forbidden { place: place(), source: refused() }, 4, "group `docker`"),
        (EngineError::Ssh { named_by: "DOCKER_HOST".into(), address: "ssh://a".into() }, 3, "ssh -nNT"),
        (EngineError::Context { name: "lab".into(), path: "/c".into(), source: refused() }, 3, "docker context ls"),
        (EngineError::NotAnEngine { place: place(), reason: "no".into() }, 4, "DOCKER_HOST=unix://"),
        (EngineError::Pipe(refused()), 5, "may open no more files"),
    ] {
        let (actual, text) = told(error);
        assert_eq!(actual, code, "{text}");
        assert!(text.contains(told_of) && text.contains("\nhint: "), "{text}");
    }
}

#[test]
fn registry_answers_have_one_next_step() {
    let cause = || Box::<dyn std::error::Error + Send + Sync>::from("no");
    let sent = || LoginTrace::Sent("`config.json`".into());
    for (error, code, hint) in [
        (
            RegistryError::Unauthorized { host: host(), source: refusal(401, LoginTrace::NotAsked) },
            4,
            "log in with `fnpack login r.example.com`",
        ),
        (
            RegistryError::Unauthorized { host: host(), source: refusal(401, sent()) },
            4,
            "renew the login with `fnpack login r.example.com`",
        ),
        (RegistryError::Forbidden { host: host(), source: refusal(403, LoginTrace::NotAsked) }, 4, "log in with"),
        (RegistryError::Forbidden { host: host(), source: refusal(403, sent()) }, 4, "have the account given the right"),
        (RegistryError::NoSuchImage { reference: "a".into(), source: refusal(404, sent()) }, 4, "check name and tag"),
        (RegistryError::RateLimited { host: host(), attempts: 3, source: refusal(429, LoginTrace::NotAsked) }, 4, "raises the limit"),
        (RegistryError::RateLimited { host: host(), attempts: 3, source: refusal(429, sent()) }, 4, "wait, then try again"),
        (certificate(CertificateFault::UnknownIssuer, Clock::Unknown), 4, "--registry-ca"),
        (certificate(CertificateFault::Expired, Clock::Unknown), 4, "check this machine's clock"),
        (certificate(CertificateFault::Expired, Clock::Agrees), 4, "renew the certificate"),
        (
            certificate(CertificateFault::NotYetValid, Clock::Wrong { here: "1970-01-01".into(), there: Some("2027-01-01".into()) }),
            4,
            "set this machine's clock: it shows 1970-01-01, the server's 2027-01-01",
        ),
        (RegistryError::ClientCertificate { host: host(), shown: false, source: cause() }, 4, "certs.d/r.example.com"),
        (RegistryError::ClientCertificate { host: host(), shown: true, source: cause() }, 4, "have it renewed"),
        (RegistryError::TooLarge { host: host(), source: refusal(413, sent()) }, 4, "raise the limit"),
        (RegistryError::BlobsUnknown { host: host(), source: refusal(404, sent()) }, 4, "push again"),
        (RegistryError::UnknownHost { host: host(), request: request(), source: cause() }, 4, "check the name and the network"),
        (RegistryError::CannotConnect { host: host(), request: request(), source: cause() }, 4, "HTTPS_PROXY"),
        (RegistryError::Proxy { proxy: "x".into(), source: cause() }, 3, "HTTPS_PROXY"),
    ] {
        let name = format!("{error:?}");
        let (actual, text) = told(error);
        assert_eq!(actual, code, "{name}");
        assert!(text.split_once("\nhint: ").is_some_and(|(_, given)| given.contains(hint)), "{hint} in {text}");
    }
}

#[test]
fn each_wrapping_says_its_part_and_each_cause_stands_once() {
    let source = refusal(404, LoginTrace::NotAsked);
    let error = RegistryError::NoSuchImage { reference: "r.example.com/a:latest".into(), source };
    let target = "linux/amd64".parse().unwrap();
    let error = PipelineError::from(FindError::NotGiven { name: "r.example.com/a:latest".into(), target, source: Box::new(error) });
    let expected = "\
error: there is no image `r.example.com/a:latest` for linux/amd64 in the store, and its registry did not give it
  caused by: there is no image `r.example.com/a:latest`
  caused by: GET https://r.example.com/v2/a/manifests/latest was answered with 404
hint: check name and tag; bring images without a registry by `fnpack image load` or `fnpack image import`";
    assert_eq!(told(error), (4, expected.to_owned()));
}

#[test]
fn full_disk_is_the_machines_matter_wherever_it_is_met() {
    let hint = "hint: free space, for instance with `fnpack store gc`; nothing that was there is lost";
    let inside = || io::Error::from(disk_full());
    let errors: [CommandError; 6] = [
        disk_full().into(),
        PipelineError::from(disk_full()).into(),
        LayerError::Store(inside()).into(),
        ArchiveError::Flush { source: io::ErrorKind::StorageFull.into() }.into(),
        RegistryError::Blob {
            reference: "a".into(),
            source: Box::new(BlobError::Write { digest: fnpack_core::digest::Digest::of(b""), source: inside() }),
        }
        .into(),
        DockerfileError::Commit { place: parse_place(), source: Box::new(LayerError::Store(inside())) }.into(),
    ];
    for error in errors {
        assert_eq!(error.code(), 5, "{}", error.render());
        assert!(error.render().ends_with(hint), "{}", error.render());
    }
}

fn parse_place() -> fnpack_core::dockerfile::Place {
    match parse::parse("FROM a\nCOPPY b c").unwrap_err().in_file("Dockerfile".as_ref()) {
        DockerfileError::Invalid { place, .. } => place,
        other => unreachable!("{other}"),
    }
}

#[test]
fn causes_of_other_types_keep_their_class_through_a_dockerfile() {
    let base = |source: FindError| DockerfileError::Base {
        place: parse_place(),
        reference: "a".into(),
        target: Box::new("linux/amd64".parse().unwrap()),
        source: Box::new(source),
    };
    let offline = FindError::Offline { name: "a:latest".into(), target: "linux/amd64".parse().unwrap() };
    let (code, text) = told(base(offline));
    assert_eq!(code, 4);
    assert!(text.contains("Dockerfile") && text.contains("hint: pull it without `--offline`"), "{text}");
    assert_eq!(told(base(FindError::Store(disk_full()))).0, 5);
    let overlay = SandboxError::TooManyLayers { count: 501, limit: 500 };
    let (code, text) = told(DockerfileError::Open { place: parse_place(), source: Box::new(overlay) });
    assert_eq!(code, 5);
    assert!(text.contains("make fewer layers"), "{text}");
}

#[test]
fn dockerfile_mistakes_are_configuration_and_failed_steps_are_code() {
    let (code, text) = told(parse::parse("FROM a\nCOPPY b c").unwrap_err().in_file("Dockerfile".as_ref()));
    assert_eq!(code, 3);
    assert!(text.contains("`COPY`"), "{text}");
    for (status, code, hint) in
        [(ExitStatus::Code(9), 1, "its own messages are above"), (ExitStatus::Signal(9), 1, "memory"), (ExitStatus::Code(137), 1, "memory")]
    {
        let error = DockerfileError::RunFailed { place: parse_place(), command: "make".into(), status };
        let (actual, text) = told(error);
        assert_eq!(actual, code);
        assert!(text.contains(hint), "{text}");
    }
}

#[test]
fn commands_and_sandboxes_that_do_not_start() {
    let module = builder::ModuleId { id: "a".into(), version: "1".into() };
    let build = |source| BuildError::Executor { buildpack: module.clone(), source };
    let (code, text) = told(build(ExecutorError::SetUp {
        executor: "sandbox",
        source: Box::new(SandboxError::Seccomp { reason: "the kernel has none".into() }),
    }));
    let expected = "\
error: cannot run `bin/build` of buildpack `a@1`
  caused by: cannot set up the sandbox
  caused by: cannot install the system call filter: the kernel has none
hint: see what works here, and what to change, with `fnpack doctor`";
    assert_eq!((code, text.as_str()), (5, expected));
    assert_eq!(told(build(ExecutorError::CannotStart { program: "x".into(), source: io::ErrorKind::NotFound.into() })).0, 1);
    assert_eq!(
        told(build(ExecutorError::Interrupted)),
        (130, "error: cannot run `bin/build` of buildpack `a@1`\n  caused by: interrupted".into())
    );
    let (code, text) = told(SandboxError::Plan { reason: "two roots".into() });
    assert_eq!(code, 70);
    assert!(text.contains("fault of fnpack"), "{text}");
}

#[test]
fn buildpacks_that_make_no_group_are_told_why() {
    let module = || builder::ModuleId { id: "a".into(), version: "1".into() };
    let passed = Outcome::Passed(BuildPlan { alternatives: Vec::new() });
    let refusal = detect::Refusal::Plan(vec![Reason::Unmet { module: module(), name: "go".into() }]);
    let error = DetectError::NoGroup {
        results: vec![DetectResult { module: module(), outcome: passed, output: Vec::new() }],
        attempts: vec![Attempt { group: vec![CandidateMember { module: module(), optional: false }], refusal }],
    };
    let expected = "\
error: no group of buildpacks accepted the application
  a@1  passed
  a@1  make no group: `a@1` requires `go`, which no buildpack before it provides
hint: correct what was looked for, name the folder that has the function's source, or another builder with `--builder`";
    assert_eq!(told(error), (1, expected.to_owned()));
}

#[test]
fn command_line_mistakes_are_usage() {
    let folder = tempfile::tempdir().unwrap();
    let (code, text) = told(Source::open(&folder.path().join("nowhere")).unwrap_err());
    assert_eq!(code, 2);
    assert!(text.ends_with("hint: name the folder that has the function's source"), "{text}");
    let (code, text) = told("Upper".parse::<Reference>().unwrap_err());
    assert_eq!(code, 2);
    assert!(text.contains("hint: write it as"), "{text}");
}

#[test]
fn settings_are_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let (code, text) = told(BuilderToml::read(&folder.path().join("builder.toml")).unwrap_err());
    assert_eq!(code, 3);
    assert!(text.contains("builder.toml") && text.contains("--config FILE"), "{text}");
    let (code, text) = told(ConnectError::from(DockerConfig::parse(b"{", "config.json").unwrap_err()));
    assert_eq!(code, 3);
    assert!(text.contains("`config.json`") && text.contains("DOCKER_CONFIG"), "{text}");
    let module = builder::ModuleId { id: "a".into(), version: "1".into() };
    let error = PipelineError::from(Box::new(CreateError::from(CheckError::ProgramMissing { module, program: "bin/detect" })));
    let expected = "error: buildpack `a@1` has no `bin/detect`\nhint: a buildpack has both, `bin/detect` and `bin/build`";
    assert_eq!(told(error), (3, expected.to_owned()));
}

#[test]
fn buildpacks_that_are_not_there_are_told_with_those_that_are() {
    let present = || vec![builder::ModuleId::new("a/b", "1"), builder::ModuleId::new("a/b", "2")];
    let builder = || "b".to_owned();
    for (error, expected) in [
        (
            ChoiceError::Unknown { name: "x".into(), builder: builder(), present: present() },
            "error: `x` is neither a file or folder, nor a buildpack of `b`, nor an image of the store\n  `b` has a/b@1\n  `b` has a/b@2\n\
             hint: write `./x` for a folder, `docker://x` for an image of a registry, or one of these",
        ),
        (
            ChoiceError::NotInBuilder { module: builder::ModuleId::new("a/c", ""), builder: builder(), present: Vec::new() },
            "error: buildpack `a/c` is not in `b`\n  `b` has no buildpacks\nhint: write one of these, or the path of the buildpack",
        ),
        (
            ChoiceError::Ambiguous { module: builder::ModuleId::new("a/b", ""), builder: builder(), present: present() },
            "error: buildpack `a/b` is in `b` in several versions\n  `b` has a/b@1\n  `b` has a/b@2\nhint: write the version behind a `@`",
        ),
    ] {
        assert_eq!(told(PipelineError::from(Box::new(error))), (3, expected.to_owned()));
    }
}

#[test]
fn project_toml_that_cannot_be_used_is_configuration() {
    let head = "[_]\nschema-version = '0.2'\n[io.buildpacks]\n";
    for (text, expected) in [
        (
            "exclude = ['[']",
            "error: cannot use `exclude` of `p`\n  caused by: pattern 1 cannot be used\n  caused by: line 1 is not a pattern\n",
        ),
        (
            "[[io.buildpacks.group]]\nuri = 'https://x/y'",
            "error: cannot use a `uri` of `p`\n  caused by: the buildpack `https://x/y` would have to be downloaded, which fnpack does not do\n\
             hint: download it",
        ),
    ] {
        let (code, text) = told(ProjectToml::parse("p", &format!("{head}{text}"), std::path::Path::new("")).unwrap_err());
        assert_eq!(code, 3);
        assert!(text.starts_with(expected), "{text}");
    }
}

#[test]
fn refused_rebase_lists_what_speaks_against_it() {
    let objections = vec![Objection::Target { image: "linux/amd64".into(), base: "linux/arm64".into() }];
    let error = RebaseError::Refused { name: "a".into(), run_image: "b".into(), objections };
    let expected = "\
error: `a` would not run on `b`
  it is made for linux/amd64, the run image for linux/arm64
hint: name a run image that fits, or override with `--force`";
    assert_eq!(told(error), (7, expected.to_owned()));
}

#[test]
fn error_of_the_store_inside_an_io_error_is_told_once() {
    let folder = tempfile::tempdir().unwrap();
    let options = fnpack_core::store::StoreOptions::new(&IdMapping::current().unwrap(), OverlayXattr::here());
    let store = Store::open(folder.path().join("store"), options).unwrap();
    let mut blob = store.create().unwrap();
    io::Write::write_all(&mut blob, b"x").unwrap();
    let error = blob.commit(Some(&fnpack_core::digest::Digest::of(b"y"))).err().unwrap();
    let (code, text) = told(LayerError::Store(error));
    assert_eq!(code, 5);
    assert_eq!(text.matches("expected sha256:").count(), 1, "{text}");
    assert!(text.ends_with("hint: get the image anew: its bytes changed on the way"), "{text}");
}
