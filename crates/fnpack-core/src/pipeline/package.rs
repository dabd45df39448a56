//! Function source to a function package: the same detect and build as for an image, then the artifact is taken out of
//! the application folder.

use super::build::{BuildOptions, Finished, Product, Timings};
use super::{PipelineError, Workbench};
use crate::package::{Taken, Wanted, take};

/// By this variable buildpacks are told that their result goes into a package: Python sources below `src`, wheels below
/// `deps`. A thin jar with its libraries beside it is made one jar here.
const PACKAGE: &str = "BP_FUNCTION_PACKAGE";

/// A package, and what it took.
#[derive(Debug)]
pub struct Packaged {
    /// The package.
    pub package: Taken,
    /// Where the time went.
    pub timings: Timings,
}

/// Builds and writes a function package. Of `options`, those of the image are not looked at, but for the name: under it
/// caches are kept.
pub fn package(bench: &Workbench<'_>, mut options: BuildOptions, wanted: &Wanted) -> Result<Packaged, PipelineError> {
    options.env.push((PACKAGE.to_owned(), "true".to_owned()));
    let finished = Finished::of(bench, &options, Product::Package)?;
    // Where the package will run is not known; the run image only stands for it.
    finished.misfits().iter().for_each(|misfit| bench.report.warning(misfit));
    let package = take(&finished.app()?, &options.app_dir, finished.facts(), wanted)?;
    let timings = finished.keep_caches(|_, _| None)?;
    Ok(Packaged { package, timings })
}
