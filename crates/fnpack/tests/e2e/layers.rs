//! What the real builders put into images: the same layers each time, a small one for a small change, and nothing but
//! what the function needs.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use fnpack_core::image::Image;
use fnpack_core::layers::decompress::decompress;
use fnpack_core::reference::Reference;
use fnpack_core::store::{Store, StoreOptions};
use fnpack_core::target::Target;
use fnpack_sandbox::{IdMapping, OverlayXattr};

use super::environment::Environment;
use super::language::{JAVA, Language, PYTHON};

/// Own code of the examples is a few kilobytes; any library is more than this.
const OWN_CODE_LIMIT: usize = 64 << 10;

/// What is expected of the images of a language.
struct Expected {
    language: &'static Language,
    /// What the buildpack says instead of starting a tool.
    unchanged: &'static str,
    /// What tells that a tool was started.
    tool: &'static str,
    /// A line of own code, and what it is changed to.
    change: (&'static str, &'static str, &'static str),
    /// What may lie in `/pulsar/function`: these files, and those below these folders.
    files: &'static [&'static str],
    folders: &'static [&'static str],
}

const ON_JAVA: Expected = Expected {
    language: &JAVA,
    unchanged: "nothing has changed since the last build: taking its jar",
    tool: "Scanning for projects",
    change: ("src/main/java/io/fnpack/examples/OrderEnricher.java", "not an order of the form", "no order of the form"),
    files: &["function.jar", "lib/org.apache.commons.commons-csv-", "lib/commons-io.commons-io-", "lib/commons-codec.commons-codec-"],
    folders: &[],
};

const ON_PYTHON: Expected = Expected {
    language: &PYTHON,
    unchanged: "dependencies of requirements.txt have not changed since the last build: taking them",
    tool: "Resolved",
    change: ("product_match/function.py", "no product is like", "nothing is like"),
    files: &["function.py", "product_match/__init__.py", "product_match/function.py", "product_match/catalogue.txt"],
    folders: &["rapidfuzz/", "rapidfuzz-"],
};
/// An image of the shared store.
pub(crate) fn image(environment: &Environment, name: &str) -> Image {
    let options = StoreOptions::new(&IdMapping::current().unwrap(), OverlayXattr::here());
    let store = Store::open(environment.store(), options).unwrap();
    store.image(&name.parse::<Reference>().unwrap(), &Target::of_this_program()).unwrap().unwrap()
}

/// The uncompressed layers above the runner: what made each, and its tar.
pub(crate) fn own_layers(environment: &Environment, name: &str) -> Vec<(String, Vec<u8>)> {
    let inspected: serde_json::Value = serde_json::from_str(&environment.fnpack(["inspect", "-o", "json", name]).success()).unwrap();
    let base = usize::try_from(inspected["base"]["layers"].as_u64().unwrap()).unwrap();
    let image = image(environment, name);
    let history = image.config().history.iter().filter(|entry| !entry.empty_layer);
    let layers = image.layers().iter().zip(history).skip(base);
    let layers = layers.map(|(layer, history)| {
        let mut tar = Vec::new();
        decompress(layer.blob.open().unwrap()).unwrap().read_to_end(&mut tar).unwrap();
        (history.created_by.clone().unwrap_or_default(), tar)
    });
    layers.collect()
}

/// The layers with the application: slices and what is left.
fn application_layers(environment: &Environment, name: &str) -> Vec<Vec<u8>> {
    let layers = own_layers(environment, name).into_iter();
    let layers = layers.filter(|(made_by, _)| made_by.starts_with("Application ")).map(|(_, tar)| tar).collect::<Vec<_>>();
    assert!(!layers.is_empty(), "{name} has no application");
    layers
}

fn copy(language: &Language, folder: &Path) {
    let status = std::process::Command::new("cp").arg("-r").arg(language.example()).arg(folder).status().unwrap();
    assert!(status.success());
}

fn digest(reference: &str) -> &str {
    reference.rsplit_once('@').unwrap().1
}

/// A copy of the example at a path of this process alone, with what a developer's folder has besides.
fn littered(environment: &Environment, language: &Language) -> PathBuf {
    let source = environment.path().join("a copy/of the source");
    fs_err::create_dir_all(source.parent().unwrap()).unwrap();
    copy(language, &source);
    for file in [".git/config", ".env", ".idea/workspace.xml"] {
        fs_err::create_dir_all(source.join(file).parent().unwrap()).unwrap();
        fs_err::write(source.join(file), "secret").unwrap();
    }
    source
}

/// A build of nothing new, one from nothing cached at another path, and one of a changed line.
fn prove(expected: &Expected) {
    let language = expected.language;
    let Some(environment) = language.tree() else { return };
    let name = format!("layers/{}", language.name);
    let first = language.build(&environment, &name, &language.example(), &[]).success();

    let again = language.build(&environment, &name, &language.example(), &[]);
    assert!(again.stderr.contains(expected.unchanged) && !again.stderr.contains(expected.tool), "{}", again.stderr);
    assert_eq!(again.success(), first, "nothing has changed");

    let source = littered(&environment, language);
    let anew = language.build(&environment, &name, &source, &["--clear-cache"]);
    assert!(anew.stderr.contains(expected.tool), "{}", anew.stderr);
    assert_eq!(digest(&anew.success()), digest(&first), "from another path, with nothing kept");

    assert_holds_the_function_alone(&environment, &name, expected);
    change_one_line(&environment, &name, &source, expected);
}

fn change_one_line(environment: &Environment, name: &str, source: &Path, expected: &Expected) {
    let before = application_layers(environment, name);
    let (file, from, to) = expected.change;
    let text = fs_err::read_to_string(source.join(file)).unwrap();
    assert!(text.contains(from), "{from} in {text}");
    fs_err::write(source.join(file), text.replace(from, to)).unwrap();
    expected.language.build(environment, name, source, &[]).success();
    let after = application_layers(environment, name);
    assert_eq!(before.len(), after.len());
    let changed: Vec<&Vec<u8>> = before.iter().zip(&after).filter(|(before, after)| before != after).map(|(_, after)| after).collect();
    assert_eq!(changed.len(), 1, "layers that differ");
    assert!(after.len() > 1, "libraries are a layer of their own");
    assert!(changed[0].len() < OWN_CODE_LIMIT, "{} bytes for a change of own code", changed[0].len());
}

/// What the spec's exporter adds around the application.
const AROUND: [&str; 5] = ["layers/sbom/", "layers/config/", "cnb/lifecycle/launcher", "cnb/process/function", "layers/"];
/// Folders above what is there.
const FOLDERS: [&str; 9] = [
    "cnb/",
    "cnb/lifecycle/",
    "cnb/process/",
    "layers/",
    "layers/config/",
    "layers/sbom/",
    "layers/sbom/launch/",
    "pulsar/",
    "pulsar/function/",
];

fn assert_holds_the_function_alone(environment: &Environment, name: &str, expected: &Expected) {
    let mut owners: BTreeMap<(u64, u64), String> = BTreeMap::new();
    let mut seen = Vec::new();
    for (made_by, tar) in own_layers(environment, name) {
        let mut archive = tar::Archive::new(&tar[..]);
        for entry in archive.entries().unwrap() {
            let entry = entry.unwrap();
            let path = String::from_utf8_lossy(&entry.path_bytes()).trim_start_matches('/').to_owned();
            assert!(is_allowed(&path, entry.header().entry_type().is_dir(), expected), "`{path}` in {name}, {made_by}");
            if path.starts_with("pulsar/function") {
                owners.insert((entry.header().uid().unwrap(), entry.header().gid().unwrap()), path.clone());
                seen.push(path);
            }
        }
    }
    assert_eq!(owners.into_keys().collect::<Vec<_>>(), [(10_000, 10_001)]);
    for file in expected.files {
        assert!(seen.iter().any(|path| path.starts_with(&format!("pulsar/function/{file}"))), "{file} in {seen:?}");
    }
    let config = image(environment, name);
    let config = &config.config().config;
    assert_eq!((config.user.as_str(), config.working_dir.as_str()), ("10000:10001", "/pulsar/function"));
}

fn is_allowed(path: &str, is_folder: bool, expected: &Expected) -> bool {
    let folder = format!("{}/", path.trim_end_matches('/'));
    if is_folder && FOLDERS.contains(&folder.as_str()) {
        return true;
    }
    let Some(own) = path.strip_prefix("pulsar/function/") else {
        return AROUND.iter().any(|allowed| path.starts_with(allowed)) && !path.contains("cache") && !path.contains("repository");
    };
    let is_above = is_folder && expected.files.iter().any(|file| file.starts_with(own));
    let is_file =
        expected.files.iter().any(|file| if file.ends_with('-') { own.starts_with(file) && Path::new(own).extension().is_some_and(|suffix| suffix == "jar") } else { own == *file });
    let is_below = expected.folders.iter().any(|folder| format!("{own}/").starts_with(folder));
    is_above || is_file || is_below
}

#[test]
fn java_layers_are_the_function_alone() {
    prove(&ON_JAVA);
}

#[test]
fn python_layers_are_the_function_alone() {
    prove(&ON_PYTHON);
}
