//! The phases of a Cloud Native Buildpacks lifecycle, as functions over values.
//!
//! ```text
//! order.toml, buildpacks ──► order ──► candidate groups
//! groups, application ─────► detect ─► group, plan
//! previous image, cache ───► analyze, restore ─► layer folders
//! group, plan ─────────────► build ──► Built, layer folders
//! Built, layer folders ────► export ─► image
//! ```
//!
//! | Phase | Function | Pure parts, in the order of their use |
//! |---|---|---|
//! | analyze | [`analyze`] | [`label`] |
//! | detect | [`detect::detect`] | [`buildpacks`], [`order`], [`target`], [`environment`], [`plan`] |
//! | restore | [`restore`] | [`label`], [`cache_volume`] |
//! | build | [`build::build`] | [`environment`], [`files`], [`built`] |
//! | export | [`export`] | [`label`], [`files`] |
//!
//! Phases hand each other values. The TOML files of the specifications ([`files`]) exist where they
//! speak to buildpacks, and for phases that run in containers of their own. Which version of a
//! specification asks for what is answered by [`api`] alone, how a phase's process ends by [`exit`].
//!
//! Nothing here knows registries or sandboxes: commands are run by an [`crate::executor::Executor`],
//! folders are reached through the handles in [`context`].

pub mod analyze;
pub mod api;
pub mod build;
pub mod buildpacks;
pub mod built;
pub mod cache_image;
pub mod cache_volume;
pub mod context;
pub mod detect;
pub mod environment;
pub mod exit;
pub mod export;
pub mod files;
pub mod label;
pub mod order;
pub mod plan;
mod program;
pub mod restore;
pub mod target;
#[cfg(test)]
mod tests;
mod values;

pub use program::StartError;
