//! Layers that are kept for later builds and in no image.

use std::path::PathBuf;

use libcnb::Buildpack;
use libcnb::build::BuildContext;
use libcnb::data::layer::LayerName;
use libcnb::generic::GenericMetadata;
use libcnb::layer::{CachedLayerDefinition, InvalidMetadataAction, LayerRef, LayerState, RestoredLayerAction};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A folder that a tool itself keeps in order, and that any later build may start from.
pub fn cache_layer<B: Buildpack>(context: &BuildContext<B>, name: LayerName) -> libcnb::Result<PathBuf, B::Error> {
    let definition = CachedLayerDefinition {
        build: false,
        launch: false,
        invalid_metadata_action: &|_: &GenericMetadata| InvalidMetadataAction::DeleteLayer,
        restored_layer_action: &|_: &GenericMetadata, _| RestoredLayerAction::KeepLayer,
    };
    Ok(context.cached_layer(name, definition)?.path())
}

/// The result of the last build, with the record of what it was made of; no record if there is none, or none that
/// can be read.
pub fn result_layer<B: Buildpack, Record: Serialize + DeserializeOwned + Clone>(
    context: &BuildContext<B>,
    name: LayerName,
) -> libcnb::Result<(LayerRef<B, (), Record>, Option<Record>), B::Error> {
    let definition = CachedLayerDefinition {
        build: false,
        launch: false,
        invalid_metadata_action: &|_: &GenericMetadata| InvalidMetadataAction::DeleteLayer,
        restored_layer_action: &|record: &Record, _| (RestoredLayerAction::KeepLayer, record.clone()),
    };
    let layer = context.cached_layer(name, definition)?;
    let earlier = match &layer.state {
        LayerState::Restored { cause } => Some(cause.clone()),
        LayerState::Empty { .. } => None,
    };
    Ok((layer, earlier))
}
