//! Manifests, indexes and configs, as registries and archives give them.

#![no_main]

use fnpack_core::image::{Descriptor, ImageConfig, Index, Manifest, media_type};
use fnpack_core::target::Target;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let target = Target::of_this_program();
    if let Ok(manifest) = Manifest::parse(bytes) {
        let _ = manifest.media_type();
        Manifest::parse(&manifest.encode()).expect("what we write we can read");
    }
    if let Ok(index) = Index::parse(bytes) {
        let _ = index.select(&target);
        let _ = index.manifests.iter().map(Descriptor::as_oci).collect::<Vec<_>>();
        Index::parse(&index.encode()).expect("what we write we can read");
    }
    if let Ok(mut config) = ImageConfig::parse(bytes) {
        let _ = config.target().to_string();
        config.pad_history(3);
        config.config.set_env("PATH", "/bin");
        assert_eq!(config.config.env_value("PATH"), Some("/bin"));
        ImageConfig::parse(&config.encode()).expect("what we write we can read");
    }
    let _ = Descriptor::of(media_type::OCI_MANIFEST, bytes);
});
