//! `fnpack inspect`: what an image is made of.

use fnpack_core::image::Image;
use fnpack_core::inspect::Inspection;
use fnpack_core::pipeline::{Address, one_line};
use serde::Serialize;

use super::Session;
use super::table::{Table, bytes};
use crate::arguments::{InspectArguments, OutputForm};
use crate::error::CommandError;

#[derive(Serialize)]
struct Named {
    name: String,
    #[serde(flatten)]
    inspection: Inspection,
}

/// Shows each image in turn.
pub(super) fn run(arguments: &InspectArguments, session: &Session<'_>) -> Result<(), CommandError> {
    let image = |name| Ok((name, session.bench.look_at(name, &session.bench.target)?));
    let images: Vec<(&Address, Image)> = arguments.names.iter().map(image).collect::<Result<_, CommandError>>()?;
    let inspections = images.iter().map(|(name, image)| Named { name: name.to_string(), inspection: Inspection::of(image) });
    match arguments.output {
        OutputForm::Json => {
            let all: Vec<Named> = inspections.collect();
            match all.as_slice() {
                [one] => session.json(one),
                all => session.json(&all),
            }
        }
        OutputForm::Table => inspections.for_each(|named| session.ui.document(&describe(&named))),
    }
    Ok(())
}

fn describe(named: &Named) -> String {
    let image = &named.inspection;
    let mut table = Table::default();
    table.pair("name", &named.name);
    table.pair("digest", &image.digest.to_string());
    table.pair("target", &image.target.to_string());
    table.pair("size", &format!("{} in {} layers", bytes(image.size), image.layers.len()));
    table.pair_if("created", image.created.as_deref());
    table.pair("user", if image.start.user.is_empty() { "root" } else { &image.start.user });
    table.pair("starts", &image.start.entrypoint.iter().chain(&image.start.arguments).cloned().collect::<Vec<_>>().join(" "));
    table.pair("in", &image.start.working_folder);
    if let Some(base) = &image.base {
        table.pair("run image", base.image.as_deref().unwrap_or("not recorded"));
        table.pair_if("  as", base.reference.as_deref());
        table.pair_if("  system", base.distribution.as_deref());
        table.pair("  layers", &base.layers.map_or_else(|| "not found in this image".to_owned(), |count| count.to_string()));
        table.pair("  rebasable", if base.rebasable { "yes" } else { "no" });
    }
    for buildpack in &image.buildpacks {
        table.pair("buildpack", &format!("{} {}", buildpack.id, buildpack.version));
    }
    for process in &image.processes {
        table.pair(
            "process",
            &format!("{}{}: {}", process.kind, if process.default { " (default)" } else { "" }, process.command.join(" ")),
        );
    }
    for (key, value) in &image.function {
        table.pair(&format!("function {key}"), value);
    }
    for (key, value) in &image.runner {
        table.pair(&format!("runner {key}"), &one_line(value, LONGEST_ENTRY));
    }
    for layer in &image.layers {
        table.pair(
            "layer",
            &format!(
                "{} {:>9}  {}",
                short(&layer.digest.hex()),
                bytes(layer.size),
                one_line(layer.created_by.as_deref().unwrap_or(""), LONGEST_ENTRY)
            ),
        );
    }
    for label in &image.damaged {
        table.pair("damaged label", label);
    }
    table.render()
}

/// How much of a history entry or a list is shown; the whole is in `-o json`.
const LONGEST_ENTRY: usize = 80;

fn short(hex: &str) -> &str {
    hex.get(..12).unwrap_or(hex)
}
