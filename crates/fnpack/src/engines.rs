//! Where this machine's container engine is looked for. `docs/images.md` has the order.

use std::ffi::OsString;
use std::path::PathBuf;

use fnpack_core::engine::EngineSettings;

/// Finds the places by the variables of an environment; none of them is looked at.
pub(crate) fn locate(variable: impl Fn(&str) -> Option<OsString>) -> EngineSettings {
    let value = |name: &str| variable(name).filter(|value| !value.is_empty());
    let text = |name: &str| value(name).map(|value| value.to_string_lossy().into_owned());
    let path = |name: &str| value(name).map(PathBuf::from);
    let (home, run) = (path("HOME"), path("XDG_RUNTIME_DIR"));
    let docker_folder = path("DOCKER_CONFIG").or_else(|| home.as_ref().map(|home| home.join(".docker")));
    let certificates = value("DOCKER_TLS_VERIFY").and_then(|_| path("DOCKER_CERT_PATH").or_else(|| docker_folder.clone()));
    let below = |folder: &Option<PathBuf>, name: &str| folder.as_ref().map(|folder| folder.join(name));
    let sockets = [
        Some("/var/run/docker.sock".into()),
        below(&run, "docker.sock"),
        below(&home, ".docker/run/docker.sock"),
        below(&run, "podman/podman.sock"),
        Some("/run/podman/podman.sock".into()),
    ];
    EngineSettings {
        docker_host: text("DOCKER_HOST"),
        certificates,
        docker_context: text("DOCKER_CONTEXT"),
        docker_folder,
        container_host: text("CONTAINER_HOST"),
        sockets: sockets.into_iter().flatten().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn located(variables: &[(&str, &str)]) -> EngineSettings {
        locate(|name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value)))
    }

    #[test]
    fn sockets_of_root_and_user_are_known_in_order() {
        let sockets = located(&[("HOME", "/h"), ("XDG_RUNTIME_DIR", "/r")]).sockets;
        let expected =
            ["/var/run/docker.sock", "/r/docker.sock", "/h/.docker/run/docker.sock", "/r/podman/podman.sock", "/run/podman/podman.sock"];
        assert_eq!(sockets, expected.map(PathBuf::from));
        assert_eq!(located(&[]).sockets, ["/var/run/docker.sock", "/run/podman/podman.sock"].map(PathBuf::from));
    }

    #[test]
    fn variables_of_docker_and_podman_are_read() {
        let all = located(&[
            ("HOME", "/h"),
            ("DOCKER_HOST", "tcp://x"),
            ("DOCKER_CONTEXT", "lab"),
            ("CONTAINER_HOST", "unix:///c"),
            ("DOCKER_TLS_VERIFY", "1"),
        ]);
        assert_eq!((all.docker_host.as_deref(), all.docker_context.as_deref()), (Some("tcp://x"), Some("lab")));
        assert_eq!(all.container_host.as_deref(), Some("unix:///c"));
        assert_eq!((all.docker_folder, all.certificates), (Some("/h/.docker".into()), Some("/h/.docker".into())));
        let quiet = located(&[("HOME", "/h"), ("DOCKER_HOST", ""), ("DOCKER_CERT_PATH", "/c"), ("DOCKER_TLS_VERIFY", "")]);
        assert_eq!((quiet.docker_host, quiet.certificates), (None, None));
        let certificates = located(&[("DOCKER_CONFIG", "/d"), ("DOCKER_CERT_PATH", "/c"), ("DOCKER_TLS_VERIFY", "1")]).certificates;
        assert_eq!(certificates, Some("/c".into()));
    }
}
