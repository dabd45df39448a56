//! One connection to a broker: requests and their answers, and what comes by itself.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::error::{ErrorCode, FrameError, MessageError};
use super::frame::{self, Frame};
use super::protocol::{
    AuthData, AuthResponse, BaseCommand, CommandType, Connect, Delivery, Empty, FeatureFlags, MessageMetadata, PROTOCOL_VERSION, SendError,
    SendReceipt,
};
use super::wire::Wire;

const CLIENT_VERSION: &str = concat!("fnpack-", env!("CARGO_PKG_VERSION"));
/// After so long without a word the broker is asked whether it lives; after twice as long it does not.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// `CONNECT` has no id of its own; refusals of it carry this one.
const GREETING: u64 = u64::MAX;
/// Unless the broker says otherwise.
const DEFAULT_MESSAGE_LIMIT: usize = 5 << 20;

/// Who connects, and to whom through a proxy.
#[derive(Debug, Clone, Default)]
pub(super) struct Introduction {
    pub(super) token: Option<String>,
    /// The broker behind the proxy, `host:port`.
    pub(super) behind_proxy: Option<String>,
}

/// What a broker tells a producer by itself.
pub(super) enum ProducerEvent {
    Receipt(SendReceipt),
    Refused(SendError),
    Closed,
}

/// What a broker tells a consumer by itself.
pub(super) enum ConsumerEvent {
    /// Metadata and payload are not yet looked at.
    Delivered(Delivery, Vec<u8>),
    Closed,
}

/// Dropped, it is closed.
pub(super) struct Connection {
    shared: Arc<Shared>,
    message_limit: usize,
}

struct Shared {
    address: String,
    wire: Wire,
    token: Option<String>,
    timeout: Duration,
    next_id: AtomicU64,
    listeners: Mutex<Listeners>,
}

#[derive(Default)]
struct Listeners {
    requests: HashMap<u64, Sender<BaseCommand>>,
    producers: HashMap<u64, Sender<ProducerEvent>>,
    consumers: HashMap<u64, Sender<ConsumerEvent>>,
    /// Why there is nothing more to listen to.
    end: Option<(io::ErrorKind, String)>,
}

impl Connection {
    /// Introduces itself over a fresh wire.
    pub(super) fn open(address: &str, wire: Wire, introduction: Introduction, timeout: Duration) -> Result<Self, MessageError> {
        let shared = Arc::new(Shared {
            address: address.to_owned(),
            wire,
            token: introduction.token,
            timeout,
            next_id: AtomicU64::new(1),
            listeners: Mutex::default(),
        });
        let mut connection = Self { shared: shared.clone(), message_limit: DEFAULT_MESSAGE_LIMIT };
        shared.wire.set_read_timeout(KEEP_ALIVE).map_err(|source| shared.broken(source))?;
        let reader = shared.clone();
        let thread = std::thread::Builder::new().name("pulsar connection".to_owned());
        thread.spawn(move || reader.listen()).map_err(|source| shared.broken(source))?;
        let answer = connection.ask(GREETING, "the login", &shared.greeting(introduction.behind_proxy))?;
        let announced = answer.connected.and_then(|connected| connected.max_message_size);
        if let Some(limit) = announced.and_then(|size| usize::try_from(size).ok()).filter(|size| *size > 0) {
            connection.message_limit = limit.min(frame::LONGEST_FRAME);
        }
        Ok(connection)
    }

    /// A number that no other request or producer of this connection has.
    pub(super) fn next_id(&self) -> u64 {
        self.shared.next_id.fetch_add(1, Ordering::Relaxed)
    }

    /// The largest message that the broker takes.
    pub(super) fn message_limit(&self) -> usize {
        self.message_limit
    }

    pub(super) fn is_broken(&self) -> bool {
        self.shared.listeners().end.is_some()
    }

    /// Sends a command with this request id and waits for the answer. `request` says in errors what was asked.
    pub(super) fn ask(&self, id: u64, request: &'static str, command: &BaseCommand) -> Result<BaseCommand, MessageError> {
        let (sender, answer) = channel();
        self.shared.listeners().requests.insert(id, sender);
        self.tell(command)?;
        let answer = self.shared.wait(&answer, request);
        self.shared.listeners().requests.remove(&id);
        let answer = answer?;
        match answer.error {
            Some(error) => Err(MessageError::Refused { request: request.to_owned(), code: ErrorCode(error.error), message: error.message }),
            None => Ok(answer),
        }
    }

    /// Sends a command that has no answer.
    pub(super) fn tell(&self, command: &BaseCommand) -> Result<(), MessageError> {
        self.shared.send(&frame::encode(command))
    }

    /// Sends a command with a message.
    pub(super) fn publish(&self, command: &BaseCommand, metadata: &MessageMetadata, payload: &[u8]) -> Result<(), MessageError> {
        self.shared.send(&frame::encode_message(command, metadata, payload))
    }

    pub(super) fn listen_as_producer(&self, id: u64) -> Receiver<ProducerEvent> {
        let (sender, receiver) = channel();
        self.shared.listeners().producers.insert(id, sender);
        receiver
    }

    pub(super) fn listen_as_consumer(&self, id: u64, sender: Sender<ConsumerEvent>) {
        self.shared.listeners().consumers.insert(id, sender);
    }

    pub(super) fn forget_producer(&self, id: u64) {
        self.shared.listeners().producers.remove(&id);
    }

    pub(super) fn forget_consumer(&self, id: u64) {
        self.shared.listeners().consumers.remove(&id);
    }

    /// Waits for what a channel of this connection brings.
    pub(super) fn wait<T>(&self, receiver: &Receiver<T>, request: &'static str) -> Result<T, MessageError> {
        self.shared.wait(receiver, request)
    }

    /// Why the connection ended, if it did.
    pub(super) fn failure(&self) -> Option<MessageError> {
        self.shared.failure()
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.shared.wire.close();
    }
}

impl Shared {
    fn greeting(&self, behind_proxy: Option<String>) -> BaseCommand {
        let connect = Connect {
            client_version: CLIENT_VERSION.to_owned(),
            auth_data: self.token.clone().map(String::into_bytes),
            protocol_version: Some(PROTOCOL_VERSION),
            auth_method_name: self.token.as_ref().map(|_| "token".to_owned()),
            proxy_to_broker_url: behind_proxy,
            feature_flags: Some(FeatureFlags { supports_auth_refresh: Some(true) }),
        };
        BaseCommand { r#type: CommandType::Connect as i32, connect: Some(connect), ..BaseCommand::default() }
    }

    fn listeners(&self) -> MutexGuard<'_, Listeners> {
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn broken(&self, source: io::Error) -> MessageError {
        MessageError::Broken { address: self.address.clone(), source }
    }

    fn failure(&self) -> Option<MessageError> {
        let end = self.listeners().end.clone();
        end.map(|(kind, text)| self.broken(io::Error::new(kind, text)))
    }

    fn send(&self, bytes: &[u8]) -> Result<(), MessageError> {
        if let Some(failure) = self.failure() {
            return Err(failure);
        }
        self.wire.write(bytes).map_err(|source| {
            // Half a frame may be out: nothing can follow it.
            self.wire.close();
            self.broken(source)
        })
    }

    fn wait<T>(&self, receiver: &Receiver<T>, request: &'static str) -> Result<T, MessageError> {
        receiver.recv_timeout(self.timeout).map_err(|error| match error {
            RecvTimeoutError::Timeout => MessageError::TimedOut { address: self.address.clone(), request, waited: self.timeout },
            RecvTimeoutError::Disconnected => self.failure().unwrap_or_else(|| self.broken(io::ErrorKind::ConnectionAborted.into())),
        })
    }

    /// Reads until the connection ends; then everybody who listens is told.
    fn listen(&self) {
        let mut buffer = Vec::new();
        let error = loop {
            if let Err(error) = self.read_frame(&mut buffer).and_then(|frame| self.deliver(frame)) {
                break error;
            }
        };
        let mut listeners = self.listeners();
        listeners.end = Some((error.kind(), described(&error)));
        listeners.requests.clear();
        // Who is gone does not mind.
        listeners.producers.drain().for_each(|(_, sender)| drop(sender.send(ProducerEvent::Closed)));
        listeners.consumers.drain().for_each(|(_, sender)| drop(sender.send(ConsumerEvent::Closed)));
    }

    fn read_frame(&self, buffer: &mut Vec<u8>) -> io::Result<Frame> {
        loop {
            if let Some((size, _)) = buffer.split_first_chunk() {
                let end = 4 + frame::total_size(*size).map_err(broken_frame)?;
                if let Some(bytes) = buffer.get(4..end) {
                    let frame = frame::decode(bytes).map_err(broken_frame)?;
                    buffer.drain(..end);
                    return Ok(frame);
                }
            }
            self.read_more(buffer)?;
        }
    }

    fn read_more(&self, buffer: &mut Vec<u8>) -> io::Result<()> {
        match self.wire.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                let ping = BaseCommand { r#type: CommandType::Ping as i32, ping: Some(Empty {}), ..BaseCommand::default() };
                self.wire.write(&frame::encode(&ping))?;
                self.wire.read(buffer)
            }
            result => result,
        }
    }

    fn deliver(&self, Frame { command, rest }: Frame) -> io::Result<()> {
        match CommandType::try_from(command.r#type) {
            Ok(CommandType::Ping) => self.answer_ping()?,
            Ok(CommandType::AuthChallenge) => self.answer_challenge()?,
            _ => self.hand_over(command, rest),
        }
        Ok(())
    }

    fn answer_ping(&self) -> io::Result<()> {
        let pong = BaseCommand { r#type: CommandType::Pong as i32, pong: Some(Empty {}), ..BaseCommand::default() };
        self.wire.write(&frame::encode(&pong))
    }

    /// The broker asks for the login again before it expires.
    fn answer_challenge(&self) -> io::Result<()> {
        let auth_data = self.token.clone().map(String::into_bytes);
        let response = AuthResponse {
            client_version: Some(CLIENT_VERSION.to_owned()),
            response: Some(AuthData { auth_method_name: auth_data.as_ref().map(|_| "token".to_owned()), auth_data }),
            protocol_version: Some(PROTOCOL_VERSION),
        };
        let command = BaseCommand { r#type: CommandType::AuthResponse as i32, auth_response: Some(response), ..BaseCommand::default() };
        self.wire.write(&frame::encode(&command))
    }

    /// To whoever listens. What nobody waits for any more is dropped.
    fn hand_over(&self, command: BaseCommand, rest: Vec<u8>) {
        let mut listeners = self.listeners();
        if let Some(request) = request_of(&command) {
            if let Some(sender) = listeners.requests.remove(&request) {
                let _ = sender.send(command);
            }
        } else if let Some(receipt) = command.send_receipt {
            listeners.tell_producer(receipt.producer_id, ProducerEvent::Receipt(receipt));
        } else if let Some(refusal) = command.send_error {
            listeners.tell_producer(refusal.producer_id, ProducerEvent::Refused(refusal));
        } else if let Some(delivery) = command.message {
            listeners.tell_consumer(delivery.consumer_id, ConsumerEvent::Delivered(delivery, rest));
        } else if let Some(close) = command.close_producer {
            listeners.tell_producer(close.id, ProducerEvent::Closed);
        } else if let Some(close) = command.close_consumer {
            listeners.tell_consumer(close.id, ConsumerEvent::Closed);
        }
    }
}

impl Listeners {
    fn tell_producer(&mut self, id: u64, event: ProducerEvent) {
        let _ = self.producers.get(&id).map(|sender| sender.send(event));
    }

    fn tell_consumer(&mut self, id: u64, event: ConsumerEvent) {
        let _ = self.consumers.get(&id).map(|sender| sender.send(event));
    }
}

/// Which request a command answers.
fn request_of(command: &BaseCommand) -> Option<u64> {
    (command.connected.as_ref().map(|_| GREETING))
        .or(command.success.as_ref().map(|answer| answer.request_id))
        .or(command.error.as_ref().map(|answer| answer.request_id))
        .or(command.producer_success.as_ref().map(|answer| answer.request_id))
        .or(command.partition_metadata_response.as_ref().map(|answer| answer.request_id))
        .or(command.lookup_response.as_ref().map(|answer| answer.request_id))
}

fn broken_frame(error: FrameError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

fn described(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => "it was closed by the other side".to_owned(),
        _ => error.to_string(),
    }
}
