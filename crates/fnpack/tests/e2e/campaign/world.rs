//! The registry, the network before it, a store, and what goes to and fro.

use std::io::Write;
use std::time::Duration;

use fnpack_core::digest::DiffId;
use fnpack_core::image::{BlobSink, Descriptor, History, Image, ImageConfig, Layer, MemoryBlobs, media_type};
use fnpack_core::pipeline::{EngineAccess, PullPolicy, Registry, Report, Surroundings, Workbench};
use fnpack_core::reference::Reference;
use fnpack_core::registry::{RegistryClient, Retry, Settings, Timeouts};
use fnpack_core::store::{Store, StoreOptions};
use fnpack_sandbox::OverlayXattr;
use serde_json::json;
use testkit::docker_registry::{DockerRegistry, Guard, Setup};
use testkit::faulty_proxy::{FaultyProxy, Mishap, Plan};

use crate::environment::Environment;

/// Everything that may happen to a request of ours.
pub(super) const MISHAPS: &[Mishap] = &[
    Mishap::Late(Duration::from_millis(40)),
    Mishap::ResetBefore,
    Mishap::ResetDuring,
    Mishap::ResetAfter,
    Mishap::Limited(None),
    Mishap::Limited(Some(1)),
    Mishap::Limited(Some(600)),
    Mishap::Failed(500),
    Mishap::Failed(502),
    Mishap::Failed(503),
    Mishap::Truncated,
    Mishap::Flipped,
    Mishap::FlippedUpload,
    Mishap::WrongDigest,
    Mishap::LengthTooLong,
    Mishap::LengthTooShort,
    Mishap::DuplicateHeaders,
    Mishap::AbsentHeaders,
    Mishap::Stalled(Duration::from_secs(2)),
];
/// Without what the command waits for as long as users want it to.
pub(super) const SHORT_MISHAPS: &[Mishap] = MISHAPS.split_at(MISHAPS.len() - 1).0;

/// Long enough for a registry on a busy machine.
const STALL: Duration = Duration::from_millis(1200);

/// Numbers that a seed settles.
pub(super) struct Dice(u64);

/// Everything that a step needs.
pub(super) struct World {
    pub(super) registry: DockerRegistry,
    pub(super) proxy: FaultyProxy,
    pub(super) environment: Environment,
    pub(super) store: Store,
    pub(super) dice: Dice,
    /// `runner:0` and `runner:1`.
    pub(super) runners: Vec<Image>,
    pub(super) seed: u64,
}

impl Dice {
    /// A number below `sides`.
    pub(super) fn roll(&mut self, sides: u64) -> u64 {
        // The generator that Marsaglia calls xorshift64.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % sides
    }

    fn bytes(&mut self) -> Vec<u8> {
        let longest = [100, 3_000, 70_000, 400_000][usize::try_from(self.roll(4)).unwrap()];
        let length = 1 + self.roll(longest);
        (0..length).map(|_| u8::try_from(self.roll(256)).unwrap()).collect()
    }
}

impl World {
    /// With two runners in the registry. `None` is a skip.
    pub(super) fn new(seed: u64) -> Option<Self> {
        let registry = Setup::of(Guard::Open).start()?;
        let proxy = FaultyProxy::before(registry.address(), Plan::calm());
        let environment = Environment::empty();
        let store = open(&environment);
        let dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let mut world = Self { registry, proxy, environment, store, dice, runners: Vec::new(), seed };
        for number in 0..2 {
            let layers = vec![layer(b"what all runners share"), layer(&world.dice.bytes()), layer(format!("runner {number}").as_bytes())];
            let runner = Image::from_parts(ImageConfig::new(&"linux/amd64".parse().unwrap()), layers);
            let name = world.name("runner", &number.to_string());
            world.bench().publish(&runner, &[&name]).unwrap();
            world.runners.push(runner);
        }
        Some(world)
    }

    /// Goes on with an empty store.
    pub(super) fn begin_store(&mut self) {
        self.environment = Environment::empty();
        self.store = open(&self.environment);
    }

    /// A workbench with connections of its own, and the patience of a test.
    pub(super) fn bench(&self) -> Workbench<'static> {
        let settings = || Settings {
            timeouts: Timeouts { connect: STALL, stall: STALL },
            retry: Retry { attempts: 4, first_delay: Duration::from_millis(2), longest_delay: Duration::from_millis(1500) },
            ..Settings::default()
        };
        Workbench {
            store: self.store.clone(),
            registry: Some(Registry::new(move || Ok(RegistryClient::new(settings())?))),
            engine: EngineAccess::default(),
            pull_policy: PullPolicy::default(),
            made_here: Vec::new(),
            surroundings: Surroundings { init: "/proc/self/exe".into(), certificates: None, proxy: Vec::new() },
            xattr: OverlayXattr::here(),
            single_id: true,
            target: "linux/amd64".parse().unwrap(),
            report: &Silent,
        }
    }

    /// A name at the registry, by way of the network.
    pub(super) fn name(&self, repository: &str, tag: &str) -> Reference {
        format!("{}/{repository}:{tag}", self.proxy.host()).parse().unwrap()
    }

    /// A function on one of the runners, as an exporter leaves it.
    pub(super) fn function(&mut self, platform: &str) -> Image {
        let number = usize::try_from(self.dice.roll(2)).unwrap();
        let runner = self.runners[number].with_config(|config| {
            let named: ImageConfig = ImageConfig::new(&platform.parse().unwrap());
            (config.os, config.architecture) = (named.os, named.architecture);
        });
        let application = layer(&self.dice.bytes());
        let name = self.name("runner", &number.to_string()).to_string();
        let metadata = json!({
            "app": [{ "sha": application.diff_id }],
            "runImage": { "topLayer": runner.layers().last().unwrap().diff_id, "reference": name, "image": name },
        });
        let label =
            |config: &mut ImageConfig| drop(config.config.labels.insert("io.buildpacks.lifecycle.metadata".into(), metadata.to_string()));
        runner.appended([(application, History::default())]).with_config(label)
    }

    /// What is there now, of a kind of repository: name and tag.
    pub(super) fn any_of(&mut self, repositories: &[&str]) -> Option<(String, String)> {
        let of = |repository: &&str| -> Vec<(String, String)> {
            let tags = self.registry.repository(repository).tags();
            tags.into_iter().filter(|tag| !tag.starts_with("sha256-")).map(|tag| ((*repository).to_owned(), tag)).collect()
        };
        let all: Vec<(String, String)> = repositories.iter().flat_map(of).collect();
        if all.is_empty() {
            return None;
        }
        let choice = usize::try_from(self.dice.roll(all.len() as u64)).unwrap();
        Some(all[choice].clone())
    }
}

fn open(environment: &Environment) -> Store {
    let options = StoreOptions { mapping_key: "test".to_owned(), xattr: OverlayXattr::here(), single_id: true, faults: None };
    Store::open(environment.store(), options).unwrap()
}

/// Nothing on the way looks into layers.
pub(super) fn layer(bytes: &[u8]) -> Layer {
    let mut pending = MemoryBlobs::default().create().unwrap();
    pending.write_all(bytes).unwrap();
    let (digest, size, blob) = pending.commit(None).unwrap();
    Layer { descriptor: Descriptor::new(media_type::OCI_LAYER, digest, size), diff_id: DiffId::of(bytes), blob }
}

struct Silent;

impl Report for Silent {
    fn step(&self, _text: &str) {}
    fn detail(&self, _text: &str) {}
    fn warning(&self, _text: &str) {}
    fn output(&self, _bytes: &[u8]) {}
    fn progress(&self, _what: &str, _done: u64, _all: Option<u64>) {}
}
