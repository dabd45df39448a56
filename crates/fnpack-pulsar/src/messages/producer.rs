//! Sending messages, one by one, each acknowledged by the broker before the next.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{SystemTime, UNIX_EPOCH};

use super::client::Inner;
use super::connection::{Connection, ProducerEvent};
use super::error::{ErrorCode, MessageError};
use super::protocol::{BaseCommand, Close, CommandType, CreateProducer, KeyValue, MessageMetadata, Send, SendReceipt};
use super::{MessageId, Schema};

/// A message to be sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outgoing {
    /// Its bytes.
    pub payload: Vec<u8>,
    /// Its key, by which the broker keeps order and compacts.
    pub key: Option<String>,
    /// What travels with it.
    pub properties: BTreeMap<String, String>,
}

/// Sends to a topic; to its partitions in turn, if it has some.
pub struct Producer {
    topic: String,
    partitions: Vec<Partition>,
    next: usize,
}

struct Partition {
    connection: Arc<Connection>,
    id: u64,
    name: String,
    schema_version: Option<Vec<u8>>,
    sequence: u64,
    events: Receiver<ProducerEvent>,
    index: i32,
}

impl Producer {
    pub(super) fn create(client: &Inner, topic: &str, schema: Schema) -> Result<Self, MessageError> {
        let topics = client.partitions(topic)?;
        let first = if topics.len() == 1 && topics.iter().any(|name| name == topic) { -1 } else { 0 };
        let partitions = topics
            .iter()
            .zip(first..)
            .map(|(name, index)| client.until_ready(|| Partition::create(client, name, schema, index)))
            .collect::<Result<_, _>>()?;
        Ok(Self { topic: topic.to_owned(), partitions, next: 0 })
    }

    /// Sends bytes and waits until the broker has stored them.
    pub fn send(&mut self, payload: &[u8]) -> Result<MessageId, MessageError> {
        self.send_message(&Outgoing { payload: payload.to_vec(), ..Outgoing::default() })
    }

    /// Sends a message and waits until the broker has stored it.
    pub fn send_message(&mut self, message: &Outgoing) -> Result<MessageId, MessageError> {
        let count = self.partitions.len();
        let partition = self.partitions.get_mut(self.next % count).expect("a topic has at least one part");
        self.next = (self.next + 1) % count;
        partition.send(&self.topic, message)
    }
}

impl Partition {
    fn create(client: &Inner, topic: &str, schema: Schema, index: i32) -> Result<Self, MessageError> {
        let connection = client.broker_of(topic)?;
        let (id, request_id) = (connection.next_id(), connection.next_id());
        let events = connection.listen_as_producer(id);
        let create = CreateProducer {
            topic: topic.to_owned(),
            producer_id: id,
            request_id,
            schema: schema.of_producer(),
            user_provided_producer_name: Some(false),
        };
        let command = BaseCommand { r#type: CommandType::Producer as i32, producer: Some(create), ..BaseCommand::default() };
        let answer = connection.ask(request_id, "a producer", &command).inspect_err(|_| connection.forget_producer(id))?;
        let success = answer.producer_success.unwrap_or_default();
        let (name, schema_version) = (success.producer_name, success.schema_version);
        Ok(Self { connection, id, name, schema_version, sequence: 0, events, index })
    }

    fn send(&mut self, topic: &str, message: &Outgoing) -> Result<MessageId, MessageError> {
        let (size, limit) = (message.payload.len(), self.connection.message_limit());
        if size > limit {
            return Err(MessageError::TooLarge { size, limit });
        }
        let sequence_id = self.sequence;
        self.sequence += 1;
        let send = Send { producer_id: self.id, sequence_id };
        let command = BaseCommand { r#type: CommandType::Send as i32, send: Some(send), ..BaseCommand::default() };
        self.connection.publish(&command, &self.metadata(sequence_id, message), &message.payload)?;
        self.receipt(topic, sequence_id)
    }

    fn metadata(&self, sequence_id: u64, message: &Outgoing) -> MessageMetadata {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let property = |(key, value): (&String, &String)| KeyValue { key: key.clone(), value: value.clone() };
        MessageMetadata {
            producer_name: self.name.clone(),
            sequence_id,
            publish_time: u64::try_from(now.as_millis()).unwrap_or_default(),
            properties: message.properties.iter().map(property).collect(),
            partition_key: message.key.clone(),
            uncompressed_size: u32::try_from(message.payload.len()).ok(),
            schema_version: self.schema_version.clone(),
            ..MessageMetadata::default()
        }
    }

    fn receipt(&self, topic: &str, sequence: u64) -> Result<MessageId, MessageError> {
        loop {
            match self.connection.wait(&self.events, "a message")? {
                ProducerEvent::Receipt(receipt) if receipt.sequence_id == sequence => return Ok(self.message_id(&receipt)),
                ProducerEvent::Refused(refusal) if refusal.sequence_id == sequence => {
                    let request = format!("a message to topic `{topic}`");
                    return Err(MessageError::Refused { request, code: ErrorCode(refusal.error), message: refusal.message });
                }
                ProducerEvent::Closed => {
                    let closed = MessageError::Closed { what: "producer", topic: topic.to_owned() };
                    return Err(self.connection.failure().unwrap_or(closed));
                }
                // Of a message that was given up on.
                ProducerEvent::Receipt(_) | ProducerEvent::Refused(_) => {}
            }
        }
    }

    fn message_id(&self, receipt: &SendReceipt) -> MessageId {
        let (ledger, entry) = receipt.message_id.as_ref().map(|id| (id.ledger_id, id.entry_id)).unwrap_or_default();
        MessageId { ledger, entry, partition: self.index, batch_index: None }
    }
}

impl Drop for Partition {
    fn drop(&mut self) {
        self.connection.forget_producer(self.id);
        let close = Close { id: self.id, request_id: self.connection.next_id() };
        let command = BaseCommand { r#type: CommandType::CloseProducer as i32, close_producer: Some(close), ..BaseCommand::default() };
        // A connection that broke closed it already.
        let _ = self.connection.tell(&command);
    }
}
