//! Where an engine is looked for, in the order in which `docker` does, and `podman` after it.

use std::path::PathBuf;

use super::EngineError;
use super::context::current_context;
use super::endpoint::Endpoint;

/// What the surroundings say of engines. Nothing of it is looked at before [`super::Engine::connect`].
#[derive(Debug, Clone, Default)]
pub struct EngineSettings {
    /// The value of `DOCKER_HOST`.
    pub docker_host: Option<String>,
    /// The folder with `ca.pem`, `cert.pem` and `key.pem` for `DOCKER_HOST`, if it is to be spoken to over TLS.
    pub certificates: Option<PathBuf>,
    /// The value of `DOCKER_CONTEXT`.
    pub docker_context: Option<String>,
    /// The folder with docker's `config.json` and contexts.
    pub docker_folder: Option<PathBuf>,
    /// The value of `CONTAINER_HOST`.
    pub container_host: Option<String>,
    /// Sockets, the first that is there counts.
    pub sockets: Vec<PathBuf>,
}

impl EngineSettings {
    /// The engine's address.
    pub(super) fn endpoint(&self) -> Result<Endpoint, EngineError> {
        if let Some(host) = &self.docker_host {
            return Endpoint::parse("DOCKER_HOST", host, self.certificates.clone());
        }
        if let Some(context) = self.context()? {
            return Ok(context);
        }
        if let Some(host) = &self.container_host {
            return Endpoint::parse("CONTAINER_HOST", host, None);
        }
        let socket = self.sockets.iter().find(|socket| socket.exists());
        socket.map(|socket| Endpoint::Socket(socket.clone())).ok_or_else(|| EngineError::NoEngine { looked_at: self.looked_at() })
    }

    fn context(&self) -> Result<Option<Endpoint>, EngineError> {
        let Some(folder) = &self.docker_folder else { return Ok(None) };
        current_context(folder, self.docker_context.as_deref())
    }

    fn looked_at(&self) -> Vec<String> {
        let unset = "DOCKER_HOST, a docker context and CONTAINER_HOST name none".to_owned();
        let absent = self.sockets.iter().map(|socket| format!("there is no `{}`", socket.display()));
        std::iter::once(unset).chain(absent).collect()
    }
}
