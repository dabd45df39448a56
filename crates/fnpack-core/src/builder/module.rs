//! What `buildpack.toml`, `builder.toml` and a builder's labels say alike about buildpacks.
//!
//! The JSON forms are those of the labels that `pack` writes (`io.buildpacks.buildpack.layers`,
//! `io.buildpacks.buildpack.order`).

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};

use super::document::{DocumentError, Section};
use crate::target::Target;

/// The order in which groups of buildpacks are tried.
pub type Order = Vec<OrderGroup>;

/// Buildpacks that are tried together.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderGroup {
    /// In the order in which they run.
    #[serde(default, deserialize_with = "null_is_default")]
    pub group: Vec<OrderEntry>,
}

/// One buildpack of a group.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderEntry {
    /// The buildpack.
    pub id: String,
    /// Its version; none means the only one there is.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// The execution environments it is for; empty means all.
    #[serde(default, rename = "exec-env", skip_serializing_if = "Vec::is_empty", deserialize_with = "null_is_default")]
    pub exec_env: Vec<String>,
    /// Whether the group passes without it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
}

/// A target that a buildpack is made for; what is empty matches everything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModuleTarget {
    /// Such as `linux`.
    #[serde(default)]
    pub os: String,
    /// Such as `amd64`.
    #[serde(default)]
    pub arch: String,
    /// Such as `v8`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub variant: String,
    /// Distributions; none listed means all.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "null_is_default")]
    pub distros: Vec<Distro>,
}

/// A distribution, in the words of `/etc/os-release`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Distro {
    /// `ID`, such as `debian`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// `VERSION_ID`, such as `13`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub version: String,
}

/// A stack that a buildpack of the old style is made for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stack {
    /// The stack, `*` for all.
    pub id: String,
    /// Packages that must be in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "null_is_default")]
    pub mixins: Vec<String>,
}

/// `id@version`, as messages name a buildpack.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ModuleId {
    /// Such as `fnpack/golang`.
    pub id: String,
    /// Such as `0.1.0`; empty in a reference to the only version.
    pub version: String,
}

impl ModuleId {
    /// Of a buildpack's id and version.
    pub fn new(id: impl Into<String>, version: impl Into<String>) -> Self {
        Self { id: id.into(), version: version.into() }
    }

    /// Whether both can be names of folders; if not, why not.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        if self.id.split('/').any(str::is_empty) {
            return Err("there is an empty part between the slashes of the id");
        }
        if self.version.contains('/') {
            return Err("a version cannot have a `/` in it");
        }
        for name in [self.escaped_id(), self.version.clone()] {
            if name.is_empty() || name == "." || name == ".." || name.starts_with(".wh.") || name.chars().any(char::is_control) {
                return Err("it cannot be the name of a folder");
            }
        }
        Ok(())
    }

    /// The id as a folder's name: `/` becomes `_`.
    pub fn escaped_id(&self) -> String {
        self.id.replace('/', "_")
    }

    /// The folder of a buildpack in a builder.
    pub fn folder(&self) -> String {
        format!("/cnb/buildpacks/{}/{}", self.escaped_id(), self.version)
    }
}

impl fmt::Display for ModuleId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.version.is_empty() { formatter.write_str(&self.id) } else { write!(formatter, "{}@{}", self.id, self.version) }
    }
}

impl OrderEntry {
    /// The buildpack it names.
    pub fn module(&self) -> ModuleId {
        ModuleId::new(&self.id, &self.version)
    }

    pub(super) fn read(section: &mut Section<'_>) -> Result<Self, DocumentError> {
        Ok(Self {
            id: section.required_string("id")?,
            version: section.string("version")?.unwrap_or_default(),
            exec_env: section.strings("exec-env")?,
            optional: section.boolean("optional")?,
        })
    }
}

impl ModuleTarget {
    /// Whether an image of this target, with this distribution if it names one, is among what is meant.
    pub fn matches(&self, target: &Target, distro: Option<&Distro>) -> bool {
        let any_or_equal = |wanted: &str, have: &str| wanted.is_empty() || wanted == have;
        let variant = target.variant.as_deref().unwrap_or_default();
        any_or_equal(&self.os, &target.os)
            && any_or_equal(&self.arch, &target.arch)
            && (variant.is_empty() || any_or_equal(&self.variant, variant))
            && (self.distros.is_empty() || distro.is_none_or(|have| self.distros.iter().any(|wanted| wanted.matches(have))))
    }

    pub(super) fn read(section: &mut Section<'_>) -> Result<(Self, Vec<DocumentError>), DocumentError> {
        let mut target = Self {
            os: section.string("os")?.unwrap_or_default(),
            arch: section.string("arch")?.unwrap_or_default(),
            variant: section.string("variant")?.unwrap_or_default(),
            distros: Vec::new(),
        };
        let mut unknown = Vec::new();
        for mut distro in section.sections("distros")? {
            let name = distro.string("name")?.unwrap_or_default();
            let version = distro.string("version")?.unwrap_or_default();
            target.distros.push(Distro { name, version });
            unknown.extend(distro.unknown());
        }
        Ok((target, unknown))
    }
}

impl Distro {
    fn matches(&self, have: &Distro) -> bool {
        (self.name.is_empty() || self.name == have.name) && (self.version.is_empty() || self.version == have.version)
    }
}

impl fmt::Display for ModuleTarget {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let or_any = |text: &str| if text.is_empty() { "*".to_owned() } else { text.to_owned() };
        write!(formatter, "{}/{}", or_any(&self.os), or_any(&self.arch))?;
        if !self.variant.is_empty() {
            write!(formatter, "/{}", self.variant)?;
        }
        for distro in &self.distros {
            write!(formatter, ":{}@{}", distro.name, distro.version)?;
        }
        Ok(())
    }
}

/// Go writes an empty list as `null`.
pub(super) fn null_is_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
