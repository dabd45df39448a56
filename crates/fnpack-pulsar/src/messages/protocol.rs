//! The commands and metadata of Pulsar's binary protocol (`PulsarApi.proto`) that this client speaks.
//!
//! Written out by hand, so that no protobuf compiler is needed to build. Fields that are never sent nor looked
//! at are left out; readers skip what they do not know.

use prost::{Enumeration, Message};

/// What a connection announces; brokers answer newer commands only to those who know them.
pub(crate) const PROTOCOL_VERSION: i32 = 19;

#[derive(Clone, PartialEq, Message)]
pub(crate) struct BaseCommand {
    #[prost(enumeration = "CommandType", required, tag = "1")]
    pub(crate) r#type: i32,
    #[prost(message, optional, tag = "2")]
    pub(crate) connect: Option<Connect>,
    #[prost(message, optional, tag = "3")]
    pub(crate) connected: Option<Connected>,
    #[prost(message, optional, tag = "4")]
    pub(crate) subscribe: Option<Subscribe>,
    #[prost(message, optional, tag = "5")]
    pub(crate) producer: Option<CreateProducer>,
    #[prost(message, optional, tag = "6")]
    pub(crate) send: Option<Send>,
    #[prost(message, optional, tag = "7")]
    pub(crate) send_receipt: Option<SendReceipt>,
    #[prost(message, optional, tag = "8")]
    pub(crate) send_error: Option<SendError>,
    #[prost(message, optional, tag = "9")]
    pub(crate) message: Option<Delivery>,
    #[prost(message, optional, tag = "10")]
    pub(crate) ack: Option<Ack>,
    #[prost(message, optional, tag = "11")]
    pub(crate) flow: Option<Flow>,
    #[prost(message, optional, tag = "12")]
    pub(crate) unsubscribe: Option<ConsumerRequest>,
    #[prost(message, optional, tag = "13")]
    pub(crate) success: Option<Success>,
    #[prost(message, optional, tag = "14")]
    pub(crate) error: Option<RequestError>,
    #[prost(message, optional, tag = "15")]
    pub(crate) close_producer: Option<Close>,
    #[prost(message, optional, tag = "16")]
    pub(crate) close_consumer: Option<Close>,
    #[prost(message, optional, tag = "17")]
    pub(crate) producer_success: Option<ProducerSuccess>,
    #[prost(message, optional, tag = "18")]
    pub(crate) ping: Option<Empty>,
    #[prost(message, optional, tag = "19")]
    pub(crate) pong: Option<Empty>,
    #[prost(message, optional, tag = "21")]
    pub(crate) partition_metadata: Option<PartitionMetadata>,
    #[prost(message, optional, tag = "22")]
    pub(crate) partition_metadata_response: Option<PartitionMetadataResponse>,
    #[prost(message, optional, tag = "23")]
    pub(crate) lookup: Option<Lookup>,
    #[prost(message, optional, tag = "24")]
    pub(crate) lookup_response: Option<LookupResponse>,
    #[prost(message, optional, tag = "36")]
    pub(crate) auth_challenge: Option<AuthChallenge>,
    #[prost(message, optional, tag = "37")]
    pub(crate) auth_response: Option<AuthResponse>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Enumeration)]
#[repr(i32)]
pub(crate) enum CommandType {
    Connect = 2,
    Connected = 3,
    Subscribe = 4,
    Producer = 5,
    Send = 6,
    SendReceipt = 7,
    SendError = 8,
    Message = 9,
    Ack = 10,
    Flow = 11,
    Unsubscribe = 12,
    Success = 13,
    Error = 14,
    CloseProducer = 15,
    CloseConsumer = 16,
    ProducerSuccess = 17,
    Ping = 18,
    Pong = 19,
    PartitionMetadata = 21,
    PartitionMetadataResponse = 22,
    Lookup = 23,
    LookupResponse = 24,
    AuthChallenge = 36,
    AuthResponse = 37,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Empty {}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Connect {
    #[prost(string, required, tag = "1")]
    pub(crate) client_version: String,
    #[prost(bytes = "vec", optional, tag = "3")]
    pub(crate) auth_data: Option<Vec<u8>>,
    #[prost(int32, optional, tag = "4")]
    pub(crate) protocol_version: Option<i32>,
    #[prost(string, optional, tag = "5")]
    pub(crate) auth_method_name: Option<String>,
    #[prost(string, optional, tag = "6")]
    pub(crate) proxy_to_broker_url: Option<String>,
    #[prost(message, optional, tag = "10")]
    pub(crate) feature_flags: Option<FeatureFlags>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct FeatureFlags {
    #[prost(bool, optional, tag = "1")]
    pub(crate) supports_auth_refresh: Option<bool>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Connected {
    #[prost(string, required, tag = "1")]
    pub(crate) server_version: String,
    #[prost(int32, optional, tag = "3")]
    pub(crate) max_message_size: Option<i32>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct AuthChallenge {
    #[prost(string, optional, tag = "1")]
    pub(crate) server_version: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct AuthResponse {
    #[prost(string, optional, tag = "1")]
    pub(crate) client_version: Option<String>,
    #[prost(message, optional, tag = "2")]
    pub(crate) response: Option<AuthData>,
    #[prost(int32, optional, tag = "3")]
    pub(crate) protocol_version: Option<i32>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct AuthData {
    #[prost(string, optional, tag = "1")]
    pub(crate) auth_method_name: Option<String>,
    #[prost(bytes = "vec", optional, tag = "2")]
    pub(crate) auth_data: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Schema {
    #[prost(string, required, tag = "1")]
    pub(crate) name: String,
    #[prost(bytes = "vec", required, tag = "3")]
    pub(crate) data: Vec<u8>,
    #[prost(int32, required, tag = "4")]
    pub(crate) r#type: i32,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Subscribe {
    #[prost(string, required, tag = "1")]
    pub(crate) topic: String,
    #[prost(string, required, tag = "2")]
    pub(crate) subscription: String,
    /// 0 is `Exclusive`.
    #[prost(int32, required, tag = "3")]
    pub(crate) sub_type: i32,
    #[prost(uint64, required, tag = "4")]
    pub(crate) consumer_id: u64,
    #[prost(uint64, required, tag = "5")]
    pub(crate) request_id: u64,
    #[prost(message, optional, tag = "12")]
    pub(crate) schema: Option<Schema>,
    /// 0 is `Latest`, 1 is `Earliest`.
    #[prost(int32, optional, tag = "13")]
    pub(crate) initial_position: Option<i32>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct CreateProducer {
    #[prost(string, required, tag = "1")]
    pub(crate) topic: String,
    #[prost(uint64, required, tag = "2")]
    pub(crate) producer_id: u64,
    #[prost(uint64, required, tag = "3")]
    pub(crate) request_id: u64,
    #[prost(message, optional, tag = "7")]
    pub(crate) schema: Option<Schema>,
    #[prost(bool, optional, tag = "9")]
    pub(crate) user_provided_producer_name: Option<bool>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ProducerSuccess {
    #[prost(uint64, required, tag = "1")]
    pub(crate) request_id: u64,
    #[prost(string, required, tag = "2")]
    pub(crate) producer_name: String,
    #[prost(bytes = "vec", optional, tag = "4")]
    pub(crate) schema_version: Option<Vec<u8>>,
    #[prost(bool, optional, tag = "6", default = "true")]
    pub(crate) producer_ready: Option<bool>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Send {
    #[prost(uint64, required, tag = "1")]
    pub(crate) producer_id: u64,
    #[prost(uint64, required, tag = "2")]
    pub(crate) sequence_id: u64,
}

#[derive(Clone, PartialEq, Message)]
#[expect(clippy::struct_field_names, reason = "the names are those of the protocol")]
pub(crate) struct SendReceipt {
    #[prost(uint64, required, tag = "1")]
    pub(crate) producer_id: u64,
    #[prost(uint64, required, tag = "2")]
    pub(crate) sequence_id: u64,
    #[prost(message, optional, tag = "3")]
    pub(crate) message_id: Option<MessageIdData>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct SendError {
    #[prost(uint64, required, tag = "1")]
    pub(crate) producer_id: u64,
    #[prost(uint64, required, tag = "2")]
    pub(crate) sequence_id: u64,
    #[prost(int32, required, tag = "3")]
    pub(crate) error: i32,
    #[prost(string, required, tag = "4")]
    pub(crate) message: String,
}

#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub(crate) struct MessageIdData {
    #[prost(uint64, required, tag = "1")]
    pub(crate) ledger_id: u64,
    #[prost(uint64, required, tag = "2")]
    pub(crate) entry_id: u64,
    #[prost(int32, optional, tag = "3")]
    pub(crate) partition: Option<i32>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Delivery {
    #[prost(uint64, required, tag = "1")]
    pub(crate) consumer_id: u64,
    #[prost(message, required, tag = "2")]
    pub(crate) message_id: MessageIdData,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Ack {
    #[prost(uint64, required, tag = "1")]
    pub(crate) consumer_id: u64,
    /// 0 is `Individual`.
    #[prost(int32, required, tag = "2")]
    pub(crate) kind: i32,
    #[prost(message, repeated, tag = "3")]
    pub(crate) message_id: Vec<MessageIdData>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Flow {
    #[prost(uint64, required, tag = "1")]
    pub(crate) consumer_id: u64,
    #[prost(uint32, required, tag = "2")]
    pub(crate) message_permits: u32,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ConsumerRequest {
    #[prost(uint64, required, tag = "1")]
    pub(crate) consumer_id: u64,
    #[prost(uint64, required, tag = "2")]
    pub(crate) request_id: u64,
}

/// `CommandCloseProducer` and `CommandCloseConsumer`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Close {
    #[prost(uint64, required, tag = "1")]
    pub(crate) id: u64,
    #[prost(uint64, required, tag = "2")]
    pub(crate) request_id: u64,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Success {
    #[prost(uint64, required, tag = "1")]
    pub(crate) request_id: u64,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct RequestError {
    #[prost(uint64, required, tag = "1")]
    pub(crate) request_id: u64,
    #[prost(int32, required, tag = "2")]
    pub(crate) error: i32,
    #[prost(string, required, tag = "3")]
    pub(crate) message: String,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct PartitionMetadata {
    #[prost(string, required, tag = "1")]
    pub(crate) topic: String,
    #[prost(uint64, required, tag = "2")]
    pub(crate) request_id: u64,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct PartitionMetadataResponse {
    #[prost(uint32, optional, tag = "1")]
    pub(crate) partitions: Option<u32>,
    #[prost(uint64, required, tag = "2")]
    pub(crate) request_id: u64,
    /// 0 is `Success`, 1 is `Failed`.
    #[prost(int32, optional, tag = "3")]
    pub(crate) response: Option<i32>,
    #[prost(int32, optional, tag = "4")]
    pub(crate) error: Option<i32>,
    #[prost(string, optional, tag = "5")]
    pub(crate) message: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Lookup {
    #[prost(string, required, tag = "1")]
    pub(crate) topic: String,
    #[prost(uint64, required, tag = "2")]
    pub(crate) request_id: u64,
    #[prost(bool, optional, tag = "3")]
    pub(crate) authoritative: Option<bool>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct LookupResponse {
    #[prost(string, optional, tag = "1")]
    pub(crate) broker_service_url: Option<String>,
    #[prost(string, optional, tag = "2")]
    pub(crate) broker_service_url_tls: Option<String>,
    #[prost(enumeration = "LookupKind", optional, tag = "3")]
    pub(crate) response: Option<i32>,
    #[prost(uint64, required, tag = "4")]
    pub(crate) request_id: u64,
    #[prost(bool, optional, tag = "5")]
    pub(crate) authoritative: Option<bool>,
    #[prost(int32, optional, tag = "6")]
    pub(crate) error: Option<i32>,
    #[prost(string, optional, tag = "7")]
    pub(crate) message: Option<String>,
    #[prost(bool, optional, tag = "8")]
    pub(crate) proxy_through_service_url: Option<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Enumeration)]
#[repr(i32)]
pub(crate) enum LookupKind {
    Redirect = 0,
    Connect = 1,
    Failed = 2,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct KeyValue {
    #[prost(string, required, tag = "1")]
    pub(crate) key: String,
    #[prost(string, required, tag = "2")]
    pub(crate) value: String,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct MessageMetadata {
    #[prost(string, required, tag = "1")]
    pub(crate) producer_name: String,
    #[prost(uint64, required, tag = "2")]
    pub(crate) sequence_id: u64,
    #[prost(uint64, required, tag = "3")]
    pub(crate) publish_time: u64,
    #[prost(message, repeated, tag = "4")]
    pub(crate) properties: Vec<KeyValue>,
    #[prost(string, optional, tag = "6")]
    pub(crate) partition_key: Option<String>,
    #[prost(int32, optional, tag = "8")]
    pub(crate) compression: Option<i32>,
    #[prost(uint32, optional, tag = "9")]
    pub(crate) uncompressed_size: Option<u32>,
    /// Without it, the payload is one message and not a batch of one.
    #[prost(int32, optional, tag = "11")]
    pub(crate) num_messages_in_batch: Option<i32>,
    #[prost(string, optional, tag = "14")]
    pub(crate) encryption_algo: Option<String>,
    #[prost(bytes = "vec", optional, tag = "16")]
    pub(crate) schema_version: Option<Vec<u8>>,
    #[prost(int32, optional, tag = "20")]
    pub(crate) marker_type: Option<i32>,
    #[prost(int32, optional, tag = "27")]
    pub(crate) num_chunks_from_msg: Option<i32>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct SingleMessageMetadata {
    #[prost(message, repeated, tag = "1")]
    pub(crate) properties: Vec<KeyValue>,
    #[prost(string, optional, tag = "2")]
    pub(crate) partition_key: Option<String>,
    #[prost(int32, required, tag = "3")]
    pub(crate) payload_size: i32,
    #[prost(bool, optional, tag = "4")]
    pub(crate) compacted_out: Option<bool>,
}
