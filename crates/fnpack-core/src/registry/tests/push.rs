//! To a registry: what is sent, in which order, and what becomes of it when something breaks.

use super::*;

#[test]
fn push_sends_the_manifest_last_and_skips_what_is_there() {
    let (registry, reference) = stocked();
    let image = image(&[LAYER, "new"]);
    let pushed = client().push(&image, &reference).unwrap();
    assert_eq!((pushed.sent, pushed.present), (2, 1));
    let sent: Vec<String> = registry.request_lines().into_iter().filter(|line| line.starts_with("PUT")).collect();
    assert_eq!(sent.len(), 3);
    assert_eq!(sent[2], "PUT /v2/app/manifests/1");
    registry.forget_requests();
    client().push(&image, &reference).unwrap();
    let lines = registry.request_lines();
    assert_eq!(lines, ["HEAD /v2/app/manifests/1"], "there is nothing to push");
    registry.forget_requests();
    let again = client().push(&image, &name(&registry, "app:2")).unwrap();
    assert_eq!((again.sent, again.present), (0, 3));
    let mut lines: Vec<String> =
        registry.request_lines().iter().map(|line| line.split('/').take(4).collect::<Vec<_>>().join("/")).collect();
    lines.sort();
    assert_eq!(
        lines,
        ["HEAD /v2/app/manifests", "POST /v2/app/blobs", "POST /v2/app/blobs", "POST /v2/app/blobs", "PUT /v2/app/manifests"],
        "a new tag costs one request for each blob"
    );
}

#[test]
fn push_sends_no_large_blob_again_whatever_the_registry_thinks_of_mounts() {
    let registry = Registry::new();
    let image = image(&[LAYER, &"large".repeat(20_000)]);
    client().push(&image, &name(&registry, "app:1")).unwrap();
    let counts = |pushed: Pushed| (pushed.sent, pushed.present);
    assert_eq!(counts(client().push(&image, &name(&registry, "app:2")).unwrap()), (0, 3));
    registry.refuse_mounts();
    assert_eq!(counts(client().push(&image, &name(&registry, "app:3")).unwrap()), (2, 1));
}

#[test]
fn push_continues_where_it_broke() {
    let size = LAYER.len();
    for (kept, times, expected) in [(20, 1, vec![20]), (7, 2, vec![7, 14]), (size, 1, vec![])] {
        let (registry, reference) = stocked();
        let text = LAYER.to_uppercase();
        let image = image(&[&text]);
        client().push(&image.with_config(|config| config.config.set_env("A", "b")), &name(&registry, "other")).unwrap();
        registry.forget_requests();
        registry.fault(Fault::cut_upload("PUT", kept).times(1));
        registry.fault(Fault::cut_upload("PATCH", kept).times(times - 1));
        // The config is there, so that the fault meets the layer.
        registry.put_blob("app", image.config_bytes());
        assert_eq!(client().push(&image, &reference).unwrap().sent, 1);
        assert_eq!(registry.blob("app", &Digest::of(&text).to_string()).unwrap(), text.as_bytes());
        let seen = registry.requests();
        let posts = seen.iter().filter(|seen| seen.method == "POST").count();
        assert_eq!(posts, 2, "one session is enough, and one answer that the config is there");
        let rest: Vec<usize> = seen.iter().filter(|seen| seen.method == "PATCH").map(|seen| size - seen.body).collect();
        assert_eq!(rest, expected);
    }
}

#[test]
fn push_logs_in_anew_in_the_middle() {
    let registry = Registry::with_access(Access::bearer("user", "word"));
    let client = client_of(&registry, password("user", "word"));
    let challenge = format!("Bearer realm=\"http://{}/token\",service=\"testkit\"", registry.host());
    registry.fault(Fault::status("PUT", "/blobs/uploads/", 401).with_header("WWW-Authenticate", &challenge).times(1));
    let pushed = client.push(&image(&[LAYER, "b", "c", "d", "e", "f"]), &name(&registry, "app")).unwrap();
    assert_eq!(pushed.sent, 7);
    let tokens = registry.request_lines().iter().filter(|line| *line == "GET /token").count();
    assert_eq!(tokens, 2, "one at first and one for the refusal, not one for each layer");
}

#[test]
fn push_mounts_the_run_image_that_the_label_names() {
    let registry = Registry::new();
    let base = image(&[LAYER]);
    client().push(&base, &name(&registry, "stack/run")).unwrap();
    let label = format!(
        r#"{{"runImage":{{"topLayer":"{}","reference":"{}/stack/run@{}"}}}}"#,
        base.layers()[0].diff_id,
        registry.host(),
        base.digest()
    );
    let labelled = |text: String| {
        image(&[LAYER, "upper"]).with_config(|config| drop(config.config.labels.insert("io.buildpacks.lifecycle.metadata".into(), text)))
    };
    for (label, mounted) in [(label, 1), ("{}".to_owned(), 0), ("[".to_owned(), 0)] {
        let pushed = client().push(&labelled(label.clone()), &name(&registry, &format!("app{}", label.len()))).unwrap();
        assert_eq!((pushed.mounted, pushed.sent), (mounted, 3 - mounted), "{label}");
    }
}

#[test]
fn push_by_digest_must_be_of_the_image() {
    let (registry, reference) = stocked();
    let image = image(&["other"]);
    let wrong = client().push(&image, &reference.with_digest(Digest::of("x"))).unwrap_err();
    assert!(matches!(wrong, RegistryError::DigestMismatch { actual, .. } if actual == image.digest()));
    let digest = image.digest();
    client().push(&image, &name(&registry, &format!("app@{digest}"))).unwrap();
    assert!(registry.manifest("app", &digest.to_string()).is_some());
}

#[test]
fn push_mounts_what_another_repository_has() {
    for (refuse, expected) in [(false, (1, 1)), (true, (2, 0))] {
        for access in [Access::Open, Access::bearer("user", "word")] {
            let registry = Registry::with_access(access);
            let client = client_of(&registry, password("user", "word"));
            client.push(&image(&[LAYER]), &name(&registry, "base")).unwrap();
            let base = client.pull(&name(&registry, "base"), &target()).unwrap();
            if refuse {
                registry.refuse_mounts();
            }
            registry.forget_requests();
            let derived = base.with_config(|config| config.config.set_env("A", "b"));
            let pushed = client.push(&derived, &name(&registry, "derived")).unwrap();
            assert_eq!((pushed.sent, pushed.mounted), expected);
            assert_eq!(registry.blob("derived", &Digest::of(LAYER).to_string()).unwrap(), LAYER.as_bytes());
            let downloads = registry.request_lines().iter().filter(|line| line.starts_with("GET /v2/base/blobs/")).count();
            assert_eq!(downloads, usize::from(refuse), "the layer itself is only read when it has to be sent");
        }
    }
}

#[test]
fn push_goes_from_registry_to_registry() {
    let (source, reference) = stocked();
    let destination = Registry::new();
    let pulled = client().pull(&reference, &target()).unwrap();
    let pushed = client().push(&pulled, &name(&destination, "copy:2")).unwrap();
    assert_eq!((pushed.sent, pushed.mounted), (2, 0));
    assert_eq!(destination.manifest("copy", "2"), source.manifest("app", "1"));
}

#[test]
fn source_that_breaks_is_continued_while_its_blob_is_sent() {
    let (source, reference) = stocked();
    let destination = Registry::new();
    let pulled = client().pull(&reference, &target()).unwrap();
    source.fault(Fault::truncate("GET", &format!("/blobs/{}", Digest::of(LAYER)), 20).times(1));
    assert_eq!(client().push(&pulled, &name(&destination, "copy:2")).unwrap().sent, 2);
    let uploads = destination.request_lines().iter().filter(|line| line.starts_with("PUT /v2/copy/blobs/")).count();
    assert_eq!(uploads, 2, "the upload waits for the rest");
}

#[test]
fn push_of_a_broken_blob_blames_the_blob() {
    struct Broken(&'static str);
    impl BlobSource for Broken {
        fn open(&self) -> std::io::Result<Box<dyn Read + Send>> {
            Ok(Box::new(self.0.as_bytes()))
        }
        fn location(&self) -> String {
            "the broken blob".to_owned()
        }
    }
    let registry = Registry::new();
    for (bytes, expected) in [("loyer", "has sha256"), ("lay", "ended after 3 of the 5 bytes")] {
        let image = image(&["layer"]).with_blobs(|_| Blob::new(Broken(bytes)));
        let error = client().push(&image, &name(&registry, "app")).unwrap_err();
        assert!(matches!(error, RegistryError::Blob { .. }), "{error:?}");
        let text = told(&registry, &error);
        assert!(text.contains("the broken blob") && text.contains(expected), "{text}");
        assert!(registry.manifest("app", "latest").is_none());
    }
}

#[test]
fn blob_that_is_garbled_on_the_way_is_sent_again() {
    let invalid = r#"{"errors":[{"code":"DIGEST_INVALID","message":"provided digest did not match uploaded content"}]}"#;
    for (times, arrives) in [(1, true), (usize::MAX, false)] {
        let registry = Registry::new();
        registry.fault(Fault::status("PUT", "/blobs/uploads/", 400).with_body(invalid).times(times));
        let pushed = client().push(&image(&[LAYER]), &name(&registry, "app"));
        assert_eq!(pushed.is_ok(), arrives);
        if let Err(error) = pushed {
            assert!(told(&registry, &error).starts_with("what arrives at `HOST` is not what is sent to it"), "{error}");
        }
        assert_eq!(registry.manifest("app", "latest").is_some(), arrives);
    }
}

#[test]
fn upload_goes_where_the_location_says() {
    let (registry, reference) = stocked();
    let other = Registry::new();
    // A session of the other registry: the upload goes there and carries no login of this one.
    registry.fault(Fault::header("POST", "/blobs/uploads/", "Location", &format!("http://{}/v2/app/blobs/uploads/x?a=b", other.host())));
    let error = client().push(&image(&["new"]), &reference).unwrap_err();
    assert!(matches!(error, RegistryError::NotFound { .. }), "{error}");
    let digest = Digest::of("new").to_string().replace(':', "%3A");
    let expected = format!("/v2/app/blobs/uploads/x?a=b&digest={digest}");
    assert!(other.requests().iter().any(|seen| seen.target == expected));
}

#[test]
fn uploads_are_confirmed() {
    let wrong = Digest::of("x").to_string();
    for path in ["/blobs/uploads/", "/manifests/"] {
        let (registry, reference) = stocked();
        registry.fault(Fault::header("PUT", path, "Docker-Content-Digest", &wrong));
        let error = client().push(&image(&["new"]), &reference).unwrap_err();
        assert!(matches!(error, RegistryError::NotWhatWasSent { .. }), "{path}: {error}");
    }
}

#[test]
fn push_is_tried_without_leaving_anything() {
    let registry = Registry::new();
    let reference = name(&registry, "app");
    client().check_push(&reference).unwrap();
    let lines = registry.request_lines();
    assert!(lines.len() == 2 && lines[0].starts_with("POST") && lines[1].starts_with("DELETE"), "{lines:?}");
    registry.fault(Fault::status("POST", "/blobs/uploads/", 403));
    assert!(matches!(client().check_push(&reference), Err(RegistryError::Forbidden { .. })));
}
