//! Whole trees, from one registry of the test kit to another.

use std::collections::BTreeSet;
use std::io::Write;

use testkit::registry::Registry;

use crate::digest::{DiffId, Digest};
use crate::image::{BlobSink, Descriptor, Image, ImageConfig, Index, Layer, ManifestTree, MemoryBlobs, Platform, media_type};
use crate::reference::Reference;
use crate::registry::{RegistryClient, RegistryError, Settings};

fn client() -> RegistryClient {
    RegistryClient::new(Settings::default()).unwrap()
}

fn name(registry: &Registry, rest: &str) -> Reference {
    format!("{}/{rest}", registry.host()).parse().unwrap()
}

fn layer(text: &str) -> Layer {
    let mut pending = MemoryBlobs::default().create().unwrap();
    pending.write_all(text.as_bytes()).unwrap();
    let (digest, size, blob) = pending.commit(None).unwrap();
    Layer { descriptor: Descriptor::new(media_type::OCI_LAYER, digest, size), diff_id: DiffId::of(text), blob }
}

fn image(target: &str, layers: &[&str]) -> Image {
    Image::from_parts(ImageConfig::new(&target.parse().unwrap()), layers.iter().map(|text| layer(text)).collect())
}

/// An index of two targets and one attestation.
fn put_index(registry: &Registry, repository: &str) -> Digest {
    let images = [image("linux/amd64", &["one", "shared"]), image("linux/arm64/v8", &["two", "shared"])];
    let mut entries = Vec::new();
    for image in &images {
        client().push(image, &name(registry, repository).pinned(image.digest())).unwrap();
        entries.push(ManifestTree::of(image).descriptor);
    }
    let attestation = put_artifact(registry, repository, None);
    let unknown = Platform::from(&"unknown/unknown".parse().unwrap());
    entries.push(Descriptor { platform: Some(unknown), ..Descriptor::of(media_type::OCI_MANIFEST, &attestation) });
    let index = Index::new(entries).encode();
    registry.put_manifest(repository, "1", media_type::OCI_INDEX, &index).parse().unwrap()
}

/// A manifest whose config is of no image; gives its bytes.
fn put_artifact(registry: &Registry, repository: &str, subject: Option<Digest>) -> Vec<u8> {
    let (config, blob) = (registry.put_blob(repository, b"{}"), registry.put_blob(repository, b"signature"));
    let mut manifest = serde_json::json!({
        "schemaVersion": 2, "mediaType": media_type::OCI_MANIFEST, "artifactType": "application/x",
        "config": { "mediaType": "application/vnd.oci.empty.v1+json", "digest": config, "size": 2 },
        "layers": [{ "mediaType": "text/plain", "digest": blob, "size": 9 }],
    });
    if let Some(subject) = subject {
        manifest["subject"] = serde_json::json!({ "mediaType": media_type::OCI_INDEX, "digest": subject, "size": 1 });
    }
    let bytes = manifest.to_string().into_bytes();
    registry.put_manifest(repository, &testkit::registry::digest(&bytes), media_type::OCI_MANIFEST, &bytes);
    bytes
}

#[test]
fn index_is_copied_with_all_that_it_names() {
    let (one, other) = (Registry::new(), Registry::new());
    let digest = put_index(&one, "team/app");
    let tree = client().tree(&name(&one, "team/app:1")).unwrap();
    assert_eq!((tree.descriptor.digest, tree.children.len(), tree.images().unwrap().len()), (digest, 3, 2));
    let pushed = client().push_tree(&tree, &name(&other, "copy/app:2")).unwrap();
    // Six blobs of two images, one of them the same, and two of the attestation.
    assert_eq!((pushed.reference.digest(), pushed.sent, pushed.present), (Some(digest), 7, 1));
    assert_eq!(other.manifest("copy/app", "2"), one.manifest("team/app", "1"));
    other.forget_requests();
    let again = client().push_tree(&tree, &name(&other, "copy/app:2")).unwrap();
    assert_eq!((again.sent, again.present, other.request_lines()), (0, 7, vec!["HEAD /v2/copy/app/manifests/2".to_owned()]));
    for target in ["linux/amd64", "linux/arm64"] {
        client().pull(&name(&other, "copy/app:2"), &target.parse().unwrap()).unwrap();
    }
}

#[test]
fn index_in_the_same_registry_is_copied_without_bytes() {
    let registry = Registry::new();
    put_index(&registry, "team/app");
    let tree = client().tree(&name(&registry, "team/app:1")).unwrap();
    let pushed = client().push_tree(&tree, &name(&registry, "copy/app:1")).unwrap();
    // The layer that two of them share is small, so it is taken over again rather than asked for.
    assert_eq!((pushed.sent, pushed.mounted), (0, 8));
}

#[test]
fn connection_is_used_again_after_a_config_was_read() {
    let registry = Registry::new();
    let (reference, client) = (name(&registry, "app:1"), client());
    client.push(&image("linux/amd64", &["layer"]), &reference).unwrap();
    let before = registry.connections();
    for _ in 0..3 {
        client.tree(&reference).unwrap().image().unwrap();
    }
    assert_eq!(registry.connections(), before);
}

#[test]
fn referrers_go_along_whoever_lists_them() {
    for (from_lists, to_lists) in [(true, true), (true, false), (false, true), (false, false)] {
        let (one, other) = (Registry::new(), Registry::new());
        let digest = put_index(&one, "app");
        let artifact = put_artifact(&one, "app", Some(digest));
        if !from_lists {
            one.keep_no_referrers();
            let list = Index::new(vec![Descriptor::of(media_type::OCI_MANIFEST, &artifact)]).encode();
            one.put_manifest("app", &format!("sha256-{}", digest.hex()), media_type::OCI_INDEX, &list);
        }
        if !to_lists {
            other.keep_no_referrers();
        }
        let (from, to) = (name(&one, "app:1"), name(&other, "app:1"));
        let companions = client().companions(&from, &[digest]).unwrap();
        assert_eq!(companions.len(), 1, "{from_lists} {to_lists}");
        client().push_tree(&client().tree(&from).unwrap(), &to).unwrap();
        // Twice: a list must not name it twice.
        for _ in 0..2 {
            client().push_companions(&companions, &to).unwrap();
        }
        assert_eq!(found(&to, &[digest]), [(digest, None, Digest::of(&artifact))], "{from_lists} {to_lists}");
    }
}

/// What goes along with what, under which tag.
fn found(reference: &Reference, subjects: &[Digest]) -> Vec<(Digest, Option<String>, Digest)> {
    let companions = client().companions(reference, subjects).unwrap();
    companions.into_iter().map(|companion| (companion.subject, companion.tag, companion.tree.descriptor.digest)).collect()
}

#[test]
fn signatures_of_children_and_of_signatures_go_along() {
    let (one, other) = (Registry::new(), Registry::new());
    let index = put_index(&one, "app");
    let tree = client().tree(&name(&one, "app:1")).unwrap();
    let child = tree.children[1].descriptor.digest;
    let sbom = put_artifact(&one, "app", Some(child));
    let signature = put_artifact(&one, "app", Some(Digest::of(&sbom)));
    let tag = |subject: Digest, end: &str| format!("sha256-{}.{end}", subject.hex());
    for (subject, end) in [(index, "sig"), (child, "att"), (child, "sbom"), (Digest::of(&sbom), "sig"), (Digest::of("another"), "sig")] {
        let bytes = put_artifact(&one, "app", Some(Digest::of(end)));
        one.put_manifest("app", &tag(subject, end), media_type::OCI_MANIFEST, &bytes);
    }
    let companions = client().companions(&name(&one, "app:1"), &tree.digests()).unwrap();
    let to = name(&other, "copy:1");
    client().push_tree(&tree, &to).unwrap();
    client().push_companions(&companions, &to).unwrap();
    let mut there: Vec<(Digest, Option<String>)> =
        found(&to, &tree.digests()).into_iter().map(|(subject, tag, _)| (subject, tag)).collect();
    let mut expected = vec![
        (index, Some(tag(index, "sig"))),
        (child, None),
        (child, Some(tag(child, "att"))),
        (child, Some(tag(child, "sbom"))),
        (Digest::of(&sbom), None),
        (Digest::of(&sbom), Some(tag(Digest::of(&sbom), "sig"))),
    ];
    there.sort();
    expected.sort();
    assert_eq!(there, expected);
    assert_eq!(other.manifest("copy", &Digest::of(&signature).to_string()), Some(signature));
}

#[test]
fn indexes_without_end_are_refused() {
    let registry = Registry::new();
    let mut entry = Descriptor::of(media_type::OCI_INDEX, b"");
    for depth in 0..6 {
        let entries = if depth == 0 { Vec::new() } else { vec![entry] };
        let index = Index::new(entries).encode();
        entry = Descriptor::of(media_type::OCI_INDEX, &index);
        registry.put_manifest("deep", &depth.to_string(), media_type::OCI_INDEX, &index);
    }
    assert_eq!(client().tree(&name(&registry, "deep:2")).unwrap().images().unwrap().len(), 0);
    let error = client().tree(&name(&registry, "deep:5")).unwrap_err();
    assert!(matches!(error, RegistryError::Image { .. }), "{error}");
}

#[test]
fn image_beside_another_is_sent_in_few_requests() {
    let (old, new) = (image("linux/amd64", &["base", "app"]), image("linux/amd64", &["next", "app"]));
    for single_posts in [true, false] {
        let registry = Registry::new();
        client().push(&image("linux/amd64", &["next"]), &name(&registry, "runner:next")).unwrap();
        client().push(&old, &name(&registry, "app:1")).unwrap();
        let base = client().pull(&name(&registry, "runner:next"), &"linux/amd64".parse().unwrap()).unwrap();
        let new =
            new.with_blobs(|layer| if layer.diff_id == DiffId::of("next") { base.layers()[0].blob.clone() } else { layer.blob.clone() });
        if single_posts {
            registry.take_single_posts();
        }
        registry.forget_requests();
        let present: BTreeSet<Digest> = old.layers().iter().map(|layer| layer.descriptor.digest).collect();
        let pushed = client().push_beside(&new, &name(&registry, "app:2"), &present).unwrap();
        assert_eq!((pushed.sent, pushed.mounted, pushed.present), (1, 1, 1));
        // The mount, the config, the manifest.
        assert_eq!(registry.requests().len(), if single_posts { 3 } else { 4 }, "{:?}", registry.request_lines());
        assert_eq!(client().digest(&name(&registry, "app:2")).unwrap(), Some(new.digest()));
    }
}

#[test]
fn image_beside_one_that_is_gone_is_sent_whole() {
    let registry = Registry::new();
    let image = image("linux/amd64", &["base", "app"]);
    let present = image.layers().iter().map(|layer| layer.descriptor.digest).collect();
    let pushed = client().push_beside(&image, &name(&registry, "app:1"), &present).unwrap();
    assert_eq!(pushed.sent + pushed.present, 3);
    assert_eq!(client().digest(&name(&registry, "app:1")).unwrap(), Some(image.digest()));
}
