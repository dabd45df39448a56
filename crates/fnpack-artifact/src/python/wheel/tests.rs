use super::*;

fn tags(text: &str) -> Vec<Tag> {
    Tag::parse(text)
}

#[test]
fn wheel_name_parts() {
    for (name, expected) in [
        ("orjson-3.11.4-cp313-cp313-manylinux_2_17_x86_64.manylinux2014_x86_64.whl", Some(("orjson", "3.11.4", 2))),
        ("a_b-1.0-2build-py2.py3-none-any.whl", Some(("a_b", "1.0", 2))),
        ("sh-1.12.14-py2.py3-none-any.whl", Some(("sh", "1.12.14", 2))),
        ("sh-1.12.14-x-py3-none-any.whl", None),
        ("sh-1.12.14-py3-none.whl", None),
        ("-1-py3-none-any.whl", None),
        ("sh-1.12.14.tar.gz", None),
        ("../sh-1-py3-none-any.whl", None),
        (".whl", None),
        ("", None),
    ] {
        let found: Option<WheelName> = name.parse().ok();
        let found = found.as_ref().map(|wheel| (wheel.project.as_str(), wheel.version.as_str(), wheel.tags.len()));
        assert_eq!(found, expected, "{name}");
    }
    let many = format!("a-1-{}-{}-any.whl", "py3.".repeat(1000), "none.".repeat(1000));
    assert_eq!(many.parse::<WheelName>().unwrap().tags.len(), TAG_LIMIT);
}

#[test]
fn file_name_is_that_of_the_tags() {
    for (lines, name) in [
        (&["py2-none-any", "py3-none-any"][..], "sh-1.0-py2.py3-none-any.whl"),
        (&["cp313-cp313-manylinux_2_17_x86_64.manylinux2014_x86_64"], "sh-1.0-cp313-cp313-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"),
    ] {
        let tags: Vec<Tag> = lines.iter().flat_map(|line| tags(line)).collect();
        assert_eq!(Tag::file_name("sh-1.0", &tags), name);
        assert_eq!(name.parse::<WheelName>().unwrap().tags, tags);
    }
}

#[test]
fn fits_by_python_libc_and_processor() {
    let debian = Runtime { python: Version(3, 13), libc: Some(Libc::Glibc), libc_version: Some(Version(2, 41)), arch: "amd64".into() };
    let alpine = Runtime { libc: Some(Libc::Musl), libc_version: Some(Version(1, 2)), ..debian.clone() };
    let old = Runtime { libc_version: Some(Version(2, 17)), ..debian.clone() };
    let unknown = Runtime { libc: None, libc_version: None, ..debian.clone() };
    for (tag, expected) in [
        ("py3-none-any", [true; 4]),
        ("py2.py3-none-any", [true; 4]),
        ("py2-none-any", [false; 4]),
        ("py39-none-any", [true; 4]),
        ("py314-none-any", [false; 4]),
        ("cp313-cp313-manylinux_2_17_x86_64.manylinux2014_x86_64", [true, false, true, true]),
        ("cp313-cp313-manylinux_2_28_x86_64", [true, false, false, true]),
        ("cp313-cp313-musllinux_1_2_x86_64", [false, true, false, true]),
        ("cp313-cp313-musllinux_1_3_x86_64", [false, false, false, true]),
        ("cp312-cp312-manylinux2014_x86_64", [false; 4]),
        ("cp313-cp313t-manylinux2014_x86_64", [false; 4]),
        ("cp313-cp313-manylinux2014_aarch64", [false; 4]),
        ("cp38-abi3-manylinux1_x86_64", [true, false, true, true]),
        ("cp314-abi3-manylinux1_x86_64", [false; 4]),
        ("py3-none-manylinux_2_12_x86_64.musllinux_1_1_x86_64", [true; 4]),
        ("cp313-none-any", [true; 4]),
        ("cp313-cp313-linux_x86_64", [true; 4]),
        ("cp313-cp313-macosx_11_0_arm64", [false; 4]),
        ("pp310-pypy310_pp73-manylinux2014_x86_64", [false; 4]),
        ("é-none-any", [false; 4]),
        ("", [false; 4]),
    ] {
        let found = [&debian, &alpine, &old, &unknown].map(|runtime| fits(&tags(tag), runtime));
        assert_eq!(found, expected, "{tag}");
    }
}

#[test]
fn needs_are_the_least_of_each_and_the_most_of_all() {
    let needs = |python, libc: Option<(Libc, Option<(u16, u16)>)>, arch: Option<&str>| Needs {
        python,
        libc: libc.map(|(libc, version)| (libc, version.map(|(first, second)| Version(first, second)))),
        arch: arch.map(str::to_owned),
    };
    let minor = Some(Version(3, 13));
    for (wheels, expected) in [
        (&["py3-none-any", "py2.py3-none-any"][..], needs(None, None, None)),
        (&["cp313-cp313-manylinux_2_17_x86_64.manylinux2014_x86_64"], needs(minor, Some((Libc::Glibc, Some((2, 17)))), Some("amd64"))),
        (
            &["cp38-abi3-manylinux_2_28_aarch64", "cp313-cp313-manylinux1_aarch64"],
            needs(minor, Some((Libc::Glibc, Some((2, 28)))), Some("arm64")),
        ),
        (&["cp38-abi3-musllinux_1_1_x86_64"], needs(None, Some((Libc::Musl, Some((1, 1)))), Some("amd64"))),
        (&["py3-none-manylinux_2_12_x86_64"], needs(None, Some((Libc::Glibc, Some((2, 12)))), Some("amd64"))),
        (&["cp313-cp313-linux_x86_64"], needs(minor, None, Some("amd64"))),
        (&["nonsense"], needs(None, None, None)),
    ] {
        let mut found = Needs::default();
        for wheel in wheels {
            found.add(&tags(wheel));
        }
        assert_eq!(found, expected, "{wheels:?}");
    }
    let mut compiled = Needs::default();
    compiled.add_libc(Libc::Glibc, None);
    compiled.add_libc(Libc::Glibc, Some(Version(2, 41)));
    compiled.add(&tags("cp313-cp313-manylinux_2_17_x86_64"));
    assert_eq!(compiled.libc, Some((Libc::Glibc, Some(Version(2, 41)))));
}

#[test]
fn metadata_fields() {
    let text = "Metadata-Version: 2.1\nName: Foo_Bar\nVersion: 1.2\nRequires-Python: >=3.8\nRequires-Dist: A.b (>=1)\n\
                Requires-Dist: c>=2; python_version < '3.11'\nRequires-Dist: d ; extra == 'x'\nRequires-Dist: \n\nName: body\n";
    let found = Metadata::parse(text);
    let requirement =
        |name: &str, versions: &str, marker: &str| Requirement { name: name.into(), versions: versions.into(), marker: marker.into() };
    let expected = Metadata {
        name: "Foo_Bar".into(),
        version: "1.2".into(),
        requires: vec![requirement("a-b", "(>=1)", ""), requirement("c", ">=2", "python_version < '3.11'")],
        requires_python: Some(">=3.8".into()),
    };
    assert_eq!(found, expected);
    assert_eq!(tags_of("Wheel-Version: 1.0\nTag: py2-none-any\nTag: py3-none-any\nRoot-Is-Purelib: true\n").len(), 2);
}

#[test]
fn versions_are_two_numbers() {
    for (text, expected) in [("3.13", Some("3.13")), ("1.2.5", Some("1.2")), ("3", None), ("3.x", None), ("", None), ("99999.1", None)] {
        assert_eq!(text.parse::<Version>().ok().map(|version| version.to_string()).as_deref(), expected, "{text}");
    }
}
