//! Where a topic lives: its partitions, and the broker of each.

use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::client::Inner;
use super::connection::Connection;
use super::error::{ErrorCode, MessageError};
use super::protocol::{BaseCommand, CommandType, Lookup, LookupKind, LookupResponse, PartitionMetadata};

/// More brokers than this do not pass a topic on.
const MOST_HOPS: u32 = 20;
/// A topic with more partitions is not believed in.
const MOST_PARTITIONS: u32 = 10_000;
const PAUSE: Duration = Duration::from_millis(100);

/// The whole name of a topic, as brokers have it.
pub(super) fn full_name(topic: &str) -> String {
    match topic.matches('/').count() {
        _ if topic.contains("://") => topic.to_owned(),
        2 => format!("persistent://{topic}"),
        _ => format!("persistent://public/default/{topic}"),
    }
}

impl Inner {
    /// The topics that a topic consists of: itself, or its partitions.
    pub(super) fn partitions(&self, topic: &str) -> Result<Vec<String>, MessageError> {
        let count = self.until_ready(|| self.partition_count(topic))?;
        Ok(match count {
            0 => vec![topic.to_owned()],
            count => (0..count).map(|index| format!("{topic}-partition-{index}")).collect(),
        })
    }

    fn partition_count(&self, topic: &str) -> Result<u32, MessageError> {
        let connection = self.service()?;
        let request_id = connection.next_id();
        let request = PartitionMetadata { topic: topic.to_owned(), request_id };
        let command =
            BaseCommand { r#type: CommandType::PartitionMetadata as i32, partition_metadata: Some(request), ..BaseCommand::default() };
        let answer = connection.ask(request_id, "the number of partitions", &command)?.partition_metadata_response.unwrap_or_default();
        match answer.partitions {
            Some(count) if answer.response != Some(1) => Ok(count.min(MOST_PARTITIONS)),
            _ => Err(refused("the number of partitions", topic, answer.error, answer.message)),
        }
    }

    /// The connection to the broker that serves a topic.
    pub(super) fn broker_of(&self, topic: &str) -> Result<Arc<Connection>, MessageError> {
        self.until_ready(|| self.look_up(topic))
    }

    fn look_up(&self, topic: &str) -> Result<Arc<Connection>, MessageError> {
        let mut connection = self.service()?;
        let mut authoritative = false;
        for _ in 0..MOST_HOPS {
            let answer = ask(&connection, topic, authoritative)?;
            authoritative = answer.authoritative.unwrap_or_default();
            let (url, through_proxy) = (self.url_in(&answer), answer.proxy_through_service_url.unwrap_or_default());
            match (answer.response.map(LookupKind::try_from), url) {
                (Some(Ok(LookupKind::Connect)), Some(url)) => return self.broker(url, through_proxy),
                (Some(Ok(LookupKind::Redirect)), Some(url)) => connection = self.broker(url, through_proxy)?,
                _ => return Err(refused("the lookup", topic, answer.error, answer.message)),
            }
        }
        Err(MessageError::Wandering { topic: topic.to_owned(), hops: MOST_HOPS })
    }

    fn url_in<'a>(&self, answer: &'a LookupResponse) -> Option<&'a str> {
        let url = if self.uses_tls() { &answer.broker_service_url_tls } else { &answer.broker_service_url };
        url.as_deref().filter(|url| !url.is_empty())
    }

    /// Tries again while a broker says that it is not ready: it loads the topic, or hands it over.
    pub(super) fn until_ready<T>(&self, attempt: impl Fn() -> Result<T, MessageError>) -> Result<T, MessageError> {
        let begin = Instant::now();
        loop {
            match attempt() {
                Err(MessageError::Refused { code: ErrorCode::SERVICE_NOT_READY, .. }) if begin.elapsed() < self.timeout() => sleep(PAUSE),
                result => return result,
            }
        }
    }
}

fn ask(connection: &Connection, topic: &str, authoritative: bool) -> Result<LookupResponse, MessageError> {
    let request_id = connection.next_id();
    let lookup = Lookup { topic: topic.to_owned(), request_id, authoritative: Some(authoritative) };
    let command = BaseCommand { r#type: CommandType::Lookup as i32, lookup: Some(lookup), ..BaseCommand::default() };
    Ok(connection.ask(request_id, "the lookup", &command)?.lookup_response.unwrap_or_default())
}

fn refused(request: &str, topic: &str, code: Option<i32>, message: Option<String>) -> MessageError {
    let request = format!("{request} of topic `{topic}`");
    MessageError::Refused { request, code: ErrorCode(code.unwrap_or_default()), message: message.unwrap_or_default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topic_name_is_completed() {
        for (topic, expected) in [
            ("in", "persistent://public/default/in"),
            ("tenant/space/in", "persistent://tenant/space/in"),
            ("persistent://t/n/in", "persistent://t/n/in"),
            ("non-persistent://t/n/in", "non-persistent://t/n/in"),
        ] {
            assert_eq!(full_name(topic), expected);
        }
    }
}
