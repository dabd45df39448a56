//! What one Go file says that matters here, by its syntax tree: strings and comments do not deceive it, and files
//! with errors are still read.

use tree_sitter::{Node, Parser, Tree, TreeCursor};

/// The package of Pulsar's Go functions.
pub(crate) const FUNCTION_PACKAGE: &str = "github.com/apache/pulsar/pulsar-function-go/pf";

/// Its entry point.
const ENTRY_POINT: &str = "Start";

/// What a file says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct SourceFile {
    pub(crate) is_main: bool,
    pub(crate) starts_function: bool,
    pub(crate) uses_cgo: bool,
}

/// How a file names the function package.
#[derive(Debug, PartialEq, Eq)]
enum Import {
    Named(String),
    Dot,
}

impl SourceFile {
    /// A file that the parser gives up on says nothing.
    pub(crate) fn parse(source: &str) -> Self {
        parse(source).map(|tree| Self::of_tree(&tree, source)).unwrap_or_default()
    }

    fn of_tree(tree: &Tree, source: &str) -> Self {
        let mut file = Self::default();
        let mut imports = Vec::new();
        for_each_node(&mut tree.walk(), |node| match node.kind() {
            "package_identifier" => file.is_main |= names_package(node) && text(node, source) == "main",
            "import_spec" => {
                file.uses_cgo |= path(node, source) == "C";
                imports.extend(function_import(node, source));
            }
            "call_expression" => file.starts_function |= calls_entry_point(node, &imports, source),
            _ => {}
        });
        file
    }
}

fn parse(source: &str) -> Option<Tree> {
    let mut parser = Parser::new();
    parser.set_language(&tree_sitter_go::LANGUAGE.into()).ok()?;
    parser.parse(source, None)
}

/// In the order of the text, so imports come before calls. Without recursion: hostile files nest deeply.
fn for_each_node<'tree>(cursor: &mut TreeCursor<'tree>, mut visit: impl FnMut(Node<'tree>)) {
    loop {
        visit(cursor.node());
        if cursor.goto_first_child() {
            continue;
        }
        while !cursor.goto_next_sibling() {
            if !cursor.goto_parent() {
                return;
            }
        }
    }
}

fn text<'a>(node: Node<'_>, source: &'a str) -> &'a str {
    source.get(node.byte_range()).unwrap_or_default()
}

/// Qualified types have package identifiers too.
fn names_package(identifier: Node<'_>) -> bool {
    identifier.parent().is_some_and(|parent| parent.kind() == "package_clause")
}

fn path<'a>(import: Node<'_>, source: &'a str) -> &'a str {
    import.child_by_field_name("path").map(|path| text(path, source).trim_matches(['"', '`'])).unwrap_or_default()
}

fn function_import(import: Node<'_>, source: &str) -> Option<Import> {
    if path(import, source) != FUNCTION_PACKAGE {
        return None;
    }
    match import.child_by_field_name("name").map(|name| text(name, source)) {
        None => Some(Import::Named("pf".to_owned())),
        Some(".") => Some(Import::Dot),
        Some(alias) => Some(Import::Named(alias.to_owned())),
    }
}

fn calls_entry_point(call: Node<'_>, imports: &[Import], source: &str) -> bool {
    let Some(function) = call.child_by_field_name("function") else { return false };
    let field = |name| function.child_by_field_name(name).map(|node| text(node, source)).unwrap_or_default();
    match function.kind() {
        "identifier" => text(function, source) == ENTRY_POINT && imports.contains(&Import::Dot),
        "selector_expression" => field("field") == ENTRY_POINT && imports.contains(&Import::Named(field("operand").to_owned())),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn source_file_finds_the_entry_point() {
        const PF: &str = "\"github.com/apache/pulsar/pulsar-function-go/pf\"";
        for (imports, body, starts) in [
            (format!("import {PF}"), "pf.Start(handle)", true),
            (format!("import (\n\"context\"\n{PF}\n)"), "pf.Start(func(ctx context.Context, in []byte) error { return nil })", true),
            (format!("import pulsar {PF}"), "pulsar.Start(handle)", true),
            (format!("import pulsar {PF}"), "pf.Start(handle)", false),
            (format!("import . {PF}"), "Start(handle)", true),
            (format!("import _ {PF}"), "pf.Start(handle)", false),
            (format!("import {}", PF.replace('"', "`")), "pf.Start(handle)", true),
            (format!("import {PF}"), "// pf.Start(handle)", false),
            (format!("import {PF}"), "println(\"pf.Start(handle)\")", false),
            (format!("import {PF}"), "pf.Stop(handle)", false),
            (format!("import {PF}"), "start := pf.Start; start(handle)", false),
            ("import \"example.com/pf\"".to_owned(), "pf.Start(handle)", false),
            (format!("// import {PF}"), "pf.Start(handle)", false),
            (format!("import {PF}"), "if true { go pf.Start(handle) }", true),
            (format!("import {PF}"), "pf.Start(handle); x := := 1", true),
        ] {
            let source = format!("package main\n\n{imports}\n\nfunc main() {{\n\t{body}\n}}\n");
            let expected = SourceFile { is_main: true, starts_function: starts, uses_cgo: false };
            assert_eq!(SourceFile::parse(&source), expected, "{source}");
        }
    }

    #[test]
    fn source_file_package_and_cgo() {
        for (source, is_main, uses_cgo) in [
            ("package main", true, false),
            ("// package main\npackage orders", false, false),
            ("package /* x */ main", true, false),
            ("package main\nimport \"C\"\n", true, true),
            ("package main\n// import \"C\"\n", true, false),
            ("", false, false),
            ("\u{0}\u{1}{{{{((((\u{feff}", false, false),
        ] {
            assert_eq!(SourceFile::parse(source), SourceFile { is_main, starts_function: false, uses_cgo }, "{source}");
        }
    }

    #[test]
    fn source_file_deep_nesting_is_survived() {
        let source = format!("package main\nfunc main() {{ {} }}", "f(".repeat(50_000));
        assert!(SourceFile::parse(&source).is_main);
    }
}
