//! What one Python file says of functions, by its syntax tree: strings and comments do not deceive it, and files
//! with errors are still read.
//!
//! Pulsar's instance takes `module.Class`, makes the object without arguments and calls `process(input, context)`;
//! or it takes a bare module and calls its `process(input)`. It finds out what does not fit only when the first
//! message comes, so it is found out here.

use std::fmt;

use tree_sitter::{Node, Parser, Tree};

/// How deep `if` and `try` are followed, and how many classes up: more is not written by hand.
const DEPTH_LIMIT: usize = 32;

/// What a file says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceFile {
    /// Classes and functions of the module itself, in the order of the text.
    pub definitions: Vec<Definition>,
    /// Where it is not Python first.
    pub syntax_error: Option<Position>,
}

/// A class or a function at the top of a module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// Its name.
    pub name: String,
    /// Its line, from 1.
    pub line: usize,
    /// What Pulsar can do with it.
    pub verdict: Verdict,
}

/// What Pulsar can do with a definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Run it.
    Function(Kind),
    /// Nothing, though it looks like a function.
    Refused(Refusal),
    /// It depends: a class whose base is elsewhere.
    Unknown,
    /// Nothing: a class without `process`.
    PlainClass,
    /// Nothing by itself: a function of another name than `process`.
    PlainFunction,
}

/// How a function is written. The first kinds leave the least doubt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A class derived from `pulsar.Function`.
    Derived,
    /// A class with a fitting `process`.
    Shaped,
    /// A module with `process(input)`.
    Module,
}

/// Why Pulsar cannot run what looks like a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// `__init__` asks for arguments.
    InitArguments,
    /// `process` of a class does not take an input and a context.
    ClassArguments,
    /// `process` of a module does not take just an input.
    ModuleArguments,
    /// `process` is a coroutine, which nobody awaits.
    Asynchronous,
    /// Derived from `pulsar.Function`, but without `process`.
    NoProcess,
}

impl fmt::Display for Refusal {
    /// To follow the name of the definition.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::InitArguments => "has an `__init__` that asks for arguments, and Pulsar gives none",
            Self::ClassArguments => "has a `process` that does not take (self, input, context)",
            Self::ModuleArguments => "does not take exactly one argument, the input",
            Self::Asynchronous => "has an `async` process, which Pulsar does not await",
            Self::NoProcess => "is derived from pulsar.Function, but has no `process`",
        })
    }
}

/// A place in a text, both numbers from 1; columns count bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl fmt::Display for Position {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.line, self.column)
    }
}

impl SourceFile {
    /// A text that the parser gives up on says nothing.
    pub fn parse(source: &str) -> Self {
        let Some(tree) = parse(source) else { return Self::default() };
        let mut module = Module { source, pulsar_names: Vec::new(), classes: Vec::new(), functions: Vec::new() };
        module.read(tree.root_node(), 0);
        Self { definitions: module.definitions(), syntax_error: first_error(&tree) }
    }
}

fn parse(source: &str) -> Option<Tree> {
    let mut parser = Parser::new();
    parser.set_language(&tree_sitter_python::LANGUAGE.into()).ok()?;
    parser.parse(source, None)
}

/// Down into what has an error, without recursion: hostile files nest deeply.
fn first_error(tree: &Tree) -> Option<Position> {
    let mut node = tree.root_node();
    if !node.has_error() {
        return None;
    }
    while !node.is_error() && !node.is_missing() {
        let mut cursor = node.walk();
        let Some(child) = node.children(&mut cursor).find(Node::has_error) else { break };
        node = child;
    }
    let place = node.start_position();
    Some(Position { line: place.row + 1, column: place.column + 1 })
}

/// What is collected of a module.
struct Module<'tree, 'text> {
    source: &'text str,
    /// Names that mean `pulsar` or `pulsar.Function`, as the file has them.
    pulsar_names: Vec<String>,
    classes: Vec<Class<'tree, 'text>>,
    functions: Vec<Callable<'tree, 'text>>,
}

struct Class<'tree, 'text> {
    name: &'text str,
    line: usize,
    bases: Vec<&'text str>,
    methods: Vec<Callable<'tree, 'text>>,
}

#[derive(Clone, Copy)]
struct Callable<'tree, 'text> {
    name: &'text str,
    node: Node<'tree>,
    is_static: bool,
}

impl<'tree, 'text> Module<'tree, 'text> {
    /// What stands in `if` and `try` at the top belongs to the module too.
    fn read(&mut self, node: Node<'tree>, depth: usize) {
        let mut cursor = node.walk();
        let children: Vec<Node<'tree>> = node.named_children(&mut cursor).collect();
        for child in children {
            match child.kind() {
                "import_statement" => self.read_import(child, ""),
                "import_from_statement" => self.read_import_from(child),
                "class_definition" => self.classes.extend(self.class(child)),
                "function_definition" => self.functions.extend(self.callable(child, false)),
                "decorated_definition" => self.read_decorated(child),
                "if_statement" if self.is_main_guard(child) => {}
                "if_statement" | "try_statement" | "with_statement" | "block" | "else_clause" | "elif_clause" | "except_clause"
                | "finally_clause" | "ERROR"
                    if depth < DEPTH_LIMIT =>
                {
                    self.read(child, depth + 1);
                }
                _ => {}
            }
        }
    }

    fn text(&self, node: Node<'_>) -> &'text str {
        self.source.get(node.byte_range()).unwrap_or_default()
    }

    fn field(&self, node: Node<'_>, name: &str) -> &'text str {
        node.child_by_field_name(name).map(|node| self.text(node)).unwrap_or_default()
    }

    fn is_main_guard(&self, statement: Node<'_>) -> bool {
        self.field(statement, "condition").contains("__name__")
    }

    /// `import pulsar`, `import pulsar as p`; after `from pulsar`, `Function` and `Function as F`.
    fn read_import(&mut self, statement: Node<'_>, from: &str) {
        let mut cursor = statement.walk();
        for name in statement.children_by_field_name("name", &mut cursor) {
            let (whole, known_as) = match name.kind() {
                "aliased_import" => (self.field(name, "name"), self.field(name, "alias")),
                _ => (self.text(name), self.text(name)),
            };
            match (from, whole) {
                ("", "pulsar") => self.pulsar_names.push(format!("{known_as}.Function")),
                ("pulsar" | "pulsar.functions.function", "Function") => self.pulsar_names.push(known_as.to_owned()),
                _ => {}
            }
        }
    }

    fn read_import_from(&mut self, statement: Node<'_>) {
        let from = self.field(statement, "module_name");
        self.read_import(statement, from);
        let mut cursor = statement.walk();
        if from == "pulsar" && statement.named_children(&mut cursor).any(|child| child.kind() == "wildcard_import") {
            self.pulsar_names.push("Function".to_owned());
        }
    }

    fn read_decorated(&mut self, node: Node<'tree>) {
        let Some(definition) = node.child_by_field_name("definition") else { return };
        match definition.kind() {
            "class_definition" => self.classes.extend(self.class(definition)),
            _ => self.functions.extend(self.callable(definition, false)),
        }
    }

    fn class(&self, node: Node<'tree>) -> Option<Class<'tree, 'text>> {
        let name = self.text(node.child_by_field_name("name")?);
        let mut bases = Vec::new();
        if let Some(list) = node.child_by_field_name("superclasses") {
            let mut cursor = list.walk();
            let named = list.named_children(&mut cursor).filter(|base| base.kind() != "keyword_argument" && base.kind() != "comment");
            bases.extend(named.map(|base| self.text(base)));
        }
        let methods = node.child_by_field_name("body").map(|body| self.methods(body)).unwrap_or_default();
        Some(Class { name, line: line(node), bases, methods })
    }

    fn methods(&self, body: Node<'tree>) -> Vec<Callable<'tree, 'text>> {
        let mut cursor = body.walk();
        let method = |child: Node<'tree>| match child.kind() {
            "function_definition" => self.callable(child, false),
            "decorated_definition" => {
                let mut cursor = child.walk();
                let is_static = child.named_children(&mut cursor).any(|part| self.text(part) == "@staticmethod");
                self.callable(child.child_by_field_name("definition")?, is_static)
            }
            _ => None,
        };
        body.named_children(&mut cursor).filter_map(method).collect()
    }

    fn callable(&self, node: Node<'tree>, is_static: bool) -> Option<Callable<'tree, 'text>> {
        Some(Callable { name: self.text(node.child_by_field_name("name")?), node, is_static })
    }

    fn definitions(&self) -> Vec<Definition> {
        let classes = self.classes.iter().map(|class| Definition {
            name: class.name.to_owned(),
            line: class.line,
            verdict: self.class_verdict(class),
        });
        let functions = self.functions.iter().map(|function| Definition {
            name: function.name.to_owned(),
            line: line(function.node),
            verdict: self.function_verdict(*function),
        });
        let mut all: Vec<Definition> = classes.chain(functions).collect();
        all.sort_by_key(|definition| definition.line);
        all
    }

    fn class_verdict(&self, class: &Class<'tree, 'text>) -> Verdict {
        let ancestry = self.ancestry(class);
        let method = |name: &str| ancestry.known.iter().flat_map(|class| &class.methods).find(|method| method.name == name).copied();
        let Some(process) = method("process") else {
            return match ancestry {
                Ancestry { ends_elsewhere: true, .. } => Verdict::Unknown,
                Ancestry { is_pulsars: true, .. } => Verdict::Refused(Refusal::NoProcess),
                _ => Verdict::PlainClass,
            };
        };
        let kind = if ancestry.is_pulsars { Kind::Derived } else { Kind::Shaped };
        if !self.takes(process, 2 + usize::from(!process.is_static)) {
            // Many classes have a `process` of their own; only those that say so are meant for Pulsar.
            return if ancestry.is_pulsars { Verdict::Refused(Refusal::ClassArguments) } else { Verdict::PlainClass };
        }
        if is_asynchronous(process.node) {
            return Verdict::Refused(Refusal::Asynchronous);
        }
        match method("__init__") {
            Some(init) if !self.takes(init, 1) => Verdict::Refused(Refusal::InitArguments),
            _ => Verdict::Function(kind),
        }
    }

    /// The class and those above it that this file has, nearest first.
    fn ancestry<'a>(&'a self, class: &'a Class<'tree, 'text>) -> Ancestry<'a, 'tree, 'text> {
        let mut found = Ancestry { known: vec![class], is_pulsars: false, ends_elsewhere: false };
        let mut next = 0;
        while let Some(class) = found.known.get(next).copied() {
            next += 1;
            for base in &class.bases {
                if self.pulsar_names.iter().any(|name| name == base) {
                    found.is_pulsars = true;
                } else if let Some(above) = self.classes.iter().find(|above| above.name == *base) {
                    let is_new = found.known.len() < DEPTH_LIMIT && !found.known.iter().any(|known| std::ptr::eq(*known, above));
                    found.known.extend(is_new.then_some(above));
                } else {
                    found.ends_elsewhere |= !["object", "ABC", "abc.ABC"].contains(base);
                }
            }
        }
        found
    }

    fn function_verdict(&self, function: Callable<'tree, 'text>) -> Verdict {
        if function.name != "process" {
            Verdict::PlainFunction
        } else if !self.takes(function, 1) {
            Verdict::Refused(Refusal::ModuleArguments)
        } else if is_asynchronous(function.node) {
            Verdict::Refused(Refusal::Asynchronous)
        } else {
            Verdict::Function(Kind::Module)
        }
    }

    /// Whether it can be called with so many arguments by position.
    fn takes(&self, callable: Callable<'_, '_>, count: usize) -> bool {
        let Some(parameters) = callable.node.child_by_field_name("parameters") else { return false };
        let (mut required, mut most) = (0, Some(0));
        let mut only_by_name = false;
        let mut cursor = parameters.walk();
        for parameter in parameters.named_children(&mut cursor) {
            match self.parameter(parameter) {
                Parameter::Required if only_by_name => return false,
                Parameter::Required => {
                    required += 1;
                    most = most.map(|most| most + 1);
                }
                Parameter::Optional if !only_by_name => most = most.map(|most| most + 1),
                Parameter::Rest => (most, only_by_name) = (None, true),
                Parameter::OnlyByNameFromHere => only_by_name = true,
                Parameter::Optional | Parameter::Other => {}
            }
        }
        required <= count && most.is_none_or(|most| count <= most)
    }

    fn parameter(&self, node: Node<'_>) -> Parameter {
        match node.kind() {
            "identifier" | "tuple_pattern" => Parameter::Required,
            "typed_parameter" => match self.text(node) {
                text if text.starts_with("**") => Parameter::Other,
                text if text.starts_with('*') => Parameter::Rest,
                _ => Parameter::Required,
            },
            "default_parameter" | "typed_default_parameter" => Parameter::Optional,
            "list_splat_pattern" => Parameter::Rest,
            "keyword_separator" => Parameter::OnlyByNameFromHere,
            _ => Parameter::Other,
        }
    }
}

/// What is known of the classes above one.
struct Ancestry<'a, 'tree, 'text> {
    known: Vec<&'a Class<'tree, 'text>>,
    is_pulsars: bool,
    ends_elsewhere: bool,
}

enum Parameter {
    Required,
    Optional,
    Rest,
    OnlyByNameFromHere,
    Other,
}

fn is_asynchronous(function: Node<'_>) -> bool {
    function.child(0).is_some_and(|word| word.kind() == "async")
}

fn line(node: Node<'_>) -> usize {
    node.start_position().row + 1
}

#[cfg(test)]
mod tests;
