//! Which interfaces a class implements, through its superclasses and interfaces, and with which types.

use std::collections::{HashMap, HashSet};

use super::class_file::ClassFile;
use super::signature::{Erased, Supertype, supertypes};

/// The interfaces that Pulsar runs, the one it prefers first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Interface {
    /// `org.apache.pulsar.functions.api.Function`
    Function,
    /// `org.apache.pulsar.functions.api.WindowFunction`
    WindowFunction,
    /// `java.util.function.Function`
    JavaFunction,
}

impl Interface {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Function, Self::WindowFunction, Self::JavaFunction];

    /// The Java name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Function => "org.apache.pulsar.functions.api.Function",
            Self::WindowFunction => "org.apache.pulsar.functions.api.WindowFunction",
            Self::JavaFunction => "java.util.function.Function",
        }
    }

    fn of(class: &str) -> Option<Self> {
        match class {
            "org/apache/pulsar/functions/api/Function" => Some(Self::Function),
            "org/apache/pulsar/functions/api/WindowFunction" => Some(Self::WindowFunction),
            "java/util/function/Function" | "java/util/function/UnaryOperator" => Some(Self::JavaFunction),
            _ => None,
        }
    }
}

/// An interface as a class implements it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Implementation {
    pub(super) interface: Interface,
    pub(super) input: Erased,
    pub(super) output: Erased,
}

/// What a class turned out to be.
#[derive(Debug, Default)]
pub(super) struct Ancestry {
    /// The one that Pulsar takes.
    pub(super) implementation: Option<Implementation>,
    /// Supertypes that are in none of the jars, and not Java's own.
    pub(super) absent: Vec<String>,
}

/// Classes by name.
#[derive(Debug, Default)]
pub(super) struct Classes(HashMap<String, ClassFile>);

impl Classes {
    /// Adds a class; of two with one name the first counts, as on a class path.
    pub(super) fn add(&mut self, class: ClassFile) {
        self.0.entry(class.name.clone()).or_insert(class);
    }

    pub(super) fn get(&self, name: &str) -> Option<&ClassFile> {
        self.0.get(name)
    }

    /// Walks all supertypes of a class, each once.
    pub(super) fn ancestry(&self, class: &ClassFile) -> Ancestry {
        let mut found = Ancestry::default();
        let mut seen = HashSet::from([class.name.clone()]);
        let mut waiting = supertypes_of(class, &[]);
        while let Some(supertype) = waiting.pop() {
            if !seen.insert(supertype.class.clone()) {
                continue;
            }
            if let Some(interface) = Interface::of(&supertype.class) {
                found.add(implementation(interface, &supertype));
            } else if let Some(class) = self.get(&supertype.class) {
                waiting.extend(supertypes_of(class, &supertype.arguments));
            } else if !supertype.class.starts_with("java/") {
                found.absent.push(supertype.class.replace('/', "."));
            }
        }
        found
    }
}

impl Ancestry {
    fn add(&mut self, new: Implementation) {
        if self.implementation.as_ref().is_none_or(|present| new.interface < present.interface) {
            self.implementation = Some(new);
        }
    }
}

/// An operator has one type for both.
fn implementation(interface: Interface, supertype: &Supertype) -> Implementation {
    let input = supertype.arguments.first().cloned().unwrap_or_else(Erased::unknown);
    let output = match supertype.arguments.get(1) {
        Some(output) => output.clone(),
        None if supertype.class.ends_with("Operator") => input.clone(),
        None => Erased::unknown(),
    };
    Implementation { interface, input, output }
}

/// By the signature if there is one; without it, or if it is nonsense, all are raw.
fn supertypes_of(class: &ClassFile, arguments: &[Erased]) -> Vec<Supertype> {
    let generic = class.signature.as_ref().and_then(|signature| supertypes(signature, arguments));
    generic.unwrap_or_else(|| {
        let raw = class.super_class.iter().chain(&class.interfaces);
        raw.map(|name| Supertype { class: name.clone(), arguments: Vec::new() }).collect()
    })
}

#[cfg(test)]
mod tests {
    use testkit::java::ClassSource;

    use super::*;

    const FUNCTION: &str = "org/apache/pulsar/functions/api/Function";

    fn walk(sources: &[ClassSource]) -> Ancestry {
        let mut classes = Classes::default();
        for source in sources {
            classes.add(ClassFile::parse(&source.bytes()).unwrap());
        }
        classes.ancestry(classes.get("F").unwrap())
    }

    fn types(sources: &[ClassSource]) -> Option<(Interface, String, String)> {
        let found = walk(sources).implementation?;
        Some((found.interface, found.input.class_name(), found.output.class_name()))
    }

    fn class(name: &str, signature: &str) -> ClassSource {
        ClassSource::new(name).signature(signature)
    }

    #[test]
    fn ancestry_resolves_types_through_superclasses() {
        let object = "Ljava/lang/Object;";
        for (sources, interface, input, output) in [
            (vec![ClassSource::function("F")], Interface::Function, "java.lang.String", "java.lang.String"),
            (
                vec![
                    class("F", "LBase<Ljava/lang/Long;>;"),
                    class("Base", &format!("<T:{object}>{object}L{FUNCTION}<TT;Ljava/lang/String;>;")),
                ],
                Interface::Function,
                "java.lang.Long",
                "java.lang.String",
            ),
            (
                vec![
                    class("F", "LBase<[B>;"),
                    class("Base", &format!("<X:{object}>{object}LMiddle<Ljava/util/List<TX;>;TX;>;")),
                    class("Middle", &format!("<O:{object}I:{object}>{object}L{FUNCTION}<TI;TO;>;")),
                ],
                Interface::Function,
                "[B",
                "java.util.List",
            ),
            (vec![ClassSource::new("F").implements(FUNCTION)], Interface::Function, "java.lang.Object", "java.lang.Object"),
            (
                vec![class("F", &format!("{object}Ljava/util/function/UnaryOperator<Ljava/lang/Integer;>;"))],
                Interface::JavaFunction,
                "java.lang.Integer",
                "java.lang.Integer",
            ),
        ] {
            assert_eq!(types(&sources), Some((interface, input.to_owned(), output.to_owned())), "{sources:?}");
        }
    }

    #[test]
    fn ancestry_prefers_pulsars_interfaces() {
        let java = "java/util/function/Function";
        let window = "org/apache/pulsar/functions/api/WindowFunction";
        for (interfaces, expected) in [
            (&[java][..], Interface::JavaFunction),
            (&[java, window], Interface::WindowFunction),
            (&[window, java], Interface::WindowFunction),
            (&[java, FUNCTION, window], Interface::Function),
        ] {
            let source = interfaces.iter().fold(ClassSource::new("F"), |source, interface| source.implements(interface));
            assert_eq!(types(&[source]).map(|(found, ..)| found), Some(expected), "{interfaces:?}");
        }
    }

    #[test]
    fn ancestry_names_what_is_absent_and_survives_circles() {
        let found = walk(&[ClassSource::new("F").extends("org/lib/Base").implements("java/io/Serializable")]);
        assert_eq!((found.implementation, found.absent), (None, vec!["org.lib.Base".to_owned()]));
        let circle = [ClassSource::new("F").extends("G"), ClassSource::new("G").extends("F")];
        assert_eq!(types(&circle), None);
    }
}
