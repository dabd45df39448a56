//! Sandboxes as their callers see them. The host's own root is the lowest layer, so no image is
//! needed; the `fnpack-sandbox` program of this crate is the first process.

mod escape;
mod lifetime;
mod mounts;
mod rights;
mod rootless;
mod run;
mod support;
