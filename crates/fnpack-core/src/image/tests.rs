use super::*;

fn target() -> Target {
    "linux/amd64".parse().unwrap()
}

fn layer(text: &str) -> Layer {
    let sink = MemoryBlobs::default();
    let mut pending = sink.create().unwrap();
    pending.write_all(text.as_bytes()).unwrap();
    let (digest, size, blob) = pending.commit(None).unwrap();
    Layer { descriptor: Descriptor::new(media_type::OCI_LAYER, digest, size), diff_id: DiffId::of(text), blob }
}

#[test]
fn appending_makes_a_new_image_with_aligned_history() {
    let base = Image::from_parts(ImageConfig::new(&target()), vec![layer("base")]);
    let image = base.appended([(layer("top"), History { created_by: Some("COPY".into()), ..History::default() })]);
    assert_eq!((base.layers().len(), image.layers().len()), (1, 2));
    assert_eq!(image.config().history.len(), 2);
    assert_eq!(image.config().rootfs.diff_ids, image.diff_ids());
    assert_ne!(base.digest(), image.digest());
}

#[test]
fn bytes_read_are_kept_and_foreign_keys_survive_a_change() {
    let config = br#"{ "os":"linux","architecture":"amd64","config":{"Healthcheck":{"Test":["NONE"]},"Env":null,"Labels":null},"rootfs":{"type":"layers","diff_ids":[]},"history":null,"x":1}"#;
    let manifest = Manifest::new(Descriptor::of(media_type::OCI_CONFIG, config), Vec::new()).encode();
    let image = Image::from_bytes(manifest.clone(), config.to_vec(), |_, _| unreachable!()).unwrap();
    assert_eq!(image.digest(), Digest::of(&manifest));
    assert_eq!(image.config_bytes(), config);
    let changed = image.with_config(|config| config.config.set_env("A", "b"));
    let text = String::from_utf8(changed.config_bytes().to_vec()).unwrap();
    assert!(text.contains("Healthcheck") && text.contains("\"x\":1") && text.contains("A=b"), "{text}");
}

#[test]
fn what_disagrees_is_refused() {
    let config = ImageConfig::new(&target()).encode();
    let manifest = |config: &[u8], layers| Manifest::new(Descriptor::of(media_type::OCI_CONFIG, config), layers).encode();
    let parse = |manifest, config: &[u8]| Image::from_bytes(manifest, config.to_vec(), |_, _| layer("").blob).map(|_| ());
    assert!(matches!(parse(manifest(b"{}", vec![]), &config), Err(ImageError::ConfigDigest { .. })));
    assert!(matches!(parse(manifest(&config, vec![layer("a").descriptor]), &config), Err(ImageError::LayerCount { .. })));
    assert!(matches!(parse(b"{}".to_vec(), &config), Err(ImageError::Unreadable { .. })));
    assert!(matches!(parse(Index::new(vec![]).encode(), &config), Err(ImageError::Unreadable { .. })));
}

#[test]
fn index_selects_by_target() {
    let entry = |text: &str, name: &[u8]| Descriptor {
        platform: Some((&text.parse::<Target>().unwrap()).into()),
        ..Descriptor::of(media_type::OCI_MANIFEST, name)
    };
    let index = Index::new(vec![entry("linux/arm64/v8", b"arm"), entry("linux/amd64", b"amd")]);
    assert_eq!(index.select(&target()).unwrap().digest, Digest::of(b"amd"));
    assert_eq!(index.select(&"linux/arm64".parse().unwrap()).unwrap().digest, Digest::of(b"arm"));
    assert!(index.select(&"windows/amd64".parse().unwrap()).is_none());
}
