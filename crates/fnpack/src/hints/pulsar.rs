//! Pulsar: brokers, their REST interface, one of our own.

use fnpack_pulsar::admin::AdminError;
use fnpack_pulsar::distribution::DistributionError;
use fnpack_pulsar::messages::{ErrorCode, MessageError};
use fnpack_pulsar::standalone::StandaloneError;

use super::{Advice, Explain};
use crate::error::Class::{Interrupted, Machine, Registry, Usage};

const BROKER: &str = "see that the broker runs and can be reached from here";

impl Explain for MessageError {
    fn advice(&self) -> Advice {
        let broker = Advice::new(Registry);
        match self {
            Self::ServiceUrl { .. } => Advice::new(Usage).hint("write `pulsar://HOST:PORT`"),
            Self::Tls { .. } => broker.hint("trust the broker's certificates by `SSL_CERT_FILE`"),
            Self::Refused { code, .. } if *code == ErrorCode::AUTHENTICATION => broker.hint("name a file with a token by `--token-file`"),
            Self::Refused { code, .. } if *code == ErrorCode::AUTHORIZATION => {
                broker.hint("take a tenant and namespace that the token is good for")
            }
            Self::Refused { code, .. } if *code == ErrorCode::TOPIC_NOT_FOUND => {
                broker.hint("see that tenant and namespace exist (`--tenant`, `--namespace`), or name topics that are there")
            }
            Self::Refused { code, .. } if *code == ErrorCode::INCOMPATIBLE_SCHEMA => {
                broker.hint("take a new topic, or say the function's types with `--input-type` and `--output-type`")
            }
            Self::Connect { .. } | Self::Broken { .. } | Self::TimedOut { .. } => broker.hint(BROKER),
            _ => broker,
        }
    }
}

impl Explain for AdminError {
    fn advice(&self) -> Advice {
        match self {
            Self::Address { .. } => Advice::new(Usage).hint("write `http://HOST:PORT`"),
            Self::Unreachable { .. } => Advice::new(Registry).hint("name the REST interface with `--pulsar-web`"),
            Self::Name { .. } => Advice::new(Usage),
            _ => Advice::new(Registry),
        }
    }
}

impl Explain for DistributionError {
    fn advice(&self) -> Advice {
        match self {
            Self::Connection { .. } | Self::Fetch { .. } | Self::Refused { .. } => Advice::new(Registry)
                .hint("see that the repository can be reached; `HTTPS_PROXY` and `SSL_CERT_FILE` are taken from the environment"),
            Self::Damaged { .. } => {
                Advice::new(Registry).hint("try again; if it is the same, what lies between here and the repository changes files")
            }
            Self::File { source, .. } => source.advice(),
            _ => Advice::new(Machine).hint("remove the folder, it is fetched anew"),
        }
    }
}

impl Explain for StandaloneError {
    fn advice(&self) -> Advice {
        const JAVA: &str = "set JAVA_HOME to a Java of 17 or later, or name a Pulsar that runs with `--pulsar URL`";
        let advice = Advice::new(Machine);
        match self {
            Self::Java { .. } | Self::JavaVersion { .. } => advice.hint(JAVA),
            Self::Distribution { source } => source.advice(),
            Self::Interrupted => Advice::new(Interrupted),
            Self::File { source, .. } | Self::System { source, .. } => source.advice(),
            Self::Ended { .. } | Self::NotReady { .. } => {
                advice.hint("see that 1 GB of memory is free, or name a Pulsar that runs with `--pulsar URL`")
            }
            _ => advice,
        }
    }
}
