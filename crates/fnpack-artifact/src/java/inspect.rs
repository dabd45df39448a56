//! What is in a jar or NAR: its function classes, what they need, and what it should not bring.

use std::collections::BTreeSet;
use std::fmt;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};

use crate::{Facts, Language};

use super::archive::{Archive, Entry, JarError};
use super::class_file::{self, ClassFile};
use super::hierarchy::{Classes, Interface};
use super::nar::{self, Nar};
use super::provided::provided_package;

/// A class file counts its own parts with two bytes; nothing real comes near.
const CLASS_LIMIT: u64 = 16 << 20;

/// For a jar inside a NAR, which is read into memory.
const NESTED_LIMIT: u64 = 512 << 20;

/// A class that Pulsar can run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionClass {
    /// As Pulsar is told: `org.example.Orders`.
    pub name: String,
    /// What it implements.
    pub interface: Interface,
    /// The class of its input, `java.lang.Object` if it cannot be known.
    pub input_type: String,
    /// The class of its output.
    pub output_type: String,
    /// Whether both types are known. If not, they have to be given to Pulsar.
    pub types_are_known: bool,
}

/// Why a class cannot be a function.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// There is no such class.
    #[error("class `{0}` is not in the jar")]
    Absent(String),
    /// Pulsar must be able to see it.
    #[error("class `{0}` is not public")]
    NotPublic(String),
    /// An interface has no instances.
    #[error("`{0}` is an interface, not a class")]
    IsInterface(String),
    /// Nor has an abstract class.
    #[error("class `{0}` is abstract")]
    Abstract(String),
    /// Pulsar makes the instance, and has nothing to give.
    #[error("class `{0}` has no public constructor without parameters")]
    NoConstructor(String),
    /// It implements none of them.
    #[error("class `{name}` implements none of the interfaces that Pulsar runs: {}{}", interface_names(), absent_note(.absent))]
    WrongInterface {
        /// The class.
        name: String,
        /// Supertypes that are not there to be looked at.
        absent: Vec<String>,
    },
}

impl Unusable {
    /// The class that it is said of.
    pub fn class(&self) -> &str {
        match self {
            Self::Absent(name)
            | Self::NotPublic(name)
            | Self::IsInterface(name)
            | Self::Abstract(name)
            | Self::NoConstructor(name)
            | Self::WrongInterface { name, .. } => name,
        }
    }
}

fn interface_names() -> String {
    Interface::ALL.map(Interface::name).join(", ")
}

fn absent_note(absent: &[String]) -> String {
    if absent.is_empty() { String::new() } else { format!(" (not found: {})", absent.join(", ")) }
}

/// What was read of a jar.
#[derive(Debug)]
pub struct JavaArchive {
    classes: Classes,
    /// Of the jar itself, in its order, as class files write them.
    own: Vec<String>,
    /// The highest level, and the first class of it.
    newest: Option<(u16, String)>,
    nar: Option<Nar>,
    bundled: BTreeSet<String>,
}

impl JavaArchive {
    /// Reads a jar or NAR; `libraries` are the jars beside it, in which superclasses may be.
    pub fn read(jar: &Path, libraries: &[PathBuf]) -> Result<Self, JarError> {
        let mut archive = Archive::open(jar)?;
        let mut found = Self::empty(nar::read(&mut archive)?);
        found.add(&mut archive, true)?;
        if found.nar.is_some() {
            found.add_nested(&mut archive)?;
        }
        for library in libraries {
            found.add(&mut Archive::open(library)?, false)?;
        }
        Ok(found)
    }

    fn empty(nar: Option<Nar>) -> Self {
        Self { classes: Classes::default(), own: Vec::new(), newest: None, nar, bundled: BTreeSet::new() }
    }

    fn add<R: Read + Seek>(&mut self, archive: &mut Archive<R>, is_own: bool) -> Result<(), JarError> {
        let entries: Vec<Entry> = archive.entries().iter().filter(|entry| is_class(&entry.name)).cloned().collect();
        let mut levels = Vec::new();
        for entry in entries {
            let bytes = archive.read(&entry, CLASS_LIMIT)?;
            levels.extend(class_file::java_release(&bytes).map(|release| (release, class_name(&entry.name))));
            // What no Java could load cannot be a function either, nor what is not where its name says.
            let Some(class) = ClassFile::parse(&bytes).ok().filter(|class| is_place_of(&entry.name, &class.name)) else { continue };
            if is_own {
                self.bundled.extend(provided_package(&entry.name));
                self.own.push(class.name.clone());
            }
            self.classes.add(class);
        }
        let level = level(levels, is_own);
        if self.newest.as_ref().map(|(release, _)| *release) < level.as_ref().map(|(release, _)| *release) {
            self.newest = level;
        }
        Ok(())
    }

    /// The jars in a NAR, where its own classes may be too.
    fn add_nested<R: Read + Seek>(&mut self, archive: &mut Archive<R>) -> Result<(), JarError> {
        let jars: Vec<Entry> = archive.entries().iter().filter(|entry| nar::is_bundled_jar(&entry.name)).cloned().collect();
        for entry in jars {
            let bytes = archive.read(&entry, NESTED_LIMIT)?;
            self.add(&mut Archive::nested(bytes, &entry.name)?, true)?;
        }
        Ok(())
    }

    /// The classes that may be the function, in the order of the jar. One that is just a `java.util.function.Function`
    /// counts only where nothing implements an interface of Pulsar: most are helpers.
    pub fn functions(&self) -> Vec<FunctionClass> {
        let all: Vec<FunctionClass> = self.own.iter().filter_map(|name| self.look_at(name).ok()).collect();
        let of_pulsar: Vec<FunctionClass> = all.iter().filter(|function| function.interface != Interface::JavaFunction).cloned().collect();
        if of_pulsar.is_empty() { all } else { of_pulsar }
    }

    /// The class of a name, as Pulsar writes it or with `/`, or why it cannot be the function.
    pub fn function(&self, name: &str) -> Result<FunctionClass, Unusable> {
        self.look_at(&name.replace('.', "/"))
    }

    /// Classes that implement an interface of Pulsar, and why they cannot be used nevertheless. Without such, some of those
    /// that implement Java's own, most of which are helpers.
    pub fn near_misses(&self) -> Vec<Unusable> {
        const HELPERS_LIMIT: usize = 3;
        let implementing = |is_javas: bool| {
            let concerns = move |name: &&String| self.implements(name).is_some_and(|found| (found == Interface::JavaFunction) == is_javas);
            self.own.iter().filter(concerns).filter_map(|name| self.look_at(name).err())
        };
        let of_pulsar: Vec<Unusable> = implementing(false).collect();
        if of_pulsar.is_empty() { implementing(true).take(HELPERS_LIMIT).collect() } else { of_pulsar }
    }

    fn implements(&self, name: &str) -> Option<Interface> {
        Some(self.classes.ancestry(self.classes.get(name)?).implementation?.interface)
    }

    fn look_at(&self, name: &str) -> Result<FunctionClass, Unusable> {
        let dotted = name.replace('/', ".");
        let Some(class) = self.classes.get(name) else { return Err(Unusable::Absent(dotted)) };
        let ancestry = self.classes.ancestry(class);
        let Some(found) = ancestry.implementation else {
            return Err(Unusable::WrongInterface { name: dotted, absent: ancestry.absent });
        };
        match class {
            class if class.is_interface() => Err(Unusable::IsInterface(dotted)),
            class if class.is_abstract() => Err(Unusable::Abstract(dotted)),
            class if !class.is_public() => Err(Unusable::NotPublic(dotted)),
            class if !class.has_constructor => Err(Unusable::NoConstructor(dotted)),
            _ => Ok(FunctionClass {
                name: dotted,
                interface: found.interface,
                types_are_known: found.input.is_known && found.output.is_known,
                input_type: found.input.class_name(),
                output_type: found.output.class_name(),
            }),
        }
    }

    /// How many classes the jar has, those of its libraries not counted.
    pub fn class_count(&self) -> usize {
        self.own.len()
    }

    /// The Java feature release that its highest class file needs, or most of those of a library. What newer Javas
    /// find in a multi-release jar is not counted.
    pub fn java_release(&self) -> Option<u16> {
        self.newest.as_ref().map(|(release, _)| *release)
    }

    /// A class that needs it, and whether it is the jar's own.
    pub fn newest_class(&self) -> Option<(&str, bool)> {
        let (_, class) = self.newest.as_ref()?;
        Some((class, self.own.contains(&class.replace('.', "/"))))
    }

    /// What makes it a NAR, if it is one.
    pub fn nar(&self) -> Option<&Nar> {
        self.nar.as_ref()
    }

    /// Packages in the jar itself that every runner brings: `com.google.gson`.
    pub fn bundled_packages(&self) -> impl Iterator<Item = &str> {
        self.bundled.iter().map(String::as_str)
    }

    /// What is known of a function in it, for labels. `artifact` is the jar's path in the image.
    pub fn facts(&self, function: &FunctionClass, artifact: impl Into<String>) -> Facts {
        Facts {
            class_name: Some(function.name.clone()),
            input_type: Some(function.input_type.clone()),
            output_type: Some(function.output_type.clone()),
            window: Some(function.interface == Interface::WindowFunction),
            java_release: self.java_release(),
            ..Facts::new(Language::Java, artifact)
        }
    }
}

/// Module descriptors have the level of the module system, not of the code.
fn is_class(name: &str) -> bool {
    name.strip_suffix(".class").is_some_and(|class| !class.starts_with("META-INF/versions/") && !class.ends_with("module-info"))
}

fn class_name(entry: &str) -> String {
    entry.trim_end_matches(".class").replace('/', ".")
}

/// The level that a jar needs, with a class of it. Of a function, all classes count. Libraries may have a few for
/// newer Javas, which they load only there: nine of ten of theirs count.
fn level(mut levels: Vec<(u16, String)>, is_own: bool) -> Option<(u16, String)> {
    levels.sort_by_key(|(release, _)| *release);
    let last = levels.len().checked_sub(1)?;
    let place = if is_own { last } else { last - levels.len() / 10 };
    let release = levels.get(place)?.0;
    levels.into_iter().find(|(found, _)| *found == release)
}

/// Loaders look nowhere else; jars that start by themselves keep classes in a folder.
fn is_place_of(entry: &str, class: &str) -> bool {
    entry.strip_suffix(".class") == Some(class)
}

impl fmt::Display for FunctionClass {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ({} to {})", self.name, self.input_type, self.output_type)
    }
}

#[cfg(test)]
mod tests;
