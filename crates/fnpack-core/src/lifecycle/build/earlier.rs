//! What a build left that ran in a process of its own: for export in another container.

use std::path::PathBuf;

use super::outputs::{OutputError, file, layers, store};
use crate::builder::ModuleId;
use crate::lifecycle::buildpacks::escaped;
use crate::lifecycle::built::{Built, BuiltBuildpack};
use crate::lifecycle::context::Place;
use crate::lifecycle::files::group::{Group, GroupMember};
use crate::lifecycle::files::metadata::{self, Metadata};
use crate::lifecycle::files::{FileError, launch};

/// Why the layers folder cannot be taken for the result of a build.
#[derive(Debug, thiserror::Error)]
pub enum EarlierError {
    /// No build has come to its end here.
    #[error("`{}` is missing: no build has ended here", file.display())]
    NoMetadata {
        /// Where it should be.
        file: PathBuf,
    },
    /// metadata.toml cannot be used.
    #[error(transparent)]
    Metadata(#[from] FileError),
    /// What a buildpack left cannot be used.
    #[error("buildpack `{buildpack}` left something that cannot be used")]
    Output {
        /// The buildpack.
        buildpack: ModuleId,
        /// What it is.
        #[source]
        source: Box<OutputError>,
    },
}

/// Reads from the layers folder what [`super::build`] gave back when it made it.
pub fn read_built(place: &Place, group: &Group) -> Result<Built, EarlierError> {
    let path = PathBuf::from("config/metadata.toml");
    let shown = place.shown(&path);
    let Some(metadata) = file(place, path, metadata::parse)? else { return Err(EarlierError::NoMetadata { file: shown }) };
    let Metadata { buildpack_default_process_type, buildpacks: _, processes, labels, slices } = metadata;
    let buildpack = |member: &GroupMember| {
        read_buildpack(place, member).map_err(|source| EarlierError::Output { buildpack: member.module(), source: Box::new(source) })
    };
    Ok(Built {
        buildpacks: group.group.iter().map(buildpack).collect::<Result<_, _>>()?,
        processes: processes.into_iter().map(launch::Process::from).collect(),
        default_process: buildpack_default_process_type,
        labels,
        slices,
        warnings: Vec::new(),
    })
}

fn read_buildpack(place: &Place, member: &GroupMember) -> Result<BuiltBuildpack, OutputError> {
    let folder = PathBuf::from(escaped(&member.id));
    Ok(BuiltBuildpack {
        id: member.id.clone(),
        version: member.version.clone(),
        api: member.api.clone(),
        homepage: member.homepage.clone(),
        layers: layers(place, &folder)?,
        store: store(place, &folder)?,
    })
}
