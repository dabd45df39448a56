//! What commands that work with images have in common: the store, registries, this machine.

use std::process::ExitCode;
use std::sync::Arc;

use fnpack_core::digest::Digest;
use fnpack_core::engine::Loaded;
use fnpack_core::image::Image;
use fnpack_core::pipeline::{EngineAccess, PullPolicy, Registry, Surroundings, Workbench};
use fnpack_core::reference::Reference;
use fnpack_core::registry::Pushed;
use fnpack_core::store::{Store, StoreOptions};
use fnpack_core::target::Target;
use fnpack_sandbox::{EnterPlan, Entered, IdMapping, OverlayXattr};
use serde::Serialize;

use super::executor::Executor;
use crate::arguments::GlobalArguments;
use crate::embedded;
use crate::error::{Class, CommandError};
use crate::registries;
use crate::settings::Settings;
use crate::transfers::Transfers;
use crate::ui::Ui;

/// An open store and all around it.
pub(super) struct Session<'a> {
    pub(super) ui: &'a Ui,
    /// How the commands of builds are run.
    pub(super) executor: Executor,
    pub(super) settings: Settings,
    pub(super) bench: Workbench<'a>,
}

/// Makes this process root over mapped ids, if it is not root already. `Some` is the exit code of the
/// process that did the work in our place.
pub(super) fn enter_user_namespace() -> Result<Option<ExitCode>, CommandError> {
    match fnpack_sandbox::enter(&EnterPlan::default())? {
        // Mounts of a build are this process's own, and end with it.
        Entered::Here(_) => fnpack_sandbox::own_mounts().map(|()| None).map_err(CommandError::from),
        Entered::Finished(status) => Ok(Some(ExitCode::from(u8::try_from(status.shell_code()).unwrap_or(u8::MAX)))),
    }
}

impl<'a> Session<'a> {
    /// Opens the store and reads the environment.
    pub(super) fn open(global: GlobalArguments, executor: Executor, pull_policy: PullPolicy, ui: &'a Ui) -> Result<Self, CommandError> {
        let mut settings = Settings::read(global.store).ok_or_else(|| {
            CommandError::message(Class::Usage, "there is no home folder to keep the store in")
                .hint("name a folder with `--store DIR` or FNPACK_STORE")
        })?;
        settings.registries.authority = global.registry_ca;
        let xattr = OverlayXattr::here();
        let mapping = IdMapping::current()?;
        let options = StoreOptions::new(&mapping, xattr);
        let store = Store::open(&settings.store, options)?;
        let surroundings =
            Surroundings { init: "/proc/self/exe".into(), certificates: settings.certificates.clone(), proxy: settings.proxy.clone() };
        let transfers = Arc::new(Transfers::new(ui.clone()));
        let of_registry = settings.clone();
        let registry = (!global.offline).then(|| Registry::new(move || registries::connect(&of_registry, transfers.clone())));
        let fetcher = registry.clone().filter(|_| pull_policy != PullPolicy::Never);
        let bench = Workbench {
            store: fetcher.map_or_else(|| store.clone(), |fetcher| store.with_fetcher(Arc::new(fetcher))),
            registry,
            engine: EngineAccess::new(settings.engine.clone()),
            pull_policy,
            made_here: embedded::names(),
            surroundings,
            xattr,
            single_id: matches!(mapping, IdMapping::Single { .. }),
            target: Target::of_this_program(),
            report: ui,
        };
        Ok(Self { ui, executor, settings, bench })
    }

    /// An image of the store.
    pub(super) fn stored(&self, name: &Reference) -> Result<Image, CommandError> {
        Ok(self.bench.stored(name)?)
    }

    /// Sends an image of the store to its registries, or loads it into the engine, or both: the one does not wait for the other's success.
    pub(super) fn deliver(&self, image: &Image, names: &[Reference], publish: bool, load: bool) -> Result<(), CommandError> {
        let published = if publish { self.publish(image, &names.iter().collect::<Vec<_>>()) } else { Ok(()) };
        let loaded = if load { self.load(image, names) } else { Ok(()) };
        published.and(loaded)
    }

    /// Sends an image of the store to its registries. If one of them does not take it, nothing is lost.
    fn publish(&self, image: &Image, names: &[&Reference]) -> Result<(), CommandError> {
        let again = names.iter().map(|name| format!("fnpack image push {}", name.familiar())).collect::<Vec<_>>().join(" && ");
        let kept = |error| CommandError::from(error).details([format!("the image is in the store: `{again}` sends it later")]);
        for pushed in self.bench.publish(image, names).map_err(kept)? {
            self.pushed(&pushed);
        }
        Ok(())
    }

    /// Gives an image of the store to the engine of this machine. If it does not take it, nothing is lost.
    pub(super) fn load(&self, image: &Image, names: &[Reference]) -> Result<(), CommandError> {
        let later = names.first().map(|name| format!("fnpack image copy {0} docker-daemon:{0}", name.familiar())).unwrap_or_default();
        let kept = |error| CommandError::from(error).details([format!("the image is in the store: `{later}` loads it later")]);
        self.loaded(&self.bench.load(image, names).map_err(kept)?);
        Ok(())
    }

    /// Says what an engine got.
    pub(super) fn loaded(&self, loaded: &Loaded) {
        self.ui.progress_done();
        self.ui.step(&format!("{} layers sent, {} present", loaded.sent, loaded.present));
    }

    /// Says what was sent.
    pub(super) fn pushed(&self, pushed: &Pushed) {
        self.ui.progress_done();
        self.ui.step(&format!("{} blobs sent, {} mounted, {} already there", pushed.sent, pushed.mounted, pushed.present));
    }

    /// Prints a value as JSON.
    pub(super) fn json(&self, value: &impl Serialize) {
        // What is printed are strings, numbers and lists of our own types, which have a JSON form.
        self.ui.document(&serde_json::to_string_pretty(value).unwrap_or_default());
    }

    /// Prints an image's name pinned to its digest: what a script goes on with.
    pub(super) fn pinned(&self, name: &Reference, digest: Digest) {
        self.ui.result(&name.without_digest().with_digest(digest).familiar());
    }
}
