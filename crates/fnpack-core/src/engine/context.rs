//! Docker's contexts: `config.json` names one, `contexts/meta/<sha256 of its name>/meta.json` has its address.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::EngineError;
use super::endpoint::Endpoint;
use crate::digest::Digest;

/// Both files are written by hand or by `docker context`.
const LONGEST: u64 = 1024 * 1024;
/// The context that stands for the socket of this machine.
const DEFAULT: &str = "default";

#[derive(Deserialize)]
struct Config {
    #[serde(default, rename = "currentContext")]
    current_context: Option<String>,
}

#[derive(Deserialize)]
struct Context {
    #[serde(rename = "Endpoints")]
    endpoints: Endpoints,
}

#[derive(Deserialize)]
struct Endpoints {
    docker: Docker,
}

#[derive(Deserialize)]
struct Docker {
    #[serde(rename = "Host")]
    host: String,
}

/// The address of the context called `wanted`, else of the one that `config.json` in `folder` names; none if that is the default.
pub(super) fn current_context(folder: &Path, wanted: Option<&str>) -> Result<Option<Endpoint>, EngineError> {
    let name = match wanted {
        Some(name) => Some(name.to_owned()),
        None => configured(folder.join("config.json"))?,
    };
    let Some(name) = name.filter(|name| !name.is_empty() && name != DEFAULT) else { return Ok(None) };
    let id = Digest::of(&name).hex();
    let path = folder.join("contexts/meta").join(&id).join("meta.json");
    let context: Context = read(&path).map_err(|source| EngineError::Context { name: name.clone(), path, source })?;
    let certificates = folder.join("contexts/tls").join(id).join("docker");
    let certificates = certificates.is_dir().then_some(certificates);
    Endpoint::parse(&format!("the docker context `{name}`"), &context.endpoints.docker.host, certificates).map(Some)
}

fn configured(path: PathBuf) -> Result<Option<String>, EngineError> {
    match read::<Config>(&path) {
        Ok(config) => Ok(config.current_context),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(EngineError::DockerConfig { path, source }),
    }
}

fn read<T: DeserializeOwned>(path: &Path) -> io::Result<T> {
    let mut bytes = Vec::new();
    fs_err::File::open(path)?.take(LONGEST).read_to_end(&mut bytes)?;
    Ok(serde_json::from_slice(&bytes)?)
}
