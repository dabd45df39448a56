//! Where a registry of image names answers.

use super::url::{Scheme, Url, is_loopback, split_port};
use crate::reference::DOCKER_HUB;

/// Docker Hub's registry does not answer under the name that references use.
const DOCKER_HUB_HOST: &str = "registry-1.docker.io";

/// The address of a path (`v2/…`) at a registry. Loopback and the named hosts are spoken to in plain
/// HTTP, except on the port of HTTPS.
pub(super) fn address(registry: &str, path: &str, insecure_hosts: &[String]) -> Url {
    let host = if registry == DOCKER_HUB { DOCKER_HUB_HOST } else { registry };
    let plain = may_be_plain(host, insecure_hosts) && split_port(host).1 != Some("443");
    Url::new(if plain { Scheme::Http } else { Scheme::Https }, host, &format!("/{path}"))
}

/// Whether plain HTTP to this authority gives nothing away: it is this machine, or the user said so.
pub(super) fn may_be_plain(authority: &str, insecure_hosts: &[String]) -> bool {
    let (host, _) = split_port(authority);
    is_loopback(host) || insecure_hosts.iter().any(|named| named == authority || named == host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scheme_follows_the_host() {
        let insecure = ["plain.example.com".to_owned(), "other.example.com:5000".to_owned()];
        for (registry, expected) in [
            ("docker.io", "https://registry-1.docker.io/v2/"),
            ("ghcr.io", "https://ghcr.io/v2/"),
            ("registry.example.com:5000", "https://registry.example.com:5000/v2/"),
            ("localhost", "http://localhost/v2/"),
            ("localhost:443", "https://localhost:443/v2/"),
            ("127.0.0.1:5000", "http://127.0.0.1:5000/v2/"),
            ("[::1]:5000", "http://[::1]:5000/v2/"),
            ("plain.example.com:8080", "http://plain.example.com:8080/v2/"),
            ("other.example.com:5000", "http://other.example.com:5000/v2/"),
            ("other.example.com:5001", "https://other.example.com:5001/v2/"),
        ] {
            assert_eq!(address(registry, "v2/", &insecure).to_string(), expected);
        }
    }
}
