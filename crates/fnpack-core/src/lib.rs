//! fnpack as a library: function source to function package or image.
//!
//! Every module is one station of the flow; `docs/architecture.md` has the drawing and the table of
//! what each takes, gives and must not know. The library never prints, never reads the environment
//! and never looks for a home folder: settings are arguments.

#![forbid(unsafe_code)]

pub mod accounts;
pub mod archive;
pub mod builder;
pub mod check;
pub mod digest;
pub mod dockerfile;
pub mod engine;
pub mod executor;
pub mod function_mesh;
pub mod image;
pub mod inspect;
pub mod layers;
pub mod lifecycle;
pub mod package;
mod parallel;
mod pem;
pub mod pipeline;
pub mod project;
pub mod rebase;
pub mod reference;
pub mod registry;
pub mod root;
pub mod runner;
pub mod source;
pub mod store;
pub mod target;
