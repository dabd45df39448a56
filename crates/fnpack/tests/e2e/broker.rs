//! One real Pulsar for all tests of this program, with a functions worker. It ends with the program.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use fnpack_pulsar::admin::{Admin, AdminOptions, Code, FunctionName};
use fnpack_pulsar::distribution::{Distribution, FetchOptions};
use fnpack_pulsar::messages::{Client, ClientOptions, Consumer, Position, Schema};
use fnpack_pulsar::standalone::{Folder, Standalone, StandaloneOptions};
use fnpack_pulsar::{Endpoint, HttpOptions};
use serde_json::{Value, json};

use super::environment::cache;

const PATIENCE: Duration = Duration::from_secs(90);

/// A Pulsar that is ready.
pub(crate) struct Broker {
    /// Kept for its end.
    _standalone: Standalone,
    endpoint: Endpoint,
}

/// A package as a function of the worker.
pub(crate) struct Registration<'a> {
    /// The function's name.
    pub(crate) name: &'a str,
    pub(crate) language: &'a str,
    pub(crate) class: Option<&'a str>,
    pub(crate) package: &'a Path,
}

/// What came back from a function.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// One line a message, in the order they came.
    Lines(String),
    /// Nothing in time, with what the worker knows of the function.
    Silence(Value),
}

impl std::ops::Deref for Broker {
    type Target = Endpoint;

    fn deref(&self) -> &Endpoint {
        &self.endpoint
    }
}

/// Started when first asked for.
pub(crate) fn shared() -> Option<&'static Broker> {
    static BROKER: OnceLock<Option<Broker>> = OnceLock::new();
    BROKER.get_or_init(start).as_ref()
}

/// The Python of functions at the worker, with what Pulsar's instance needs.
pub(crate) fn python() -> Option<PathBuf> {
    Some(cache()?.join("python/bin/python3"))
}

fn start() -> Option<Broker> {
    let cache = cache()?;
    let java = Command::new("java").arg("-version").output().is_ok();
    assert!(java || std::env::var_os("CI").is_none(), "there is no Java");
    let roots = rustls_native_certs::load_native_certs().certs.into_iter().map(|certificate| certificate.to_vec()).collect();
    let options = FetchOptions { http: HttpOptions { roots, ..HttpOptions::default() }, ..FetchOptions::default() };
    let distribution = Distribution::fetch(&cache.join("pulsar"), &options, &|_| ()).unwrap();
    // A static is never dropped, so its folder is in the cache, and emptied at the next start.
    let folder = cache.join("broker");
    let _ = fs_err::remove_dir_all(&folder);
    let options = StandaloneOptions {
        functions_worker: true,
        python: python(),
        folder: Folder::Kept(folder),
        timeout: Duration::from_mins(4),
        ..StandaloneOptions::new(distribution, &cache)
    };
    let standalone = Standalone::start(&options, &|| false).unwrap();
    let endpoint = standalone.endpoint().clone();
    Some(Broker { _standalone: standalone, endpoint })
}

/// What packages must fit: the worker runs them by this machine's own Java and Python.
pub(crate) fn worker() -> [String; 3] {
    let answer = |program: &Path, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).output().unwrap();
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    };
    let java = answer(Path::new("java"), &["-version"]);
    let java = java.split('"').nth(1).and_then(|version| version.split('.').next()).unwrap().to_owned();
    let about = "import platform; print(platform.python_version().rsplit('.', 1)[0], *platform.libc_ver())";
    let python = answer(&python().unwrap(), &["-c", about]);
    let (python, libc) = python.trim().split_once(' ').unwrap();
    [format!("BP_RUNNER_JAVA={java}"), format!("BP_RUNNER_PYTHON={python}"), format!("BP_RUNNER_LIBC={libc}")]
}

impl Broker {
    pub(crate) fn client(&self) -> Client {
        Client::connect(&ClientOptions::new(&self.service)).unwrap()
    }

    pub(crate) fn admin(&self) -> Admin {
        Admin::new(&AdminOptions { web: self.web.clone(), token: None, http: HttpOptions::default() }).unwrap()
    }

    /// Gives a package to the functions worker, as `pulsar-admin functions create` does, sends messages and takes the
    /// function away again.
    pub(crate) fn register(&self, registration: &Registration<'_>, inputs: &[&str]) -> Answer {
        let &Registration { name, language, class, package } = registration;
        let admin = self.admin();
        let function = FunctionName::new("public", "default", name).unwrap();
        let mut config = json!({
            "tenant": "public", "namespace": "default", "name": name, "runtime": language.to_uppercase(),
            "inputs": [topic(name, "in")], "output": topic(name, "out"),
        });
        if let Some(class) = class {
            config["className"] = class.into();
        }
        let code = Code::File { path: package.to_owned(), name: package.file_name().unwrap().to_string_lossy().into_owned() };
        admin.create_function(&function, &config, &code).unwrap();
        let answer = self.exchange(language, name, inputs);
        let answer = answer.map_or_else(|| Answer::Silence(self.status(&function)), Answer::Lines);
        admin.delete_function(&function).unwrap();
        answer
    }

    /// Sends messages to the input topic of a function that is being started, and waits for as many answers on its output
    /// topic; `None` if they do not come.
    pub(crate) fn exchange(&self, language: &str, name: &str, inputs: &[&str]) -> Option<String> {
        // A topic that was used without schema keeps a Java function of strings from starting.
        let schema = if language == "java" { Schema::String } else { Schema::Bytes };
        let client = self.client();
        let mut consumer = client.consumer(&topic(name, "out"), "test", schema, Position::Earliest).unwrap();
        // The function's subscription starts at the end of the topic, so it has to be there first.
        self.wait_for_subscription(&topic(name, "in"))?;
        let mut producer = client.producer(&topic(name, "in"), schema).unwrap();
        for input in inputs {
            producer.send(input.as_bytes()).unwrap();
        }
        inputs.iter().map(|_| next_line(&mut consumer)).collect()
    }

    fn wait_for_subscription(&self, topic: &str) -> Option<()> {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            if self.admin().is_consumed(topic, None).unwrap() {
                return Some(());
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        None
    }

    fn status(&self, function: &FunctionName) -> Value {
        json!(format!("{:?}", self.admin().function_status(function)))
    }
}

/// The topic of a function; `end` is `in` or `out`.
pub(crate) fn topic(name: &str, end: &str) -> String {
    format!("persistent://public/default/{name}-{end}")
}

fn next_line(consumer: &mut Consumer) -> Option<String> {
    let message = consumer.receive(PATIENCE).unwrap()?;
    consumer.acknowledge(&message).unwrap();
    Some(String::from_utf8(message.payload).unwrap() + "\n")
}
