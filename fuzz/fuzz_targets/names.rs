//! Image references, digests and targets.

#![no_main]

use fnpack_core::archive::Address;
use fnpack_core::digest::Digest;
use fnpack_core::reference::Reference;
use fnpack_core::target::Target;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(reference) = text.parse::<Reference>() {
        assert_eq!(reference.to_string().parse::<Reference>().as_ref(), Ok(&reference), "the canonical form");
        assert_eq!(reference.familiar().parse::<Reference>().as_ref(), Ok(&reference), "the familiar form");
    }
    if let Ok(digest) = text.parse::<Digest>() {
        assert_eq!(digest.to_string(), text);
    }
    if let Ok(target) = text.parse::<Target>() {
        assert_eq!(target.to_string().parse::<Target>(), Ok(target));
    }
    let _ = text.parse::<Address>();
});
