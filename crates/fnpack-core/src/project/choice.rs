//! Which buildpacks a build takes, as the user asks for them. The forms of a name are those of `pack build --buildpack`.

use std::path::{Path, PathBuf};

use crate::builder::ModuleId;
use crate::reference::{Reference, ReferenceError};

/// Stands for the builder's own groups.
const BUILDER_ORDER: [&str; 2] = ["from=builder", "urn:cnb:builder"];
const IN_BUILDER: &str = "urn:cnb:builder:";
const IN_REGISTRY: &str = "urn:cnb:registry:";
const IMAGE: &str = "docker://";
const FILE: &str = "file://";

/// The buildpacks of one build, where they are not simply the builder's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BuildpackChoice {
    /// One group in place of the builder's order.
    pub only: Vec<BuildpackSource>,
    /// In front of every group of the builder.
    pub before: Vec<BuildpackSource>,
    /// Behind every group of the builder.
    pub after: Vec<BuildpackSource>,
}

/// One buildpack that a user asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildpackSource {
    /// Where it is.
    pub place: BuildpackPlace,
    /// The id that it must have, if one is said.
    pub id: Option<String>,
    /// The version that it must have, if one is said.
    pub version: Option<String>,
}

/// Where a buildpack is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BuildpackPlace {
    /// The groups of the builder, all of them.
    BuilderOrder,
    /// In the builder.
    Builder(ModuleId),
    /// A folder, a tar, a tgz or a `.cnb` file.
    Path(PathBuf),
    /// An image that is a buildpack package.
    Image(Reference),
    /// A buildpack of the builder, else an image: which one, only the builder can tell.
    Name(String),
    /// A script in the project.toml itself.
    Inline(InlineBuildpack),
}

/// A buildpack that consists of one script for `bin/build`; it takes part in every build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InlineBuildpack {
    /// Its id and version.
    pub module: ModuleId,
    /// The Buildpack API that it is written for.
    pub api: String,
    /// What runs the script.
    pub shell: String,
    /// The script.
    pub script: String,
}

/// A text that names no buildpack.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceNameError {
    /// Nothing at all.
    #[error("a name of a buildpack is empty")]
    Empty,
    /// Something to be downloaded.
    #[error("the buildpack `{name}` would have to be downloaded, which fnpack does not do")]
    Download {
        /// As given.
        name: String,
    },
    /// An entry of the public index of buildpacks.
    #[error("the buildpack `{name}` is one of the public buildpack registry, which fnpack does not ask")]
    Registry {
        /// As given.
        name: String,
    },
    /// An image that cannot be one.
    #[error("the buildpack `{name}` cannot be an image")]
    Image {
        /// As given.
        name: String,
        /// Why not.
        #[source]
        source: ReferenceError,
    },
}

impl BuildpackChoice {
    /// Whether it is the builder's order as it stands.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl InlineBuildpack {
    /// The files of its folder, by name.
    pub fn files(&self) -> [(&'static str, String); 3] {
        let mut table = toml::Table::new();
        table.insert("api".into(), self.api.clone().into());
        let own: toml::Table = [("id", &self.module.id), ("version", &self.module.version)]
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value.clone().into()))
            .collect();
        table.insert("buildpack".into(), own.into());
        let target: toml::Table = std::iter::once(("os".to_owned(), "linux".into())).collect();
        table.insert("targets".into(), vec![target].into());
        [
            ("buildpack.toml", table.to_string()),
            // A script of nothing ends well, whatever the shell.
            ("bin/detect", format!("#!{}\n", self.shell)),
            ("bin/build", format!("#!{}\n{}\n", self.shell, self.script)),
        ]
    }
}

impl From<BuildpackPlace> for BuildpackSource {
    fn from(place: BuildpackPlace) -> Self {
        Self { place, id: None, version: None }
    }
}

impl BuildpackPlace {
    /// Reads a name; relative paths begin at `folder`. A file or folder that is there comes before all that a bare
    /// name can mean otherwise.
    pub fn parse(text: &str, folder: &Path) -> Result<Self, SourceNameError> {
        let name = || text.to_owned();
        if text.is_empty() {
            return Err(SourceNameError::Empty);
        }
        if BUILDER_ORDER.contains(&text) {
            return Ok(Self::BuilderOrder);
        }
        if let Some(module) = text.strip_prefix(IN_BUILDER) {
            return Ok(Self::Builder(module_id(module)));
        }
        if text.starts_with(IN_REGISTRY) {
            return Err(SourceNameError::Registry { name: name() });
        }
        if let Some(image) = text.strip_prefix(IMAGE) {
            let parsed = image.trim_start_matches('/').parse();
            return parsed.map(Self::Image).map_err(|source| SourceNameError::Image { name: name(), source });
        }
        if let Some(path) = text.strip_prefix(FILE) {
            return Ok(Self::Path(folder.join(path)));
        }
        if text.contains("://") {
            return Err(SourceNameError::Download { name: name() });
        }
        let path = folder.join(text);
        if is_path(text) || path.exists() { Ok(Self::Path(path)) } else { Ok(Self::Name(name())) }
    }
}

/// Whether a text cannot be but a path, there or not.
fn is_path(text: &str) -> bool {
    matches!(text, "." | "..") || ["/", "./", "../"].iter().any(|start| text.starts_with(start))
}

/// `id` or `id@version`.
pub(crate) fn module_id(text: &str) -> ModuleId {
    let (id, version) = text.rsplit_once('@').unwrap_or((text, ""));
    ModuleId::new(id, version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_mean_what_pack_takes_them_for() {
        let folder = tempfile::tempdir().unwrap();
        fs_err::create_dir(folder.path().join("orders")).unwrap();
        let path = |name: &str| BuildpackPlace::Path(folder.path().join(name));
        for (text, place) in [
            ("from=builder", BuildpackPlace::BuilderOrder),
            ("urn:cnb:builder:a/b@1", BuildpackPlace::Builder(ModuleId::new("a/b", "1"))),
            ("urn:cnb:builder:a", BuildpackPlace::Builder(ModuleId::new("a", ""))),
            ("orders", path("orders")),
            ("./orders", path("./orders")),
            ("./not-there", path("./not-there")),
            ("..", path("..")),
            ("/absolute", BuildpackPlace::Path("/absolute".into())),
            ("file:///absolute.tgz", BuildpackPlace::Path("/absolute.tgz".into())),
            ("docker://example.com/a:1", BuildpackPlace::Image("example.com/a:1".parse().unwrap())),
            ("a/b@1", BuildpackPlace::Name("a/b@1".into())),
            ("example.com/a:1", BuildpackPlace::Name("example.com/a:1".into())),
        ] {
            assert_eq!(BuildpackPlace::parse(text, folder.path()), Ok(place), "{text}");
        }
    }

    #[test]
    fn inline_script_becomes_a_whole_buildpack() {
        let inline = InlineBuildpack {
            module: ModuleId::new("a/\"b", "0.0.0"),
            api: "0.10".into(),
            shell: "/usr/bin/env bash".into(),
            script: "echo \"$1\"".into(),
        };
        let [(_, toml), (_, detect), (name, build)] = inline.files();
        let read = crate::builder::BuildpackToml::parse("buildpack.toml", &toml).unwrap();
        assert_eq!((read.module(), read.targets.len(), read.warnings.len()), (inline.module, 1, 0));
        assert_eq!((detect.as_str(), name, build.as_str()), ("#!/usr/bin/env bash\n", "bin/build", "#!/usr/bin/env bash\necho \"$1\"\n"));
    }

    #[test]
    fn names_that_cannot_be_had_are_refused() {
        for (text, message) in [
            ("", "a name of a buildpack is empty"),
            (
                "https://example.com/a.tgz",
                "the buildpack `https://example.com/a.tgz` would have to be downloaded, which fnpack does not do",
            ),
            (
                "urn:cnb:registry:a/b",
                "the buildpack `urn:cnb:registry:a/b` is one of the public buildpack registry, which fnpack does not ask",
            ),
            ("docker://A:B:C", "the buildpack `docker://A:B:C` cannot be an image"),
        ] {
            assert_eq!(BuildpackPlace::parse(text, Path::new("")).unwrap_err().to_string(), message);
        }
    }
}
