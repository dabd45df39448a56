//! Which error it was: failing networks lead to these and to no others.

use std::fmt::Debug;

/// Variants of `RegistryError`, `BlobError` and `ImageError` that are the network's or the registry's fault.
const NETWORK: [&str; 13] = [
    "Broken",
    "TimedOut",
    "RateLimited",
    "Failed",
    "Rejected",
    "BlobsUnknown",
    "Protocol",
    "DigestMismatch",
    "NotWhatWasSent",
    "Garbled",
    "Truncated",
    "TooLong",
    "ConfigDigest",
];

/// The innermost of the names that there are in an error, as errors wrap one another.
///
/// # Panics
///
/// If there is none: the error tells something that is not so.
pub(super) fn kind_of(error: &impl Debug) -> String {
    let text = format!("{error:?}");
    let named = NETWORK.iter().filter_map(|name| Some((text.rfind(&format!("{name} {{"))?, *name)));
    let (_, name) = named.max().unwrap_or_else(|| panic!("no fault of a network: {text}"));
    name.to_owned()
}
