use std::path::Path;

use tempfile::TempDir;
use testkit::runner::RunnerImage;

use super::*;

fn image(labels: &[(&str, &str)], env: &[&str]) -> Image {
    Image::empty(&"linux/amd64".parse().unwrap()).with_config(|config| {
        config.config.labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        config.config.env = env.iter().map(|entry| (*entry).to_owned()).collect();
    })
}

fn read(folder: &Path, env: &[&str]) -> RunnerFacts {
    RunnerFacts::read(&Root::open(folder).unwrap(), &image(&[], env))
}

fn languages(names: &[Language]) -> BTreeSet<Language> {
    names.iter().copied().collect()
}

fn libc(text: &str) -> Libc {
    Libc::parse(text)
}

/// A root file system of these files; one whose contents begin with `->` is a symlink.
fn tree(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, contents) in files {
        let path = folder.path().join(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        match contents.strip_prefix("->") {
            Some(target) => fs_err::os::unix::fs::symlink(target, path).unwrap(),
            None => fs_err::write(path, contents).unwrap(),
        }
    }
    folder
}

#[test]
fn published_runners_are_read() {
    let alpine = Some(Distro { name: "alpine".into(), version: "3.21.3".into() });
    let common =
        || RunnerFacts { libc: Some(libc("musl 1.2.5")), distro: alpine.clone(), ..RunnerFacts::unknown("linux/amd64".parse().unwrap()) };
    for (runner, expected) in [
        (RunnerImage::published_go(), RunnerFacts { languages: Some(languages(&[Language::Go])), ..common() }),
        (
            RunnerImage::published_java(),
            RunnerFacts {
                languages: Some(languages(&[Language::Go, Language::Java])),
                java: Some(21),
                pulsar: Some("4.0.5.2".into()),
                ..common()
            },
        ),
        (
            RunnerImage::published_python(),
            RunnerFacts { languages: Some(languages(&[Language::Go, Language::Python])), python: Some("3.12".into()), ..common() },
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        runner.unpack(folder.path()).unwrap();
        let facts = read(folder.path(), &[]);
        assert_eq!(facts, expected);
        assert!(facts.is_complete());
    }
}

#[test]
fn debian_is_read_by_its_own_files() {
    let status = "Package: zlib1g\nStatus: install ok installed\nVersion: 1:1.3-1\n\n\
        Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n\n\
        Package: bash\nStatus: install ok installed\nDepends: x,\n y\nVersion: 5.2-3\n";
    let folder = tree(&[
        ("usr/bin/bash", ""),
        ("bin", "->usr/bin"),
        ("lib", "->usr/lib"),
        ("usr/lib/x86_64-linux-gnu/libc.so.6", "\u{7f}ELF GNU C Library (Debian GLIBC 2.41-12) stable release version 2.41.\nCopyright"),
        ("usr/lib/ld-musl-x86_64.so.1", "\u{0}1.2.5\u{0}"),
        ("etc/os-release", "ID=debian\nVERSION_ID=\"13\"\n"),
        ("usr/bin/java", "->/etc/alternatives/java"),
        ("etc/alternatives/java", "->/usr/lib/jvm/java-8/jre/bin/java"),
        ("usr/lib/jvm/java-8/jre/bin/java", ""),
        ("usr/lib/jvm/java-8/release", "JAVA_VERSION=\"1.8.0_392\"\n"),
        ("opt/python/bin/python", ""),
        ("opt/python/lib/python3.11/os.py", ""),
        ("var/lib/dpkg/status", status),
    ]);
    let facts = read(folder.path(), &["PATH=/opt/python/bin:relative:/usr/bin"]);
    assert_eq!((facts.java, facts.python.as_deref(), facts.libc.clone()), (Some(8), Some("3.11"), Some(libc("glibc 2.41"))));
    assert_eq!(facts.languages, Some(languages(&[Language::Go])), "java and python without Pulsar's instances start no function");
    assert_eq!(facts.packages, Some(vec!["bash=5.2-3".to_owned(), "zlib1g=1:1.3-1".to_owned()]));
}

#[test]
fn hostile_files_count_as_not_there() {
    let folder = tree(&[
        ("bin/bash", "->bash"),
        ("bin/java", "->/../../../../usr/bin/../../java"),
        ("java", "->."),
        ("bin/python", "->/nowhere/python9.99"),
        ("release", "JAVA_VERSION=\"99999999\"\n"),
        ("lib/libc.so.6", "stable release version "),
        ("lib/ld-musl-x86_64.so.1", ""),
        ("etc/os-release", "ID\n=\n"),
        ("var/lib/dpkg/status", "Package: a b\nStatus: install ok installed\nVersion: 1\n\n\n\nPackage:\n"),
    ]);
    fs_err::create_dir_all(folder.path().join("pulsar/instances/java-instance.jar")).unwrap();
    let facts = read(folder.path(), &["PATH=::/bin:/\u{0}"]);
    assert_eq!((facts.languages, facts.java, facts.python, facts.distro), (Some(languages(&[])), None, None, None));
    assert_eq!(facts.packages, Some(vec![]));
}

#[test]
fn labels_read_back_and_win_over_files() {
    let folder = tempfile::tempdir().unwrap();
    RunnerImage::published_java().unpack(folder.path()).unwrap();
    let read = read(folder.path(), &[]);
    let labels = read.labels();
    let labels: Vec<(&str, &str)> = labels.iter().map(|(key, value)| (*key, value.as_str())).collect();
    assert_eq!(RunnerFacts::of_labels(&image(&labels, &[])), read);

    let labelled = RunnerFacts::of_labels(&image(&[(JAVA, "17"), (LIBC, "glibc"), (LANGUAGE, "java cobol"), (PYTHON, " ")], &[]));
    assert!(!labelled.is_complete(), "the distribution is not known");
    let both = labelled.or(read);
    assert_eq!((both.java, both.libc, both.python), (Some(17), Some(libc("glibc")), None));
    assert_eq!((both.languages, both.distro.map(|distro| distro.name)), (Some(languages(&[Language::Java])), Some("alpine".into())));
}

#[test]
fn no_language_is_kept_apart_from_not_known() {
    let folder = tempfile::tempdir().unwrap();
    let facts = read(folder.path(), &[]);
    assert_eq!(facts.languages, Some(languages(&[])));
    let labels = facts.labels();
    let labels: Vec<(&str, &str)> = labels.iter().map(|(key, value)| (*key, value.as_str())).collect();
    assert_eq!(RunnerFacts::of_labels(&image(&labels, &[])).languages, Some(languages(&[])));
    assert_eq!(RunnerFacts::of_labels(&image(&[], &[])).languages, None);
}

#[test]
fn variables_say_what_to_build_for() {
    let facts = RunnerFacts::of_labels(&image(&[(JAVA, "21"), (LIBC, "glibc 2.41"), (PULSAR, "4.0.0")], &[]));
    assert_eq!(facts.variables(), [("BP_RUNNER_JAVA", "21".to_owned()), ("BP_RUNNER_LIBC", "glibc 2.41".to_owned())]);
}

#[test]
fn misfits_are_what_both_say() {
    let runner = |labels: &[(&str, &str)]| RunnerFacts::of_labels(&image(labels, &[]));
    let all = [(LANGUAGE, "java python"), (JAVA, "17"), (PYTHON, "3.12"), (LIBC, "musl 1.2.5")];
    let glibc = [(LIBC, "glibc 2.9")];
    let python = || Facts::new(Language::Python, "/pulsar/function/function.py");
    let java = |release| Facts { java_release: Some(release), ..Facts::new(Language::Java, "/pulsar/function/function.jar") };
    let native = |libc: &str, version: Option<&str>| Facts { libc: Some(libc.into()), libc_version: version.map(Into::into), ..python() };
    let bound = |version: &str| Facts { python_version: Some(version.into()), ..python() };
    for (labels, function, expected) in [
        (&all[..], python(), ""),
        (&all, Facts::new(Language::Go, "/x"), "it is a Go function, the run image is for Java and Python"),
        (&[(LANGUAGE, "none")], python(), "it is a Python function, the run image can start no functions"),
        (&[], java(21), ""),
        (&all, java(17), ""),
        (&all, java(21), "its class files need Java 21 or newer, the run image has Java 17"),
        (&all, Facts { arch: Some("arm64".into()), ..java(8) }, "it is made for arm64, the run image for amd64"),
        (&all, native("glibc", Some("2.28")), "it is bound to glibc, the run image has musl 1.2.5"),
        (&all, native("musl", Some("1.2")), ""),
        (&glibc, native("glibc", Some("2.28")), "it needs glibc 2.28 or newer, the run image has glibc 2.9"),
        (&glibc, native("glibc", None), ""),
        (&[(LIBC, "glibc")], native("glibc", Some("2.28")), ""),
        (&all, bound("3.12"), ""),
        (&all, bound("3.1"), "its packages are bound to Python 3.1, the run image has Python 3.12"),
    ] {
        let misfits: Vec<String> = runner(labels).fits(&function).iter().map(ToString::to_string).collect();
        assert_eq!(misfits.join("; "), expected, "{function:?}");
    }
}
