use super::flags::DEFINITIONS;
use super::*;

fn parse_with(arguments: &str, environment: &[(&str, &str)], api: &str) -> Result<Arguments, FlagError> {
    let value = |name: &str| environment.iter().find(|(variable, _)| *variable == name).map(|(_, value)| (*value).to_owned());
    let arguments = arguments.split_whitespace().map(str::to_owned).collect();
    Arguments::parse(Phase::Create, api.parse().unwrap(), arguments, &value)
}

fn parse(arguments: &str) -> Result<Arguments, FlagError> {
    parse_with(arguments, &[], "0.15")
}

#[test]
fn flags_are_written_in_gos_ways() {
    for text in ["-app /a -tag t1 -tag=t2 -daemon", "--app=/a --tag t1,t2 --daemon=T", "-app /x -app /a -tag=t1 -tag t2 -daemon=1"] {
        let arguments = parse(&format!("{text} image more -tag no")).unwrap();
        assert_eq!(arguments.path(Flag::App), Path::new("/a"), "{text}");
        assert_eq!(arguments.list(Flag::Tag), ["t1", "t2"], "{text}");
        assert!(arguments.is_on(Flag::Daemon), "{text}");
        assert_eq!(arguments.positional, ["image", "more", "-tag", "no"], "{text}");
    }
    assert_eq!(parse("-uid 7 -- -app").unwrap().positional, ["-app"]);
    assert_eq!(parse("- -app").unwrap().positional, ["-", "-app"]);
}

#[test]
fn wrong_flags_are_refused() {
    let unknown = |name: &str| FlagError::Unknown { name: name.to_owned() };
    let value = |name, value: &str| FlagError::Value { name, value: value.to_owned() };
    for (text, expected) in [
        ("-nothing", unknown("nothing")),
        ("-analyzed x", unknown("analyzed")),
        ("image", unknown("")),
        ("-app", FlagError::NoValue { name: "app" }),
        ("-uid x", value("uid", "x")),
        ("-uid=-1", value("uid", "-1")),
        ("-daemon=maybe", value("daemon", "maybe")),
        ("---app x", FlagError::Syntax { text: "---app".to_owned() }),
        ("-=x", FlagError::Syntax { text: "-=x".to_owned() }),
        ("-help", FlagError::Help),
    ] {
        match parse(text) {
            Err(error) => assert_eq!(error, expected, "{text}"),
            Ok(arguments) => assert_eq!(arguments.positional, [text]),
        }
    }
}

#[test]
fn flag_beats_environment_beats_default() {
    let environment = [("CNB_APP_DIR", "/env"), ("CNB_LAYERS_DIR", "/env/layers"), ("CNB_USE_DAEMON", "true"), ("CNB_PROCESS_TYPE", "")];
    let arguments = parse_with("-app /flag -daemon=false", &environment, "0.15").unwrap();
    assert_eq!(arguments.path(Flag::App), Path::new("/flag"));
    assert_eq!(arguments.path(Flag::Report), Path::new("/env/layers/report.toml"));
    assert_eq!(arguments.path(Flag::Platform), Path::new("/platform"));
    assert_eq!((arguments.is_on(Flag::Daemon), arguments.text(Flag::ProcessType)), (false, None));
    assert_eq!(parse_with("", &[("CNB_USER_ID", "root")], "0.15").unwrap_err(), FlagError::Value { name: "uid", value: "root".into() });
}

#[test]
fn flags_come_and_go_with_the_version() {
    let count = |phase: Phase, api: &str| phase.definitions(api.parse().unwrap()).count();
    for (phase, at_9, at_15) in [
        (Phase::Analyze, 15, 18),
        (Phase::Detect, 10, 16),
        (Phase::Restore, 11, 18),
        (Phase::Build, 9, 11),
        (Phase::Export, 21, 26),
        (Phase::Rebase, 9, 12),
        (Phase::Create, 24, 31),
    ] {
        assert_eq!((count(phase, "0.9"), count(phase, "0.15")), (at_9, at_15), "{phase:?}");
    }
    assert_eq!(parse_with("-run x", &[], "0.9").unwrap_err(), FlagError::Unknown { name: "run".to_owned() });
    assert_eq!(parse_with("", &[("CNB_RUN_PATH", "/x")], "0.9").unwrap().given(Flag::Run), None);
    assert!(usage(Phase::Create, "0.9".parse().unwrap()).contains("\n  -uid int\n"));
}

#[test]
fn every_flag_is_described_once() {
    for definition in &DEFINITIONS {
        assert!(std::ptr::eq(definition.flag.definition(), definition), "{}", definition.name);
        assert_eq!(DEFINITIONS.iter().filter(|other| other.name == definition.name).count(), 1, "{}", definition.name);
    }
}
