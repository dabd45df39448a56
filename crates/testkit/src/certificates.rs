//! Certificates and keys in PEM, for `localhost` and 127.0.0.1. The script `make` beside them makes them anew.

/// The authority of all but [`FOREIGN_CLIENT`].
pub const AUTHORITY: &str = include_str!("certificates/authority.crt");

/// A certificate and its key.
#[derive(Debug, Clone, Copy)]
pub struct Pair {
    /// The certificate.
    pub certificate: &'static str,
    /// Its key.
    pub key: &'static str,
}

/// Of a server, valid.
pub const SERVER: Pair = Pair { certificate: include_str!("certificates/server.crt"), key: include_str!("certificates/server.key") };
/// Of a server, expired since 2021.
pub const EXPIRED: Pair = Pair { certificate: include_str!("certificates/expired.crt"), key: include_str!("certificates/expired.key") };
/// Of a server, not valid before 2100.
pub const FUTURE: Pair = Pair { certificate: include_str!("certificates/future.crt"), key: include_str!("certificates/future.key") };
/// Of a client, valid.
pub const CLIENT: Pair = Pair { certificate: include_str!("certificates/client.crt"), key: include_str!("certificates/client.key") };
/// Of a client, by an authority that nobody knows.
pub const FOREIGN_CLIENT: Pair =
    Pair { certificate: include_str!("certificates/foreign-client.crt"), key: include_str!("certificates/foreign-client.key") };
