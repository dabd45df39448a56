use std::collections::BTreeMap;

use super::super::build;
use super::fake::{FakeHost, causes, context, plan};
use crate::digest::Digest;
use crate::executor::{Network, Privilege};
use crate::image::Image;

fn history(image: &Image) -> Vec<String> {
    let entries = image.config().history.iter().skip(1);
    entries.map(|entry| format!("{}{}", if entry.empty_layer { "" } else { "+ " }, entry.created_by.clone().unwrap())).collect()
}

fn env(command: &crate::executor::Command) -> BTreeMap<&str, &str> {
    command.environment.iter().map(|(name, value)| (name.to_str().unwrap(), value.to_str().unwrap())).collect()
}

#[test]
fn config_is_changed_and_history_kept() {
    let (host, folder) = (FakeHost::new(), context(&[]));
    let text = r#"
        FROM base
        ARG VERSION=1
        ENV A=x B="$A ${LANG}" PATH=/opt:$PATH
        LABEL v=$VERSION "with space"='$A'
        USER pulsar
        WORKDIR /srv
        WORKDIR new/${VERSION}
        RUN write /srv/file text
        RUN nothing
        ENTRYPOINT ["/bin/run", "$A"]
        CMD exec me
    "#;
    let image = host.build(text, folder.path()).unwrap();
    assert_eq!(
        history(&image),
        [
            "ARG VERSION=1",
            "ENV A=x B= C.UTF-8 PATH=/opt:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "LABEL v=1 with space=$A",
            "USER pulsar",
            "WORKDIR /srv",
            "+ WORKDIR /srv/new/1",
            "+ RUN |1 VERSION=1 /bin/sh -c write /srv/file text",
            "RUN |1 VERSION=1 /bin/sh -c nothing",
            r#"ENTRYPOINT ["/bin/run", "$A"]"#,
            r#"CMD ["/bin/sh", "-c", "exec me"]"#,
        ]
    );
    let config = &image.config().config;
    assert_eq!((config.user.as_str(), config.working_dir.as_str()), ("pulsar", "/srv/new/1"));
    assert_eq!(config.entrypoint.as_deref(), Some(["/bin/run".to_owned(), "$A".to_owned()].as_slice()));
    assert_eq!((image.label("v"), image.label("with space")), (Some("1"), Some("$A")));
    assert_eq!(image.layers().len(), 3);
    assert_eq!(image.config().history.iter().filter(|entry| !entry.empty_layer).count(), 3);
    assert!(host.files(&image).contains("/srv/new/ 755 10000:10001\n/srv/new/1/ 755 10000:10001\n"), "{}", host.files(&image));
}

#[test]
fn entrypoint_takes_an_inherited_command_away() {
    let (host, folder) = (FakeHost::new(), context(&[]));
    let command = |text: &str| host.build(text, folder.path()).unwrap().config().config.cmd.clone();
    assert_eq!(command("FROM base\nUSER 1").unwrap(), ["inherited"]);
    assert_eq!(command("FROM base\nENTRYPOINT [\"a\"]"), None);
    assert_eq!(command("FROM base\nCMD [\"b\"]\nENTRYPOINT [\"a\"]").unwrap(), ["b"]);
    assert_eq!(command("FROM base AS x\nCMD [\"b\"]\nFROM x\nENTRYPOINT [\"a\"]"), None);
}

#[test]
fn run_sees_environment_user_and_folder() {
    let (host, folder) = (FakeHost::new(), context(&[]));
    let text = "FROM base\nARG A=arg B=arg C\nENV B=env\nUSER 10000\nWORKDIR /w\nRUN x\nRUN [\"y\", \"$A\"]\nUSER 7:8\nRUN z";
    let mut plan = plan(text, folder.path());
    plan.build_args = [("C", "given"), ("HTTPS_PROXY", "http://proxy")].map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    plan.network = Network::None;
    let image = build(&plan, &host).unwrap();
    let commands = host.commands();
    let [shell, exec, numbers] = commands.as_slice() else { panic!("{commands:?}") };
    assert_eq!(shell.arguments, ["/bin/sh", "-c", "x"]);
    assert_eq!(exec.arguments, ["y", "$A"]);
    assert_eq!((shell.user.uid, shell.user.gid, shell.working_folder.to_str()), (10000, 10001, Some("/w")));
    assert_eq!((numbers.user.uid, numbers.user.gid), (7, 8));
    assert_eq!((shell.network, shell.privilege), (Network::None, Privilege::Container));
    let expected = [
        ("A", "arg"),
        ("B", "env"),
        ("C", "given"),
        ("HOME", "/pulsar"),
        ("HTTPS_PROXY", "http://proxy"),
        ("LANG", "C.UTF-8"),
        ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
    ];
    assert_eq!(env(shell), BTreeMap::from(expected));
    assert!(!String::from_utf8_lossy(image.config_bytes()).contains("proxy"));
}

#[test]
fn run_takes_here_documents_to_the_shell() {
    let (host, folder) = (FakeHost::new(), context(&[]));
    let text = "FROM base\nRUN <<EOF\na\nb\nEOF\nRUN cat <<-A > /x && <<B y\n\t1\nA\n2\nB\nRUN <<-EOF\n\t#!/bin/python3\n\tx\n\tEOF\n";
    let image = host.build(text, folder.path()).unwrap();
    let arguments: Vec<_> = host.commands().into_iter().map(|command| command.arguments.last().unwrap().clone()).collect();
    assert_eq!(arguments, ["a\nb\n", "cat <<-A > /x && <<B y\n\t1\nA\n2\nB", "/.fnpack-run"]);
    assert!(!host.files(&image).contains("fnpack-run"));
}

#[test]
fn run_uses_the_shell_of_the_base() {
    let (mut host, folder) = (FakeHost::new(), context(&[]));
    host.change_image("base", |config| {
        config.config.rest.insert("Shell".to_owned(), serde_json::json!(["/bin/bash", "-ec"]));
    });
    host.build("FROM base\nRUN x", folder.path()).unwrap();
    assert_eq!(host.commands()[0].arguments, ["/bin/bash", "-ec", "x"]);
}

#[test]
fn run_failures_are_named() {
    let (host, folder) = (FakeHost::new(), context(&[]));
    let long = format!("exit 3 \\\n   {}", "x".repeat(200));
    for (text, expected) in [
        ("FROM base\n\nRUN exit 3", "Dockerfile:3: `exit 3` failed with exit status 3".to_owned()),
        ("FROM base\nRUN [\"sh\", \"exit 4\"]", "Dockerfile:2: `sh exit 4` failed with exit status 4".into()),
        ("FROM base\nRUN vanish", "Dockerfile:2: cannot run `vanish`: interrupted".into()),
        (
            "FROM base\nUSER nobody\nRUN x",
            "Dockerfile:3: cannot tell who `nobody` is: the image has no user `nobody` in /etc/passwd".into(),
        ),
        (
            "FROM base\nRUN print W: Failed to fetch http://deb.debian.org/debian/x  Could not|W: Some index files failed to download. They|",
            "Dockerfile:2: apt could not reach `deb.debian.org`, although `print W: Failed to fetch http://deb.debian.org/debian/x \
             Could not|W: Some index files failed to download. They|` ended well"
                .into(),
        ),
        ("FROM base\nWORKDIR /etc/passwd/x", "Dockerfile:2: cannot prepare `/etc/passwd/x` in the image: `/etc/passwd` is a file in the image and would be replaced by a folder".into()),
    ] {
        assert_eq!(host.fail(text, folder.path()), expected);
    }
    let shortened = format!("exit 3 {}…", "x".repeat(113));
    assert_eq!(
        host.fail(&format!("FROM base\nRUN {long}"), folder.path()),
        format!("Dockerfile:2: `{shortened}` failed with exit status 3")
    );
}

#[test]
fn failed_step_leaves_nothing_behind() {
    let (host, folder) = (FakeHost::new(), context(&[]));
    let text = "FROM base\nRUN write /a 1\nRUN exit 1";
    host.fail(text, folder.path());
    assert_eq!(host.opened(), 2);
    host.fail(text, folder.path());
    // The first step was kept, the failed one runs again.
    assert_eq!(host.opened(), 1);
}

#[test]
fn steps_are_found_again_by_what_they_depend_on() {
    let (host, folder) = (FakeHost::new(), context(&[]));
    let text = "FROM base\nARG A=1\nRUN write /a $A\nRUN nothing";
    let first = host.build(text, folder.path()).unwrap();
    assert_eq!(host.opened(), 2);
    let again = host.build(text, folder.path()).unwrap();
    assert_eq!((host.opened(), again.digest()), (0, first.digest()));
    assert_eq!(host.events().into_iter().filter(|event| event.ends_with("cached")).collect::<Vec<_>>(), ["3 cached", "4 cached"]);
    for (change, opened) in [
        ("FROM base\nARG A=2\nRUN write /a $A\nRUN nothing", 2),
        ("FROM base\nARG A=1\nLABEL x=y\nRUN write /a $A\nRUN nothing", 0),
        ("FROM base\nARG A=1\nUSER 7\nRUN write /a $A", 1),
        ("FROM base\nARG A=1\nWORKDIR /etc\nRUN write /a $A", 2),
        ("FROM base\nARG A=1\nRUN  write /a $A", 0),
    ] {
        host.build(change, folder.path()).unwrap();
        assert_eq!(host.opened(), opened, "{change}");
    }
    let mut plan = plan(text, folder.path());
    plan.no_cache = true;
    build(&plan, &host).unwrap();
    assert_eq!(host.opened(), 2);
}

#[test]
fn result_is_the_same_on_every_host() {
    let folder = context(&[("a", "1"), ("d/b", "2")]);
    let text = "FROM base\nCOPY . /x/\nRUN write /y z\nWORKDIR /w";
    let digests: Vec<Digest> = (0..2).map(|_| FakeHost::new().build(text, folder.path()).unwrap().digest()).collect();
    assert_eq!(digests[0], digests[1]);
}

#[test]
fn arguments_have_scopes() {
    let (host, folder) = (FakeHost::new(), context(&[]));
    let build_with = |text: &str, args: &[(&str, &str)]| {
        let mut plan = plan(text, folder.path());
        plan.build_args = args.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        build(&plan, &host).map(|image| image.label("x").unwrap_or("none").to_owned()).map_err(|error| causes(&error))
    };
    for (text, args, expected) in [
        ("ARG A=1\nFROM base\nLABEL x=\"$A\"", &[] as &[_], Ok("")),
        ("ARG A=1\nFROM base\nARG A\nLABEL x=$A", &[], Ok("1")),
        ("ARG A=1\nFROM base\nARG A=2\nLABEL x=$A", &[], Ok("2")),
        ("ARG A=1\nFROM base\nARG A=2\nLABEL x=$A", &[("A", "3")], Ok("3")),
        ("ARG A=1\nARG B=$A.2\nFROM base\nARG B\nLABEL x=$B", &[("A", "3")], Ok("3.2")),
        ("FROM base\nARG A=1\nENV A=2\nLABEL x=$A", &[("A", "3")], Ok("2")),
        ("FROM base\nENV A=2\nARG A=1\nLABEL x=$A", &[], Ok("2")),
        ("FROM base\nARG LANG=x\nLABEL x=$LANG", &[], Ok("C.UTF-8")),
        ("FROM base\nLABEL x=$A\nARG A=1", &[("A", "3")], Ok("")),
        ("FROM base AS a\nARG A=1\nFROM base\nLABEL x=$A", &[], Ok("")),
        ("FROM base\nARG TARGETPLATFORM BUILDARCH\nLABEL x=$TARGETPLATFORM-$BUILDARCH", &[], Ok("linux/amd64-arm64")),
        ("FROM base\nLABEL x=$TARGETPLATFORM", &[], Ok("")),
        ("ARG I=base\nFROM $I\nLABEL x=1", &[], Ok("1")),
        ("ARG I\nFROM ${I:-base}\nLABEL x=1", &[], Ok("1")),
        ("ARG I\nFROM $I", &[], Err("Dockerfile:2: `$I` is empty after expansion (`I` has no value; give one with `--build-arg`)")),
        ("FROM base\nLABEL x=\"${A?say it}\"", &[], Err("Dockerfile:2: `A` is not set: say it")),
        ("FROM base\nWORKDIR $A", &[], Err("Dockerfile:2: `$A` is empty after expansion")),
        ("FROM base\nUSER \"a", &[], Err("Dockerfile:2: the quote \" in `\"a` is not closed")),
    ] {
        assert_eq!(build_with(text, args), expected.map(str::to_owned).map_err(str::to_owned), "{text}");
    }
}

#[test]
fn expansion_is_bounded_over_the_whole_file() {
    let (host, folder) = (FakeHost::new(), context(&[]));
    let doubling = "FROM base\nENV A=0123456789abcdef\n".to_owned() + &"ENV A=$A$A\n".repeat(30);
    let text = format!("FROM base\nENV A={}\n", "x".repeat(100_000)) + &"ARG B=$A\n".repeat(100);
    for text in [doubling, text] {
        assert!(host.fail(&text, folder.path()).ends_with("variables are expanded to more text than a build can use"));
    }
}

#[test]
fn remarks_are_made() {
    let (host, folder) = (FakeHost::new(), context(&[]));
    let mut plan = plan("FROM base\nENV A $B\nARG C\nENV D=$C", folder.path());
    plan.build_args = [("TYPO", "1"), ("no_proxy", "x")].map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    build(&plan, &host).unwrap();
    let remarks: Vec<String> = host.events().into_iter().filter(|event| event.starts_with("line")).collect();
    assert_eq!(
        remarks,
        [
            "line 2: `ENV A value` is the old form: write `ENV A=value`",
            "line 0: the build argument `TYPO` is declared by no `ARG`",
            "line 2: `B` is declared by no `ARG` or `ENV` and taken as empty",
        ]
    );
}
