//! The container engine of the machine.

use fnpack_core::engine::EngineError;

use super::{Advice, Explain};
use crate::error::Class::{Configuration, Machine, Registry};

const ARCHIVE: &str = "start it, or write a file for it: `fnpack image save -o FILE NAME`, which `docker load` and `podman load` take";
const OTHER: &str = "name another engine with DOCKER_HOST=unix://SOCKET";

impl Explain for EngineError {
    fn advice(&self) -> Advice {
        let engine = Advice::new(Registry);
        let configuration = Advice::new(Configuration);
        match self {
            Self::NoEngine { looked_at } => engine.details(looked_at.clone()).hint(
                "start docker or `systemctl --user start podman.socket`, or name its socket with DOCKER_HOST=unix://SOCKET; `fnpack image save` writes a file without any",
            ),
            Self::Address { .. } => configuration.hint("write `unix:///run/docker.sock` or `tcp://host:2375`"),
            Self::Ssh { .. } => configuration.hint("forward its socket, `ssh -nNT -L /tmp/engine.sock:/var/run/docker.sock HOST`, and name that: DOCKER_HOST=unix:///tmp/engine.sock"),
            Self::DockerConfig { .. } => configuration.hint("correct the file, or name the engine with DOCKER_HOST"),
            Self::Context { .. } => configuration.hint("see `docker context ls`, or name the engine with DOCKER_HOST"),
            Self::Certificates { .. } => configuration.hint("put `ca.pem`, `cert.pem` and `key.pem` there, or name another folder with DOCKER_CERT_PATH"),
            Self::NotConnected { .. } => engine.hint(ARCHIVE),
            Self::Tls { .. } => {
                engine.hint("check the port, DOCKER_TLS_VERIFY, and the `ca.pem`, `cert.pem` and `key.pem` in DOCKER_CERT_PATH")
            }
            Self::Forbidden { .. } => {
                engine.hint("join the group `docker` (`sudo usermod -aG docker $USER`, then log in again), or use rootless podman: `systemctl --user start podman.socket`")
            }
            Self::NotAnEngine { .. } => engine.hint(OTHER),
            Self::HungUp { .. } | Self::TimedOut { .. } | Self::Unreadable { .. } => engine.hint("see the engine's log, then try again"),
            Self::Refused { .. } | Self::NotTaken { .. } => engine.hint("see that the engine works and has space: `docker info`, `docker system df`"),
            Self::NoSuchImage { .. } => engine.hint("see what is there with `docker images`, or `podman images`"),
            Self::OtherImage { .. } => engine.hint("try again: somebody else may have given the name to another image"),
            Self::NotExported { source, .. } => Advice { class: Registry, ..source.advice() },
            Self::Packing(source) => source.advice(),
            Self::Scratch { source, .. } => source.advice(),
            Self::TooLong { .. } => engine,
            Self::Pipe(_) => Advice::new(Machine).hint("close programs: this process may open no more files"),
        }
    }
}
