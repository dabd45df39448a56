//! The broker of a run.

use std::time::Duration;

use fnpack_artifact::Facts;
use fnpack_core::function_mesh::Broker;

use crate::command::Session;
use super::exchange::Exchange;
use super::function::{RunName, Topics};
use crate::arguments::RunArguments;
use crate::command::signals::Interruption;
use crate::error::CommandError;
use crate::ui::Ui;

/// A Pulsar for one run.
pub(super) struct Pulsar {
    broker: Broker,
}

pub(super) struct Nobody;

impl Exchange for Nobody {
    fn is_subscribed(&mut self) -> Option<bool> {
        None
    }

    fn send(&mut self, _: &[u8]) -> Result<(), CommandError> {
        Ok(())
    }

    fn receive(&mut self, patience: Duration) -> Result<Option<Vec<u8>>, CommandError> {
        std::thread::sleep(patience);
        Ok(None)
    }
}

impl Pulsar {
    pub(super) fn open(arguments: &RunArguments, _: &Session<'_>, _: &Interruption) -> Result<Self, CommandError> {
        Ok(Self { broker: Broker { service: arguments.pulsar.clone().unwrap_or_default(), web: "http://localhost:8080".into(), authentication: None } })
    }

    pub(super) fn broker(&self) -> &Broker {
        &self.broker
    }

    pub(super) fn exchange(&self, _: &Topics, _: &Facts, _: &RunName, _: &Ui) -> Result<Nobody, CommandError> {
        Ok(Nobody)
    }
}
