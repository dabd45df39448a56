//! Answers that come before all is sent: "too large", "denied", "storage full" (RFC 9110, section 10.1.1; RFC 9112, section 9.5).
//!
//! A registry that refuses a blob answers and closes while we are still sending. The next write then fails, and what
//! was answered lies unread. So a connection that takes nothing more swallows the rest and is read from: if an answer
//! is there it counts, and only if there is none the failed write does.

use std::cell::Cell;
use std::io;

use ureq::Error;
use ureq::unversioned::transport::{
    Buffers, ConnectProxyConnector, ConnectionDetails, Connector, NextTimeout, RustlsConnector, TcpConnector, Transport,
};

thread_local! {
    /// Whether the request that this thread sends is taken no more. A request is sent by one thread from its begin to its answer,
    /// and there is no other way from a connection to the body that is sent through it.
    static BARRED: Cell<bool> = const { Cell::new(false) };
}

/// A new request begins.
pub(super) fn begin() {
    BARRED.set(false);
}

/// Whether what is still to be sent reaches nobody, and need not be read either.
pub(super) fn is_barred() -> bool {
    BARRED.get()
}

/// Proxies, TCP and TLS, each connection listening to the end.
pub(super) fn connector() -> impl Connector {
    // Below TLS, which would not read again after a failed write; above it, so that nothing is encrypted for nobody.
    ().chain(ConnectProxyConnector::default())
        .chain(TcpConnector::default())
        .chain(Listening)
        .chain(RustlsConnector::default())
        .chain(Listening)
}

/// Makes connections listen.
#[derive(Debug)]
struct Listening;

impl<T: Transport> Connector<T> for Listening {
    type Out = Listener<T>;

    fn connect(&self, _details: &ConnectionDetails<'_>, chained: Option<T>) -> Result<Option<Self::Out>, Error> {
        Ok(chained.map(|inner| Listener { inner, barred: false, fault: None }))
    }
}

/// A connection that is read from even when it cannot be written to.
#[derive(Debug)]
struct Listener<T> {
    inner: T,
    barred: bool,
    /// Why it takes nothing, until somebody was told.
    fault: Option<io::Error>,
}

impl<T: Transport> Transport for Listener<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        if self.barred || is_barred() {
            return Ok(());
        }
        match self.inner.transmit_output(amount, timeout) {
            Err(Error::Io(fault)) if is_closed(&fault) => {
                BARRED.set(true);
                self.barred = true;
                self.fault = Some(fault);
                Ok(())
            }
            result => result,
        }
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        match (self.inner.await_input(timeout), self.fault.take()) {
            (Ok(true), fault) => {
                self.fault = fault;
                Ok(true)
            }
            (Ok(false) | Err(_), Some(fault)) => Err(Error::Io(fault)),
            (result, None) => result,
        }
    }

    fn is_open(&mut self) -> bool {
        !self.barred && self.inner.is_open()
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }
}

fn is_closed(fault: &io::Error) -> bool {
    matches!(fault.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted)
}
