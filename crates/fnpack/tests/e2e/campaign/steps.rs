//! What a user does, with the network at its worst.

use std::collections::BTreeMap;
use std::path::PathBuf;

use fnpack_core::digest::Digest;
use fnpack_core::image::companion::Companion;
use fnpack_core::image::{Descriptor, Image, ManifestTree};
use fnpack_core::pipeline::{self, Address, RebaseOptions, Selection};
use fnpack_core::reference::Reference;
use serde_json::json;
use testkit::faulty_proxy::{Mishap, Plan};

use super::errors::kind_of;
use super::world::{MISHAPS, SHORT_MISHAPS, World, layer};

/// Of a hundred requests, how many meet something.
const PERCENTS: [u64; 4] = [2, 6, 15, 35];
const TAGS: u64 = 3;
const ARTIFACT: &str = "application/vnd.oci.image.manifest.v1+json";

/// A step, and what came of it.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) what: &'static str,
    /// Name and digest of the tags in the repository that was written to, before.
    pub(super) before: BTreeMap<String, String>,
    pub(super) goal: Goal,
    /// The name of the error.
    pub(super) result: Result<(), String>,
}

/// What is to be true after a success.
#[derive(Debug, Clone)]
pub(super) enum Goal {
    /// A tag has this digest; of `None` only that it is whole.
    Tag { repository: String, tag: String, digest: Option<String> },
    /// A list of referrers has this one.
    Listed { repository: String, tag: String, referrer: String },
    /// The store has this name for this digest.
    Stored { name: Reference, digest: String },
    /// A file or a folder holds this digest.
    Saved { path: PathBuf, address: Address, digest: String },
    /// Nothing has changed.
    Nothing,
}

/// What is done to reach a goal.
type Action = Box<dyn FnOnce(&World) -> Result<(), String>>;

impl World {
    /// Does something by chance.
    pub(super) fn step(&mut self, number: u64) -> Done {
        let (what, goal, action) = self.choose();
        let repository = match &goal {
            Goal::Tag { repository, .. } | Goal::Listed { repository, .. } => Some(self.registry.repository(repository)),
            _ => None,
        };
        let tags = |repository: &testkit::docker_registry::Repository| {
            repository.tags().into_iter().filter_map(|tag| Some((tag.clone(), repository.digest(&tag)?))).collect()
        };
        let before = repository.as_ref().map(tags).unwrap_or_default();
        let percent = PERCENTS[usize::try_from(self.dice.roll(4)).unwrap()];
        let mishaps: &[Mishap] = if what == "command" { SHORT_MISHAPS } else { MISHAPS };
        self.proxy.follow(Plan::seeded(self.seed.wrapping_mul(1_000_003).wrapping_add(number), percent, mishaps));
        let result = action(self);
        self.proxy.settle();
        self.proxy.follow(Plan::calm());
        Done { what, before, goal, result }
    }

    fn choose(&mut self) -> (&'static str, Goal, Action) {
        let choice = self.dice.roll(26);
        let (what, made) = match choice {
            0..=4 => ("push", Some(self.push())),
            5..=8 => ("pull", self.pull()),
            9..=12 => ("copy", self.copy()),
            13..=16 => ("rebase", self.rebase()),
            17..=18 => ("access", self.access()),
            19..=21 => ("index push", Some(self.push_index())),
            22 => ("attach", self.attach()),
            23..=24 => ("save", self.save()),
            _ => ("command", self.command()),
        };
        if let Some((goal, action)) = made {
            return (what, goal, action);
        }
        // There is nothing yet that this could be done to.
        let (goal, action) = self.push();
        ("push", goal, action)
    }

    fn tag(&mut self) -> String {
        format!("v{}", self.dice.roll(TAGS))
    }

    fn push(&mut self) -> (Goal, Action) {
        let (image, tag) = (self.function("linux/amd64"), self.tag());
        let (name, digest) = (self.name("function", &tag), image.digest().to_string());
        let goal = Goal::Tag { repository: "function".to_owned(), tag, digest: Some(digest) };
        (goal, Box::new(move |world| world.bench().publish(&image, &[&name]).map(drop).map_err(|error| kind_of(&error))))
    }

    fn pull(&mut self) -> Option<(Goal, Action)> {
        let (repository, tag) = self.any_of(&["function", "runner"])?;
        let (name, digest) = (self.name(&repository, &tag), self.registry.repository(&repository).digest(&tag)?);
        let goal = Goal::Stored { name: name.clone(), digest };
        let action = move |world: &World| {
            let bench = world.bench();
            bench.pull(&name, &bench.target).map(drop).map_err(|error| kind_of(&error))
        };
        Some((goal, Box::new(action)))
    }

    fn copy(&mut self) -> Option<(Goal, Action)> {
        let (repository, from_tag) = self.any_of(&["function", "index"])?;
        let digest = self.registry.repository(&repository).digest(&from_tag);
        let tag = self.tag();
        let (from, to) = (Address::Registry(self.name(&repository, &from_tag)), Address::Registry(self.name("copy", &tag)));
        let goal = Goal::Tag { repository: "copy".to_owned(), tag, digest };
        let action =
            move |world: &World| pipeline::copy(&world.bench(), &from, &to, &Selection::All).map(drop).map_err(|error| kind_of(&error));
        Some((goal, Box::new(action)))
    }

    fn rebase(&mut self) -> Option<(Goal, Action)> {
        let (repository, tag) = self.any_of(&["function"])?;
        let runner = self.dice.roll(2).to_string();
        let (name, runner) = (self.name(&repository, &tag), self.name("runner", &runner));
        let rebased = move |world: &World, dry_run: bool| {
            let names = [name.clone()];
            let options = RebaseOptions { image: &name, run_image: Some(&runner), names: &names, force: true, dry_run };
            pipeline::rebase_in_registry(&world.bench(), &options)
        };
        let digest = rebased(self, true).unwrap().digest.to_string();
        let goal = Goal::Tag { repository, tag, digest: Some(digest) };
        Some((goal, Box::new(move |world| rebased(world, false).map(drop).map_err(|error| kind_of(&error)))))
    }

    fn access(&mut self) -> Option<(Goal, Action)> {
        let (repository, tag) = self.any_of(&["function", "runner", "index", "copy"])?;
        let name = self.name(&repository, &tag);
        let action = move |world: &World| {
            let bench = world.bench();
            let client = bench.registry.as_ref().unwrap().client().unwrap();
            // Which digest it is has to be believed: an answer to a HEAD has no body that could be hashed.
            assert!(client.digest(&name).map_err(|error| kind_of(&error))?.is_some(), "{name} is there");
            client.check_push(&name).map_err(|error| kind_of(&error))
        };
        Some((Goal::Nothing, Box::new(action)))
    }

    fn push_index(&mut self) -> (Goal, Action) {
        let bench = self.bench();
        let named = |image: &Image, text: &str| {
            let name: Reference = text.parse().unwrap();
            bench.store.put_image(image, Some(&name)).unwrap();
            Address::Named(name)
        };
        let parts = [named(&self.function("linux/amd64"), "amd"), named(&self.function("linux/arm64"), "arm")];
        let index: Reference = "both".parse().unwrap();
        let digest = pipeline::create_index(&bench, &index, &parts).unwrap().to_string();
        let tag = self.tag();
        let to = Address::Registry(self.name("index", &tag));
        let goal = Goal::Tag { repository: "index".to_owned(), tag, digest: Some(digest) };
        let action = move |world: &World| {
            pipeline::copy(&world.bench(), &Address::Named(index), &to, &Selection::All).map(drop).map_err(|error| kind_of(&error))
        };
        (goal, Box::new(action))
    }

    /// An SBOM for an image.
    fn attach(&mut self) -> Option<(Goal, Action)> {
        let (repository, tag) = self.any_of(&["function"])?;
        let name = self.name(&repository, &tag);
        let subject: Digest = self.registry.repository(&repository).digest(&tag)?.parse().unwrap();
        let bytes = self.registry.repository(&repository).manifest(&tag)?;
        let (empty, sbom) = (layer(b"{}"), layer(format!("SBOM {}", self.dice.roll(u64::MAX)).as_bytes()));
        let document = json!({
            "schemaVersion": 2, "mediaType": ARTIFACT, "artifactType": "application/spdx+json",
            "config": empty.descriptor, "layers": [sbom.descriptor],
            "subject": Descriptor::new(ARTIFACT, subject, bytes.len() as u64),
        });
        let bytes = document.to_string().into_bytes();
        let blobs = [sbom, empty].map(|part| (part.descriptor, part.blob)).to_vec();
        let tree = ManifestTree { descriptor: Descriptor::of(ARTIFACT, &bytes), bytes: bytes.into(), blobs, children: Vec::new() };
        let goal = Goal::Listed { repository, tag: subject.to_string().replace(':', "-"), referrer: tree.descriptor.digest.to_string() };
        let action = move |world: &World| {
            let bench = world.bench();
            let client = bench.registry.as_ref().unwrap().client().unwrap();
            client.push_companions(&[Companion { subject, tag: None, tree }], &name).map_err(|error| kind_of(&error))
        };
        Some((goal, Box::new(action)))
    }

    fn save(&mut self) -> Option<(Goal, Action)> {
        let (repository, tag) = self.any_of(&["function", "index"])?;
        let digest = self.registry.repository(&repository).digest(&tag)?;
        let (kind, path) = match self.dice.roll(2) {
            0 => ("oci", self.environment.path().join("layout")),
            _ => ("oci-archive", self.environment.path().join(format!("{}.tar", self.dice.roll(1 << 40)))),
        };
        let address: Address = format!("{kind}:{}:{repository}-{tag}", path.display()).parse().unwrap();
        let (from, to) = (Address::Registry(self.name(&repository, &tag)), address.clone());
        let action =
            move |world: &World| pipeline::copy(&world.bench(), &from, &to, &Selection::All).map(drop).map_err(|error| kind_of(&error));
        Some((Goal::Saved { path, address, digest }, Box::new(action)))
    }

    /// One of these by the command, with the patience that users have.
    fn command(&mut self) -> Option<(Goal, Action)> {
        let (repository, from_tag) = self.any_of(&["function"])?;
        let name = self.name(&repository, &from_tag);
        let digest = self.registry.repository(&repository).digest(&from_tag)?;
        let tag = self.tag();
        let copy = Goal::Tag { repository: "copy".to_owned(), tag: tag.clone(), digest: Some(digest.clone()) };
        let to = self.name("copy", &tag);
        let (goal, line) = match self.dice.roll(5) {
            0 => (Goal::Stored { name: name.clone(), digest }, format!("image pull {name}")),
            1 => (copy, format!("image copy --all docker://{name} docker://{to}")),
            2 => (Goal::Nothing, format!("access {name}")),
            3 => {
                let goal = Goal::Tag { repository: "copy".to_owned(), tag, digest: None };
                (goal, format!("rebase {name} --run-image {} --publish --force -t {to}", self.name("runner", "0")))
            }
            _ => {
                self.bench().store.put_image(&self.bench().pull(&name, &"linux/amd64".parse().unwrap()).ok()?, Some(&name)).ok()?;
                (copy, format!("image push {name} {to}"))
            }
        };
        let action = move |world: &World| {
            let outcome = world.environment.call(&line);
            match outcome.code {
                Some(0) => Ok(()),
                Some(4) if outcome.stderr.contains("error: ") && !outcome.stderr.contains("panicked") => Err("exit 4".to_owned()),
                _ => panic!("`fnpack {line}` ended with {:?}:\n{}", outcome.code, outcome.stderr),
            }
        };
        Some((goal, Box::new(action)))
    }
}
