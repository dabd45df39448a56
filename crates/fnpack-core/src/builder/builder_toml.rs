//! `builder.toml`, the description of a builder that `pack builder create` takes too.
//!
//! Every key of the format is known and typed; any other is an error. Both styles are read: the old
//! one with `[stack]`, the new one with `[build]` and `[run]`; where both are given they must agree.

use std::io;
use std::path::{Path, PathBuf};

use super::build_env::BuildEnv;
use super::document::{DocumentError, Fault, Section, read_text};
use super::module::{ModuleId, ModuleTarget, Order, OrderEntry, OrderGroup};
use crate::reference::Reference;

const ONLY_FILES: &str = "give the path of a folder, a tar, a tgz or a .cnb file as `uri`";

/// A `builder.toml`, checked in itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuilderToml {
    /// The file, as the user named it.
    pub file: String,
    /// A sentence for people.
    pub description: String,
    /// The buildpacks to put in.
    pub buildpacks: Vec<ModuleSource>,
    /// The groups to try, in that order.
    pub order: Order,
    /// The stack of the old style.
    pub stack_id: Option<String>,
    /// The image under the builder.
    pub build_image: Reference,
    /// The images under what is built; the first is the usual one.
    pub run_images: Vec<RunImageSource>,
    /// Variables for every build.
    pub build_env: Vec<BuildEnv>,
    /// A lifecycle that the file asks for.
    pub lifecycle: Option<LifecycleSource>,
    /// The targets that the builder is for; empty means that of the build image.
    pub targets: Vec<ModuleTarget>,
    /// Buildpacks that run before every group.
    pub system_pre: Vec<OrderEntry>,
    /// Buildpacks that run after every group.
    pub system_post: Vec<OrderEntry>,
    /// What is allowed and probably not meant.
    pub warnings: Vec<BuilderTomlWarning>,
}

/// A buildpack to put in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModuleSource {
    /// The id that it must have, if the file says one.
    pub id: Option<String>,
    /// The version that it must have, if the file says one.
    pub version: Option<String>,
    /// A folder or an archive; below the folder of `builder.toml` if it was relative.
    pub path: PathBuf,
}

/// A run image and the other names it can be had under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunImageSource {
    /// The name.
    pub image: Reference,
    /// The other names.
    pub mirrors: Vec<Reference>,
}

/// The lifecycle that a file asks for. fnpack has its own inside; the file is for `pack` too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LifecycleSource {
    /// A release.
    Version(String),
    /// An archive or an image.
    Uri(String),
}

/// What is allowed and probably not meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BuilderTomlWarning {
    /// No group: nothing can be built without naming the buildpacks.
    NoOrder,
    /// The lifecycle named is not taken, fnpack puts its own in.
    LifecycleNotTaken(LifecycleSource),
}

/// Why a `builder.toml` cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BuilderTomlError {
    /// The file cannot be read.
    #[error("cannot read `{file}`")]
    Read {
        /// The file, as the user named it.
        file: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// It says something that cannot be.
    #[error(transparent)]
    Document(#[from] DocumentError),
}

type Result<T> = std::result::Result<T, DocumentError>;

impl BuilderToml {
    /// Reads the file; relative paths in it are below its folder.
    pub fn read(path: &Path) -> std::result::Result<Self, BuilderTomlError> {
        let file = path.display().to_string();
        let text = read_text(path).map_err(|source| BuilderTomlError::Read { file: file.clone(), source })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        Ok(Self::parse(&file, &text, folder)?)
    }

    /// Parses the file's text; `file` is its name in messages, `folder` what its paths are relative to.
    pub fn parse(file: &str, text: &str, folder: &Path) -> Result<Self> {
        let mut top = Section::parse(file, text)?;
        refuse_extensions(&mut top)?;
        let description = top.string("description")?.unwrap_or_default();
        let buildpacks = top.sections("buildpacks")?.into_iter().map(|section| read_module(section, folder)).collect::<Result<_>>()?;
        let order = read_order(&mut top)?;
        let mut styles = Styles::read(&mut top)?;
        let lifecycle = top.section("lifecycle")?.map(read_lifecycle).transpose()?.flatten();
        let targets = top.sections("targets")?.into_iter().map(read_target).collect::<Result<_>>()?;
        let (system_pre, system_post) = read_system(&mut top)?;
        styles.end()?;
        top.end()?;
        let images = styles.agreed(&top)?;
        let mut warnings = Vec::new();
        warnings.extend(order.is_empty().then_some(BuilderTomlWarning::NoOrder));
        warnings.extend(lifecycle.clone().map(BuilderTomlWarning::LifecycleNotTaken));
        Ok(Self {
            file: file.to_owned(),
            description,
            buildpacks,
            order,
            stack_id: images.stack_id,
            build_image: images.build,
            run_images: images.run,
            build_env: styles.build_env,
            lifecycle,
            targets,
            system_pre,
            system_post,
            warnings,
        })
    }
}

impl std::fmt::Display for BuilderTomlWarning {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoOrder => formatter.write_str("the builder has no `[[order]]`: builds must name their buildpacks"),
            Self::LifecycleNotTaken(LifecycleSource::Version(version)) => {
                write!(formatter, "lifecycle {version} is not taken: fnpack puts its own in")
            }
            Self::LifecycleNotTaken(LifecycleSource::Uri(uri)) => {
                write!(formatter, "the lifecycle of `{uri}` is not taken: fnpack puts its own in")
            }
        }
    }
}

/// What a file says about images, whatever its style.
struct Images {
    stack_id: Option<String>,
    build: Reference,
    run: Vec<RunImageSource>,
}

/// What the tables of both styles say about images.
struct Styles<'a> {
    build: Option<Section<'a>>,
    run: Option<Section<'a>>,
    stack: Option<Section<'a>>,
    stack_id: Option<String>,
    build_image: Option<String>,
    run_images: Option<Vec<RunImageSource>>,
    build_env: Vec<BuildEnv>,
}

impl<'a> Styles<'a> {
    fn read(top: &mut Section<'a>) -> Result<Self> {
        let mut styles = Self {
            build: top.section("build")?,
            run: top.section("run")?,
            stack: top.section("stack")?,
            stack_id: None,
            build_image: None,
            run_images: None,
            build_env: Vec::new(),
        };
        if let Some(build) = &mut styles.build {
            styles.build_image = build.string("image")?;
            styles.build_env = BuildEnv::read_all(build)?;
        }
        if let Some(run) = &mut styles.run {
            let read = |mut section: Section<'_>| {
                let image = RunImageSource::read(&mut section, "image", "mirrors")?;
                section.end()?;
                Ok(image)
            };
            styles.run_images = Some(run.sections("images")?.into_iter().map(read).collect::<Result<_>>()?);
        }
        Ok(styles)
    }

    fn end(&self) -> Result<()> {
        [&self.build, &self.run].into_iter().flatten().try_for_each(Section::end)
    }

    /// One answer from both styles, or what is missing or contradicts.
    fn agreed(&mut self, top: &Section<'_>) -> Result<Images> {
        if let Some(mut stack) = self.stack.take() {
            self.stack_id = Some(stack.required_string("id")?);
            self.agree_on_build_image(&mut stack)?;
            self.agree_on_run_images(&mut stack)?;
            stack.end()?;
        }
        let named = self.build_image.take().filter(|name| !name.is_empty()).ok_or_else(|| top.missing("build.image"))?;
        let run = self.run_images.take().filter(|images| !images.is_empty()).ok_or_else(|| top.missing("run.images"))?;
        let build = parse_reference(self.build.as_ref().unwrap_or(top), "image", &named)?;
        Ok(Images { stack_id: self.stack_id.take(), build, run })
    }

    fn agree_on_build_image(&mut self, stack: &mut Section<'_>) -> Result<()> {
        let Some(old) = stack.string("build-image")? else { return Ok(()) };
        match &self.build_image {
            Some(new) if *new != old => Err(disagree(stack, "build-image", &old, ("build.image", new))),
            _ => {
                parse_reference(stack, "build-image", &old)?;
                self.build_image = Some(old);
                Ok(())
            }
        }
    }

    fn agree_on_run_images(&mut self, stack: &mut Section<'_>) -> Result<()> {
        if !stack.has("run-image") {
            stack.strings("run-image-mirrors")?;
            return Ok(());
        }
        let old = RunImageSource::read(stack, "run-image", "run-image-mirrors")?;
        match self.run_images.as_deref().and_then(<[_]>::first) {
            Some(new) if new.image != old.image => {
                let (old, new) = (old.image.familiar(), new.image.familiar());
                Err(disagree(stack, "run-image", &old, ("run.images.image", &new)))
            }
            Some(new) if new.mirrors != old.mirrors => {
                let (old, new) = (familiar(&old.mirrors), familiar(&new.mirrors));
                Err(disagree(stack, "run-image-mirrors", &old, ("run.images.mirrors", &new)))
            }
            Some(_) => Ok(()),
            None => {
                self.run_images = Some(vec![old]);
                Ok(())
            }
        }
    }
}

fn disagree(section: &Section<'_>, key: &str, value: &str, (other, other_value): (&'static str, &str)) -> DocumentError {
    let fault = Fault::Disagrees { key: section.key(key), value: value.to_owned(), other, other_value: other_value.to_owned() };
    section.fault(key, fault)
}

fn familiar(references: &[Reference]) -> String {
    references.iter().map(Reference::familiar).collect::<Vec<_>>().join(", ")
}

impl RunImageSource {
    fn read(section: &mut Section<'_>, image: &'static str, mirrors: &'static str) -> Result<Self> {
        let name = section.required_string(image)?;
        let names = section.strings(mirrors)?;
        Ok(Self {
            image: parse_reference(section, image, &name)?,
            mirrors: names.iter().map(|name| parse_reference(section, mirrors, name)).collect::<Result<_>>()?,
        })
    }
}

fn parse_reference(section: &Section<'_>, key: &str, name: &str) -> Result<Reference> {
    name.parse().map_err(|error: crate::reference::ReferenceError| section.refused(key, name, error.reason))
}

fn refuse_extensions(top: &mut Section<'_>) -> Result<()> {
    for key in ["extensions", "order-extensions"] {
        if !top.sections(key)?.is_empty() {
            return Err(top.unsupported(key, "do in the build image's Dockerfile what the extension does"));
        }
    }
    Ok(())
}

fn read_module(mut section: Section<'_>, folder: &Path) -> Result<ModuleSource> {
    let (id, version) = (section.string("id")?, section.string("version")?);
    // What else `pack` allows here says nothing that the buildpack's own file does not say.
    for key in ["name", "description", "homepage", "keywords", "exec-env", "licenses", "clear-env"] {
        section.accept(key);
    }
    if section.string("image")?.is_some() {
        return Err(section.unsupported("image", ONLY_FILES));
    }
    let uri = section.required_string("uri")?;
    let path = local_path(&section, &uri)?;
    section.end()?;
    let not_empty = |text: Option<String>| text.filter(|text| !text.is_empty());
    Ok(ModuleSource { id: not_empty(id), version: not_empty(version), path: folder.join(path) })
}

/// A `file:` URI or a plain path; everything else is somewhere else.
fn local_path(section: &Section<'_>, uri: &str) -> Result<PathBuf> {
    if let Some(rest) = uri.strip_prefix("file:") {
        let path = rest.strip_prefix("//").unwrap_or(rest);
        let path = path.strip_prefix("localhost/").map_or_else(|| path.to_owned(), |path| format!("/{path}"));
        let decoded = percent_decoded(&path).filter(|path| path.starts_with('/'));
        return decoded
            .map(PathBuf::from)
            .ok_or_else(|| section.refused("uri", uri, "a `file:` URI names an absolute path on this machine"));
    }
    let scheme = uri.split_once(':').map(|(scheme, _)| scheme).filter(|scheme| is_scheme(scheme));
    if scheme.is_some() { Err(section.unsupported("uri", ONLY_FILES)) } else { Ok(PathBuf::from(uri)) }
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let mut digit = || char::from(rest.next()?).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
            bytes.push(digit()? << 4 | digit()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

fn read_order(top: &mut Section<'_>) -> Result<Order> {
    let read = |mut section: Section<'_>| {
        let group = read_entries(&mut section, "group")?;
        if group.is_empty() {
            return Err(section.missing("group"));
        }
        section.end()?;
        Ok(OrderGroup { group })
    };
    top.sections("order")?.into_iter().map(read).collect()
}

fn read_entries(section: &mut Section<'_>, key: &'static str) -> Result<Vec<OrderEntry>> {
    let read = |mut section: Section<'_>| {
        let entry = OrderEntry::read(&mut section)?;
        section.end()?;
        Ok(entry)
    };
    section.sections(key)?.into_iter().map(read).collect()
}

fn read_lifecycle(mut section: Section<'_>) -> Result<Option<LifecycleSource>> {
    let (version, uri) = (section.string("version")?, section.string("uri")?);
    if version.is_some() && uri.is_some() {
        return Err(section.fault("uri", Fault::Exclusive { key: section.key("uri"), other: "lifecycle.version" }));
    }
    section.end()?;
    Ok(version.map(LifecycleSource::Version).or(uri.map(LifecycleSource::Uri)))
}

fn read_target(mut section: Section<'_>) -> Result<ModuleTarget> {
    let (target, unknown) = ModuleTarget::read(&mut section)?;
    unknown.into_iter().next().map_or(Ok(()), Err)?;
    section.end()?;
    Ok(target)
}

fn read_system(top: &mut Section<'_>) -> Result<(Vec<OrderEntry>, Vec<OrderEntry>)> {
    let Some(mut system) = top.section("system")? else { return Ok((Vec::new(), Vec::new())) };
    let mut read = |key| {
        let Some(mut part) = system.section(key)? else { return Ok(Vec::new()) };
        let entries = read_entries(&mut part, "buildpacks")?;
        part.end()?;
        Ok(entries)
    };
    let entries = (read("pre")?, read("post")?);
    system.end()?;
    Ok(entries)
}

impl ModuleSource {
    /// The id and version asked for, where the file says both.
    pub fn module(&self) -> Option<ModuleId> {
        Some(ModuleId::new(self.id.as_deref()?, self.version.as_deref()?))
    }
}

#[cfg(test)]
mod tests;
