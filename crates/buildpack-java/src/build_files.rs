//! What the build files say, as far as it matters here: whether a Java release is set, and whether all that a build
//! takes from elsewhere is pinned. Both are read from words; where they deceive, a build does a little more.

use std::io::{self, Read};
use std::path::Path;

use fs_err::File;

use crate::project::Project;
use crate::tool::Tool;

/// Larger ones are not written by hand.
const FILE_LIMIT: u64 = 4 << 20;

/// Folders below this are not looked into.
const DEPTH_LIMIT: usize = 6;

/// The texts of all build files of a project.
#[derive(Debug, Default)]
pub(crate) struct BuildFiles {
    tool_is_maven: bool,
    /// Of the folder that the tool starts in.
    root: String,
    all: Vec<String>,
}

impl BuildFiles {
    pub(crate) fn read(application: &Path, project: &Project) -> io::Result<Self> {
        let root = application.join(&project.root);
        let mut files = Self { tool_is_maven: project.tool == Tool::Maven, ..Self::default() };
        if files.tool_is_maven {
            files.root = read(&root.join("pom.xml"))?;
        }
        files.add(&root, 0)?;
        Ok(files)
    }

    fn add(&mut self, folder: &Path, depth: usize) -> io::Result<()> {
        for entry in fs_err::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let is_folder = entry.file_type()?.is_dir();
            if is_folder && depth < DEPTH_LIMIT && !["src", "target", "build", "node_modules", ".git"].contains(&&*name) {
                self.add(&entry.path(), depth + 1)?;
            } else if !is_folder && self.is_build_file(&name) {
                self.all.push(read(&entry.path())?);
            }
        }
        Ok(())
    }

    fn is_build_file(&self, name: &str) -> bool {
        let suffixes: &[&str] =
            if self.tool_is_maven { &["pom.xml", "maven.config"] } else { &[".gradle", ".gradle.kts", ".toml", "gradle.properties"] };
        suffixes.iter().any(|suffix| name.ends_with(suffix))
    }

    /// Whether the project says which Java it compiles for. A parent from elsewhere is taken to say so.
    pub(crate) fn set_release(&self) -> bool {
        let words: &[&str] = if self.tool_is_maven {
            &["maven.compiler.", "<release>", "<source>", "<target>", "java.version", "jvmTarget"]
        } else {
            &["Compatibility", "options.release", "toolchain", "jvmTarget", "jvmToolchain", "kotlin"]
        };
        let has_parent = self.tool_is_maven && self.root.contains("<parent>");
        has_parent || self.all.iter().any(|text| words.iter().any(|word| text.contains(word)))
    }

    /// Whether the same files give the same result at any time, on any machine: no snapshots, no ranges, nothing of
    /// the environment.
    pub(crate) fn are_pinned(&self) -> bool {
        let floats = if self.tool_is_maven { pom_floats } else { script_floats };
        !self.all.iter().any(|text| floats(text))
    }
}

fn read(path: &Path) -> io::Result<String> {
    if !path.is_file() {
        return Ok(String::new());
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(FILE_LIMIT).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// A project's own version may be a snapshot: only what it takes from elsewhere counts, which is in these elements.
fn pom_floats(text: &str) -> bool {
    let taken = ["dependency", "plugin", "extension", "properties"].into_iter().flat_map(|name| elements(text, name));
    text.contains("${env.") || text.contains("systemPath") || parent_floats(text) || taken.into_iter().any(version_floats)
}

/// One from a file is a build file too.
fn parent_floats(text: &str) -> bool {
    let is_elsewhere = |parent: &&str| parent.contains("<relativePath/>") || parent.contains("<relativePath></relativePath>");
    elements(text, "parent").filter(is_elsewhere).any(version_floats)
}

/// Contents of all elements of a name, those that are nested with the first of them.
fn elements<'a>(text: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let (begin, end) = (format!("<{name}>"), format!("</{name}>"));
    let parts: Vec<&str> = text.split(begin.as_str()).skip(1).collect();
    parts.into_iter().map(move |part| part.split(end.as_str()).next().unwrap_or_default())
}

fn version_floats(element: &str) -> bool {
    let values = element.split('>').skip(1).filter_map(|part| part.split_once("</")).map(|(value, _)| value.trim());
    values.into_iter().any(|value| value.ends_with("-SNAPSHOT") || ["LATEST", "RELEASE"].contains(&value) || is_range(value))
}

/// `[1.0,2.0)`, `(,1.0]`
fn is_range(value: &str) -> bool {
    value.starts_with(['[', '(']) && value.ends_with([']', ')']) && value.contains(',')
}

/// Versions stand in quoted words: `"group:name:1.+"`, `version = "latest.release"`.
fn script_floats(text: &str) -> bool {
    if ["System.getenv", "providers.environmentVariable", "apply from: 'http", "apply from: \"http", "changing"]
        .iter()
        .any(|word| text.contains(word))
    {
        return true;
    }
    text.split(['"', '\'', '\n']).any(|word| {
        let version = word.rsplit(':').next().unwrap_or_default();
        let is_coordinate = word.matches(':').count() >= 2;
        (is_coordinate && version.contains("SNAPSHOT")) || version.starts_with("latest.") || is_range(version) || is_prefix(version)
    })
}

/// `1.+` or `+`, and not a sum.
fn is_prefix(version: &str) -> bool {
    let Some(start) = version.strip_suffix('+') else { return false };
    start.chars().all(|letter| letter.is_ascii_digit() || letter == '.') && (start.is_empty() || start.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(tool: Tool, texts: &[(&str, &str)]) -> BuildFiles {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in texts {
            let path = folder.path().join(path);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, text).unwrap();
        }
        let project = Project { tool, root: "".into(), modules: vec!["".into()] };
        BuildFiles::read(folder.path(), &project).unwrap()
    }

    #[test]
    fn set_release_in_any_build_file() {
        for (tool, texts, set) in [
            (Tool::Maven, &[("pom.xml", "<project/>")][..], false),
            (Tool::Maven, &[("pom.xml", "<maven.compiler.source>11</maven.compiler.source>")], true),
            (Tool::Maven, &[("pom.xml", "<project/>"), ("a/pom.xml", "<release>17</release>")], true),
            (Tool::Maven, &[("pom.xml", "<parent>spring</parent>")], true),
            (Tool::Maven, &[("pom.xml", "<project/>"), ("a/pom.xml", "<parent>..</parent>")], false),
            (Tool::Maven, &[("pom.xml", "<project/>"), ("src/x/pom.xml", "<release>")], false),
            (Tool::Gradle, &[("build.gradle", "plugins { id 'java' }")], false),
            (Tool::Gradle, &[("build.gradle", "sourceCompatibility = 11")], true),
            (Tool::Gradle, &[("build.gradle.kts", "java { toolchain { } }")], true),
        ] {
            assert_eq!(files(tool, texts).set_release(), set, "{texts:?}");
        }
    }

    #[test]
    fn poms_are_pinned_but_for_what_floats() {
        let dependency = |version: &str| format!("<dependency><artifactId>a</artifactId><version>{version}</version></dependency>");
        for (text, pinned) in [
            (format!("<project><version>1-SNAPSHOT</version>{}</project>", dependency("1.0")), true),
            (dependency("1.0-SNAPSHOT"), false),
            (dependency("[1.0,2.0)"), false),
            (dependency("LATEST"), false),
            (dependency("${project.version}"), true),
            ("<plugin><version>RELEASE</version></plugin>".to_owned(), false),
            ("<properties><a.version>1-SNAPSHOT</a.version></properties>".to_owned(), false),
            ("<parent><version>1-SNAPSHOT</version></parent>".to_owned(), true),
            ("<parent><version>1-SNAPSHOT</version><relativePath/></parent>".to_owned(), false),
            ("<argLine>${env.HOME}</argLine>".to_owned(), false),
        ] {
            assert_eq!(files(Tool::Maven, &[("pom.xml", &text)]).are_pinned(), pinned, "{text}");
        }
    }

    #[test]
    fn scripts_are_pinned_but_for_what_floats() {
        for (text, pinned) in [
            ("version = '1.0-SNAPSHOT'\nimplementation 'a:b:1.0'", true),
            ("implementation 'a:b:1.0-SNAPSHOT'", false),
            ("implementation(\"a:b:1.+\")", false),
            ("implementation 'a:b:+'", false),
            ("implementation group: 'a', name: 'b', version: 'latest.release'", false),
            ("implementation 'a:b:[1.0,2.0)'", false),
            ("def x = 'a' + 'b' + \"c\"", true),
            ("def home = System.getenv('HOME')", false),
            ("apply from: 'https://example.com/x.gradle'", false),
        ] {
            assert_eq!(files(Tool::Gradle, &[("build.gradle", text)]).are_pinned(), pinned, "{text}");
        }
        assert!(!files(Tool::Gradle, &[("build.gradle", ""), ("gradle/libs.versions.toml", "a = \"1.+\"")]).are_pinned());
    }
}
