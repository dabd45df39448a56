use proptest::prelude::*;

use super::ast::{Argument, CommandLine, Copy, From, HereDocument, Pair, Run};
use super::*;

fn pairs(keyword: &str, pairs: &[Pair]) -> String {
    let pairs = pairs.iter().map(|Pair { name, value }| format!(" {name}={value}"));
    keyword.to_owned() + &pairs.collect::<String>()
}

fn arguments(arguments: &[Argument]) -> String {
    let arguments = arguments.iter().map(|Argument { name, default }| match default {
        Some(default) => format!(" {name}={default}"),
        None => format!(" {name}"),
    });
    "ARG".to_owned() + &arguments.collect::<String>()
}

fn command(command: &CommandLine) -> String {
    match command {
        CommandLine::Shell(line) => format!("sh({line})"),
        CommandLine::Exec(words) => format!("exec{words:?}"),
    }
}

fn document(document: &HereDocument) -> String {
    let HereDocument { name, descriptor, strip_tabs, expand, .. } = document;
    let (dash, quote) = (if *strip_tabs { "-" } else { "" }, if *expand { "" } else { "'" });
    format!(" {descriptor}<<{dash}{quote}{name}{quote}{:?}", document.text())
}

fn instruction(instruction: &Instruction) -> String {
    match instruction {
        Instruction::Arg(list) => arguments(list),
        Instruction::Run(Run { command: line, documents }) => {
            format!("RUN {}{}", command(line), documents.iter().map(document).collect::<String>())
        }
        Instruction::Copy(Copy { from, chown, chmod, link, sources, destination }) => {
            let flags = [("from", from), ("chown", chown), ("chmod", chmod)].map(|(name, value)| match value {
                Some(value) => format!("{name}={value} "),
                None => String::new(),
            });
            let link = if *link { "link " } else { "" };
            format!("COPY {}{link}{sources:?} -> {destination}", flags.concat())
        }
        Instruction::Env(list) => pairs("ENV", list),
        Instruction::Label(list) => pairs("LABEL", list),
        Instruction::User(user) => format!("USER {user}"),
        Instruction::Workdir(folder) => format!("WORKDIR {folder}"),
        Instruction::Entrypoint(line) => format!("ENTRYPOINT {}", command(line)),
        Instruction::Cmd(line) => format!("CMD {}", command(line)),
    }
}

/// The file as the parser understood it, one instruction a line.
fn shown(dockerfile: &Dockerfile) -> String {
    let mut lines: Vec<String> = dockerfile.arguments.iter().map(|step| arguments(&step.arguments)).collect();
    for Stage { from: From { image, platform, name }, steps, .. } in &dockerfile.stages {
        let platform = platform.as_ref().map(|platform| format!("[{platform}] ")).unwrap_or_default();
        let name = name.as_ref().map(|name| format!(" AS {name}")).unwrap_or_default();
        lines.push(format!("FROM {platform}{image}{name}"));
        lines.extend(steps.iter().map(|step| instruction(&step.instruction)));
    }
    lines.join("\n")
}

#[test]
fn parse_understands_the_language() {
    for (text, expected) in [
        // The shape of a file.
        ("FROM a", "FROM a"),
        ("from a as Build", "FROM a AS build"),
        ("FROM --platform=$BUILDPLATFORM golang:1.22 AS b-1_2.x", "FROM [$BUILDPLATFORM] golang:1.22 AS b-1_2.x"),
        ("ARG V=1\nFROM a:${V:-2}\nFROM b", "ARG V=1\nFROM a:${V:-2}\nFROM b"),
        ("\u{feff}FROM a\n", "FROM a"),
        ("\u{feff}# escape=`\nFROM a\nRUN a `\n b", "FROM a\nRUN sh(a  b)"),
        ("FROM a\r\nRUN x \\\r\n  y\r\n", "FROM a\nRUN sh(x   y)"),
        ("  \t FROM   a  \n\n\n\tRUN   b  ", "FROM a\nRUN sh(b)"),
        // Directives.
        ("# syntax=docker/dockerfile:1\n# escape=`\nFROM a\nCOPY c:\\ d", "FROM a\nCOPY [\"c:\\\\\"] -> d"),
        ("#ESCAPE = ` \nFROM a\nRUN b`\nc", "FROM a\nRUN sh(bc)"),
        ("# a comment\n# escape=`\nFROM a\nRUN b\\\nc", "FROM a\nRUN sh(bc)"),
        ("# unknown=1\n# escape=`\nFROM a\nRUN b\\\nc", "FROM a\nRUN sh(bc)"),
        ("\n# escape=`\nFROM a\nRUN b\\\nc", "FROM a\nRUN sh(bc)"),
        ("# check=skip=all\nFROM a", "FROM a"),
        // Comments and continuations.
        ("# one\nFROM a\n  # two\nRUN b # three", "FROM a\nRUN sh(b # three)"),
        ("FROM a\nRUN b \\\n# gone\n  # gone too\n  && c", "FROM a\nRUN sh(b   && c)"),
        ("FROM a\nRUN b \\\n\n  c", "FROM a\nRUN sh(b   c)"),
        ("FROM a\nRUN b \\ \t\n  c", "FROM a\nRUN sh(b   c)"),
        ("FROM a\nRUN b \\\\\nRUN c", "FROM a\nRUN sh(b \\\\)\nRUN sh(c)"),
        ("FROM a\nRUN \\\n  b", "FROM a\nRUN sh(b)"),
        ("FROM a\nRUN b \\", "FROM a\nRUN sh(b)"),
        ("FROM \\\n a \\\n as \\\n b", "FROM a AS b"),
        // Forms of commands.
        ("FROM a\nCMD [\"b\", \"c d\"]", "FROM a\nCMD exec[\"b\", \"c d\"]"),
        ("FROM a\nCMD []", "FROM a\nCMD exec[]"),
        ("FROM a\nCMD [ \"b\", \\\n  \"c\" ]", "FROM a\nCMD exec[\"b\", \"c\"]"),
        ("FROM a\nRUN ['b', 'c']", "FROM a\nRUN sh(['b', 'c'])"),
        ("FROM a\nRUN [ -f /x ] && echo \"y\"", "FROM a\nRUN sh([ -f /x ] && echo \"y\")"),
        ("FROM a\nENTRYPOINT [\"/bin/x\"]\nCMD y z", "FROM a\nENTRYPOINT exec[\"/bin/x\"]\nCMD sh(y z)"),
        ("FROM a\nENTRYPOINT exec top -b", "FROM a\nENTRYPOINT sh(exec top -b)"),
        ("FROM a\nRUN [\"\\u0041\"]", "FROM a\nRUN exec[\"A\"]"),
        // Names and values.
        ("FROM a\nENV b=c d=\"e f\" g=h\\ i", "FROM a\nENV b=c d=\"e f\" g=h\\ i"),
        ("FROM a\nENV b c  d \"e\"", "FROM a\nENV b=c  d \"e\""),
        ("FROM a\nENV b=", "FROM a\nENV b="),
        ("FROM a\nENV b='c \\' d=e", "FROM a\nENV b='c \\' d=e"),
        ("FROM a\nENV b=c=d", "FROM a\nENV b=c=d"),
        ("FROM a\nENV b=1 \\\n    c=2", "FROM a\nENV b=1 c=2"),
        ("FROM a\nLABEL \"com.example.x\"=\"y z\" v=1", "FROM a\nLABEL \"com.example.x\"=\"y z\" v=1"),
        ("FROM a\nLABEL x y z", "FROM a\nLABEL x=y z"),
        ("FROM a\nARG b c=d e=\"f g\"", "FROM a\nARG b c=d e=\"f g\""),
        ("FROM a\nUSER 10000:10001\nWORKDIR /a b", "FROM a\nUSER 10000:10001\nWORKDIR /a b"),
        // COPY.
        ("FROM a\nCOPY b c d/", "FROM a\nCOPY [\"b\", \"c\"] -> d/"),
        ("FROM a\nCOPY [\"b c\", \"d\"]", "FROM a\nCOPY [\"b c\"] -> d"),
        ("FROM a\nCOPY --from=0 --chown=1:2 --chmod=755 b c", "FROM a\nCOPY from=0 chown=1:2 chmod=755 [\"b\"] -> c"),
        ("FROM a\nCOPY --chown=\"x\" [\"b\", \"c\"]", "FROM a\nCOPY chown=x [\"b\"] -> c"),
        ("FROM a\nCOPY --link --chown=1 b c", "FROM a\nCOPY chown=1 link [\"b\"] -> c"),
        ("FROM a\nCOPY --link=False b c", "FROM a\nCOPY [\"b\"] -> c"),
        ("FROM a\nCOPY -- --b c", "FROM a\nCOPY [\"--b\"] -> c"),
        // Here-documents.
        ("FROM a\nRUN <<EOF\nb\n# c\n\nd \\\nEOF\nRUN e", "FROM a\nRUN sh(<<EOF) 0<<EOF\"b\\n# c\\n\\nd \\\\\\n\"\nRUN sh(e)"),
        ("FROM a\nRUN <<-'EOF'\n\t\tb\n\tEOF\n", "FROM a\nRUN sh(<<-'EOF') 0<<-'EOF'\"b\\n\""),
        ("FROM a\nRUN cat <<EOF > /x\nb\nEOF", "FROM a\nRUN sh(cat <<EOF > /x) 0<<EOF\"b\\n\""),
        ("FROM a\nRUN python3 - <<\"EOF\"\nb\nEOF", "FROM a\nRUN sh(python3 - <<\"EOF\") 0<<'EOF'\"b\\n\""),
        ("FROM a\nRUN <<A b && <<B c\n1\nA\n2\nB", "FROM a\nRUN sh(<<A b && <<B c) 0<<A\"1\\n\" 0<<B\"2\\n\""),
        ("FROM a\nRUN b 3<<EOF\nEOF", "FROM a\nRUN sh(b 3<<EOF) 3<<EOF\"\""),
        ("FROM a\nRUN b <<EOF; c\nd\nEOF", "FROM a\nRUN sh(b <<EOF; c) 0<<EOF\"d\\n\""),
        ("FROM a\r\nRUN <<EOF\r\nb\r\nEOF\r\n", "FROM a\nRUN sh(<<EOF) 0<<EOF\"b\\n\""),
        ("FROM a\nRUN b \\\n <<EOF\nc\nEOF", "FROM a\nRUN sh(b  <<EOF) 0<<EOF\"c\\n\""),
        ("FROM a\nRUN <<'A B'\nc\nA B", "FROM a\nRUN sh(<<'A B') 0<<'A B'\"c\\n\""),
        ("FROM a\nRUN b <<< EOF\nRUN $((1<<2)) x << y \"<<z\"", "FROM a\nRUN sh(b <<< EOF)\nRUN sh($((1<<2)) x << y \"<<z\")"),
        ("FROM a\nRUN [\"b\", \"<<c\"]\nCMD <<EOF", "FROM a\nRUN exec[\"b\", \"<<c\"]\nCMD sh(<<EOF)"),
    ] {
        match parse(text) {
            Ok(dockerfile) => assert_eq!(shown(&dockerfile), expected, "{text:?}"),
            Err(error) => panic!("{text:?}: {error}"),
        }
    }
}

#[test]
fn parse_names_mistakes() {
    const SUPPORTED: &str = "ARG, CMD, COPY, ENTRYPOINT, ENV, FROM, LABEL, RUN, USER, WORKDIR";
    let not_yet = |line: usize, name: &str| format!("line {line}: `{name}` is not supported yet (supported are {SUPPORTED})");
    for (text, expected) in [
        ("", "line 1: the file has no instruction".to_owned()),
        ("# only\n\n", "line 1: the file has no instruction".into()),
        ("ARG a", "line 1: there is no `FROM`".into()),
        ("ARG a\n\nRUN b\nFROM c", "line 3: `RUN` stands before the first `FROM`".into()),
        ("FROM a\n\nHEALTHCHECK NONE", not_yet(3, "HEALTHCHECK")),
        ("FROM a\nonbuild run <<E\nx\nE", not_yet(2, "ONBUILD")),
        ("FROM a\nADD <<E /x\nE", not_yet(2, "ADD")),
        ("FROM a\nCOPPY b c", "line 2: `COPPY` is not an instruction (did you mean `COPY`?)".into()),
        ("FROM a\nENTYRPOINT b", "line 2: `ENTYRPOINT` is not an instruction (did you mean `ENTRYPOINT`?)".into()),
        ("FROM a\napt-get update", "line 2: `apt-get` is not an instruction".into()),
        ("FROM a\n&& b", "line 2: `&&` is not an instruction".into()),
        ("FROM", "line 1: `FROM` needs an image, or `image AS stage`".into()),
        ("FROM a b", "line 1: `FROM` needs an image, or `image AS stage`".into()),
        (
            "FROM a AS 1st",
            "line 1: `1st` cannot be a stage name: it starts with a letter, and letters, digits, `-`, `_` and `.` follow".into(),
        ),
        ("FROM a AS b\nFROM c AS B", "line 2: the stage `b` is defined on line 1 already".into()),
        ("FROM a\nRUN", "line 2: `RUN` needs a command".into()),
        ("FROM a\nRUN []", "line 2: `RUN` needs a command".into()),
        ("FROM a\nRUN [\"a\", 1]", "line 2: the exec form of `RUN` takes strings only".into()),
        ("FROM a\nRUN --mount=type=cache,target=/x b", "line 2: `RUN --mount` is not supported yet".into()),
        ("FROM a\nRUN --network=none b", "line 2: `RUN --network` is not supported yet".into()),
        ("FROM a\nRUN --security=insecure b", "line 2: `RUN --security` is not supported yet".into()),
        ("FROM a\nCOPY --link=yes b c", "line 2: `--link` is `true` or `false`".into()),
        ("FROM a\nCOPY --chown b c", "line 2: `--chown` needs a value: `--chown=…`".into()),
        ("FROM a\nCOPY --parents b c", "line 2: `COPY --parents` is not supported yet".into()),
        ("FROM a\nCOPY --exclude=x b c", "line 2: `COPY --exclude` is not supported yet".into()),
        ("FROM a\nCOPY --chwon=1 b c", "line 2: `COPY` has no flag `--chwon`".into()),
        ("FROM a\nCOPY --chown b c", "line 2: `--chown` needs a value: `--chown=…`".into()),
        ("FROM a\nCOPY --chown=1 --chown=2 b c", "line 2: `--chown` is given twice".into()),
        ("FROM a\nCOPY --from=$x b c", "line 2: `--from` cannot hold a variable".into()),
        ("FROM a\nCOPY b", "line 2: `COPY` needs at least one source and a destination".into()),
        ("FROM a\nCOPY <<EOF /b\nc\nEOF", "line 2: a here-document in `COPY` is not supported yet".into()),
        ("FROM a\nENV", "line 2: `ENV` needs a name and a value".into()),
        ("FROM a\nENV b", "line 2: `ENV` needs a name and a value".into()),
        ("FROM a\nENV b=c d", "line 2: `d` has no `=`: `ENV` takes `name=value` pairs".into()),
        ("FROM a\nLABEL =c", "line 2: `=c` has no name before the `=`".into()),
        ("FROM a\nARG", "line 2: `ARG` needs a name".into()),
        ("FROM a\nARG =b", "line 2: `=b` has no name before the `=`".into()),
        ("FROM a\nUSER", "line 2: `USER` needs a user".into()),
        ("FROM a\nWORKDIR \\\n", "line 2: `WORKDIR` needs a folder".into()),
        ("FROM a\nCMD --x y", "line 2: `CMD` has no flag `--x`".into()),
        ("FROM a\nRUN <<EOF\nb\n EOF", "line 2: the here-document `EOF` has no end: a line with `EOF` alone is missing".into()),
        ("# escape=x\nFROM a", "line 1: `x` cannot be the escape character: only `\\` and ` can".into()),
        ("# syntax=a\n# syntax=b\nFROM a", "line 2: the directive `syntax` is given twice".into()),
        ("FROM a\nRUN \0", "line 2: the line holds a NUL byte".into()),
    ] {
        match parse(text) {
            Ok(dockerfile) => panic!("{text:?} is taken as {}", shown(&dockerfile)),
            Err(error) => assert_eq!(error.to_string(), expected, "{text:?}"),
        }
    }
}

#[test]
fn parse_bytes_refuses_what_is_no_text() {
    assert_eq!(parse_bytes(b"FROM a\nRUN \xff").unwrap_err().to_string(), "line 2: the line is not text in UTF-8");
    let long = vec![b'#'; MAXIMUM_BYTES + 1];
    assert_eq!(parse_bytes(&long).unwrap_err().problem, Problem::TooLong { limit: MAXIMUM_BYTES });
}

#[test]
fn positions_cover_the_whole_instruction() {
    let text = "FROM a\nRUN b \\\n  c <<EOF\nd\nEOF\nCMD e\n";
    let dockerfile = parse(text).unwrap();
    let [run, cmd] = dockerfile.stages[0].steps.as_slice() else { panic!() };
    assert_eq!((run.position.line, run.position.last_line), (2, 5));
    assert_eq!(&text[run.position.span.clone()], "RUN b \\\n  c <<EOF\nd\nEOF\n");
    assert_eq!((cmd.position.line, &text[cmd.position.span.clone()]), (6, "CMD e\n"));
}

#[test]
fn warnings_point_at_what_is_hardly_meant() {
    let text = "FROM a\nENV b c\nRUN d \\\n\n e\nCMD ['f']\nRUN [ -f x ]\n";
    let warnings = parse(text).unwrap().warnings;
    let shown: Vec<String> = warnings.iter().map(|warning| format!("{}: {}", warning.line, warning.message)).collect();
    assert_eq!(
        shown,
        [
            "2: `ENV b value` is the old form: write `ENV b=value`",
            "4: an empty line inside an instruction: end the line before without a continuation, or write `#`",
            "6: `['f']` is not a JSON array, so it goes to the shell as it is",
        ]
    );
}

proptest! {
    #[test]
    fn parse_never_panics_on_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = parse_bytes(&bytes);
    }

    /// Pieces of the language in any order get deeper than bytes at random do.
    #[test]
    fn parse_never_panics_on_pieces(pieces in proptest::collection::vec(prop::sample::select(PIECES), 0..40)) {
        let text = pieces.concat();
        let (dockerfile, _) = parse_all(&text);
        for step in dockerfile.stages.iter().flat_map(|stage| &stage.steps) {
            prop_assert!(text.get(step.position.span.clone()).is_some());
            prop_assert!(step.position.line <= step.position.last_line);
        }
    }
}

const PIECES: &[&str] = &[
    "FROM a",
    "FROM a AS b",
    "RUN ",
    "COPY ",
    "ENV ",
    "ARG ",
    "LABEL ",
    "CMD ",
    "ONBUILD ",
    "ADD ",
    "\n",
    "\n",
    "\r\n",
    " ",
    "\t",
    "\\",
    "`",
    "\\\n",
    "#",
    "# escape=`\n",
    "\"",
    "'",
    "[",
    "]",
    "[\"a\"]",
    "<<EOF",
    "<<-'E'",
    "EOF\n",
    "E\n",
    "3<<",
    "--",
    "--from=",
    "--chown=x ",
    "=",
    "a",
    "é",
    "\u{feff}",
    "\0",
    "$",
    "${a:-b}",
];
