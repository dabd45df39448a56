//! Names the folder of embedded programs, which `just embed` fills.
//!
//! No nested cargo: it would wait for the target folder that the outer one holds, and inherit
//! clippy's wrapper.

use std::env;
use std::path::{Path, PathBuf};

const EMBEDDED: [&str; 5] = ["launcher", "lifecycle", "buildpack-golang", "buildpack-java", "buildpack-python"];

fn main() {
    let arch = match env::var("CARGO_CFG_TARGET_ARCH").as_deref() {
        Ok("x86_64") => "amd64",
        Ok("aarch64") => "arm64",
        other => panic!("fnpack embeds programs for x86_64 and aarch64, not for {other:?}"),
    };
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace.join("target"), |folder| workspace.join(PathBuf::from(folder)));
    let folder = target.join(format!("embed/linux-{arch}"));
    println!("cargo::rerun-if-env-changed=CARGO_TARGET_DIR");
    for name in EMBEDDED {
        let file = folder.join(name);
        println!("cargo::rerun-if-changed={}", file.display());
        assert!(file.is_file(), "{} is missing: run `just embed` (or `scripts/embed`) first", file.display());
    }
    println!("cargo::rustc-env=FNPACK_EMBED={}", folder.display());
}
