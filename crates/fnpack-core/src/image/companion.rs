//! What goes along with an image: signatures, SBOMs and attestations, which refer to it by its digest.
//!
//! A manifest refers to the one that its `subject` names (OCI image specification, `manifest.md`). Where a registry
//! does not list such manifests, an index of them stands under the tag `sha256-HEX` (OCI distribution specification,
//! "Referrers Tag Schema"). Cosign also keeps its own under `sha256-HEX.sig`, `.att` and `.sbom`.

use serde::Deserialize;

use super::{Descriptor, ManifestTree};
use crate::digest::Digest;

/// The ends of cosign's tags.
const COSIGN: [&str; 3] = [".sig", ".att", ".sbom"];

/// A manifest or index that refers to another.
#[derive(Debug, Clone)]
pub struct Companion {
    /// What it refers to.
    pub subject: Digest,
    /// The tag that it is found by; none if it names its subject itself.
    pub tag: Option<String>,
    /// Itself.
    pub tree: ManifestTree,
}

/// The tag under which clients list what refers to a manifest.
pub fn referrers_tag(subject: &Digest) -> String {
    format!("sha256-{}", subject.hex())
}

/// The tags under which cosign keeps what is about a manifest.
pub fn cosign_tags(subject: &Digest) -> [String; 3] {
    COSIGN.map(|end| format!("{}{end}", referrers_tag(subject)))
}

/// What a tag of one of these kinds is about.
pub fn subject_of_tag(tag: &str) -> Option<Digest> {
    let hex = tag.strip_prefix("sha256-")?;
    let hex = COSIGN.iter().find_map(|end| hex.strip_suffix(end)).unwrap_or(hex);
    format!("sha256:{hex}").parse().ok()
}

/// The `subject` of a manifest or index.
pub fn subject_of(document: &[u8]) -> Option<Digest> {
    #[derive(Deserialize)]
    struct Referring {
        subject: Option<Descriptor>,
    }
    serde_json::from_slice(document).ok().and_then(|document: Referring| document.subject).map(|subject| subject.digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_lead_to_their_subject() {
        let subject = Digest::of("x");
        for tag in cosign_tags(&subject).iter().chain([&referrers_tag(&subject)]) {
            assert_eq!(subject_of_tag(tag), Some(subject), "{tag}");
        }
        let hex = "a".repeat(64);
        for tag in ["", "latest", "sha256-", "sha256-abc.sig", &format!("sha256-{hex}.other"), &format!("sha512-{hex}")] {
            assert_eq!(subject_of_tag(tag), None, "{tag}");
        }
    }

    #[test]
    fn subjects_are_read_of_what_is_a_manifest() {
        let subject = Digest::of("x");
        let manifest = format!(r#"{{"schemaVersion":2,"subject":{{"mediaType":"a/b","digest":"{subject}","size":1}}}}"#);
        assert_eq!(subject_of(manifest.as_bytes()), Some(subject));
        for document in ["{}", "[", r#"{"subject":null}"#, r#"{"subject":{"digest":"x"}}"#] {
            assert_eq!(subject_of(document.as_bytes()), None, "{document}");
        }
    }
}
