//! What the buildpacks of fnpack share: how they start, what the platform hands them, how they recognise that
//! nothing changed, and how they speak.

#![forbid(unsafe_code)]

mod application;
mod fingerprint;
mod layers;
mod output;
mod platform;
mod settings;
mod target_variables;

pub use application::{empty, labels, launch_folder};
pub use fingerprint::Fingerprint;
pub use layers::{Kept, cache_layer, result_layer};
pub use output::{OUTPUT_LIMIT, explained, pass_on, say, say_error, say_failure, without_credentials};
pub use platform::{Binding, FunctionPlatform, Variables};
pub use settings::{SettingError, file_name, inside, text};
pub use target_variables::start;
