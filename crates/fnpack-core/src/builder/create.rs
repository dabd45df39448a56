//! Makes the builder image: layers and labels on top of the build image.
//!
//! The layers come in the order in which `pack` writes them: folders, lifecycle, buildpacks, then one
//! small layer for each document. All names, owners, modes and times follow from the input, so the
//! same input gives the same image everywhere.

use std::collections::BTreeMap;
use std::fmt;

use super::builder_toml::{BuilderToml, RunImageSource};
use super::buildpack_toml::BuildpackToml;
use super::check::{self, CheckError, Ground};
use super::contents::{self, ContentsError, LayerPlan};
use super::description::{DescriptionError, User, read_label};
use super::labels::{
    self, BuildEnvFile, BuilderMetadata, CreatedBy, LifecycleApis, LifecycleMetadata, LowestApis, ModuleInfo, ModuleLayer, ModuleLayers,
    RunImage, StackMetadata, System, SystemBuildpacks,
};
use super::module::{ModuleId, Order, OrderEntry, OrderGroup};
use super::references::{Orders, ReferenceError};
use crate::digest::DiffId;
use crate::image::{CONSTANT_TIME, History, Image, Layer};
use crate::root::Root;
use crate::target::Target;

/// Everything that a builder is made of.
#[derive(Debug)]
pub struct CreateInput<'a> {
    /// What is wanted.
    pub config: &'a BuilderToml,
    /// The image that `config.build_image` names.
    pub build_image: &'a Image,
    /// Those of the run images and mirrors that could be had, with their names.
    pub run_images: &'a [(String, Image)],
    /// The buildpacks of `config.buildpacks` and what they depend on.
    pub modules: &'a [Module],
    /// The lifecycle to put in.
    pub lifecycle: &'a LifecycleBundle,
    /// What is making the builder.
    pub created_by: CreatedBy,
}

/// A buildpack to put into a builder.
#[derive(Debug)]
pub struct Module {
    /// Its description.
    pub buildpack: BuildpackToml,
    /// Its folder.
    pub root: Root,
    /// Where it is, for messages.
    pub location: String,
}

/// The programs of a lifecycle.
#[derive(Debug, Clone)]
pub struct LifecycleBundle {
    /// Its version.
    pub version: String,
    /// What it can do.
    pub apis: LifecycleApis,
    /// What the programs are made for.
    pub target: Target,
    /// The files in `/cnb/lifecycle`.
    pub files: Vec<(String, LifecycleFile)>,
}

/// A file in `/cnb/lifecycle`.
#[derive(Clone)]
pub enum LifecycleFile {
    /// A program.
    Program(std::borrow::Cow<'static, [u8]>),
    /// A symlink to another file there.
    Link(String),
    /// A text.
    Document(String),
}

/// A new builder.
#[derive(Debug)]
pub struct Created {
    /// The image.
    pub image: Image,
    /// What is allowed and probably not meant.
    pub warnings: Vec<CreateWarning>,
}

/// What is allowed and probably not meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CreateWarning {
    /// Taken as for every Linux; `pack` takes it for linux/amd64 only.
    NoTargets(ModuleId),
    /// The build image is a builder that has other contents under this id and version.
    Replaced(ModuleId),
}

/// Why no builder was made.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// The parts do not fit together.
    #[error(transparent)]
    Check(#[from] CheckError),
    /// An order names what is not there.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
    /// The build image does not say what it must.
    #[error(transparent)]
    Description(#[from] DescriptionError),
    /// A layer cannot be written.
    #[error(transparent)]
    Contents(#[from] ContentsError),
}

impl fmt::Debug for LifecycleFile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Program(bytes) => write!(formatter, "Program({} bytes)", bytes.len()),
            Self::Link(target) => write!(formatter, "Link({target})"),
            Self::Document(text) => write!(formatter, "Document({text:?})"),
        }
    }
}

impl fmt::Display for CreateWarning {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoTargets(module) => write!(
                formatter,
                "buildpack `{module}` names no targets: taken for every Linux here, `pack` takes it for linux/amd64 only; add `[[targets]]`"
            ),
            Self::Replaced(module) => write!(formatter, "buildpack `{module}` of the build image is replaced by one with other contents"),
        }
    }
}

type Result<T> = std::result::Result<T, CreateError>;

/// Makes a builder. Every layer goes to `output`.
pub fn create(input: &CreateInput<'_>, output: &contents::Output<'_>) -> Result<Created> {
    let name = input.config.build_image.familiar();
    let user = User::of(input.build_image, &name)?;
    let mut warnings = check_parts(input)?;
    let mut builder = Draft::on(input, &name)?;
    let documents = Documents::resolve(input, &builder.layers)?;

    builder.add(&contents::folders(user), output)?;
    builder.add(&contents::lifecycle(input.lifecycle), output)?;
    warnings.extend(builder.add_modules(input.modules, output)?);
    for plan in documents.layers(&input.config.build_env) {
        builder.add(&plan, output)?;
    }
    Ok(Created { image: builder.finish(input, &documents, user), warnings })
}

fn check_parts(input: &CreateInput<'_>) -> Result<Vec<CreateWarning>> {
    check::images(input)?;
    let mut folders: BTreeMap<String, ModuleId> = BTreeMap::new();
    let ground = Ground { image: input.build_image, apis: &input.lifecycle.apis.buildpack, stack: input.config.stack_id.clone() };
    let mut warnings = Vec::new();
    for module in input.modules {
        warnings.extend(check::check_module(module, &ground)?);
        let id = module.buildpack.module();
        let first = folders.entry(id.folder()).or_insert_with(|| id.clone());
        if *first != id {
            return Err(CheckError::SameFolder { first: first.clone(), second: id }.into());
        }
    }
    warnings.dedup();
    Ok(warnings)
}

/// A builder on the way.
struct Draft<'a> {
    base: &'a Image,
    metadata: BuilderMetadata,
    layers: ModuleLayers,
    additions: Vec<(Layer, History)>,
}

impl<'a> Draft<'a> {
    /// On the build image, which may be a builder itself.
    fn on(input: &CreateInput<'a>, name: &str) -> Result<Self> {
        let base = input.build_image;
        let metadata = read_label(base, name, labels::BUILDER_METADATA)?.unwrap_or_default();
        let mut layers: ModuleLayers = read_label(base, name, labels::BUILDPACK_LAYERS)?.unwrap_or_default();
        let present = base.diff_ids();
        for versions in layers.values_mut() {
            versions.retain(|_, layer| present.contains(&layer.layer_diff_id));
        }
        layers.retain(|_, versions| !versions.is_empty());
        Ok(Self { base, metadata, layers, additions: Vec::new() })
    }

    fn add(&mut self, plan: &LayerPlan<'_>, output: &contents::Output<'_>) -> Result<DiffId> {
        let layer = output.write(plan)?;
        let diff_id = layer.diff_id;
        self.push(layer, plan.description.clone());
        Ok(diff_id)
    }

    fn push(&mut self, layer: Layer, description: String) {
        let history = History { created: Some(CONSTANT_TIME.to_owned()), created_by: Some(description), ..History::default() };
        self.additions.push((layer, history));
    }

    /// One layer each, sorted by id and version. What the build image has already is not added again.
    fn add_modules(&mut self, modules: &[Module], output: &contents::Output<'_>) -> Result<Vec<CreateWarning>> {
        let mut warnings = Vec::new();
        let mut sorted: Vec<&Module> = modules.iter().collect();
        sorted.sort_by_key(|module| module.buildpack.module());
        let mut previous: Option<(&Module, DiffId)> = None;
        for module in sorted {
            let id = module.buildpack.module();
            let plan = contents::buildpack(module)?;
            let diff_id = plan.diff_id()?;
            match previous.replace((module, diff_id)) {
                Some((first, _)) if first.buildpack.module() != id => {}
                Some((_, same)) if same == diff_id => continue,
                Some((first, _)) => {
                    let (first, second) = (first.location.clone(), module.location.clone());
                    return Err(CheckError::GivenTwice { module: id, first, second }.into());
                }
                None => {}
            }
            match self.layers.get(&id.id).and_then(|versions| versions.get(&id.version)) {
                Some(existing) if existing.layer_diff_id == diff_id => {}
                Some(_) => {
                    self.add(&contents::whiteout(&id), output)?;
                    self.push(output.write_as(&plan, diff_id)?, plan.description.clone());
                    warnings.push(CreateWarning::Replaced(id.clone()));
                }
                None => self.push(output.write_as(&plan, diff_id)?, plan.description.clone()),
            }
            self.register(&module.buildpack, diff_id);
        }
        Ok(warnings)
    }

    fn register(&mut self, buildpack: &BuildpackToml, diff_id: DiffId) {
        let info = ModuleInfo::from(buildpack);
        self.metadata.buildpacks.retain(|known| known.module() != info.module());
        self.metadata.buildpacks.push(info);
        let versions = self.layers.entry(buildpack.id.clone()).or_default();
        versions.insert(buildpack.version.clone(), ModuleLayer::new(buildpack, diff_id));
    }

    fn finish(self, input: &CreateInput<'_>, documents: &Documents, user: User) -> Image {
        let metadata = complete(self.metadata, input, documents);
        let layers = self.layers;
        self.base.appended(self.additions).with_config(|config| {
            config.created = Some(CONSTANT_TIME.to_owned());
            config.config.user = format!("{}:{}", user.uid, user.gid);
            "/layers".clone_into(&mut config.config.working_dir);
            let labels = &mut config.config.labels;
            labels.insert(labels::BUILDER_METADATA.to_owned(), json(&metadata));
            labels.insert(labels::BUILDPACK_LAYERS.to_owned(), json(&layers));
            labels.insert(labels::BUILDPACK_ORDER.to_owned(), json(&documents.order));
            if documents.system.is_empty() {
                labels.remove(labels::BUILDPACK_SYSTEM);
            } else {
                labels.insert(labels::BUILDPACK_SYSTEM.to_owned(), json(&documents.system));
            }
            if let Some(stack) = &input.config.stack_id {
                labels.insert(labels::STACK_ID.to_owned(), stack.clone());
            }
        })
    }
}

fn complete(metadata: BuilderMetadata, input: &CreateInput<'_>, documents: &Documents) -> BuilderMetadata {
    let mut buildpacks = metadata.buildpacks;
    buildpacks.sort_by_key(ModuleInfo::module);
    let lifecycle = input.lifecycle;
    let lowest = |versions: &labels::ApiVersions| versions.lowest().unwrap_or_default().to_owned();
    let env = input.config.build_env.iter().flat_map(super::build_env::BuildEnv::files);
    BuilderMetadata {
        description: input.config.description.clone(),
        buildpacks,
        stack: StackMetadata { run_image: documents.run_images.first().cloned().unwrap_or_default() },
        lifecycle: LifecycleMetadata {
            version: lifecycle.version.clone(),
            api: LowestApis { buildpack: lowest(&lifecycle.apis.buildpack), platform: lowest(&lifecycle.apis.platform) },
            apis: lifecycle.apis.clone(),
        },
        created_by: input.created_by.clone(),
        images: documents.run_images.clone(),
        build_env: Some(env.map(|(name, value)| BuildEnvFile { name, value: value.to_owned() }).collect()),
        ..metadata
    }
}

/// What the builder's documents and labels say alike.
struct Documents {
    order: Order,
    system: System,
    run_images: Vec<RunImage>,
}

impl Documents {
    /// Gives every reference its version; `present` is what the build image has already.
    fn resolve(input: &CreateInput<'_>, present: &ModuleLayers) -> Result<Self> {
        let orders = orders(input, present);
        orders.check_composites()?;
        let file = &input.config.file;
        let entries = |entries: &[OrderEntry], key: &str| -> Result<Vec<OrderEntry>> {
            let resolved = entries.iter().map(|entry| {
                let module = orders.resolve(entry, &format!("`{key}` of `{file}`"))?;
                Ok(OrderEntry { version: module.version, ..entry.clone() })
            });
            resolved.collect()
        };
        let groups = input.config.order.iter().map(|group| Ok(OrderGroup { group: entries(&group.group, "order")? }));
        Ok(Self {
            order: groups.collect::<Result<_>>()?,
            system: System {
                pre: SystemBuildpacks { buildpacks: entries(&input.config.system_pre, "system.pre")? },
                post: SystemBuildpacks { buildpacks: entries(&input.config.system_post, "system.post")? },
            },
            run_images: input.config.run_images.iter().map(RunImage::from).collect(),
        })
    }

    fn layers(&self, build_env: &[super::build_env::BuildEnv]) -> Vec<LayerPlan<'static>> {
        let mut layers = vec![contents::order(&self.order)];
        if !self.system.is_empty() {
            layers.push(contents::system(&self.system));
        }
        layers.extend(self.run_images.first().map(contents::stack));
        layers.push(contents::run(&self.run_images));
        if !build_env.is_empty() {
            layers.push(contents::build_env(build_env));
        }
        layers.push(contents::platform_env());
        layers
    }
}

fn orders<'a>(input: &'a CreateInput<'_>, present: &'a ModuleLayers) -> Orders<'a> {
    let present =
        present.iter().flat_map(|(id, versions)| versions.iter().map(move |(version, layer)| (ModuleId::new(id, version), &layer.order)));
    let added = input.modules.iter().map(|module| (module.buildpack.module(), &module.buildpack.order));
    present.chain(added).collect()
}

impl From<&RunImageSource> for RunImage {
    fn from(source: &RunImageSource) -> Self {
        Self { image: source.image.familiar(), mirrors: source.mirrors.iter().map(crate::reference::Reference::familiar).collect() }
    }
}

fn json(value: &impl serde::Serialize) -> String {
    // Structs of strings, lists and string-keyed maps always have a JSON form.
    serde_json::to_string(value).expect("a label has a JSON form")
}
