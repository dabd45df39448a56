//! The buildpacks of one build, where the user wants others than the builder's (`pack build --buildpack`).
//!
//! No builder is made for it: the further buildpacks are put into a folder as a builder would have them, and that folder
//! lies over the builder's root file system for this one build.

use std::path::{Path, PathBuf};

use fnpack_sandbox::OverlayXattr;

use super::{FindError, Workbench};
use crate::builder::labels::ApiVersions;
use crate::builder::{
    self, BuilderDescription, CheckError, ContentsError, CreateWarning, Ground, LoadError, Module, ModuleId, ModuleSource, Order,
    OrderEntry, OrderGroup,
};
use crate::digest::DiffId;
use crate::image::Image;
use crate::lifecycle::api::BuildpackApi;
use crate::project::{BuildpackChoice, BuildpackPlace, BuildpackSource, InlineBuildpack, module_id};
use crate::reference::{DOCKER_HUB, Reference};
use crate::root::{Root, RootError};
use crate::store::{Scratch, StoreError};

/// What buildpacks of another place are called in messages about ids that differ.
const ASKED: &str = "the build";

/// Why the buildpacks that a user wants cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ChoiceError {
    /// A name that means nothing.
    #[error("`{name}` is neither a file or folder, nor a buildpack of `{builder}`, nor an image of the store")]
    Unknown {
        /// As the user wrote it.
        name: String,
        /// The builder.
        builder: String,
        /// The buildpacks that the builder has.
        present: Vec<ModuleId>,
    },
    /// A buildpack that should be in the builder.
    #[error("buildpack `{module}` is not in `{builder}`")]
    NotInBuilder {
        /// As the user wrote it.
        module: ModuleId,
        /// The builder.
        builder: String,
        /// The buildpacks that the builder has.
        present: Vec<ModuleId>,
    },
    /// An id without version that the builder has in several.
    #[error("buildpack `{module}` is in `{builder}` in several versions")]
    Ambiguous {
        /// As the user wrote it.
        module: ModuleId,
        /// The builder.
        builder: String,
        /// The buildpacks of that id.
        present: Vec<ModuleId>,
    },
    /// The builder's order more than once.
    #[error("the builder's own buildpacks are asked for twice")]
    OrderTwice,
    /// Two buildpacks of one name.
    #[error("buildpack `{module}` is asked for from two places that differ, `{first}` and `{second}`")]
    GivenTwice {
        /// The buildpack.
        module: ModuleId,
        /// The one place.
        first: String,
        /// The other.
        second: String,
    },
    /// An image that is not to be had.
    #[error(transparent)]
    Find(#[from] FindError),
    /// A buildpack that cannot be read.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// A buildpack that cannot run in this builder.
    #[error(transparent)]
    Check(#[from] CheckError),
    /// Its files cannot be copied.
    #[error(transparent)]
    Contents(#[from] ContentsError),
    /// There is no place for them.
    #[error("cannot prepare a folder for the buildpacks")]
    Folder(#[from] RootError),
    /// The store has no place for them.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Buildpacks beside those of the builder, and the order of all.
#[derive(Debug)]
pub(super) struct ChosenBuildpacks {
    /// The groups to try.
    pub(super) order: Order,
    /// What they are, for what must not be mixed with other buildpacks of these names: id and contents of each.
    pub(super) identity: Vec<String>,
    /// Whether one of them stands in for a buildpack of the builder.
    pub(super) replaces: bool,
    /// Holds `cnb/buildpacks`, to lie over the builder; none if all are the builder's own.
    scratch: Option<Scratch>,
}

/// The builder in which they are to run.
pub(super) struct Host<'a> {
    pub(super) name: &'a str,
    /// Whether the folder of the further buildpacks lies over it, as a layer of an overlay.
    pub(super) is_overlaid: bool,
    pub(super) image: &'a Image,
    pub(super) description: &'a BuilderDescription,
}

type Result<T> = std::result::Result<T, ChoiceError>;

impl ChosenBuildpacks {
    /// Those of the builder alone.
    pub(super) fn of_builder(builder: &BuilderDescription) -> Self {
        Self { order: builder.order.clone(), identity: Vec::new(), replaces: false, scratch: None }
    }

    /// Finds, checks and places what the user wants.
    pub(super) fn open(bench: &Workbench<'_>, choice: &BuildpackChoice, host: &Host<'_>) -> Result<Self> {
        if choice.is_default() {
            return Ok(Self::of_builder(host.description));
        }
        let scratch = bench.store.scratch()?;
        let root = scratch.root()?;
        for name in ["loaded", "root"] {
            root.create_dir(name, 0o755)?;
        }
        let mut gathering = Gathering { bench, host, loaded: root.sub("loaded")?, modules: Vec::new(), sources: 0 };
        let order = gathering.order(choice)?;
        let modules = distinct(gathering.modules)?;
        let mut chosen = Self { order, identity: Vec::new(), replaces: false, scratch: None };
        for (module, digest) in &modules {
            chosen.place(module, &root.sub("root")?, bench, host)?;
            chosen.identity.push(format!("{} {digest}", module.buildpack.module()));
        }
        chosen.scratch = (!modules.is_empty()).then_some(scratch);
        Ok(chosen)
    }

    /// The folder to lie over the builder's root file system.
    pub(super) fn folder(&self) -> Option<PathBuf> {
        self.scratch.as_ref().map(|scratch| scratch.path().join("root"))
    }

    fn place(&mut self, module: &Module, root: &Root, bench: &Workbench<'_>, host: &Host<'_>) -> Result<()> {
        let id = module.buildpack.module();
        let warnings = check(module, host)?;
        builder::place_module(module, root)?;
        if host.description.buildpack(&id).is_some() {
            if host.is_overlaid {
                hide_below(root, &id, bench.xattr)?;
            }
            self.replaces = true;
            let (name, location) = (host.name, &module.location);
            bench.report.warning(&format!("buildpack `{id}` of `{name}` gives way to that of `{location}` in this build"));
        }
        for warning in warnings {
            bench.report.detail(&warning.to_string());
        }
        bench.report.detail(&format!("buildpack {id} from {}", module.location));
        Ok(())
    }
}

/// Follows the user's wishes one after the other.
struct Gathering<'a> {
    bench: &'a Workbench<'a>,
    host: &'a Host<'a>,
    /// Where archives and images are unpacked.
    loaded: Root,
    modules: Vec<Module>,
    sources: usize,
}

/// What one wish comes to.
enum Part {
    /// The groups of the builder.
    Groups,
    One(OrderEntry),
}

impl Gathering<'_> {
    fn order(&mut self, choice: &BuildpackChoice) -> Result<Order> {
        let own = &self.host.description.order;
        if choice.only.is_empty() {
            let (before, after) = (self.parts(&choice.before)?, self.parts(&choice.after)?);
            return spliced(before.into_iter().chain([Part::Groups]).chain(after), own);
        }
        spliced(self.parts(&choice.only)?.into_iter(), own)
    }

    fn parts(&mut self, sources: &[BuildpackSource]) -> Result<Vec<Part>> {
        sources.iter().map(|source| self.part(source)).collect()
    }

    fn part(&mut self, source: &BuildpackSource) -> Result<Part> {
        let number = self.sources;
        self.sources += 1;
        let (main, modules) = match &source.place {
            BuildpackPlace::BuilderOrder => return Ok(Part::Groups),
            BuildpackPlace::Builder(module) => return Ok(Part::One(entry(self.in_builder(module)?))),
            BuildpackPlace::Path(path) => {
                let file = ModuleSource { id: source.id.clone(), version: source.version.clone(), path: path.clone() };
                builder::load_file(&file, ASKED, &self.loaded, number)?
            }
            BuildpackPlace::Image(reference) => self.package(reference, number)?,
            BuildpackPlace::Name(name) => match self.named(name)? {
                Named::InBuilder(module) => return Ok(Part::One(entry(module))),
                Named::Image(reference) => self.package(&reference, number)?,
            },
            BuildpackPlace::Inline(inline) => self.inline(inline, number)?,
        };
        self.modules.extend(modules);
        Ok(Part::One(entry(main)))
    }

    fn in_builder(&self, module: &ModuleId) -> Result<ModuleId> {
        let description = self.host.description;
        if let Some(found) = description.resolve(module) {
            return Ok(found);
        }
        let (module, builder, present) = (module.clone(), self.host.name.to_owned(), description.modules());
        let versions: Vec<ModuleId> = present.iter().filter(|known| known.id == module.id).cloned().collect();
        if module.version.is_empty() && versions.len() > 1 {
            return Err(ChoiceError::Ambiguous { module, builder, present: versions });
        }
        Err(ChoiceError::NotInBuilder { module, builder, present })
    }

    /// A bare name: a buildpack of the builder, else an image. Names without a registry are not looked for at Docker Hub,
    /// where a mistyped id would only fail slowly, or be somebody else's.
    fn named(&self, name: &str) -> Result<Named> {
        let module = module_id(name);
        let Host { name: builder, description, .. } = self.host;
        if description.buildpacks.contains_key(&module.id) {
            return self.in_builder(&module).map(Named::InBuilder);
        }
        if let Ok(reference) = name.parse::<Reference>() {
            let is_stored = || self.bench.store.image(&reference, &description.target).map(|image| image.is_some());
            if reference.registry() != DOCKER_HUB || is_stored()? {
                return Ok(Named::Image(reference));
            }
        }
        Err(ChoiceError::Unknown { name: name.to_owned(), builder: (*builder).to_owned(), present: description.modules() })
    }

    fn package(&self, reference: &Reference, number: usize) -> Result<(ModuleId, Vec<Module>)> {
        let image = self.bench.find(reference, &self.host.description.target)?;
        Ok(builder::load_package(&image, &reference.familiar(), &self.loaded, number)?)
    }

    fn inline(&self, inline: &InlineBuildpack, number: usize) -> Result<(ModuleId, Vec<Module>)> {
        let folder = number.to_string();
        self.loaded.create_dir(&folder, 0o755)?;
        let root = self.loaded.sub(&folder)?;
        for (name, contents) in inline.files() {
            root.create_dir_all(Path::new(name).parent().unwrap_or(Path::new("")), 0o755)?;
            root.write(name, contents.as_bytes(), 0o755)?;
        }
        let location = "the project.toml".to_owned();
        let buildpack = builder::BuildpackToml::read(&root, &location).map_err(LoadError::from)?;
        Ok((buildpack.module(), vec![Module { buildpack, root, location }]))
    }
}

enum Named {
    InBuilder(ModuleId),
    Image(Reference),
}

fn entry(module: ModuleId) -> OrderEntry {
    OrderEntry { id: module.id, version: module.version, ..OrderEntry::default() }
}

/// Each single buildpack joins every group; the builder's groups multiply them.
fn spliced(parts: impl Iterator<Item = Part>, own: &Order) -> Result<Order> {
    let mut groups = vec![OrderGroup::default()];
    let mut has_own = false;
    for part in parts {
        match part {
            Part::One(entry) => groups.iter_mut().for_each(|group| group.group.push(entry.clone())),
            Part::Groups if has_own => return Err(ChoiceError::OrderTwice),
            Part::Groups => {
                has_own = true;
                let joined = |before: &OrderGroup, own: &OrderGroup| OrderGroup { group: [&before.group[..], &own.group[..]].concat() };
                groups = groups.iter().flat_map(|before| own.iter().map(|own| joined(before, own))).collect();
            }
        }
    }
    Ok(groups)
}

/// The same buildpack may be asked for twice, two buildpacks of one name may not. Each with the digest of its contents.
fn distinct(modules: Vec<Module>) -> Result<Vec<(Module, DiffId)>> {
    let mut kept: Vec<(Module, DiffId)> = Vec::new();
    for module in modules {
        let (id, digest) = (module.buildpack.module(), builder::module_digest(&module)?);
        match kept.iter().find(|(known, _)| known.buildpack.module() == id) {
            None => kept.push((module, digest)),
            Some((_, known)) if *known == digest => {}
            Some((known, _)) => {
                return Err(ChoiceError::GivenTwice { module: id, first: known.location.clone(), second: module.location });
            }
        }
    }
    Ok(kept)
}

fn check(module: &Module, host: &Host<'_>) -> std::result::Result<Vec<CreateWarning>, CheckError> {
    let spoken = BuildpackApi::supported().map(|version| version.to_string()).collect();
    let apis = ApiVersions { deprecated: Vec::new(), supported: spoken };
    builder::check_module(module, &Ground { image: host.image, apis: &apis, stack: host.description.stack_id.clone() })
}

/// Without this mark, files of the builder's buildpack of that name would show through.
fn hide_below(root: &Root, module: &ModuleId, xattr: OverlayXattr) -> Result<()> {
    let name = match xattr {
        OverlayXattr::Trusted => "trusted.overlay.opaque",
        OverlayXattr::User => "user.overlay.opaque",
    };
    let path = PathBuf::from(module.folder().trim_start_matches('/'));
    let marked = rustix::fs::setxattr(root.proc_path().join(&path), name, b"y", rustix::fs::XattrFlags::empty());
    Ok(marked.map_err(|errno| RootError { action: "mark", path, source: errno.into() })?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(text: &str) -> Order {
        let group = |text: &str| OrderGroup { group: text.split_whitespace().map(|id| entry(ModuleId::new(id, "1"))).collect() };
        text.split('|').map(group).collect()
    }

    /// `*` stands for the builder's groups.
    fn parts(text: &str) -> Vec<Part> {
        text.split_whitespace().map(|id| if id == "*" { Part::Groups } else { Part::One(entry(ModuleId::new(id, "1"))) }).collect()
    }

    #[test]
    fn wishes_make_groups() {
        for (wishes, own, groups) in [
            ("a b", "x | y", "a b"),
            ("*", "x | y z", "x | y z"),
            ("a *", "x | y z", "a x | a y z"),
            ("a * b c", "x | y z", "a x b c | a y z b c"),
        ] {
            assert_eq!(spliced(parts(wishes).into_iter(), &order(own)).unwrap(), order(groups), "{wishes}");
        }
        assert!(matches!(spliced(parts("* a *").into_iter(), &order("x")), Err(ChoiceError::OrderTwice)));
        assert_eq!(spliced(parts("a *").into_iter(), &Order::new()).unwrap(), Order::new(), "a builder without an order");
    }
}
