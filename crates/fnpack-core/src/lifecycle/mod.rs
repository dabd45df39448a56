//! The phases of a Cloud Native Buildpacks lifecycle, as functions over values.
//!
//! ```text
//!  order.toml, buildpacks ─► order    ─► candidate groups
//!  groups, application    ─► detect   ─► group + build plan        (plan: which trial satisfied it)
//!  previous image, cache  ─► analyze, restore ─► layer folders
//!  group + plan           ─► build    ─► [`built::Built`] + layer folders
//!  built, layer folders   ─► export   ─► image
//! ```
//!
//! Phases hand each other values. The TOML files of the specification ([`files`]) exist where it
//! speaks to buildpacks, and for phases that run in containers of their own. Which version of the
//! specification asks for what is answered by [`api`] alone.
//!
//! Nothing here knows registries or sandboxes: commands are run by a [`crate::executor::Executor`],
//! folders are reached by [`crate::root::Root`] handles ([`places`]).

pub mod analyze;
pub mod api;
pub mod built;
pub mod cache_volume;
pub mod export;
pub mod files;
pub mod label;
pub mod restore;
mod values;
