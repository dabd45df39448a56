//! The address of an engine.

use std::fmt;
use std::path::PathBuf;

use super::EngineError;

/// What `docker` listens on without TLS.
const PLAIN_PORT: u16 = 2375;
/// What it listens on with TLS.
const TLS_PORT: u16 = 2376;

/// Where an engine listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Endpoint {
    /// A unix socket.
    Socket(PathBuf),
    /// TCP, over TLS if there is a folder of certificates.
    Tcp {
        /// `host:port`.
        authority: String,
        /// The folder with `ca.pem` and, if we show one, `cert.pem` and `key.pem`.
        certificates: Option<PathBuf>,
    },
}

impl Endpoint {
    /// Reads `unix://PATH` or `tcp://HOST[:PORT]`; `named_by` says where it is written.
    pub(super) fn parse(named_by: &str, text: &str, certificates: Option<PathBuf>) -> Result<Self, EngineError> {
        let unusable = |reason| EngineError::Address { named_by: named_by.to_owned(), address: text.to_owned(), reason };
        match text.trim().split_once("://") {
            Some(("unix", path)) if path.starts_with('/') => Ok(Self::Socket(path.into())),
            Some(("unix", _)) => Err(unusable("the path of a socket begins with `/`")),
            Some(("tcp" | "http", rest)) => authority(rest, if certificates.is_some() { TLS_PORT } else { PLAIN_PORT })
                .map(|authority| Self::Tcp { authority, certificates })
                .ok_or_else(|| unusable("it is not `tcp://HOST:PORT`")),
            Some(("ssh", _)) => Err(EngineError::Ssh { named_by: named_by.to_owned(), address: text.to_owned() }),
            _ => Err(unusable("it is neither `unix://PATH` nor `tcp://HOST:PORT`")),
        }
    }
}

/// The path, or `tcp://host:port`.
impl fmt::Display for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(path) => path.display().fmt(formatter),
            Self::Tcp { authority, .. } => write!(formatter, "tcp://{authority}"),
        }
    }
}

/// `host:port` with the default port if there is none. A path is refused: it would be lost.
fn authority(text: &str, port: u16) -> Option<String> {
    let text = text.strip_suffix('/').unwrap_or(text);
    let parsed: ureq::http::uri::Authority = text.parse().ok()?;
    let plain = !parsed.host().is_empty() && !text.contains('@');
    plain.then(|| if parsed.port().is_some() { text.to_owned() } else { format!("{text}:{port}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_docker_reads_them() {
        let certificates = || Some(PathBuf::from("/c"));
        for (text, certificates, shown) in [
            ("unix:///run/docker.sock", None, "/run/docker.sock"),
            ("unix:///run/docker.sock", certificates(), "/run/docker.sock"),
            ("tcp://10.0.0.7", None, "tcp://10.0.0.7:2375"),
            ("tcp://engine.lab", certificates(), "tcp://engine.lab:2376"),
            ("tcp://engine.lab:99/", None, "tcp://engine.lab:99"),
            ("http://[::1]:2375", None, "tcp://[::1]:2375"),
        ] {
            assert_eq!(Endpoint::parse("X", text, certificates).unwrap().to_string(), shown);
        }
    }

    #[test]
    fn what_is_no_address_is_refused_by_name() {
        for text in [
            "",
            "/run/docker.sock",
            "unix://run/docker.sock",
            "npipe:////./pipe/docker",
            "tcp://",
            "tcp://:1",
            "tcp://a/b",
            "tcp://u@a",
            "tcp://a b",
        ] {
            let error = Endpoint::parse("DOCKER_HOST", text, None).unwrap_err();
            assert!(matches!(error, EngineError::Address { .. }), "{text}: {error}");
            assert!(error.to_string().starts_with("DOCKER_HOST"), "{error}");
        }
        assert!(matches!(Endpoint::parse("X", "ssh://me@host", None), Err(EngineError::Ssh { .. })));
    }
}
