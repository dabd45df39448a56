//! `fnpack index …`: one name for images of several targets.

use fnpack_core::image::{Index, ManifestTree};
use fnpack_core::pipeline::{self, Address};

use super::Session;
use super::table::{Table, bytes};
use crate::arguments::{IndexCommand, OutputForm, PlatformsArguments};
use crate::error::{Class, CommandError};

/// Carries out one of them.
pub(super) fn run(command: IndexCommand, session: &Session<'_>) -> Result<(), CommandError> {
    match command {
        IndexCommand::Create { name, images } => {
            let digest = pipeline::create_index(&session.bench, &name, &images)?;
            session.ui.progress_done();
            session.pinned(&name, digest);
            Ok(())
        }
        IndexCommand::Inspect { index, output } => inspect(&index, output, session),
        IndexCommand::Push { name, destination } => {
            let all = PlatformsArguments { all: true, platform: None };
            super::image::push(&name, destination.as_ref().unwrap_or(&name), &all, session)
        }
    }
}

fn inspect(address: &Address, output: OutputForm, session: &Session<'_>) -> Result<(), CommandError> {
    let tree = session.bench.tree_at(address)?;
    if !tree.is_index() {
        return Err(CommandError::message(Class::Usage, format!("`{address}` is one image and no index")).hint("use `fnpack inspect`"));
    }
    match output {
        OutputForm::Json => session.json(&Index::parse(&tree.bytes)?),
        OutputForm::Table => session.ui.document(&describe(&tree)),
    }
    Ok(())
}

fn describe(tree: &ManifestTree) -> String {
    let mut table = Table::default();
    table.row(["TARGET", "DIGEST", "SIZE"]);
    for child in &tree.children {
        let target = child.descriptor.platform.as_ref().map(|platform| platform.target().to_string());
        let size = child.blobs.iter().map(|(blob, _)| blob.size).fold(child.descriptor.size, u64::saturating_add);
        table.row([target.as_deref().unwrap_or("not said"), &child.descriptor.digest.to_string(), &bytes(size)]);
    }
    table.render()
}
