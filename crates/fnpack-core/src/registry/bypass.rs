//! Hosts that are spoken to without the proxy: `NO_PROXY` as curl and Go read it.
//!
//! `*` is everywhere, `.example.com` and `*.example.com` what is below a domain, `example.com` the domain too,
//! `10.0.0.0/8` a network, each with a `:port` if it is for that alone. Networks hold addresses as they are
//! written; names are not looked up for it.

use std::net::IpAddr;

use super::url::{Url, is_loopback};

/// Where no proxy is used; this machine never needs one.
pub(super) struct Bypass(Vec<Entry>);

struct Entry {
    hosts: Hosts,
    port: Option<u16>,
}

enum Hosts {
    All,
    Domain(String),
    Below(String),
    Network(IpAddr, u32),
}

impl Bypass {
    /// Reads the entries of the list. What makes no sense is for no host.
    pub(super) fn new(list: &[String]) -> Self {
        Self(list.iter().filter_map(|entry| Entry::parse(&entry.trim().to_ascii_lowercase())).collect())
    }

    /// Whether an address is asked directly.
    pub(super) fn covers(&self, url: &Url) -> bool {
        let host = url.host();
        is_loopback(host) || self.0.iter().any(|entry| entry.covers(host, url.port()))
    }
}

impl Entry {
    fn parse(text: &str) -> Option<Self> {
        if let Some(hosts) = Hosts::parse(text) {
            return Some(Self { hosts, port: None });
        }
        let (hosts, port) = text.rsplit_once(':')?;
        Some(Self { hosts: Hosts::parse(hosts)?, port: Some(port.parse().ok()?) })
    }

    fn covers(&self, host: &str, port: u16) -> bool {
        self.port.is_none_or(|own| own == port) && self.hosts.contain(host)
    }
}

impl Hosts {
    fn parse(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Self::All);
        }
        let bare = without_brackets(text);
        if let Ok(address) = bare.parse::<IpAddr>() {
            return Some(Self::Network(address, length(address)));
        }
        if let Some((address, bits)) = bare.split_once('/') {
            let (address, bits) = (address.parse().ok()?, bits.parse().ok()?);
            return (bits <= length(address)).then_some(Self::Network(address, bits));
        }
        let domain = text.trim_start_matches('*').trim_start_matches('.').trim_end_matches('.');
        let is_name = !domain.is_empty() && domain.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
        is_name.then(|| if text.starts_with(['.', '*']) { Self::Below(domain.to_owned()) } else { Self::Domain(domain.to_owned()) })
    }

    fn contain(&self, host: &str) -> bool {
        let below = |domain: &str| host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'));
        match self {
            Self::All => true,
            Self::Domain(domain) => host == domain || below(domain),
            Self::Below(domain) => below(domain),
            Self::Network(network, bits) => {
                without_brackets(host).parse().is_ok_and(|address| prefix(address, *bits) == prefix(*network, *bits))
            }
        }
    }
}

fn without_brackets(host: &str) -> &str {
    host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host)
}

fn length(address: IpAddr) -> u32 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// The first bits of an address, and how long it is.
fn prefix(address: IpAddr, bits: u32) -> (u32, u128) {
    let value = match address {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    };
    let rest = length(address).saturating_sub(bits);
    (length(address), value.checked_shr(rest).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::super::url::Scheme;
    use super::*;

    #[test]
    fn proxy_is_left_out_where_the_list_says() {
        let list = [
            ".corp.example",
            "Exact.example",
            " 10.0.0.7",
            "*.star.example",
            "",
            "10.20.0.0/14",
            "0.0.0.0/33",
            "fd00::/8",
            "[fe80::1]:5000",
            "port.example:5000",
            "192.168.1.0/24:8443",
            "dotted.example.",
            "a b",
        ];
        let bypass = Bypass::new(&list.map(str::to_owned));
        for (authority, expected) in [
            ("localhost", true),
            ("127.0.0.1", true),
            ("[::1]:5000", true),
            ("registry.corp.example", true),
            ("corp.example", false),
            ("exact.example:5000", true),
            ("sub.exact.example", true),
            ("notexact.example", false),
            ("10.0.0.7", true),
            ("10.0.0.70", false),
            ("a.star.example", true),
            ("10.23.255.255", true),
            ("10.24.0.0", false),
            ("[fd12::3]", true),
            ("[fe00::3]", false),
            ("[fe80::1]:5000", true),
            ("[fe80::1]", false),
            ("port.example:5000", true),
            ("below.port.example:5000", true),
            ("port.example", false),
            ("192.168.1.9:8443", true),
            ("192.168.1.9", false),
            ("dotted.example", true),
            ("ghcr.io", false),
        ] {
            assert_eq!(bypass.covers(&Url::new(Scheme::Https, authority, "/")), expected, "{authority}");
        }
        let url = Url::new(Scheme::Https, "ghcr.io", "/");
        assert!(Bypass::new(&["*".to_owned()]).covers(&url));
        assert!(Bypass::new(&["0.0.0.0/0".to_owned()]).covers(&Url::new(Scheme::Https, "8.8.8.8", "/")));
        assert!(!Bypass::new(&["0.0.0.0/0".to_owned()]).covers(&url), "names are not looked up");
    }
}
