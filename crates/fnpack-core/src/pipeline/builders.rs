//! Builders over the store: made from a builder.toml, and the defaults that fnpack carries.

use super::{Destination, PipelineError, Workbench};
use crate::builder::labels::CreatedBy;
use crate::builder::{self, BuilderToml, CreateInput, CreateWarning, LifecycleBundle, Module, Output};
use crate::image::Image;
use crate::reference::Reference;
use crate::root::Root;
use crate::target::Target;

/// What a builder is made of, beside images.
#[derive(Debug)]
pub struct BuilderParts<'a> {
    /// What is wanted.
    pub config: &'a BuilderToml,
    /// The file's name, for messages.
    pub file: &'a str,
    /// The buildpacks, if they are not to be loaded from where the config says.
    pub modules: Option<Vec<Module>>,
    /// The lifecycle to put in.
    pub lifecycle: &'a LifecycleBundle,
    /// The version of fnpack.
    pub version: &'a str,
    /// Where the builder is wanted.
    pub destination: Destination,
}

/// Makes a builder image and puts it into the store.
pub fn create(bench: &Workbench<'_>, parts: BuilderParts<'_>, name: &Reference, target: &Target) -> Result<Image, PipelineError> {
    let build_image = bench.find_base(&parts.config.build_image, target, parts.destination)?;
    let run_images = run_images(bench, parts.config, target);
    let scratch = bench.store.scratch()?;
    let folder = Root::open(scratch.path())?;
    let modules = match parts.modules {
        Some(modules) => modules,
        None => builder::load(&parts.config.buildpacks, parts.file, &folder)?,
    };
    let input = CreateInput {
        config: parts.config,
        build_image: &build_image,
        run_images: &run_images,
        modules: &modules,
        lifecycle: parts.lifecycle,
        created_by: CreatedBy { name: "fnpack".to_owned(), version: parts.version.to_owned() },
    };
    let known = |diff_id: &_| bench.known_layer(diff_id);
    let created = builder::create(&input, &Output { sink: &bench.store, known: &known }).map_err(Box::new)?;
    for warning in &created.warnings {
        bench.report.warning(&describe(warning));
    }
    for layer in created.image.layers().iter().skip(build_image.layers().len()) {
        bench.remember_layer(layer)?;
    }
    bench.put(&created.image, [name])?;
    Ok(created.image)
}

/// The run images that are at hand; others cannot be checked and need not be there yet.
fn run_images(bench: &Workbench<'_>, config: &BuilderToml, target: &Target) -> Vec<(String, Image)> {
    let names = config.run_images.iter().flat_map(|entry| std::iter::once(&entry.image).chain(&entry.mirrors));
    let mut found = Vec::new();
    for name in names {
        match bench.store.image(name, target).ok().flatten() {
            Some(image) => found.push((name.familiar(), image)),
            None => bench.report.detail(&format!("the run image `{}` is not in the store and was not checked", name.familiar())),
        }
    }
    found
}

fn describe(warning: &CreateWarning) -> String {
    match warning {
        CreateWarning::NoTargets(module) => {
            format!("buildpack `{module}` names no `[[targets]]`; here it is taken for every Linux, by `pack` for linux/amd64 only")
        }
        CreateWarning::Replaced(module) => format!("buildpack `{module}` of the build image is replaced by one with other contents"),
    }
}
