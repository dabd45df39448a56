//! The lifecycle: one program under the name of each phase (CNB platform specification, "Lifecycle interface").
//!
//! The phases themselves are functions of `fnpack-core` over values. Here is what makes processes of them:
//! flags and environment ([`arguments`]), exit codes and messages ([`failure`], [`log`]), registries
//! ([`images`], [`keychain`]), files and their owners ([`documents`], [`site`], [`ownership`]), and the phases in
//! these clothes ([`phases`]), alone or all in one as the creator. Buildpacks run in the container that we are in.

mod arguments;
mod blobs;
mod cache;
mod documents;
mod failure;
mod images;
mod keychain;
mod log;
mod ownership;
mod phase;
mod phases;
mod session;
mod site;

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().map(|argument| argument.to_string_lossy().into_owned());
    let program = arguments.next().unwrap_or_default();
    let environment = |name: &str| std::env::var(name).ok();
    ExitCode::from(phases::main(&program, arguments.collect(), &environment).code())
}
