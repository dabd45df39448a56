use super::*;

fn verdicts(source: &str) -> Vec<(String, Verdict)> {
    SourceFile::parse(source).definitions.into_iter().map(|definition| (definition.name, definition.verdict)).collect()
}

fn only(source: &str) -> Verdict {
    match verdicts(source).as_slice() {
        [(_, verdict)] => *verdict,
        others => panic!("{source}: {others:?}"),
    }
}

#[test]
fn source_file_finds_function_classes() {
    const PROCESS: &str = "\n    def process(self, input, context):\n        return input\n";
    for (head, expected) in [
        ("from pulsar import Function\nclass A(Function):", Kind::Derived),
        ("from pulsar import Client, Function as F\nclass A(F):", Kind::Derived),
        ("from pulsar import *\nclass A(Function):", Kind::Derived),
        ("import pulsar\nclass A(pulsar.Function):", Kind::Derived),
        ("import os, pulsar as p\n@decorated\nclass A(Base, p.Function, metaclass=M):", Kind::Derived),
        ("try:\n    from pulsar import Function\nexcept ImportError:\n    Function = object\nclass A(Function):", Kind::Derived),
        ("class A:", Kind::Shaped),
        ("class A(object):", Kind::Shaped),
        ("from other import Function\nclass A(Function):", Kind::Shaped),
        ("# from pulsar import Function\nclass A(Function):", Kind::Shaped),
    ] {
        assert_eq!(only(&format!("{head}{PROCESS}")), Verdict::Function(expected), "{head}");
    }
}

#[test]
fn source_file_judges_arguments_of_a_class() {
    use Refusal::{Asynchronous, ClassArguments, InitArguments, NoProcess};
    for (body, refusal) in [
        ("def process(self, input, context): pass", None),
        ("def process(self, input: str, context: 'Context' = None) -> str: pass", None),
        ("def process(self, *arguments): pass", None),
        ("def process(self, *arguments: object, **named): pass", None),
        ("def process(self, input, /, context, *, flag=False): pass", None),
        ("@staticmethod\n    def process(input, context): pass", None),
        ("@staticmethod\n    def process(self, input, context): pass", Some(ClassArguments)),
        ("@classmethod\n    def process(cls, input, context): pass", None),
        ("def process(self, input): pass", Some(ClassArguments)),
        ("def process(self, input, context, more): pass", Some(ClassArguments)),
        ("def process(self, input, context, *, more): pass", Some(ClassArguments)),
        ("async def process(self, input, context): pass", Some(Asynchronous)),
        ("pass", Some(NoProcess)),
        ("def __init__(self): pass\n    def process(self, i, c): pass", None),
        ("def __init__(self, size=1, **named): pass\n    def process(self, i, c): pass", None),
        ("def __init__(self, size): pass\n    def process(self, i, c): pass", Some(InitArguments)),
        ("def __init__(self, *, size): pass\n    def process(self, i, c): pass", Some(InitArguments)),
    ] {
        let expected = refusal.map_or(Verdict::Function(Kind::Derived), Verdict::Refused);
        assert_eq!(only(&format!("from pulsar import Function\nclass A(Function):\n    {body}\n")), expected, "{body}");
    }
}

#[test]
fn source_file_judges_functions_of_a_module() {
    for (source, expected) in [
        ("def process(input): pass", Verdict::Function(Kind::Module)),
        ("def process(input, factor=2): pass", Verdict::Function(Kind::Module)),
        ("if True:\n    def process(input): pass", Verdict::Function(Kind::Module)),
        ("def process(input, context): pass", Verdict::Refused(Refusal::ModuleArguments)),
        ("def process(): pass", Verdict::Refused(Refusal::ModuleArguments)),
        ("async def process(input): pass", Verdict::Refused(Refusal::Asynchronous)),
        ("def exclaim(input): pass", Verdict::PlainFunction),
        ("class Worker:\n    def process(self, job): pass", Verdict::PlainClass),
        ("class Worker(elsewhere.Base): pass", Verdict::Unknown),
        ("class Worker:\n    async def process(self): pass", Verdict::PlainClass),
        ("class Worker:\n    async def process(self, i, c): pass", Verdict::Refused(Refusal::Asynchronous)),
    ] {
        assert_eq!(only(source), expected, "{source}");
    }
    assert_eq!(verdicts("if __name__ == '__main__':\n    def process(input): pass"), []);
    assert_eq!(verdicts("'''\ndef process(input): pass\n'''\n# def process(input): pass"), []);
}

#[test]
fn source_file_follows_classes_of_the_file() {
    let source = "import pulsar\nclass Base(pulsar.Function):\n    def process(self, i, c): pass\nclass A(Base): pass\nclass B(B): pass\n";
    let derived = Verdict::Function(Kind::Derived);
    assert_eq!(verdicts(source), [("Base".into(), derived), ("A".into(), derived), ("B".into(), Verdict::PlainClass)]);
}

#[test]
fn source_file_says_where_it_is_not_python() {
    for (source, expected) in [
        ("def process(input):\n    return input\n", None),
        ("match x:\n    case {'a': [*_]}: type T[U] = list[U]\nprint(f'{f'{x}'}')\n", None),
        ("", None),
        ("// a comment\n", Some((1, 1))),
        ("x = 1\ndef broken(:\n    pass\n", Some((2, 12))),
    ] {
        let found = SourceFile::parse(source).syntax_error.map(|place| (place.line, place.column));
        assert_eq!(found, expected, "{source}");
    }
    assert!(SourceFile::parse("class A:\n  def process(self, a, b): return (\n").syntax_error.is_some());
}

#[test]
fn source_file_deep_nesting_is_survived() {
    for source in ["(".repeat(50_000), "if x:\n".repeat(5_000), "class A(".repeat(20_000), "\u{0}\u{feff}{{{[[[".to_owned()] {
        let _ = SourceFile::parse(&source);
    }
}
