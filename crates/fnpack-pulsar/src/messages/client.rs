//! The client: what is known of the cluster, and the connections to it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::ClientConfig;

use super::Schema;
use super::connection::{Connection, Introduction};
use super::consumer::{Consumer, Position};
use super::error::MessageError;
use super::lookup::full_name;
use super::producer::Producer;
use super::service_url::ServiceUrl;
use super::wire::{Wire, tls_config};

/// How a cluster is reached.
#[derive(Clone)]
pub struct ClientOptions {
    /// `pulsar://host:port` or `pulsar+ssl://host:port`, several hosts with commas.
    pub service_url: String,
    /// A token for the login, if one is needed.
    pub token: Option<String>,
    /// The certificates to trust (DER). Without any, no `pulsar+ssl` service is.
    pub roots: Vec<Vec<u8>>,
    /// How long to wait for a connection and for an answer.
    pub timeout: Duration,
}

impl ClientOptions {
    /// A cluster without login.
    pub fn new(service_url: impl Into<String>) -> Self {
        Self { service_url: service_url.into(), token: None, roots: Vec::new(), timeout: Duration::from_secs(30) }
    }
}

/// A client of one cluster. Clones share its connections, which end with the last of them and of their
/// producers and consumers.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

pub(super) struct Inner {
    service: ServiceUrl,
    token: Option<String>,
    tls: Option<Arc<ClientConfig>>,
    timeout: Duration,
    connections: Mutex<HashMap<Route, Arc<Connection>>>,
    consumers: AtomicU64,
}

/// Whom a connection ends at, and through which service.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Route {
    service: ServiceUrl,
    behind_proxy: Option<String>,
}

impl Client {
    /// Connects to the service, so that a wrong address or token is noticed here.
    pub fn connect(options: &ClientOptions) -> Result<Self, MessageError> {
        let service = ServiceUrl::parse(&options.service_url)?;
        let inner = Inner {
            tls: service.tls.then(|| tls_config(&options.roots)),
            service,
            token: options.token.clone(),
            timeout: options.timeout,
            connections: Mutex::default(),
            consumers: AtomicU64::new(1),
        };
        inner.service()?;
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Makes a producer. A topic that is not there is made, if the cluster allows that.
    pub fn producer(&self, topic: &str, schema: Schema) -> Result<Producer, MessageError> {
        Producer::create(&self.inner, &full_name(topic), schema)
    }

    /// Makes a consumer, alone on its subscription. `position` is where a new subscription begins; one that is
    /// there already goes on where it was.
    pub fn consumer(&self, topic: &str, subscription: &str, schema: Schema, position: Position) -> Result<Consumer, MessageError> {
        Consumer::subscribe(&self.inner, &full_name(topic), subscription, (schema, position))
    }
}

impl Inner {
    pub(super) fn uses_tls(&self) -> bool {
        self.service.tls
    }

    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// A number for a consumer, which tells its messages from those of others whatever connection they come by.
    pub(super) fn next_consumer(&self) -> u64 {
        self.consumers.fetch_add(1, Ordering::Relaxed)
    }

    /// Any broker, or the proxy.
    pub(super) fn service(&self) -> Result<Arc<Connection>, MessageError> {
        self.connection(Route { service: self.service.clone(), behind_proxy: None })
    }

    /// A broker by its own address, directly or through the service.
    pub(super) fn broker(&self, url: &str, through_service: bool) -> Result<Arc<Connection>, MessageError> {
        let broker = ServiceUrl::parse(url)?;
        if through_service {
            let behind_proxy = broker.hosts.into_iter().next();
            return self.connection(Route { service: self.service.clone(), behind_proxy });
        }
        self.connection(Route { service: broker, behind_proxy: None })
    }

    fn connection(&self, route: Route) -> Result<Arc<Connection>, MessageError> {
        // Held while connecting, so that nobody connects twice.
        let mut connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(connection) = connections.get(&route).filter(|connection| !connection.is_broken()) {
            return Ok(connection.clone());
        }
        let connection = Arc::new(self.open(&route)?);
        connections.insert(route, connection.clone());
        Ok(connection)
    }

    /// The first host that answers; the last failure if none does.
    fn open(&self, route: &Route) -> Result<Connection, MessageError> {
        let mut result = Err(MessageError::ServiceUrl { url: String::new(), reason: "it has no host" });
        for address in &route.service.hosts {
            result = self.open_at(address, route.behind_proxy.clone());
            if !matches!(result, Err(MessageError::Connect { .. })) {
                break;
            }
        }
        result
    }

    fn open_at(&self, address: &str, behind_proxy: Option<String>) -> Result<Connection, MessageError> {
        let wire = Wire::connect(address, self.tls.as_ref(), self.timeout)?;
        let introduction = Introduction { token: self.token.clone(), behind_proxy };
        Connection::open(address, wire, introduction, self.timeout)
    }
}
