//! report.toml: what platforms read after an export or a rebase.
//!
//! Answers the CNB platform specification, "report.toml".

use toml::{Table, Value};

use crate::digest::Digest;
use crate::image::Image;

/// What was made under which names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The names of the image.
    pub tags: Vec<String>,
    /// How to find it.
    pub image: ReportedImage,
}

/// Registries know an image by its manifest, daemons by its config.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportedImage {
    /// In a registry or a layout.
    Manifest {
        /// Digest of the manifest.
        digest: Digest,
        /// Length of the manifest.
        size: u64,
    },
    /// In a daemon.
    Id(Digest),
}

impl Report {
    /// Of an image in a registry.
    pub fn of(image: &Image, tags: Vec<String>) -> Self {
        let size = image.manifest_bytes().len() as u64;
        Self { tags, image: ReportedImage::Manifest { digest: image.digest(), size } }
    }

    /// The file.
    pub fn encode(&self) -> String {
        let tags = self.tags.iter().cloned().map(Value::from).collect::<Vec<_>>();
        let mut image = Table::from_iter([("tags".to_owned(), Value::from(tags))]);
        match self.image {
            ReportedImage::Id(id) => drop(image.insert("image-id".to_owned(), id.hex().into())),
            ReportedImage::Manifest { digest, size } => {
                image.insert("digest".to_owned(), digest.to_string().into());
                image.insert("manifest-size".to_owned(), Value::Integer(i64::try_from(size).unwrap_or(i64::MAX)));
            }
        }
        Table::from_iter([("image".to_owned(), Value::from(image))]).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn report_names_the_image_as_its_holder_does() {
        let digest = Digest::of("");
        let report = |image| Report { tags: vec!["a:1".into(), "a:2".into()], image }.encode();
        let expected = format!("[image]\ntags = [\"a:1\", \"a:2\"]\ndigest = \"{digest}\"\nmanifest-size = 7\n");
        assert_eq!(report(ReportedImage::Manifest { digest, size: 7 }), expected);
        assert_eq!(report(ReportedImage::Id(digest)), format!("[image]\ntags = [\"a:1\", \"a:2\"]\nimage-id = \"{}\"\n", digest.hex()));
    }
}
