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

/// A layer, and the record that it had; none if there is no layer, or no record that can be read.
pub type Kept<B, Record> = (LayerRef<B, (), Record>, Option<Record>);

/// The result of the last build, with the record of what it was made of.
pub fn result_layer<B: Buildpack, Record: Serialize + DeserializeOwned + Clone>(
    context: &BuildContext<B>,
    name: LayerName,
) -> libcnb::Result<Kept<B, Record>, B::Error> {
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
