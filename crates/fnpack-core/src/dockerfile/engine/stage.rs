//! One stage, instruction by instruction.

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use super::draft::Draft;
use super::key::{Key, name_of_files};
use super::scope::{Arguments, DEFAULT_PATH, invalid};
use super::stages::{Resolved, Source};
use super::writer::Writer;
use super::{Build, Owner};
use crate::accounts::{Account, account};
use crate::digest::Digest;
use crate::dockerfile::context::clean;
use crate::dockerfile::error::{DockerfileError, Place};
use crate::dockerfile::expand::{ExpandError, expand};
use crate::dockerfile::host::{Delta, Event, StepInfo, Workspace};
use crate::dockerfile::parse::ast::{Argument, CommandLine, Instruction, Pair, Stage, Step};
use crate::image::{ContainerConfig, History, Image};
use crate::target::Target;

/// Who made an image, in its history.
const COMMENT: &str = "fnpack.dockerfile.v1";

/// A stage being built.
pub(super) struct StageBuild<'a> {
    pub(super) build: &'a Build<'a>,
    pub(super) index: usize,
    pub(super) name: Option<&'a str>,
    pub(super) target: Target,
    pub(super) draft: Draft,
    pub(super) arguments: Arguments,
    /// Whether this stage has set a `CMD`. One inherited from the base goes when `ENTRYPOINT` is set.
    command_set: bool,
    /// Folders that layers of this stage have for sure, whatever is below.
    pub(super) linked: BTreeSet<String>,
}

/// What a step changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ground {
    /// The files of the stage so far.
    Stage,
    /// Nothing: its layer is the same on every image.
    Nothing,
}

/// An instruction being carried out.
pub(super) struct Current<'a> {
    pub(super) info: StepInfo<'a>,
    pub(super) place: Place,
}

impl<'a> StageBuild<'a> {
    pub(super) fn start(build: &'a Build<'a>, index: usize, stage: &'a Stage, resolved: &Resolved) -> Result<Self, DockerfileError> {
        let (name, line) = (stage.from.name.as_deref(), stage.position.line);
        build.start_step(name, line, &stage.text);
        let image = build.image(&resolved.source, &resolved.target, &build.place(line))?;
        let mut draft = Draft::of(&image);
        match &resolved.source {
            // What Docker gives an image that starts from nothing.
            Source::Scratch => {
                draft.config.config.set_env("PATH", DEFAULT_PATH);
                "/".clone_into(&mut draft.config.config.working_dir);
            }
            Source::Image(reference) if has_triggers(&image) => {
                return Err(DockerfileError::OnBuild { place: build.place(line), reference: reference.familiar() });
            }
            Source::Stage(_) | Source::Image(_) => {}
        }
        let target = resolved.target.clone();
        Ok(Self { build, index, name, target, draft, arguments: Arguments::default(), command_set: false, linked: BTreeSet::new() })
    }

    pub(super) fn step(&mut self, step: &'a Step) -> Result<(), DockerfileError> {
        let line = step.position.line;
        let current = Current { info: self.build.start_step(self.name, line, &step.text), place: self.build.place(line) };
        match &step.instruction {
            Instruction::Arg(arguments) => self.declare(arguments, &current),
            Instruction::Env(pairs) => self.env(pairs, &current),
            Instruction::Label(pairs) => self.labels(pairs, &current),
            Instruction::User(user) => self.user(user, &current),
            Instruction::Workdir(folder) => self.workdir(folder, &current),
            Instruction::Entrypoint(command) => {
                self.entrypoint(command);
                Ok(())
            }
            Instruction::Cmd(command) => {
                self.cmd(command);
                Ok(())
            }
            Instruction::Run(run) => {
                self.linked.clear();
                self.run(run, &current)
            }
            Instruction::Copy(copy) => self.copy(copy, &current),
        }
    }

    /// Labels from outside of the file, as if the file ended with them.
    pub(super) fn label(&mut self, labels: &BTreeMap<String, String>) {
        if !labels.is_empty() {
            self.set_labels(labels.iter().map(|(name, value)| (name.clone(), value.clone())).collect());
        }
    }

    pub(super) fn finish(mut self) -> Image {
        self.draft.config.created = Some(self.build.plan.created.clone());
        self.draft.image()
    }

    pub(super) fn config(&self) -> &ContainerConfig {
        &self.draft.config.config
    }

    /// A word with its variables. One that no instruction declares is taken as empty, as in Docker,
    /// and remarked upon.
    pub(super) fn expand(&self, word: &str, current: &Current<'_>) -> Result<String, DockerfileError> {
        let lookup = |name: &str| self.arguments.lookup(self.config(), name);
        let escape = self.build.plan.dockerfile.directives.escape;
        let fail = |error: ExpandError| invalid(error.into(), current.place.clone());
        let expanded = expand(word, escape, &lookup).map_err(fail)?;
        self.build.count_expanded(expanded.text.len()).map_err(fail)?;
        for name in expanded.unset.iter().filter(|name| !self.arguments.declares(name)) {
            self.build.remark(current.info.line, &format!("`{name}` is declared by no `ARG` or `ENV` and taken as empty"));
        }
        Ok(expanded.text)
    }

    /// The same for a word that must not come out empty.
    pub(super) fn expand_name(&self, word: &str, current: &Current<'_>) -> Result<String, DockerfileError> {
        let text = self.expand(word, current)?;
        if text.is_empty() {
            let place = current.place.clone();
            return Err(DockerfileError::EmptyName { place, written: word.to_owned(), unset: Vec::new() });
        }
        Ok(text)
    }

    /// What the step of this key changes: what the host remembers, or what `work` does to a fresh
    /// workspace. When `work` fails the workspace is dropped, and with it all that it did.
    pub(super) fn delta(
        &self,
        current: &Current<'_>,
        (key, ground): (&Digest, Ground),
        work: impl FnOnce(&mut (dyn Workspace + '_)) -> Result<(), DockerfileError>,
    ) -> Result<Delta, DockerfileError> {
        if let Some(delta) = self.recall(current, key) {
            return Ok(delta);
        }
        let host = self.build.host;
        let place = || current.place.clone();
        let since = SystemTime::now();
        let image = match ground {
            Ground::Stage => self.draft.image(),
            Ground::Nothing => Image::empty(&self.target),
        };
        let mut workspace = host.open(&image).map_err(|source| DockerfileError::Open { place: place(), source })?;
        work(&mut *workspace)?;
        let delta = workspace.commit(since).map_err(|source| DockerfileError::Commit { place: place(), source })?;
        host.remember(key, &delta);
        Ok(delta)
    }

    /// What the host remembers of the step of this key.
    pub(super) fn recall(&self, current: &Current<'_>, key: &Digest) -> Option<Delta> {
        if self.build.plan.no_cache {
            return None;
        }
        let delta = self.build.host.cached(key)?;
        self.build.host.report(&Event::Cached(current.info));
        Some(delta)
    }

    /// Puts a step's changes on the image.
    pub(super) fn apply(&mut self, delta: Delta, created_by: String) {
        match delta {
            Delta::Layer(layer) => self.draft.push(*layer, self.history(created_by, false)),
            Delta::Nothing => self.configure(created_by, |_| {}),
        }
    }

    /// A key for a step of this kind. Of the image so far only the files count; what of its config
    /// matters to a step is added by the step.
    pub(super) fn key(&self, kind: &str) -> Key {
        let mut key = Key::new(kind);
        key.add(self.draft.config.target().to_string()).add(name_of_files(self.draft.chain()));
        key
    }

    pub(super) fn account(&self, workspace: &dyn Workspace, place: &Place) -> Result<Account, DockerfileError> {
        let name = &self.config().user;
        account(workspace.root(), name).map_err(|source| DockerfileError::User { place: place.clone(), name: name.clone(), source })
    }

    /// The working folder of the stage so far, absolute.
    pub(super) fn working_folder(&self) -> String {
        absolute("/", &self.config().working_dir)
    }

    /// The words that make a line a command.
    pub(super) fn shell(&self) -> Vec<String> {
        let shell = self.config().rest.get("Shell").and_then(|shell| serde_json::from_value::<Vec<String>>(shell.clone()).ok());
        shell.filter(|shell| !shell.is_empty()).unwrap_or_else(|| vec!["/bin/sh".to_owned(), "-c".to_owned()])
    }

    fn history(&self, created_by: String, empty_layer: bool) -> History {
        let created = Some(self.build.plan.created.clone());
        History { created, created_by: Some(created_by), author: None, comment: Some(COMMENT.to_owned()), empty_layer }
    }

    fn configure(&mut self, created_by: String, change: impl FnOnce(&mut ContainerConfig)) {
        let history = self.history(created_by, true);
        change(&mut self.draft.config.config);
        self.draft.config.history.push(history);
    }

    fn declare(&mut self, arguments: &[Argument], current: &Current<'_>) -> Result<(), DockerfileError> {
        let mut shown = Vec::new();
        for Argument { name, default } in arguments {
            let given = self.build.plan.build_args.get(name);
            let value = match (given, default) {
                (Some(given), _) => Some(given.clone()),
                (None, Some(default)) => Some(self.expand(default, current)?),
                (None, None) => self.build.globals.get(name).cloned(),
            };
            shown.push(value.as_ref().map_or_else(|| name.clone(), |value| format!("{name}={value}")));
            self.arguments.declare(name, value);
        }
        self.configure(format!("ARG {}", shown.join(" ")), |_| {});
        Ok(())
    }

    fn pairs(&self, pairs: &[Pair], current: &Current<'_>) -> Result<Vec<(String, String)>, DockerfileError> {
        let pair = |pair: &Pair| Ok((self.expand_name(&pair.name, current)?, self.expand(&pair.value, current)?));
        pairs.iter().map(pair).collect()
    }

    /// All values see the environment before the instruction, also those of later pairs.
    fn env(&mut self, pairs: &[Pair], current: &Current<'_>) -> Result<(), DockerfileError> {
        let pairs = self.pairs(pairs, current)?;
        self.configure(shown("ENV", &pairs), |config| {
            for (name, value) in &pairs {
                config.set_env(name, value);
            }
        });
        Ok(())
    }

    fn labels(&mut self, pairs: &[Pair], current: &Current<'_>) -> Result<(), DockerfileError> {
        let pairs = self.pairs(pairs, current)?;
        self.set_labels(pairs);
        Ok(())
    }

    fn set_labels(&mut self, pairs: Vec<(String, String)>) {
        self.configure(shown("LABEL", &pairs), |config| config.labels.extend(pairs));
    }

    fn user(&mut self, user: &str, current: &Current<'_>) -> Result<(), DockerfileError> {
        let user = self.expand_name(user, current)?;
        self.configure(format!("USER {user}"), |config| config.user = user);
        Ok(())
    }

    /// Sets the folder and makes it, owned by the user of the stage. There is a layer only if it was
    /// missing.
    fn workdir(&mut self, folder: &str, current: &Current<'_>) -> Result<(), DockerfileError> {
        let folder = absolute(&self.working_folder(), &self.expand_name(folder, current)?);
        let delta = if self.linked.contains(&folder) {
            Delta::Nothing
        } else {
            let key = self.key("WORKDIR").add(&folder).add(&self.config().user).digest();
            self.delta(current, (&key, Ground::Stage), |workspace| self.make_folder(workspace, &folder, current))?
        };
        self.apply(delta, format!("WORKDIR {folder}"));
        self.draft.config.config.working_dir = folder;
        Ok(())
    }

    /// Makes a folder inside the image for the user of the stage, unless it is there.
    pub(super) fn make_folder(&self, workspace: &dyn Workspace, folder: &str, current: &Current<'_>) -> Result<(), DockerfileError> {
        if workspace.root().is_dir(folder) {
            return Ok(());
        }
        let user = self.account(workspace, &current.place)?.user;
        let mut writer = Writer::new(workspace, Owner { uid: user.uid, gid: user.gid });
        let result = writer.folders(folder.as_ref()).and_then(|()| writer.finish());
        let prepare = |source| DockerfileError::Prepare { place: current.place.clone(), path: folder.to_owned(), source };
        result.map_err(|source| prepare(Box::new(source)))
    }

    fn entrypoint(&mut self, command: &CommandLine) {
        let words = self.words(command);
        let forget = !self.command_set;
        self.configure(format!("ENTRYPOINT {words:?}"), |config| {
            config.entrypoint = Some(words);
            if forget {
                config.cmd = None;
            }
        });
    }

    fn cmd(&mut self, command: &CommandLine) {
        self.command_set = true;
        let words = self.words(command);
        self.configure(format!("CMD {words:?}"), |config| config.cmd = Some(words));
    }

    pub(super) fn words(&self, command: &CommandLine) -> Vec<String> {
        match command {
            CommandLine::Exec(words) => words.clone(),
            CommandLine::Shell(line) => self.shell().into_iter().chain([line.clone()]).collect(),
        }
    }
}

/// A path of an instruction as an absolute path inside the image.
pub(super) fn absolute(folder: &str, path: &str) -> String {
    let path = if path.starts_with('/') { path.to_owned() } else { format!("{folder}/{path}") };
    format!("/{}", clean(&path))
}

fn shown(keyword: &str, pairs: &[(String, String)]) -> String {
    let pairs: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    format!("{keyword} {}", pairs.join(" "))
}

/// Whether a base has `ONBUILD` instructions.
fn has_triggers(image: &Image) -> bool {
    let triggers = image.config().config.rest.get("OnBuild").and_then(serde_json::Value::as_array);
    triggers.is_some_and(|triggers| !triggers.is_empty())
}
