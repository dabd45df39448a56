//! The program itself, as platforms call it: against a registry, with buildpacks that are shell scripts.
#![expect(clippy::unwrap_used, reason = "helpers of tests are not seen as tests")]

mod alone;
mod creator;
mod ends;
mod rebaser;
mod support;
