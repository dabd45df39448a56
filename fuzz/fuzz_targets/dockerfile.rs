//! Dockerfiles and ignore files.

#![no_main]

use fnpack_core::dockerfile::{Ignore, check, parse};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let parsed = parse::parse_bytes(bytes);
    let findings = check(bytes);
    if parsed.is_err() {
        assert!(!findings.is_empty(), "what cannot be parsed has a finding");
    }
    if let Ok(ignore) = Ignore::parse(&String::from_utf8_lossy(bytes)) {
        for path in ["a", "a/b", "a/../b", ".git/config", ""] {
            let _ = ignore.excludes(path);
        }
        let _ = ignore.brings_back();
    }
});
