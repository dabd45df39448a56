//! Docker's `config.json`, which holds logins.

#![no_main]

use fnpack_core::registry::credentials::{Credentials, DockerConfig};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(config) = DockerConfig::parse(bytes, "config.json") {
        for registry in ["docker.io", "ghcr.io", "localhost:5000"] {
            let _ = config.lookup(registry, "team/image");
        }
    }
});
