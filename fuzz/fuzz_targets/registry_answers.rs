//! What a registry answers: status line, headers with a challenge, bodies.

#![no_main]

mod answers;

use std::time::Duration;

use fnpack_core::digest::Digest;
use fnpack_core::reference::Reference;
use fnpack_core::registry::{RegistryClient, Retry, Settings, Timeouts};
use fnpack_core::target::Target;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    answers::prepare(bytes);
    let wait = Duration::from_millis(200);
    let settings = Settings {
        timeouts: Timeouts { connect: wait, stall: wait },
        retry: Retry { attempts: 1, first_delay: Duration::ZERO, longest_delay: Duration::ZERO },
        ..Settings::default()
    };
    let client = RegistryClient::new(settings).expect("a client without a proxy");
    let reference: Reference = format!("{}/team/image:1", *answers::HOST).parse().expect("a valid name");
    let target: Target = "linux/amd64".parse().expect("a valid target");
    let _ = client.companions(&reference, &[Digest::of("an image")]);
    let _ = client.check_push(&reference);
    if let Ok(image) = client.pull(&reference, &target) {
        for layer in image.layers() {
            if let Ok(mut reader) = layer.blob.open() {
                let _ = std::io::copy(&mut reader, &mut std::io::sink());
            }
        }
    }
});
