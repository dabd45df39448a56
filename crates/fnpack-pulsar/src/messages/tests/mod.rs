//! The client against a broker of this process, which does what each test wants.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::error::FrameError;
use super::protocol::{
    BaseCommand, CommandType, Connected, Delivery, Empty, LookupKind, LookupResponse, MessageIdData, MessageMetadata,
    PartitionMetadataResponse, ProducerSuccess, RequestError, SendReceipt, SingleMessageMetadata, Success,
};
use super::*;

/// Signed by itself, for `127.0.0.1`; a name for nothing but these tests.
const CERTIFICATE: &[u8] = include_bytes!("certificate.der");
const KEY: &[u8] = include_bytes!("key.der");
const SHORT: Duration = Duration::from_millis(300);

trait Stream: Read + Write + std::marker::Send {}
impl<T: Read + Write + std::marker::Send> Stream for T {}

/// What a broker answers instead of the usual; `None` for the usual.
type Whim = dyn Fn(&BaseCommand) -> Option<Vec<Vec<u8>>> + std::marker::Send + Sync;

struct Broker {
    url: String,
    /// What was asked of it.
    commands: Receiver<BaseCommand>,
}

impl Broker {
    fn new(whim: impl Fn(&BaseCommand) -> Option<Vec<Vec<u8>>> + std::marker::Send + Sync + 'static) -> Self {
        Self::start("pulsar", whim, |tcp| Box::new(tcp))
    }

    fn with_tls() -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let versions = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let (certificate, key) = (CertificateDer::from(CERTIFICATE), PrivateKeyDer::Pkcs8(KEY.into()));
        let config = Arc::new(versions.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap());
        Self::start("pulsar+ssl", |_| None, move |tcp| Box::new(StreamOwned::new(ServerConnection::new(config.clone()).unwrap(), tcp)))
    }

    fn start(
        scheme: &str,
        whim: impl Fn(&BaseCommand) -> Option<Vec<Vec<u8>>> + std::marker::Send + Sync + 'static,
        wrap: impl Fn(TcpStream) -> Box<dyn Stream> + std::marker::Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("{scheme}://{}", listener.local_addr().unwrap());
        let (sender, commands) = channel();
        let (whim, own_url): (Arc<Whim>, _) = (Arc::new(whim), url.clone());
        std::thread::spawn(move || {
            for tcp in listener.incoming() {
                let (stream, sender, whim, url) = (wrap(tcp.unwrap()), sender.clone(), whim.clone(), own_url.clone());
                std::thread::spawn(move || serve(stream, &sender, &*whim, &url));
            }
        });
        Self { url, commands }
    }

    fn options(&self) -> ClientOptions {
        ClientOptions { timeout: SHORT, ..ClientOptions::new(&self.url) }
    }

    fn client(&self) -> Client {
        Client::connect(&self.options()).unwrap()
    }

    fn consumer(&self) -> Consumer {
        self.client().consumer("t", "s", Schema::Bytes, Position::Earliest).unwrap()
    }

    /// Waits for a command of a kind.
    fn asked(&self, kind: CommandType) -> BaseCommand {
        loop {
            let command = self.commands.recv_timeout(Duration::from_secs(5)).unwrap();
            if command.r#type == kind as i32 {
                return command;
            }
        }
    }
}

fn serve(mut stream: Box<dyn Stream>, commands: &Sender<BaseCommand>, whim: &Whim, url: &str) {
    let mut size = [0; 4];
    while stream.read_exact(&mut size).is_ok() {
        let mut bytes = vec![0; u32::from_be_bytes(size).try_into().unwrap()];
        stream.read_exact(&mut bytes).unwrap();
        let command = frame::decode(&bytes).unwrap().command;
        let frames = whim(&command).unwrap_or_else(|| usual(&command, url).iter().map(frame::encode).collect());
        let _ = commands.send(command);
        for frame in frames {
            let _ = stream.write_all(&frame).and_then(|()| stream.flush());
        }
    }
}

/// What a good broker answers.
fn usual(command: &BaseCommand, url: &str) -> Option<BaseCommand> {
    let none = BaseCommand::default();
    if command.connect.is_some() {
        let connected = Some(Connected { server_version: "test".to_owned(), max_message_size: Some(1000) });
        return Some(BaseCommand { r#type: CommandType::Connected as i32, connected, ..none });
    }
    if let Some(request) = &command.partition_metadata {
        let answer = PartitionMetadataResponse { partitions: Some(0), request_id: request.request_id, ..Default::default() };
        return Some(BaseCommand {
            r#type: CommandType::PartitionMetadataResponse as i32,
            partition_metadata_response: Some(answer),
            ..none
        });
    }
    if let Some(request) = &command.lookup {
        return Some(found(request.request_id, LookupKind::Connect, url, false));
    }
    if let Some(request) = &command.subscribe {
        return Some(success(request.request_id));
    }
    if let Some(request) = &command.unsubscribe {
        return Some(success(request.request_id));
    }
    if let Some(request) = &command.producer {
        let answer = ProducerSuccess { request_id: request.request_id, producer_name: "p".to_owned(), ..Default::default() };
        return Some(BaseCommand { r#type: CommandType::ProducerSuccess as i32, producer_success: Some(answer), ..none });
    }
    let send = command.send.as_ref()?;
    let message_id = Some(MessageIdData { ledger_id: 7, entry_id: send.sequence_id, partition: None });
    let receipt = SendReceipt { producer_id: send.producer_id, sequence_id: send.sequence_id, message_id };
    Some(BaseCommand { r#type: CommandType::SendReceipt as i32, send_receipt: Some(receipt), ..none })
}

fn found(request_id: u64, kind: LookupKind, url: &str, proxy: bool) -> BaseCommand {
    let answer = LookupResponse {
        broker_service_url: Some(url.to_owned()),
        broker_service_url_tls: Some(url.to_owned()),
        response: Some(kind as i32),
        request_id,
        authoritative: Some(true),
        proxy_through_service_url: Some(proxy),
        ..Default::default()
    };
    BaseCommand { r#type: CommandType::LookupResponse as i32, lookup_response: Some(answer), ..BaseCommand::default() }
}

fn success(request_id: u64) -> BaseCommand {
    BaseCommand { r#type: CommandType::Success as i32, success: Some(Success { request_id }), ..BaseCommand::default() }
}

fn refusal(request_id: u64, error: i32) -> BaseCommand {
    let error = RequestError { request_id, error, message: "because".to_owned() };
    BaseCommand { r#type: CommandType::Error as i32, error: Some(error), ..BaseCommand::default() }
}

fn delivery(consumer_id: u64, entry_id: u64, metadata: &MessageMetadata, payload: &[u8]) -> Vec<u8> {
    let message_id = MessageIdData { ledger_id: 1, entry_id, partition: None };
    let message = Some(Delivery { consumer_id, message_id });
    let command = BaseCommand { r#type: CommandType::Message as i32, message, ..BaseCommand::default() };
    frame::encode_message(&command, metadata, payload)
}

/// Answers the first permission to send with these frames.
fn on_flow(frames: impl Fn(u64) -> Vec<Vec<u8>> + std::marker::Send + Sync) -> impl Fn(&BaseCommand) -> Option<Vec<Vec<u8>>> {
    let done = Mutex::new(false);
    move |command| {
        let flow = command.flow.as_ref()?;
        let first = !std::mem::replace(&mut *done.lock().unwrap(), true);
        Some(if first { frames(flow.consumer_id) } else { Vec::new() })
    }
}

#[test]
fn token_is_sent_and_its_refusal_told() {
    let broker = Broker::new(|_| None);
    Client::connect(&ClientOptions { token: Some("secret".to_owned()), ..broker.options() }).unwrap();
    let connect = broker.asked(CommandType::Connect).connect.unwrap();
    assert_eq!((connect.auth_method_name.as_deref(), connect.auth_data.as_deref()), (Some("token"), Some(&b"secret"[..])));
    let broker = Broker::new(|_| Some(vec![frame::encode(&refusal(u64::MAX, 3))]));
    let error = Client::connect(&broker.options()).err().unwrap();
    assert_eq!(error.to_string(), "the broker refused the login: authentication failed, because");
}

#[test]
fn what_is_no_broker_is_an_error() {
    let http = Broker::new(|_| Some(vec![b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()]));
    let Err(MessageError::Broken { source, .. }) = Client::connect(&http.options()) else { panic!("it is no broker") };
    assert_eq!(source.to_string(), FrameError::TooLong(0x4854_5450).to_string());
    let silent = Broker::new(|_| Some(Vec::new()));
    assert!(matches!(Client::connect(&silent.options()), Err(MessageError::TimedOut { request: "the login", .. })));
    assert!(matches!(Client::connect(&ClientOptions::new("pulsar://127.0.0.1:1")), Err(MessageError::Connect { .. })));
    for garbage in [&[0, 0, 0, 4, 0, 0, 0, 9][..], &[0, 0, 0, 6, 0, 0, 0, 2, 0xff, 0xff], &[0, 0, 0, 0]] {
        let broker = Broker::new(move |_| Some(vec![garbage.to_vec()]));
        assert!(matches!(Client::connect(&broker.options()), Err(MessageError::Broken { .. })), "{garbage:?}");
    }
}

#[test]
fn second_host_is_tried() {
    let broker = Broker::new(|_| None);
    let url = broker.url.replace("pulsar://", "pulsar://127.0.0.1:1,");
    Client::connect(&ClientOptions { service_url: url, ..broker.options() }).unwrap();
}

#[test]
fn topic_is_followed_to_its_broker() {
    let second = Broker::new(|_| None);
    let url = second.url.clone();
    let first = Broker::new(move |command| {
        let request = command.lookup.as_ref()?;
        Some(vec![frame::encode(&found(request.request_id, LookupKind::Redirect, &url, false))])
    });
    let id = first.client().producer("t", Schema::String).unwrap().send(b"x").unwrap();
    assert_eq!((id.ledger, id.entry, id.partition), (7, 0, -1));
    assert_eq!(second.asked(CommandType::Lookup).lookup.unwrap().authoritative, Some(true));
    let created = second.asked(CommandType::Producer).producer.unwrap();
    assert_eq!((created.topic.as_str(), created.schema.unwrap().r#type), ("persistent://public/default/t", 1));
}

#[test]
fn broker_behind_a_proxy_is_reached_through_it() {
    let proxy = Broker::new(|command| {
        let request = command.lookup.as_ref()?;
        Some(vec![frame::encode(&found(request.request_id, LookupKind::Connect, "pulsar://inside:6650", true))])
    });
    proxy.client().producer("t", Schema::Bytes).unwrap().send(b"x").unwrap();
    assert_eq!(proxy.asked(CommandType::Connect).connect.unwrap().proxy_to_broker_url, None);
    assert_eq!(proxy.asked(CommandType::Connect).connect.unwrap().proxy_to_broker_url.as_deref(), Some("inside:6650"));
}

#[test]
fn brokers_that_send_in_circles_are_left() {
    let broker = Broker::new(|command| {
        let request = command.lookup.as_ref()?;
        let answer = LookupResponse { response: Some(2), request_id: request.request_id, error: Some(11), ..Default::default() };
        let answer = BaseCommand { r#type: CommandType::LookupResponse as i32, lookup_response: Some(answer), ..BaseCommand::default() };
        Some(vec![frame::encode(&answer)])
    });
    let error = broker.client().producer("t", Schema::Bytes).err().unwrap();
    assert!(matches!(error, MessageError::Refused { code: ErrorCode::TOPIC_NOT_FOUND, .. }), "{error}");
    let url = Arc::new(Mutex::new(String::new()));
    let own = url.clone();
    let broker = Broker::new(move |command| {
        let request = command.lookup.as_ref()?;
        Some(vec![frame::encode(&found(request.request_id, LookupKind::Redirect, &own.lock().unwrap(), false))])
    });
    url.lock().unwrap().clone_from(&broker.url);
    assert!(matches!(broker.client().producer("t", Schema::Bytes), Err(MessageError::Wandering { .. })));
}

#[test]
fn service_that_is_not_ready_is_asked_again() {
    let count = Mutex::new(0);
    let broker = Broker::new(move |command| {
        let request = command.subscribe.as_ref()?;
        let mut count = count.lock().unwrap();
        *count += 1;
        (*count == 1).then(|| vec![frame::encode(&refusal(request.request_id, 6))])
    });
    broker.consumer();
}

#[test]
fn batch_is_acknowledged_when_all_of_it_is() {
    let broker = Broker::new(on_flow(|consumer| {
        let metadata = MessageMetadata { num_messages_in_batch: Some(2), ..Default::default() };
        let single = |text: &str| {
            let metadata = SingleMessageMetadata { payload_size: text.len().try_into().unwrap(), ..Default::default() };
            let metadata = prost::Message::encode_to_vec(&metadata);
            [&u32::try_from(metadata.len()).unwrap().to_be_bytes()[..], &metadata, text.as_bytes()].concat()
        };
        vec![delivery(consumer, 5, &metadata, &[single("one"), single("two")].concat())]
    }));
    let mut consumer = broker.consumer();
    let messages: Vec<_> = (0..2).map(|_| consumer.receive(SHORT * 10).unwrap().unwrap()).collect();
    assert_eq!(messages.iter().map(|message| message.id.to_string()).collect::<Vec<_>>(), ["1:5:-1:0", "1:5:-1:1"]);
    consumer.acknowledge(&messages[1]).unwrap();
    consumer.acknowledge(&messages[0]).unwrap();
    consumer.acknowledge(&messages[0]).unwrap();
    drop(consumer);
    let acknowledged: Vec<_> = std::iter::from_fn(|| broker.commands.recv_timeout(SHORT).ok()).filter_map(|command| command.ack).collect();
    assert_eq!(acknowledged.len(), 1);
    assert_eq!(acknowledged[0].message_id[0].entry_id, 5);
}

#[test]
fn message_that_cannot_be_read_does_not_keep_the_next() {
    let broker = Broker::new(on_flow(|consumer| {
        let unknown = MessageMetadata { compression: Some(9), ..Default::default() };
        let mut damaged = delivery(consumer, 2, &MessageMetadata::default(), b"damaged");
        *damaged.last_mut().unwrap() ^= 1;
        vec![delivery(consumer, 1, &unknown, b"x"), damaged, delivery(consumer, 3, &MessageMetadata::default(), b"good")]
    }));
    let mut consumer = broker.consumer();
    for reason in ["its compression is of the unknown kind 9", "its checksum is wrong"] {
        let Err(MessageError::Unreadable { source, .. }) = consumer.receive(SHORT * 10) else { panic!("it was read") };
        assert_eq!(source.to_string(), reason);
    }
    assert_eq!(consumer.receive(SHORT * 10).unwrap().unwrap().payload, b"good");
    assert_eq!(consumer.receive(Duration::ZERO).unwrap(), None);
}

#[test]
fn broker_gets_its_answer_to_a_ping_and_may_close() {
    let broker = Broker::new(on_flow(|consumer| {
        let ping = BaseCommand { r#type: CommandType::Ping as i32, ping: Some(Empty {}), ..BaseCommand::default() };
        let close = Some(protocol::Close { id: consumer, request_id: 0 });
        let close = BaseCommand { r#type: CommandType::CloseConsumer as i32, close_consumer: close, ..BaseCommand::default() };
        vec![frame::encode(&ping), frame::encode(&close)]
    }));
    let mut consumer = broker.consumer();
    assert!(matches!(consumer.receive(SHORT * 10), Err(MessageError::Closed { what: "consumer", .. })));
    broker.asked(CommandType::Pong);
}

#[test]
fn message_above_the_limit_is_not_sent() {
    let broker = Broker::new(|_| None);
    let mut producer = broker.client().producer("t", Schema::Bytes).unwrap();
    assert!(matches!(producer.send(&[0; 1001]), Err(MessageError::TooLarge { size: 1001, limit: 1000 })));
    producer.send(&[0; 1000]).unwrap();
}

#[test]
fn tls_needs_a_trusted_certificate() {
    let broker = Broker::with_tls();
    assert!(matches!(Client::connect(&broker.options()), Err(MessageError::Tls { .. })));
    let options = ClientOptions { roots: vec![CERTIFICATE.to_vec()], timeout: SHORT * 10, ..broker.options() };
    let mut producer = Client::connect(&options).unwrap().producer("t", Schema::Bytes).unwrap();
    for _ in 0..3 {
        producer.send(&[1; 1000]).unwrap();
    }
}
