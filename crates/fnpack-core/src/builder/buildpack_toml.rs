//! `buildpack.toml` (CNB buildpack spec, `buildpack.toml` (TOML)).
//!
//! Read as the lifecycle reads it: what the format requires must be there, ids and versions are taken
//! as they are, and keys that nobody knows are only noted, so that a buildpack made for a newer
//! Buildpack API can still be read.

use super::document::{DocumentError, Fault, LONGEST_DOCUMENT, Section};
use super::module::{ModuleId, ModuleTarget, Order, OrderEntry, OrderGroup, Stack};
use crate::root::{Root, RootError};

/// The file's name in a buildpack's folder.
pub const FILE_NAME: &str = "buildpack.toml";

/// A buildpack as its `buildpack.toml` describes it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BuildpackToml {
    /// The Buildpack API it is written for, such as `0.10`.
    pub api: String,
    /// Such as `fnpack/golang`.
    pub id: String,
    /// Such as `0.1.0`.
    pub version: String,
    /// For people.
    pub name: Option<String>,
    /// An address for people.
    pub homepage: Option<String>,
    /// A sentence for people.
    pub description: Option<String>,
    /// For search.
    pub keywords: Vec<String>,
    /// Licences of what the buildpack gives.
    pub licenses: Vec<License>,
    /// Whether the user's environment is hidden from it.
    pub clear_env: bool,
    /// Media types of the software bills it writes.
    pub sbom_formats: Vec<String>,
    /// The execution environments it is for; empty means all.
    pub exec_env: Vec<String>,
    /// Groups, if it is a composite.
    pub order: Order,
    /// Stacks of the old style.
    pub stacks: Vec<Stack>,
    /// Targets of the new style.
    pub targets: Vec<ModuleTarget>,
    /// Keys that were not understood, in the order of the file's tables.
    pub warnings: Vec<DocumentError>,
}

/// A licence.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct License {
    /// SPDX expression.
    pub kind: Option<String>,
    /// Where its text is.
    pub uri: Option<String>,
}

/// Why a `buildpack.toml` cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BuildpackTomlError {
    /// There is no such file to be read.
    #[error("cannot read `{FILE_NAME}` of the buildpack in `{folder}`")]
    Read {
        /// The buildpack's folder, as the user named it.
        folder: String,
        /// Why not.
        #[source]
        source: RootError,
    },
    /// It says something that cannot be.
    #[error(transparent)]
    Document(#[from] DocumentError),
}

impl BuildpackToml {
    /// Reads the file of the buildpack in `root`; `folder` is the buildpack's name in messages.
    pub fn read(root: &Root, folder: &str) -> Result<Self, BuildpackTomlError> {
        let text = root
            .read_to_string(FILE_NAME, LONGEST_DOCUMENT)
            .map_err(|source| BuildpackTomlError::Read { folder: folder.to_owned(), source })?;
        Ok(Self::parse(&format!("{}/{FILE_NAME}", folder.trim_end_matches('/')), &text)?)
    }

    /// Parses the file's text; `file` is its name in messages.
    pub fn parse(file: &str, text: &str) -> Result<Self, DocumentError> {
        let mut top = Section::parse(file, text)?;
        let api = top.required_string("api")?;
        if !is_api(&api) {
            return Err(top.refused("api", api, "an API version is two numbers with a dot, such as `0.10`"));
        }
        let mut own = top.section("buildpack")?.ok_or_else(|| top.missing("buildpack"))?;
        let mut buildpack = Self::read_own(&mut own)?;
        buildpack.api = api;
        buildpack.warnings.extend(own.unknown());
        buildpack.read_parts(&mut top)?;
        top.accept("metadata");
        buildpack.warnings.extend(top.unknown());
        Ok(buildpack)
    }

    /// `id@version`.
    pub fn module(&self) -> ModuleId {
        ModuleId::new(&self.id, &self.version)
    }

    /// Whether it only names other buildpacks.
    pub fn is_composite(&self) -> bool {
        !self.order.is_empty()
    }

    fn read_own(own: &mut Section<'_>) -> Result<Self, DocumentError> {
        let mut buildpack = Self {
            id: own.required_string("id")?,
            version: own.required_string("version")?,
            name: own.string("name")?,
            homepage: own.string("homepage")?,
            description: own.string("description")?,
            keywords: own.strings("keywords")?,
            clear_env: own.boolean("clear-env")?,
            sbom_formats: own.strings("sbom-formats")?,
            exec_env: own.strings("exec-env")?,
            ..Self::default()
        };
        for mut license in own.sections("licenses")? {
            buildpack.licenses.push(License { kind: license.string("type")?, uri: license.string("uri")? });
            buildpack.warnings.extend(license.unknown());
        }
        Ok(buildpack)
    }

    fn read_parts(&mut self, top: &mut Section<'_>) -> Result<(), DocumentError> {
        for mut order in top.sections("order")? {
            let mut group = OrderGroup::default();
            for mut entry in order.sections("group")? {
                group.group.push(OrderEntry::read(&mut entry)?);
                self.warnings.extend(entry.unknown());
            }
            self.warnings.extend(order.unknown());
            self.order.push(group);
        }
        for mut stack in top.sections("stacks")? {
            self.stacks.push(Stack { id: stack.required_string("id")?, mixins: stack.strings("mixins")? });
            self.warnings.extend(stack.unknown());
        }
        for mut section in top.sections("targets")? {
            let (target, unknown) = ModuleTarget::read(&mut section)?;
            self.targets.push(target);
            self.warnings.extend(unknown);
            self.warnings.extend(section.unknown());
        }
        if self.is_composite() && !(self.stacks.is_empty() && self.targets.is_empty()) {
            let (key, other) = if self.targets.is_empty() { ("stacks", "order") } else { ("targets", "order") };
            return Err(top.fault(key, Fault::Exclusive { key: key.to_owned(), other }));
        }
        Ok(())
    }
}

/// `major.minor`, both numbers.
fn is_api(text: &str) -> bool {
    let number = |part: &str| !part.is_empty() && part.len() <= 5 && part.bytes().all(|byte| byte.is_ascii_digit());
    text.split_once('.').is_some_and(|(major, minor)| number(major) && number(minor))
}

#[cfg(test)]
mod tests;
