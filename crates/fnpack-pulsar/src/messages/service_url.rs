//! Addresses of Pulsar services: `pulsar://host:port,host:port` and `pulsar+ssl://…`.

use super::error::MessageError;

/// A service: any of some hosts, in plain or by TLS.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct ServiceUrl {
    pub(super) tls: bool,
    /// `host:port`, at least one.
    pub(super) hosts: Vec<String>,
}

impl ServiceUrl {
    pub(super) fn parse(url: &str) -> Result<Self, MessageError> {
        let refused = |reason| MessageError::ServiceUrl { url: url.to_owned(), reason };
        let (scheme, rest) = url.split_once("://").ok_or_else(|| refused("no scheme, `pulsar://` or `pulsar+ssl://`"))?;
        let tls = match scheme {
            "pulsar" => false,
            "pulsar+ssl" => true,
            _ => return Err(refused("the scheme must be `pulsar` or `pulsar+ssl`")),
        };
        let hosts = rest.strip_suffix('/').unwrap_or(rest);
        let hosts: Option<Vec<String>> = hosts.split(',').map(|host| with_port(host, if tls { "6651" } else { "6650" })).collect();
        Ok(Self { tls, hosts: hosts.ok_or_else(|| refused("a host is missing or has no proper port"))? })
    }
}

/// The host of `host:port`, without the brackets of IPv6.
pub(super) fn host_of(address: &str) -> &str {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

fn with_port(host: &str, default: &str) -> Option<String> {
    let has_port = match host.strip_prefix('[') {
        Some(bracketed) => bracketed.split_once(']')?.1.starts_with(':'),
        None => host.contains(':'),
    };
    let address = if has_port { host.to_owned() } else { format!("{host}:{default}") };
    let (name, port) = address.rsplit_once(':')?;
    let clean = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic() && !b"/@?#".contains(&byte));
    (clean && port.parse::<u16>().is_ok_and(|port| port > 0)).then_some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn service_url_is_read() {
        for (url, tls, hosts) in [
            ("pulsar://localhost", false, &["localhost:6650"][..]),
            ("pulsar://localhost:16650/", false, &["localhost:16650"]),
            ("pulsar+ssl://one,two:7000", true, &["one:6651", "two:7000"]),
            ("pulsar://[::1]", false, &["[::1]:6650"]),
            ("pulsar://[::1]:7", false, &["[::1]:7"]),
        ] {
            let hosts = hosts.iter().map(ToString::to_string).collect();
            assert_eq!(ServiceUrl::parse(url).unwrap(), ServiceUrl { tls, hosts }, "{url}");
        }
    }

    #[test]
    fn what_is_no_service_url_is_refused() {
        for url in [
            "",
            "localhost:6650",
            "http://localhost",
            "pulsar://",
            "pulsar://:6650",
            "pulsar://a:b",
            "pulsar://a:0",
            "pulsar://a,",
            "pulsar://a/b",
            "pulsar://u@a",
        ] {
            assert!(matches!(ServiceUrl::parse(url), Err(MessageError::ServiceUrl { .. })), "{url}");
        }
    }

    #[test]
    fn host_is_found_in_address() {
        for (address, host) in [("a:1", "a"), ("[::1]:6650", "::1"), ("a", "a")] {
            assert_eq!(host_of(address), host);
        }
    }
}
