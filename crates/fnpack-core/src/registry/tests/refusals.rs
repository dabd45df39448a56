//! Registries that refuse in the middle, forget what they took, or say later when to come again.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

/// A body of zeros that counts what is read of it.
struct Large {
    size: usize,
    read: Arc<AtomicUsize>,
}

impl BlobSource for Large {
    fn open(&self) -> std::io::Result<Box<dyn Read + Send>> {
        let counter = Arc::clone(&self.read);
        Ok(Box::new(Counting { left: self.size, counter }))
    }

    fn location(&self) -> String {
        "memory".to_owned()
    }
}

struct Counting {
    left: usize,
    counter: Arc<AtomicUsize>,
}

impl Read for Counting {
    fn read(&mut self, bytes: &mut [u8]) -> std::io::Result<usize> {
        let read = bytes.len().min(self.left);
        bytes[..read].fill(0);
        self.left -= read;
        self.counter.fetch_add(read, Ordering::Relaxed);
        Ok(read)
    }
}

const SIZE: usize = 64 << 20;

/// An image of one large layer, and how much of that was read.
fn large() -> (Image, Arc<AtomicUsize>) {
    let read = Arc::new(AtomicUsize::new(0));
    let blob = Blob::new(Large { size: SIZE, read: Arc::clone(&read) });
    let zeros = vec![0; SIZE];
    let descriptor = Descriptor::new(media_type::OCI_LAYER, Digest::of(&zeros), SIZE as u64);
    (Image::from_parts(ImageConfig::new(&target()), vec![Layer { descriptor, diff_id: DiffId::of(&zeros), blob }]), read)
}

#[test]
fn refusal_before_all_is_sent_is_heard() {
    let denied = r#"{"errors":[{"code":"DENIED","message":"no new images today"}]}"#;
    let full = r#"{"errors":[{"code":"UNKNOWN","message":"no space left on device"}]}"#;
    for (status, body, expected) in [
        (413, "<html><title>413 Request Entity Too Large</title>", "`HOST` does not take so much in one request: PUT"),
        (403, denied, "`HOST` does not allow this: no login was sent: PUT"),
        (507, "", "the storage of `HOST` is full: PUT"),
        (500, full, "the storage of `HOST` is full: PUT"),
    ] {
        for encrypted in [false, true] {
            let registry = if encrypted { Registry::encrypted(&SERVER, None) } else { Registry::new() };
            let (_folder, client) = client_with(&registry, if encrypted { &[("ca.crt", AUTHORITY)] } else { &[] });
            let (image, read) = large();
            // The small config goes its way.
            registry.put_blob("app", image.config_bytes());
            registry.fault(Fault::refuse_early("PUT", "/blobs/uploads/", status).with_body(body));
            let text = told(&registry, &client.push(&image, &name(&registry, "app")).unwrap_err());
            assert!(text.starts_with(expected) && text.contains(&status.to_string()), "{encrypted}: {text}");
            assert!(read.load(Ordering::Relaxed) < SIZE, "what nobody takes is not read");
            let puts = registry.request_lines().iter().filter(|line| line.starts_with("PUT")).count();
            assert_eq!(puts, 1, "what was refused is not sent again");
        }
    }
}

#[test]
fn login_that_ends_while_a_blob_is_sent_is_renewed() {
    let registry = Registry::with_access(Access::bearer("user", "word"));
    let client = client_of(&registry, password("user", "word"));
    let (image, _) = large();
    let challenge = format!("Bearer realm=\"http://{}/token\",service=\"testkit\"", registry.host());
    registry.fault(Fault::refuse_early("PUT", "/blobs/uploads/", 401).with_header("WWW-Authenticate", &challenge).times(1));
    assert_eq!(client.push(&image, &name(&registry, "app")).unwrap().sent, 2);
}

#[test]
fn date_in_retry_after_is_one_of_the_servers_clock() {
    let limited = |until: &str| {
        let (registry, reference) = stocked();
        let fault = Fault::status("GET", "/manifests/", 429).with_header("Date", "Wed, 21 Oct 2015 07:28:00 GMT");
        registry.fault(fault.with_header("Retry-After", until).times(1));
        client().pull(&reference, &target())
    };
    limited("Wed, 21 Oct 2015 07:28:01 GMT").unwrap();
    limited("Wed, 21 Oct 2015 07:00:00 GMT").unwrap();
    limited("soon").unwrap();
    let error = limited("Wed, 21 Oct 2015 08:28:00 GMT").unwrap_err();
    assert!(error.to_string().ends_with("limits requests, asks to wait 3600 s"), "{error}");
}

/// A registry that says of a blob that it is there, and misses it when the manifest comes.
fn forgetful(named: bool) -> (Registry, Image) {
    let (registry, image) = (Registry::new(), image(&[LAYER, "other"]));
    client().push(&image, &name(&registry, "app:1")).unwrap();
    let digest = Digest::of(LAYER).to_string();
    registry.lose_blob("app", &digest);
    registry.fault(Fault::status("HEAD", &format!("/blobs/{digest}"), 200).times(1));
    if !named {
        let body = r#"{"errors":[{"code":"MANIFEST_BLOB_UNKNOWN","message":"blob unknown to registry"}]}"#;
        registry.fault(Fault::status("PUT", "/manifests/", 404).with_body(body).times(1));
    }
    registry.forget_requests();
    (registry, image)
}

#[test]
fn blobs_that_the_manifest_misses_are_sent_after_all() {
    for named in [true, false] {
        let (registry, image) = forgetful(named);
        let pushed = client().push(&image, &name(&registry, "app:2")).unwrap();
        assert_eq!((pushed.sent, pushed.present), (1, 2), "{named}");
        assert_eq!(client().digest(&name(&registry, "app:2")).unwrap(), Some(image.digest()));
        let (registry, image) = forgetful(named);
        let pushed = client().push_tree(&ManifestTree::of(&image), &name(&registry, "app:2")).unwrap();
        assert_eq!((pushed.sent, pushed.present), (1, 2), "{named}");
        let (registry, image) = forgetful(named);
        let present = image.layers().iter().map(|layer| layer.descriptor.digest).collect();
        client().push_beside(&image, &name(&registry, "app:2"), &present).unwrap();
        assert_eq!(client().digest(&name(&registry, "app:2")).unwrap(), Some(image.digest()));
    }
}

#[test]
fn registry_that_goes_on_missing_blobs_is_told() {
    let registry = Registry::new();
    let body = format!(r#"{{"errors":[{{"code":"MANIFEST_BLOB_UNKNOWN","message":"x","detail":"{}"}}]}}"#, Digest::of(LAYER));
    registry.fault(Fault::status("PUT", "/manifests/", 400).with_body(&body));
    let text = told(&registry, &client().push(&image(&[LAYER]), &name(&registry, "app")).unwrap_err());
    assert!(text.starts_with("`HOST` does not have all that the manifest names: PUT"), "{text}");
    let manifests = registry.request_lines().iter().filter(|line| line.starts_with("PUT /v2/app/manifests/")).count();
    assert_eq!(manifests, 2, "sent once more, not for ever");
}

#[test]
fn blob_is_looked_for_where_its_digest_was_not_promised() {
    let registry = Registry::new();
    registry.name_no_digests();
    client().push(&image(&[LAYER]), &name(&registry, "app")).unwrap();
    let path = format!("HEAD /v2/app/blobs/{}", Digest::of(LAYER));
    assert_eq!(registry.request_lines().iter().filter(|line| **line == path).count(), 1, "after it was sent");

    let registry = Registry::new();
    registry.fault(Fault::status("PUT", "/blobs/uploads/", 201));
    let text = told(&registry, &client().push(&image(&[LAYER]), &name(&registry, "app")).unwrap_err());
    assert!(text.starts_with("`HOST` does not answer as a registry does: it does not have the blob that it took"), "{text}");
    assert!(registry.manifest("app", "latest").is_none());
}
