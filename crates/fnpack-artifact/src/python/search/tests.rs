use super::*;

const DERIVED: &str = "from pulsar import Function\nclass A(Function):\n    def process(self, input, context): pass\n";
const SHAPED: &str = "class B:\n    def process(self, input, context): pass\n";
const MODULE: &str = "def process(input): pass\n";

fn search(files: &[(&str, &str)]) -> Search {
    let mut search = Search::default();
    for (path, text) in files {
        search.add(path, text.as_bytes());
    }
    search
}

fn chosen(files: &[(&str, &str)], wanted: Option<&str>) -> Result<String, String> {
    search(files).choose(wanted).map(|located| located.class_name.clone()).map_err(|error| error.to_string())
}

#[test]
fn choose_takes_the_clearest() {
    for (files, expected) in [
        (&[("a.py", DERIVED), ("b.py", SHAPED), ("c.py", MODULE)][..], "a.A"),
        (&[("b.py", SHAPED), ("c.py", MODULE)], "b.B"),
        (&[("c.py", MODULE), ("d.py", "def other(): pass")], "c"),
        (&[("orders/exclaim.py", DERIVED)], "orders.exclaim.A"),
        (&[("orders/__init__.py", DERIVED)], "orders.A"),
        (&[("orders/__init__.py", MODULE)], "orders"),
        (&[("straße.py", MODULE)], "straße"),
    ] {
        assert_eq!(chosen(files, None).as_deref(), Ok(expected), "{files:?}");
    }
}

#[test]
fn choose_says_why_there_is_none() {
    const LOOKED: &str =
        "looked for a Python function, a class with process(self, input, context) or a module with process(input): not found";
    for (files, expected) in [
        (&[][..], "(no .py file)"),
        (&[("a.py", "")], "(in 1 Python file)"),
        (&[("a.py", ""), ("my-function.py", MODULE), ("class.py", MODULE), ("__main__.py", MODULE)], "(in 4 Python files)"),
        (&[("a.py", "def process(a, b): pass")], "(a.py:1: `a` does not take exactly one argument, the input)"),
        (
            &[("p/a.py", MODULE)],
            "(p/a.py:1: `p.a` has process(input), but Pulsar takes only modules outside of packages so: move the file to the top, or write a class)",
        ),
        (&[("a.py", "// x")], "(a.py:1:1: not Python)"),
    ] {
        assert_eq!(chosen(files, None), Err(format!("{LOOKED} {expected}")), "{files:?}");
    }
    assert_eq!(chosen(&[("a.py", MODULE), ("b.py", MODULE)], None), Err("several Python functions: a, b".to_owned()));
}

#[test]
fn choose_takes_the_name_given() {
    let files =
        &[("a.py", DERIVED), ("c.py", MODULE), ("d.py", "def handle(input): pass\nclass C: pass\nclass D(elsewhere.Base): pass\n")][..];
    for (wanted, expected) in [
        ("a.A", Ok("a.A")),
        ("c", Ok("c")),
        ("d.D", Ok("d.D")),
        ("d.handle", Err("d.py:1: `d.handle` is a function, and Pulsar calls a class, or a bare module with process(input)")),
        ("d.C", Err("d.py:2: `d.C` has no process(self, input, context)")),
        ("c.process", Err("there is no `c.process` (found a.A, c)")),
        ("A", Err("there is no `A` (found a.A, c)")),
    ] {
        assert_eq!(chosen(files, Some(wanted)), expected.map(str::to_owned).map_err(str::to_owned), "{wanted}");
    }
}

#[test]
fn folder_looks_at_own_code() {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in
        [("a.py", DERIVED), ("tests/b.py", DERIVED), (".venv/pyvenv.cfg", ""), ("venv/pyvenv.cfg", ""), ("venv/c.py", DERIVED)]
    {
        let path = folder.path().join(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
    }
    let found = Search::folder(folder.path(), true).unwrap();
    assert_eq!(
        found.choose(None).map(|located| (located.file.as_str(), located.line, located.kind())),
        Ok(("a.py", 2, Some(Kind::Derived)))
    );
}
