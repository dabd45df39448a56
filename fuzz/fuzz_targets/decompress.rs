//! Packed layers: gzip, zstd and what looks like them.

#![no_main]

use std::io::Read;

use fnpack_core::layers::decompress::decompress;
use libfuzzer_sys::fuzz_target;

/// Bombs are the caller's to bound; here they would only take time.
const LIMIT: u64 = 16 << 20;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(reader) = decompress(bytes) {
        let _ = std::io::copy(&mut reader.take(LIMIT), &mut std::io::sink());
    }
});
