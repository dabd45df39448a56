//! The manifest of a jar (JAR file specification, "JAR Manifest"), read leniently and written in one way.

/// Longer lines are wrapped, by the specification; the end of the line is counted in, as some readers do.
const LINE_LIMIT: usize = 70;

/// Of the machine and the moment of a build, not of what was built; not to be kept where bytes must repeat.
const OF_THE_MOMENT: [&str; 8] =
    ["Bnd-LastModified", "Build-Date", "Build-Jdk", "Build-Time", "Build-Timestamp", "Built-By", "Created-By", "Implementation-Build-Date"];

/// A manifest: attributes of the jar, then sections for some of its entries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Manifest {
    main: Vec<(String, String)>,
    sections: Vec<Vec<(String, String)>>,
}

impl Manifest {
    /// Lines that are no attributes are left out.
    pub(super) fn parse(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes).replace("\r\n", "\n").replace('\r', "\n");
        let unfolded = text.replace("\n ", "");
        let mut sections = unfolded.split("\n\n").map(|section| section.lines().filter_map(attribute).collect());
        let main = sections.next().unwrap_or_default();
        Self { main, sections: sections.filter(|section: &Vec<_>| !section.is_empty()).collect() }
    }

    /// Whether the jar has classes for some Java releases only.
    pub(super) fn is_multi_release(&self) -> bool {
        self.main.iter().any(|(name, value)| name.eq_ignore_ascii_case("Multi-Release") && value.eq_ignore_ascii_case("true"))
    }

    /// Sets an attribute of the jar; an empty value removes it.
    pub(super) fn set(&mut self, name: &str, value: &str) {
        self.main.retain(|(present, _)| !present.eq_ignore_ascii_case(name));
        if !value.is_empty() {
            self.main.push((name.to_owned(), value.to_owned()));
        }
    }

    /// Removes what signatures left, as the jar's content is changed, and what tells of the build's machine and time.
    pub(super) fn settle(&mut self) {
        self.main.retain(|(name, _)| !OF_THE_MOMENT.iter().any(|momentary| name.eq_ignore_ascii_case(momentary)));
        for section in &mut self.sections {
            section.retain(|(name, _)| !is_digest(name));
        }
        self.sections.retain(|section| section.iter().any(|(name, _)| !name.eq_ignore_ascii_case("Name")));
    }

    /// The version comes first, by the specification.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let is_version = |(name, _): &&(String, String)| name.eq_ignore_ascii_case("Manifest-Version");
        let mut text = String::new();
        add_line(&mut text, "Manifest-Version", "1.0");
        for (name, value) in self.main.iter().filter(|attribute| !is_version(attribute)) {
            add_line(&mut text, name, value);
        }
        text.push_str("\r\n");
        for section in &self.sections {
            for (name, value) in section {
                add_line(&mut text, name, value);
            }
            text.push_str("\r\n");
        }
        text.into_bytes()
    }
}

fn attribute(line: &str) -> Option<(String, String)> {
    let (name, value) = line.split_once(':')?;
    let is_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == '_';
    let valid = !name.is_empty() && name.len() < LINE_LIMIT - 2 && name.chars().all(is_name);
    valid.then(|| (name.to_owned(), value.strip_prefix(' ').unwrap_or(value).to_owned()))
}

fn is_digest(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.contains("-digest") || name == "magic"
}

/// Wrapped where a line is full, never inside a letter.
fn add_line(text: &mut String, name: &str, value: &str) {
    let mut rest = format!("{name}: {value}");
    loop {
        let end = rest.floor_char_boundary(LINE_LIMIT);
        let next = rest.split_off(end);
        text.push_str(&rest);
        text.push_str("\r\n");
        if next.is_empty() {
            return;
        }
        rest = format!(" {next}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(manifest: &Manifest) -> String {
        String::from_utf8(manifest.to_bytes()).unwrap()
    }

    #[test]
    fn manifest_reads_what_it_writes() {
        let mut manifest = Manifest::parse(b"Manifest-Version: 1.0\nMain-Class: x.A\n\nName: x/\nSealed: true\n");
        let paths: Vec<String> = (0..30).map(|number| format!("lib/größe-{number}.jar")).collect();
        manifest.set("Class-Path", &paths.join(" "));
        let text = written(&manifest);
        assert!(text.starts_with("Manifest-Version: 1.0\r\nMain-Class: x.A\r\nClass-Path: lib/gr"), "{text}");
        assert!(text.ends_with("\r\n\r\nName: x/\r\nSealed: true\r\n\r\n"), "{text}");
        assert!(text.split("\r\n").all(|line| line.len() <= LINE_LIMIT), "{text}");
        assert_eq!(Manifest::parse(text.as_bytes()).to_bytes(), manifest.to_bytes());
        manifest.set("class-path", "");
        assert_eq!(written(&manifest), "Manifest-Version: 1.0\r\nMain-Class: x.A\r\n\r\nName: x/\r\nSealed: true\r\n\r\n");
    }

    #[test]
    fn manifest_settles() {
        let mut manifest = Manifest::parse(
            b"Manifest-Version: 1.0\r\nBuilt-By: me\r\nBuild-Jdk: 17.0.1\r\nBuild-Jdk-Spec: 17\r\n\r\n\
              Name: a\r\nSHA-256-Digest: x\r\n\r\nName: b\r\nSHA1-Digest-Manifest: x\r\nSealed: true\r\n",
        );
        manifest.settle();
        assert_eq!(written(&manifest), "Manifest-Version: 1.0\r\nBuild-Jdk-Spec: 17\r\n\r\nName: b\r\nSealed: true\r\n\r\n");
    }

    #[test]
    fn manifest_survives_nonsense() {
        for (bytes, expected) in [
            (b"".as_slice(), "Manifest-Version: 1.0\r\n\r\n"),
            (b"\xff\xfe\0", "Manifest-Version: 1.0\r\n\r\n"),
            (b" folded: first\n:x\na b: c\nno colon\nOk: 1", "Manifest-Version: 1.0\r\nOk: 1\r\n\r\n"),
            (b"Multi-Release: TRUE\n x", "Manifest-Version: 1.0\r\nMulti-Release: TRUEx\r\n\r\n"),
        ] {
            assert_eq!(written(&Manifest::parse(bytes)), expected);
        }
        assert!(Manifest::parse(b"multi-release: True\n").is_multi_release());
        assert!(!Manifest::parse(b"Multi-Release: false\n").is_multi_release());
    }
}
