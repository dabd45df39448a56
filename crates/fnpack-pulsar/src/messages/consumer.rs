//! Receiving messages of a subscription.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use super::client::Inner;
use super::connection::{Connection, ConsumerEvent};
use super::error::MessageError;
use super::payload::{Content, contents};
use super::protocol::{Ack, BaseCommand, Close, CommandType, ConsumerRequest, Delivery, Flow, MessageIdData, Subscribe};
use super::{MessageId, Schema, frame};

/// So many messages may be on the way before any is taken.
const PERMITS: u32 = 200;

/// Where a new subscription begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Position {
    /// With the oldest message that the topic still has.
    Earliest,
    /// With the next message.
    Latest,
}

/// A message as it was received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its bytes, decompressed.
    pub payload: Vec<u8>,
    /// Its key.
    pub key: Option<String>,
    /// What travelled with it.
    pub properties: BTreeMap<String, String>,
    /// Where it is stored.
    pub id: MessageId,
}

/// Receives from a topic, and from all its partitions.
pub struct Consumer {
    topic: String,
    partitions: HashMap<u64, Partition>,
    events: Receiver<ConsumerEvent>,
    ready: VecDeque<Message>,
    /// Messages of an entry that are not acknowledged; the broker knows entries only.
    open: HashMap<(i32, u64, u64), usize>,
}

struct Partition {
    connection: Arc<Connection>,
    id: u64,
    index: i32,
    /// Messages taken since the broker was told to send more.
    taken: u32,
}

impl Consumer {
    pub(super) fn subscribe(
        client: &Inner,
        topic: &str,
        subscription: &str,
        (schema, position): (Schema, Position),
    ) -> Result<Self, MessageError> {
        let (sender, events) = channel();
        let topics = client.partitions(topic)?;
        let first = if topics.iter().any(|name| name == topic) { -1 } else { 0 };
        let mut partitions = HashMap::new();
        for (name, index) in topics.iter().zip(first..) {
            let subscribe = subscribe(name, subscription, schema, position);
            let partition = client.until_ready(|| Partition::subscribe(client, subscribe.clone(), index, &sender))?;
            partitions.insert(partition.id, partition);
        }
        Ok(Self { topic: topic.to_owned(), partitions, events, ready: VecDeque::new(), open: HashMap::new() })
    }

    /// The next message; `None` if none came in time. After [`MessageError::Unreadable`] it goes on with the next.
    pub fn receive(&mut self, timeout: Duration) -> Result<Option<Message>, MessageError> {
        let begin = Instant::now();
        loop {
            if let Some(message) = self.ready.pop_front() {
                return Ok(Some(message));
            }
            match self.events.recv_timeout(timeout.saturating_sub(begin.elapsed())) {
                Ok(ConsumerEvent::Delivered(delivery, rest)) => self.accept(&delivery, &rest)?,
                Err(RecvTimeoutError::Timeout) => return Ok(None),
                Ok(ConsumerEvent::Closed) | Err(RecvTimeoutError::Disconnected) => return Err(self.closed()),
            }
        }
    }

    /// Tells the broker that a message is done with: it will not come again.
    pub fn acknowledge(&mut self, message: &Message) -> Result<(), MessageError> {
        let MessageId { ledger, entry, partition, .. } = message.id;
        let Some(open) = self.open.get_mut(&(partition, ledger, entry)) else { return Ok(()) };
        *open -= 1;
        if *open > 0 {
            return Ok(());
        }
        self.open.remove(&(partition, ledger, entry));
        match self.partitions.values().find(|part| part.index == partition) {
            Some(part) => part.acknowledge(MessageIdData { ledger_id: ledger, entry_id: entry, partition: Some(partition) }),
            None => Ok(()),
        }
    }

    /// Ends the subscription, so that the broker keeps no messages for it.
    pub fn unsubscribe(self) -> Result<(), MessageError> {
        self.partitions.values().try_for_each(Partition::unsubscribe)
    }

    /// Takes an entry apart into messages.
    fn accept(&mut self, delivery: &Delivery, rest: &[u8]) -> Result<(), MessageError> {
        let Some(partition) = self.partitions.get_mut(&delivery.consumer_id) else { return Ok(()) };
        let stored = &delivery.message_id;
        let id = MessageId { ledger: stored.ledger_id, entry: stored.entry_id, partition: partition.index, batch_index: None };
        let read = frame::envelope(rest).and_then(|envelope| {
            let batched = envelope.metadata.num_messages_in_batch.is_some();
            Ok((batched, contents(envelope)?))
        });
        let count = read.as_ref().map_or(1, |(_, contents)| contents.len().max(1));
        partition.took(count)?;
        let (batched, contents) = read.map_err(|source| MessageError::Unreadable { id: id.to_string(), source })?;
        let ready = messages(id, batched, contents);
        if ready.is_empty() {
            return partition.acknowledge(stored.clone());
        }
        self.open.insert((id.partition, id.ledger, id.entry), ready.len());
        self.ready.extend(ready);
        Ok(())
    }

    fn closed(&self) -> MessageError {
        let failure = self.partitions.values().find_map(|partition| partition.connection.failure());
        failure.unwrap_or_else(|| MessageError::Closed { what: "consumer", topic: self.topic.clone() })
    }
}

fn messages(id: MessageId, batched: bool, contents: Vec<Option<Content>>) -> Vec<Message> {
    let numbered = contents.into_iter().zip(0..).filter_map(|(content, index)| Some((content?, index)));
    let message = |(Content { payload, key, properties }, index)| Message {
        payload,
        key,
        properties: properties.into_iter().collect(),
        id: MessageId { batch_index: batched.then_some(index), ..id },
    };
    numbered.map(message).collect()
}

fn subscribe(topic: &str, subscription: &str, schema: Schema, position: Position) -> Subscribe {
    Subscribe {
        topic: topic.to_owned(),
        subscription: subscription.to_owned(),
        schema: schema.of_consumer(),
        initial_position: Some(i32::from(position == Position::Earliest)),
        ..Subscribe::default()
    }
}

impl Partition {
    fn subscribe(client: &Inner, subscribe: Subscribe, index: i32, events: &Sender<ConsumerEvent>) -> Result<Self, MessageError> {
        let connection = client.broker_of(&subscribe.topic)?;
        let (id, request_id) = (client.next_consumer(), connection.next_id());
        connection.listen_as_consumer(id, events.clone());
        let subscribe = Subscribe { consumer_id: id, request_id, ..subscribe };
        let command = BaseCommand { r#type: CommandType::Subscribe as i32, subscribe: Some(subscribe), ..BaseCommand::default() };
        connection.ask(request_id, "a consumer", &command).inspect_err(|_| connection.forget_consumer(id))?;
        let partition = Self { connection, id, index, taken: 0 };
        partition.permit(PERMITS)?;
        Ok(partition)
    }

    fn took(&mut self, count: usize) -> Result<(), MessageError> {
        self.taken = self.taken.saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
        if self.taken < PERMITS / 2 {
            return Ok(());
        }
        let taken = std::mem::take(&mut self.taken);
        self.permit(taken)
    }

    fn permit(&self, message_permits: u32) -> Result<(), MessageError> {
        let flow = Flow { consumer_id: self.id, message_permits };
        self.connection.tell(&BaseCommand { r#type: CommandType::Flow as i32, flow: Some(flow), ..BaseCommand::default() })
    }

    fn acknowledge(&self, id: MessageIdData) -> Result<(), MessageError> {
        let ack = Ack { consumer_id: self.id, kind: 0, message_id: vec![id] };
        self.connection.tell(&BaseCommand { r#type: CommandType::Ack as i32, ack: Some(ack), ..BaseCommand::default() })
    }

    fn unsubscribe(&self) -> Result<(), MessageError> {
        let request_id = self.connection.next_id();
        let request = ConsumerRequest { consumer_id: self.id, request_id };
        let command = BaseCommand { r#type: CommandType::Unsubscribe as i32, unsubscribe: Some(request), ..BaseCommand::default() };
        self.connection.ask(request_id, "the end of the subscription", &command).map(drop)
    }
}

impl Drop for Partition {
    fn drop(&mut self) {
        self.connection.forget_consumer(self.id);
        let close = Close { id: self.id, request_id: self.connection.next_id() };
        let command = BaseCommand { r#type: CommandType::CloseConsumer as i32, close_consumer: Some(close), ..BaseCommand::default() };
        // A connection that broke closed it already.
        let _ = self.connection.tell(&command);
    }
}
