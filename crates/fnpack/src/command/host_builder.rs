//! The builder of the executor `host`: fnpack's own buildpacks, laid out as in a builder, without an image.

use std::ffi::OsString;
use std::path::Path;

use fnpack_core::builder::{BuilderToml, Order, place_module};
use fnpack_core::lifecycle::files::run::{RunImage, RunToml};
use fnpack_core::pipeline::{BuilderFolder, LocalExecutor};
use fnpack_core::reference::Reference;
use fnpack_core::root::Root;
use fnpack_core::source::Source;
use serde::Serialize;

use super::builder::descriptor;
use super::default_builder::{module, of_source};
use crate::embedded::{DefaultBuilder, LAUNCHER};
use crate::error::{Class, CommandError};
use crate::settings;

/// The ids of our stacks: owners in the image are the same whoever builds.
const IDS: [(&str, &str); 2] = [("CNB_USER_ID", "10000"), ("CNB_GROUP_ID", "10001")];

#[derive(Serialize)]
struct OrderDocument<'a> {
    order: &'a Order,
}

/// Writes the buildpacks for a source, and what belongs to them, into a folder.
pub(super) fn lay_out(source: &Source, folder: &Path) -> Result<BuilderFolder, CommandError> {
    let machine = |error| CommandError::new(Class::Machine, error);
    // Commands start in other folders.
    let folder = fs_err::canonicalize(folder).map_err(machine)?;
    let builder = of_source(source)?;
    let root = Root::open(&folder)?;
    root.create_dir("cnb", 0o755)?;
    for buildpack in builder.buildpacks {
        place_module(&module(buildpack, &folder)?, &root)?;
    }
    write_documents(builder, &root)?;
    let mut environment: Vec<(OsString, OsString)> = IDS.iter().map(|(name, value)| (name.into(), value.into())).collect();
    environment.push(("PATH".into(), settings::search_path()));
    Ok(BuilderFolder { executor: LocalExecutor::Host, root: folder, environment: environment.into_iter().collect() })
}

fn write_documents(builder: &DefaultBuilder, root: &Root) -> Result<(), CommandError> {
    let config = BuilderToml::parse("builder.toml", builder.builder_toml, Path::new("/"))?;
    let order = toml::to_string(&OrderDocument { order: &config.order }).unwrap_or_default();
    let images = config
        .run_images
        .iter()
        .map(|source| RunImage { image: source.image.familiar(), mirrors: source.mirrors.iter().map(Reference::familiar).collect() });
    let run = RunToml { images: images.collect() };
    root.create_dir_all("cnb/lifecycle", 0o755)?;
    root.write("cnb/order.toml", order.as_bytes(), 0o644)?;
    root.write("cnb/run.toml", run.to_toml().as_bytes(), 0o644)?;
    root.write("cnb/lifecycle/lifecycle.toml", descriptor().to_toml().as_bytes(), 0o644)?;
    root.write("cnb/lifecycle/launcher", LAUNCHER, 0o755)?;
    Ok(())
}
