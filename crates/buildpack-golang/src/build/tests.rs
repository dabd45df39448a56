use testkit::buildpack::install;

use super::*;

const FUNCTION: &str = "package main\nimport \"github.com/apache/pulsar/pulsar-function-go/pf\"\nfunc main() { pf.Start(f) }\n";

/// Answers as `go` does, writes down how it was called, and makes a binary.
const FAKE_GO: &str = r#"#!/bin/sh
echo "$@" >> "$CALLS"
case "$1" in
  env) [ "$GOTOOLCHAIN" = local ] || [ -z "$REFUSED" ] || { echo "go: download go1.99: $REFUSED" >&2; exit 1; }
       echo go1.24.4; [ $# -lt 3 ] || echo /nowhere/go ;;
  build) env | grep -E '^(GO|CGO|SECRET)' | sort > "$CALLS.env"; pwd > "$CALLS.pwd"
         [ -z "$COMPLAINT" ] || { echo "$COMPLAINT" >&2; exit 1; }
         while [ "$1" != -o ]; do shift; done; cp "$CALLS.program" "$2" ;;
esac
"#;

/// A build with a fake `go`.
struct Build {
    folder: tempfile::TempDir,
    request: BuildRequest,
}

impl Build {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        for path in ["app", "layers/toolchain", "layers/modules", "layers/build-cache", "layers/function"] {
            fs_err::create_dir_all(at(path)).unwrap();
        }
        let variables = [
            ("PATH", format!("{}:/usr/bin:/bin", at("bin").display())),
            ("CALLS", at("calls").display().to_string()),
            ("GOPROXY", "file:///goproxy".to_owned()),
            ("SECRET", "kept".to_owned()),
        ];
        let variables: Variables = variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        let request = BuildRequest {
            application: at("app"),
            settings: Settings::from_variables(&variables).unwrap(),
            variables,
            target: Target {
                os: "linux".into(),
                arch: "arm".into(),
                arch_variant: Some("v7".into()),
                distro_name: "debian".into(),
                distro_version: "13".into(),
            },
            layers: LayerFolders {
                toolchain: at("layers/toolchain"),
                modules: at("layers/modules"),
                build_cache: at("layers/build-cache"),
                function: at("layers/function"),
            },
            earlier: None,
        };
        let build = Self { folder, request };
        for (path, text) in files {
            build.write(path, text);
        }
        build.install_go();
        build
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.request.application.join(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
    }

    fn install_go(&self) {
        install(&self.folder.path().join("bin/go"), FAKE_GO);
        fs_err::write(self.folder.path().join("calls.program"), testkit::golang::function()).unwrap();
    }

    fn set(&mut self, name: &str, value: &str) {
        self.request.variables.insert(name.into(), value.into());
        self.request.settings = Settings::from_variables(&self.request.variables).unwrap();
    }

    fn run(&self) -> Result<Record, GolangError> {
        build(&self.request, &mut |_| {})
    }

    fn noted(&self, what: &str) -> String {
        fs_err::read_to_string(self.folder.path().join(format!("calls{what}"))).unwrap_or_default()
    }

    fn built_times(&self) -> usize {
        self.noted("").lines().filter(|call| call.starts_with("build ")).count()
    }
}

type Change = fn(&mut Build);

fn simple() -> Build {
    Build::new(&[("go.mod", "module x\ngo 1.23\n"), ("main.go", FUNCTION), (".gitignore", ""), ("vendor/modules.txt", "")])
}

#[test]
fn build_makes_and_leaves_only_the_function() {
    let build = simple();
    let record = build.run().unwrap();
    assert_eq!(record.inputs.len(), 64);
    let facts = facts(&build.request, Path::new("/pulsar/function/function")).unwrap();
    assert_eq!((facts.go_version.as_deref(), facts.pf_version.as_deref()), (Some("1.25.0"), Some("v0.1.0")));
    leave_only_the_function(&build.request).unwrap();
    let artifact = build.request.application.join("function");
    let left: Vec<_> = fs_err::read_dir(&build.request.application).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["function"]);
    assert_eq!(fs_err::metadata(artifact).unwrap().permissions().mode() & 0o777, 0o755);
}

#[test]
fn build_gives_go_its_variables() {
    let mut build = simple();
    for (name, value) in [("GOFLAGS", "-tags=x"), ("CGO_ENABLED", "1"), ("GOROOT", "/wrong"), ("GOPRIVATE", "example.com")] {
        build.set(name, value);
    }
    build.run().unwrap();
    let layer = |name: &str| build.folder.path().join("layers").join(name).display().to_string();
    let expected = [
        "CGO_ENABLED=0".to_owned(),
        "GOARCH=arm".to_owned(),
        "GOARM=7".to_owned(),
        format!("GOCACHE={}", layer("build-cache")),
        "GOFLAGS=-tags=x".to_owned(),
        format!("GOMODCACHE={}", layer("modules")),
        "GOOS=linux".to_owned(),
        format!("GOPATH={}/gopath", layer("modules")),
        "GOPRIVATE=example.com".to_owned(),
        "GOPROXY=file:///goproxy".to_owned(),
        "GOTOOLCHAIN=local".to_owned(),
        "SECRET=kept".to_owned(),
    ];
    assert_eq!(build.noted(".env").lines().collect::<Vec<_>>(), expected);
}

#[test]
fn build_calls_go_for_the_chosen_package() {
    let mut build = Build::new(&[("fn/go.mod", "module x\n"), ("fn/cmd/a/main.go", FUNCTION)]);
    build.set("BP_GO_TARGETS", "./fn/cmd/a");
    build.set("BP_GO_BUILD_LDFLAGS", "-X main.version=1");
    build.set("GOFLAGS", "-v -ldflags=-X=main.commit=2");
    build.run().unwrap();
    let output = build.request.layers.function.join(BINARY);
    let expected = format!(
        "build -trimpath -buildvcs=false -modcacherw -ldflags=-s -w -X=main.commit=2 -X main.version=1 -o {} ./cmd/a",
        output.display()
    );
    assert_eq!(build.noted("").lines().nth(1), Some(expected.as_str()));
    let module = fs_err::canonicalize(build.request.application.join("fn")).unwrap();
    assert_eq!(build.noted(".pwd").trim(), module.display().to_string());
}

#[test]
fn build_takes_the_binary_of_an_unchanged_function() {
    let mut build = simple();
    build.request.earlier = Some(build.run().unwrap());
    assert_eq!(build.run().unwrap(), build.request.earlier.clone().unwrap());
    assert_eq!(build.built_times(), 1);

    build.write("data.txt", "embedded");
    assert_ne!(build.run().unwrap().inputs, build.request.earlier.clone().unwrap().inputs);
    assert_eq!(build.built_times(), 2);
}

#[test]
fn build_goes_on_if_the_layer_lost_its_binary() {
    let mut build = simple();
    build.request.earlier = Some(build.run().unwrap());
    fs_err::remove_file(build.request.layers.function.join(BINARY)).unwrap();
    build.run().unwrap();
    assert_eq!(build.built_times(), 2);
}

#[test]
fn build_without_fingerprint_never_takes_an_earlier_binary() {
    let mut build = simple();
    build.set("GOFLAGS", "-mod=mod");
    build.request.earlier = Some(build.run().unwrap());
    build.run().unwrap();
    assert_eq!((build.built_times(), build.request.earlier.unwrap().inputs.as_str()), (2, ""));
}

#[test]
fn build_failures_say_what_helps() {
    let cases: [(&str, Change, &str); 6] = [
        (
            "no go",
            |build| build.set("PATH", "/nowhere"),
            "there is no `go` in the PATH of the build\nhint: use a build image with Go 1.21 or newer",
        ),
        (
            "toolchain refused",
            |build| {
                build.write("go.mod", "module x\ngo 1.99\n");
                build.set("REFUSED", "403 Forbidden");
            },
            "the module asks for Go 1.99, the build image has Go 1.24.4, and a newer one cannot be had (GOTOOLCHAIN is `auto`, GOPROXY is `file:///goproxy`)\nhint: let GOPROXY name a proxy that has `golang.org/toolchain`, or use a build image with that Go",
        ),
        (
            "toolchain too old to fetch another",
            |build| build.write("go.mod", "module x\ngo 1.99\n"),
            "the module asks for Go 1.99, the build image has Go 1.24.4, and a newer one cannot be had (GOTOOLCHAIN is `auto`, GOPROXY is `file:///goproxy`)\nhint: let GOPROXY name a proxy that has `golang.org/toolchain`, or use a build image with that Go",
        ),
        ("module not understood", |build| build.set("REFUSED", "go.mod:1: unknown directive"), "`go env` failed with exit status: 1"),
        ("compile error", |build| build.set("COMPLAINT", "./main.go:5:14: undefined: x"), "Go could not build ., see its words above"),
        (
            "several functions",
            |build| build.write("cmd/b/main.go", FUNCTION),
            "several main packages start a function: ., ./cmd/b\nhint: name one of them: BP_GO_TARGETS=.",
        ),
    ];
    for (name, change, expected) in cases {
        let mut build = simple();
        change(&mut build);
        let error = build.run().unwrap_err();
        assert_eq!(fnpack_buildpack::explained(&error, error.hint().as_deref()), expected, "{name}");
        assert!(build.request.application.join("main.go").exists(), "{name}");
    }
}
