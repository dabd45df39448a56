//! End-to-end tests: the built command, as a user calls it.
//!
//! They need the right to make namespaces and what `./test` prepares: a Debian root file system in
//! `$FNPACK_TEST_CACHE`. Without it they skip on a developer's machine and fail in CI.

#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "helpers of tests fail as tests do, and say why they skip")]

mod artifacts;
mod bad_input;
mod bad_line;
mod bad_source;
mod broker;
mod cache_image;
mod campaign;
mod containerd;
mod copy;
mod custom;
mod dockerfile;
mod documents_tree;
mod engine;
mod engine_answers;
mod engine_images;
mod environment;
mod golang;
mod help;
mod here;
mod images;
mod instance;
mod language;
mod layers;
mod lifecycle;
mod load;
mod looked_for;
mod mishaps;
mod proof;
mod publish;
mod readme;
mod real_registries;
mod rebase;
mod registries;
mod registry_faults;
mod reproducible;
mod rootless;
mod run;
mod runners;
mod secrets;
mod sockets;
