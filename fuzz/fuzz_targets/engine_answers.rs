//! What a container engine answers: to the greeting, of an image, and with its export.

#![no_main]

mod answers;

use fnpack_core::engine::{Engine, EngineImage, EngineSettings};
use fnpack_core::target::Target;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    answers::prepare(bytes);
    let settings = EngineSettings { docker_host: Some(format!("tcp://{}", *answers::HOST)), ..EngineSettings::default() };
    let name: EngineImage = "team/image:1".parse().expect("a valid name");
    let target: Target = "linux/amd64".parse().expect("a valid target");
    if let Ok(engine) = Engine::connect(&settings)
        && let Ok(found) = engine.find(&name)
    {
        let scratch = tempfile::tempdir().expect("a scratch folder");
        let _ = engine.export(&found, scratch.path(), &target);
    }
});
