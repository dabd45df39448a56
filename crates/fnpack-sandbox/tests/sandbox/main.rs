//! Sandboxes as their callers see them. The host's own root is the lowest layer, so no image is
//! needed; the `fnpack-sandbox` program of this crate is the first process.
#![expect(clippy::unwrap_used, reason = "what fails in a test fails the test")]

mod escape;
mod lifetime;
mod mounts;
mod rights;
mod rootless;
mod run;
mod support;
