//! Messages in, answers out: what a conversation needs of a broker, and how Pulsar gives it.

use std::time::Duration;

use fnpack_artifact::Language;
use fnpack_core::function_mesh;
use fnpack_pulsar::messages::{Consumer, Position, Producer, Schema};

use super::function::{RunName, Topics};
use super::pulsar::Pulsar;
use crate::error::CommandError;
use crate::ui::Ui;

/// The Java class of texts.
const STRING: &str = "java.lang.String";

/// The two topics of a function.
pub(super) trait Exchange {
    /// Whether the function listens to its input topic; `None` if the broker does not say.
    fn is_subscribed(&mut self) -> Option<bool>;

    /// Sends a message to the function.
    fn send(&mut self, message: &[u8]) -> Result<(), CommandError>;

    /// The function's next answer, if one comes within `patience`.
    fn receive(&mut self, patience: Duration) -> Result<Option<Vec<u8>>, CommandError>;
}

/// Two topics of a cluster. Dropped, those that were made for the run are deleted.
pub(super) struct PulsarExchange<'a> {
    pulsar: &'a Pulsar,
    topics: &'a Topics,
    ui: &'a Ui,
    /// The function's.
    subscription: String,
    /// Whether the REST interface answered so far.
    says: bool,
    input_schema: Schema,
    /// Made with the first message: until then the function has registered the schema of its input.
    producer: Option<Producer>,
    consumer: Option<Consumer>,
}

impl<'a> PulsarExchange<'a> {
    /// Subscribes to the answers, before there can be any.
    pub(super) fn open(
        pulsar: &'a Pulsar,
        topics: &'a Topics,
        function: &function_mesh::Instance,
        run: &RunName,
        ui: &'a Ui,
    ) -> Result<Self, CommandError> {
        let position = if topics.output.is_ours { Position::Earliest } else { Position::Latest };
        let text = |class: &Option<String>| function.language == Language::Java && class.as_deref() == Some(STRING);
        // Where the schema is not known the function must be free to register any.
        let output_schema = if text(&function.output_type) { Schema::String } else { Schema::Auto };
        let input_schema = if text(&function.input_type) { Schema::String } else { Schema::Bytes };
        let consumer = pulsar.client.consumer(&topics.output.name, &run.name(), output_schema, position)?;
        let subscription = format!("{}/{}/{}", function.tenant, function.namespace, function.name);
        Ok(Self { pulsar, topics, ui, subscription, says: true, input_schema, producer: None, consumer: Some(consumer) })
    }
}

impl Exchange for PulsarExchange<'_> {
    fn is_subscribed(&mut self) -> Option<bool> {
        if !self.says {
            return None;
        }
        // On a topic of others they may listen, too.
        let subscription = Some(self.subscription.as_str()).filter(|_| !self.topics.input.is_ours);
        let said = self.pulsar.admin.is_consumed(&self.topics.input.name, subscription).ok();
        self.says = said.is_some();
        said
    }

    fn send(&mut self, message: &[u8]) -> Result<(), CommandError> {
        let producer = match &mut self.producer {
            Some(producer) => producer,
            none => none.insert(self.pulsar.client.producer(&self.topics.input.name, self.input_schema)?),
        };
        producer.send(message)?;
        Ok(())
    }

    fn receive(&mut self, patience: Duration) -> Result<Option<Vec<u8>>, CommandError> {
        let Some(consumer) = &mut self.consumer else { return Ok(None) };
        let Some(message) = consumer.receive(patience)? else { return Ok(None) };
        consumer.acknowledge(&message)?;
        Ok(Some(message.payload))
    }
}

impl Drop for PulsarExchange<'_> {
    fn drop(&mut self) {
        self.producer = None;
        if self.pulsar.is_own() {
            return;
        }
        if let Some(Err(error)) = self.consumer.take().map(Consumer::unsubscribe) {
            self.ui.detail(&format!("the subscription to `{}` is left: {error}", self.topics.output.name));
        }
        for topic in [&self.topics.input, &self.topics.output].into_iter().filter(|topic| topic.is_ours) {
            if let Err(error) = self.pulsar.admin.delete_topic(&topic.name) {
                self.ui.warning(&format!("the topic `{}` is left: {error}", topic.name));
            }
        }
    }
}
