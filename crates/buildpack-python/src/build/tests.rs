use std::ffi::OsStr;

use testkit::buildpack::install;

use super::*;

const FUNCTION: &str = "from pulsar import Function\nclass A(Function):\n    def process(self, input, context): return input\n";

/// Says what it is, and that every import went well.
const FAKE_PYTHON: &str = r#"#!/bin/sh
case "$*" in
  *sysconfig*) printf '%s\n3.13\nglibc 2.41\n' "$0" ;;
  *) echo import >> "${0%/*}/calls"
     shift 10
     echo '{"outcome": "imported"}' > "$1" ;;
esac
"#;

/// Writes down how it was called and with which files, and unpacks a project with a native part.
const FAKE_UV: &str = r#"#!/bin/sh
here=${0%/*}
echo "$@" >> "$here/calls"
env | grep -E '^(UV_|SSL_|CC=)' | sort > "$here/environment"
[ -z "$COMPLAINT" ] || { echo "$COMPLAINT" >&2; exit 1; }
if [ "$1" = export ]; then echo "dep==1 --hash=sha256:0"; exit; fi
while [ $# -gt 0 ]; do
  case "$1" in
    --requirements) cp "$2" "$here/requirements" ;;
    --constraints) cp "$2" "$here/constraints" ;;
    --target) target=$2 ;;
  esac
  shift
done
mkdir -p "$target/dep" "$target/dep-1.dist-info" "$target/bin"
echo > "$target/dep/__init__.py"
echo '#!/usr/bin/python3' > "$target/bin/dep"
echo uv > "$target/dep-1.dist-info/INSTALLER"
printf 'dep/__init__.py,,\nbin/dep,,\ndep-1.dist-info/RECORD,,\n' > "$target/dep-1.dist-info/RECORD"
printf 'Name: dep\nVersion: 1\nRequires-Dist: protobuf>=5\n' > "$target/dep-1.dist-info/METADATA"
printf 'Tag: %s\n' "${TAG:-cp313-cp313-manylinux_2_17_x86_64}" > "$target/dep-1.dist-info/WHEEL"
"#;

/// A build with fakes of `uv` and `python3`.
struct Build {
    folder: tempfile::TempDir,
    request: BuildRequest,
    said: Vec<String>,
}

impl Build {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        for path in ["app", "layers/uv-cache", "layers/dependencies"] {
            fs_err::create_dir_all(at(path)).unwrap();
        }
        let path = format!("{}:/usr/bin:/bin", at("bin").display());
        let variables: Variables = [("PATH".into(), path.into()), ("BP_LAUNCH_APP_DIR".into(), "/pulsar/function".into())].into();
        let request = BuildRequest {
            application: at("app"),
            settings: Settings::from_variables(&variables).unwrap(),
            variables,
            arch: "amd64".into(),
            layers: Layers { cache: at("layers/uv-cache"), dependencies: at("layers/dependencies") },
            pip_conf: None,
            earlier: None,
        };
        let build = Self { folder, request, said: Vec::new() };
        for (path, text) in files {
            build.write(path, text);
        }
        build.install("uv", FAKE_UV);
        build.install("python3", FAKE_PYTHON);
        build
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.request.application.join(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
    }

    fn install(&self, name: &str, script: &str) {
        install(&self.folder.path().join("bin").join(name), script);
    }

    fn set(&mut self, name: &str, value: &str) {
        self.request.variables.insert(name.into(), value.into());
        self.request.settings = Settings::from_variables(&self.request.variables).unwrap();
    }

    fn run(&mut self) -> Result<Built, PythonError> {
        let mut said = Vec::new();
        let built = build(&self.request, &mut |text| said.push(text.to_owned()));
        self.said = said;
        built
    }

    fn failure(&mut self) -> String {
        let error = self.run().map(|made| made.facts).unwrap_err();
        fnpack_buildpack::explained(&error, error.hint().as_deref())
    }

    fn noted(&self, what: &str) -> String {
        fs_err::read_to_string(self.folder.path().join("bin").join(what)).unwrap_or_default()
    }

    /// How often `uv` was started.
    fn installs(&self) -> usize {
        self.noted("calls").lines().filter(|line| line.starts_with("pip install")).count()
    }

    /// As a platform does between builds: the source is there again, the layers still are.
    fn again(&mut self, record: &Record, files: &[(&str, &str)]) {
        fnpack_buildpack::empty(&self.request.application).unwrap();
        for (path, text) in files {
            self.write(path, text);
        }
        self.request.earlier = Some(record.clone());
    }

    fn left(&self) -> Vec<String> {
        let listing = fs_err::read_dir(&self.request.application).unwrap();
        let mut names: Vec<String> = listing.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

const SOURCE: [(&str, &str); 4] =
    [("orders/exclaim.py", FUNCTION), ("requirements.txt", "dep==1\n"), ("README.md", ""), ("tests/test_a.py", "")];

#[test]
fn build_lays_function_and_dependencies_out() {
    let mut build = Build::new(&SOURCE);
    let made = build.run().unwrap();
    assert_eq!(build.left(), ["dep", "dep-1.dist-info", "function.py", "orders"]);
    assert_eq!(made.slice, ["dep", "dep-1.dist-info"]);
    let expected = Facts {
        class_name: Some("orders.exclaim.A".into()),
        arch: Some("amd64".into()),
        python_version: Some("3.13".into()),
        libc: Some("glibc".into()),
        libc_version: Some("2.17".into()),
        ..Facts::new(Language::Python, "/pulsar/function/function.py")
    };
    assert_eq!(made.facts, expected);
    assert_eq!(
        build.said,
        [
            "function orders.exclaim.A in orders/exclaim.py",
            "dependencies of requirements.txt for Python 3.13, glibc 2.41, amd64",
            "left out: protobuf, which the runner has in its own version (dep 1 asks for >=5)",
            "`orders.exclaim.A` was imported",
        ]
    );
    assert!(!build.noted("calls").contains("--python-version"));
}

#[test]
fn build_without_dependencies_starts_no_uv() {
    let mut build = Build::new(&[("function.py", "def process(input): return input\n")]);
    let made = build.run().unwrap();
    assert_eq!((made.facts.class_name.as_deref(), made.slice.len(), build.installs()), (Some("function"), 0, 0));
    assert_eq!(build.left(), ["function.py"]);
}

#[test]
fn build_again_by_what_changed() {
    type Change = fn(&mut Build);
    let unchanged: [(&str, Change); 4] = [
        ("nothing", |_| {}),
        ("own code", |build| build.write("orders/exclaim.py", &format!("{FUNCTION}# more\n"))),
        ("password of the index", |build| build.set("PIP_INDEX_URL", "https://other:two@index/simple")),
        ("name of the function", |build| build.set("BP_FUNCTION_NAME", "orders2")),
    ];
    let changed: [(&str, Change); 4] = [
        ("dependencies", |build| build.write("requirements.txt", "dep==2\n")),
        ("index", |build| build.set("PIP_INDEX_URL", "https://elsewhere/simple")),
        ("runner", |build| build.set("BP_RUNNER_LIBC", "glibc 2.42")),
        ("tree gone", |build| fs_err::remove_dir_all(build.request.layers.site()).unwrap()),
    ];
    for ((name, change), installs) in unchanged.into_iter().map(|case| (case, 1)).chain(changed.into_iter().map(|case| (case, 2))) {
        let mut build = Build::new(&SOURCE);
        build.set("PIP_INDEX_URL", "https://me:one@index/simple");
        let record = build.run().unwrap().record;
        assert!(!format!("{record:?}").contains("one@"), "{record:?}");
        build.again(&record, &SOURCE);
        change(&mut build);
        let again = build.run().unwrap();
        assert_eq!((build.installs(), again.slice.as_slice()), (installs, &["dep".to_owned(), "dep-1.dist-info".to_owned()][..]), "{name}");
    }
}

#[test]
fn build_for_another_runner_says_so_to_uv() {
    let mut build = Build::new(&SOURCE);
    build.set("BP_RUNNER_PYTHON", "3.12");
    build.set("BP_RUNNER_LIBC", "musl 1.2.5");
    build.set("TAG", "cp312-cp312-musllinux_1_2_x86_64");
    let made = build.run().unwrap();
    assert_eq!((made.facts.python_version.as_deref(), made.facts.libc.as_deref()), (Some("3.12"), Some("musl")));
    assert!(build.noted("calls").contains("--python-version 3.12 --python-platform x86_64-unknown-linux-musl"), "{}", build.noted("calls"));
    assert!(build.noted("environment").contains("CC=false"));
    assert_eq!(build.installs(), 1);
    assert_eq!(
        build.said.last().map(String::as_str),
        Some(
            "`orders.exclaim.A` was not imported: the build image has Python 3.13, glibc 2.41, amd64, the runner Python 3.12, musl 1.2, amd64"
        )
    );
}

#[test]
fn build_gives_uv_what_it_needs() {
    let mut build = Build::new(&SOURCE);
    build.set("PIP_INDEX_URL", "https://me:secret@index/simple");
    build.set("PIP_EXTRA_INDEX_URL", "https://one https://two");
    build.run().unwrap();
    let environment = build.noted("environment");
    for line in ["UV_DEFAULT_INDEX=https://me:secret@index/simple", "UV_INDEX=https://one https://two", "UV_LINK_MODE=copy"] {
        assert!(environment.lines().any(|found| found == line), "{environment}");
    }
    assert!(environment.contains(&format!("UV_CACHE_DIR={}", build.request.layers.cache.display())));
    assert!(!build.noted("calls").contains("secret"));
}

#[test]
fn build_exports_locks() {
    let lock = "[[package]]\nname = 'dep'\nversion = '1'\nfiles = [{file = 'x', hash = 'sha256:1'}]\n";
    let poetry = "[tool.poetry.dependencies]\npython = '^3.11'\ndep = '^1'\n";
    let project = "[project]\nname = 'x'\ndependencies = ['dep']\n";
    for (name, text, pyproject, requirements, constraints) in [
        ("poetry.lock", lock, poetry, "dep\n", "dep==1 --hash=sha256:1\n"),
        ("uv.lock", "version = 1\n", project, "dep==1 --hash=sha256:0\n", ""),
        ("Pipfile.lock", r#"{"default": {"dep": {"version": "==1"}}}"#, "", "dep==1\n", ""),
    ] {
        let mut build = Build::new(&[("exclaim.py", FUNCTION), (name, text), ("pyproject.toml", pyproject)]);
        build.run().unwrap();
        assert_eq!((build.noted("requirements").as_str(), build.noted("constraints").as_str()), (requirements, constraints), "{name}");
        assert_eq!(build.noted("calls").contains("--no-deps"), constraints.is_empty(), "{name}");
        assert_eq!(build.left(), ["dep", "dep-1.dist-info", "exclaim.py", "function.py"], "{name}");
    }
}

#[test]
fn build_for_a_package_leaves_what_it_is_made_of() {
    let mut build = Build::new(&SOURCE);
    build.set("BP_FUNCTION_PACKAGE", "true");
    build.run().unwrap();
    assert_eq!(build.left(), ["deps", "src"]);
    assert!(build.request.application.join("deps/dep-1-cp313-cp313-manylinux_2_17_x86_64.whl").is_file());
    let zip = build.folder.path().join("orders.zip");
    fnpack_artifact::python::zip_package("orders", &build.request.application, fs_err::File::create(&zip).unwrap()).unwrap();
    let facts = fnpack_artifact::python::facts(&zip, None).unwrap();
    assert_eq!((facts.class_name.as_deref(), facts.libc_version.as_deref()), (Some("orders.exclaim.A"), Some("2.17")));
}

#[test]
fn build_for_a_package_of_one_module_names_it() {
    let mut build = Build::new(&[("exclaim.py", FUNCTION)]);
    build.set("BP_FUNCTION_PACKAGE", "true");
    let artifact = build.run().unwrap().facts.artifact;
    assert_eq!(build.left(), ["exclaim.py"]);
    assert!(artifact.ends_with("/exclaim.py"), "{artifact}");
}

#[test]
fn build_warns_of_modules_that_the_instance_has() {
    let mut build = Build::new(&[("exclaim.py", FUNCTION), ("util.py", "")]);
    build.run().unwrap();
    let warning = "warning: Pulsar's instance has a module `util` too, and `import util` will give that one";
    assert!(build.said.iter().any(|said| said == warning), "{:?}", build.said);
}

#[test]
fn build_errors_say_what_to_do() {
    type Change = fn(&mut Build);
    let cases: [(&str, Change, &str); 11] = [
        (
            "several",
            |build| build.write("b.py", FUNCTION),
            "several Python functions: b.A, orders.exclaim.A\nhint: name one of them: BP_FUNCTION_CLASS=b.A",
        ),
        (
            "function of a module",
            |build| {
                build.write("c.py", "def handle(input): pass\n");
                build.set("BP_FUNCTION_CLASS", "c.handle");
            },
            "c.py:1: `c.handle` is a function, and Pulsar calls a class, or a bare module with process(input)",
        ),
        ("not there", |build| build.set("BP_FUNCTION_CLASS", "x.Y"), "there is no `x.Y` (found orders.exclaim.A)"),
        (
            "no uv",
            |build| {
                fs_err::remove_file(build.folder.path().join("bin/uv")).unwrap();
                let bin = build.folder.path().join("bin").display().to_string();
                build.set("PATH", &bin);
                build.install("python3", &FAKE_PYTHON.replace("#!/bin/sh", "#!/bin/sh\nPATH=/usr/bin:/bin"));
            },
            "there is no `uv` in the PATH of the build\nhint: use a build image with uv, or add it where the build runs: `python3 -m pip install uv`",
        ),
        (
            "no python",
            |build| build.set("PATH", "/nowhere"),
            "there is no `python3` in the PATH of the build\nhint: use a build image with Python 3",
        ),
        (
            "no network",
            |build| build.set("COMPLAINT", "cause: dns error"),
            "uv could not install the dependencies of requirements.txt, see its words above\nhint: the host of the index https://pypi.org/simple cannot be found: is there a network in the build, or is another index meant (PIP_INDEX_URL)?",
        ),
        (
            "wheel of another runner",
            |build| build.set("TAG", "cp313-cp313-musllinux_1_2_x86_64"),
            "dep 1 is for cp313-cp313-musllinux_1_2_x86_64 and does not run on the runner (Python 3.13, glibc 2.41, amd64)\nhint: take a version of it that has a wheel for the runner, or another runner",
        ),
        (
            "compiled for nothing",
            |build| {
                build.set("TAG", "cp313-cp313-linux_x86_64");
                build.set("BP_RUNNER_LIBC", "glibc 2.36");
            },
            "dep 1 has no wheel for the runner and was compiled, which does not serve: the build image has Python 3.13, glibc 2.41, amd64, the runner Python 3.13, glibc 2.36, amd64\nhint: take a version of it that has a wheel for the runner, or another runner",
        ),
        (
            "other Python",
            |build| build.write("pyproject.toml", "[project]\nname = 'x'\nrequires-python = '>=3.14'\n"),
            "pyproject.toml asks for Python >=3.14, the runner has 3.13\nhint: take a runner with such a Python, or change requires-python",
        ),
        (
            "same name",
            |build| build.write("dep.py", ""),
            "your `dep.py` and `dep` of dep 1 have the same name\nhint: rename your own (which of them Python finds would be a matter of chance); if it is the same, take your own project out of the dependencies",
        ),
        (
            "name of the instance's",
            |build| {
                build.write("log.py", FUNCTION);
                build.set("BP_FUNCTION_CLASS", "log.A");
            },
            "the function's module is called `log`, as one of Pulsar's own that is imported before it\nhint: rename it: the instance would be given its own in its place",
        ),
    ];
    for (name, change, expected) in cases {
        let mut build = Build::new(&SOURCE);
        change(&mut build);
        assert_eq!(build.failure(), expected, "{name}");
        assert!(build.request.application.join("README.md").exists(), "{name}: the source is left");
    }
}

#[test]
fn build_reads_pip_conf() {
    let mut build = Build::new(&SOURCE);
    let file = build.folder.path().join("pip.conf");
    fs_err::write(&file, "[global]\nindex-url = https://index/simple\n").unwrap();
    build.request.pip_conf = Some(file);
    build.run().unwrap();
    assert!(build.noted("environment").contains("UV_DEFAULT_INDEX=https://index/simple\n"));
    assert_eq!(build.request.variables.get(OsStr::new("UV_DEFAULT_INDEX")), None);
}
