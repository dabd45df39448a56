//! The addresses that a registry client meets: its own, those of token services, and those that
//! answers point to.
//!
//! Small on purpose: `http` and `https`, no user names, no fragments. What an answer names is taken
//! only in this form, so that nothing else can be reached through it.

use std::fmt;
use std::net::IpAddr;

/// Longer addresses are refused; signed links of large providers stay below 4 KiB.
const LONGEST: usize = 16 * 1024;

/// How a host is talked to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Scheme {
    Http,
    Https,
}

/// An absolute address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Url {
    scheme: Scheme,
    /// Host, and port where one was given.
    authority: String,
    /// Starts with `/`; with the query.
    target: String,
}

/// Why a text is no address for us.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an address of http or https: {reason}")]
pub(super) struct UrlError {
    text: String,
    reason: &'static str,
}

impl Scheme {
    fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    fn port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

impl Url {
    pub(super) fn new(scheme: Scheme, authority: &str, target: &str) -> Self {
        Self { scheme, authority: authority.to_ascii_lowercase(), target: target.to_owned() }
    }

    pub(super) fn parse(text: &str) -> Result<Self, UrlError> {
        let fail = |reason| UrlError { text: text.chars().take(100).collect(), reason };
        if text.len() > LONGEST {
            return Err(fail("it is too long"));
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(fail("it has blanks or characters beyond ASCII"));
        }
        let (scheme, rest) = text.split_once("://").ok_or_else(|| fail("there is no `://`"))?;
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            _ => return Err(fail("the scheme is another")),
        };
        let rest = rest.split('#').next().unwrap_or_default();
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(end);
        check_authority(authority).map_err(fail)?;
        let target = if target.starts_with('/') { target.to_owned() } else { format!("/{target}") };
        let url = Self::new(scheme, authority, &target);
        match url.to_string().parse::<ureq::http::Uri>() {
            Ok(_) => Ok(url),
            Err(_) => Err(fail("it has characters that no address has")),
        }
    }

    /// What a `Location` header of an answer from here means (RFC 3986, section 5.2, without dot segments).
    pub(super) fn join(&self, location: &str) -> Result<Self, UrlError> {
        let (path, _) = self.target.split_once('?').unwrap_or((&self.target, ""));
        let base = format!("{}://{}", self.scheme.name(), self.authority);
        let head = location.split(['/', '?', '#']).next().unwrap_or_default();
        let text = if head.contains(':') {
            location.to_owned()
        } else if location.starts_with("//") {
            format!("{}:{location}", self.scheme.name())
        } else if location.starts_with('/') {
            format!("{base}{location}")
        } else if location.starts_with('?') {
            format!("{base}{path}{location}")
        } else {
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            format!("{base}{folder}/{location}")
        };
        Self::parse(&text)
    }

    /// The same address with one more parameter; `value` is a digest, a scope or a name.
    pub(super) fn with_query(&self, name: &str, value: &str) -> Self {
        let separator = match self.target.rsplit_once('?') {
            None => "?",
            Some((_, "")) => "",
            Some((_, query)) if query.ends_with('&') => "",
            Some(_) => "&",
        };
        Self { target: format!("{}{separator}{name}={}", self.target, percent_encoded(value)), ..self.clone() }
    }

    /// The same address over HTTPS.
    pub(super) fn encrypted(self) -> Self {
        Self { scheme: Scheme::Https, ..self }
    }

    pub(super) fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Host and port as written.
    pub(super) fn authority(&self) -> &str {
        &self.authority
    }

    pub(super) fn host(&self) -> &str {
        split_port(&self.authority).0
    }

    pub(super) fn port(&self) -> u16 {
        split_port(&self.authority).1.and_then(|port| port.parse().ok()).unwrap_or(self.scheme.port())
    }

    /// Whether the other address is of the same scheme, host and port.
    pub(super) fn same_origin(&self, other: &Self) -> bool {
        self.scheme == other.scheme && self.host() == other.host() && self.port() == other.port()
    }

    /// For messages: without the query, which may hold secrets.
    pub(super) fn without_query(&self) -> String {
        let path = self.target.split('?').next().unwrap_or_default();
        format!("{}://{}{path}", self.scheme.name(), self.authority)
    }
}

impl fmt::Display for Url {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}://{}{}", self.scheme.name(), self.authority, self.target)
    }
}

/// Whether a host name means this machine.
pub(super) fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Host and port of an authority.
pub(super) fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !authority.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    }
}

/// A value for a query or a form.
pub(super) fn percent_encoded(value: &str) -> String {
    use fmt::Write as _;
    value.bytes().fold(String::new(), |mut text, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            text.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(text, "%{byte:02X}");
        }
        text
    })
}

fn check_authority(authority: &str) -> Result<(), &'static str> {
    if authority.contains('@') {
        return Err("it has a user name");
    }
    let (host, port) = split_port(authority);
    if host.is_empty() {
        return Err("there is no host");
    }
    if port.is_some_and(|port| port.parse::<u16>().is_err()) {
        return Err("the port is not a number up to 65535");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_are_resolved_against_the_request() {
        let base = Url::parse("https://registry.example.com:8443/v2/a/b/blobs/uploads/?mount=x").unwrap();
        for (location, full) in [
            ("/v2/a/b/blobs/uploads/1?_state=x", "https://registry.example.com:8443/v2/a/b/blobs/uploads/1?_state=x"),
            ("1?x", "https://registry.example.com:8443/v2/a/b/blobs/uploads/1?x"),
            ("?x", "https://registry.example.com:8443/v2/a/b/blobs/uploads/?x"),
            ("//other.example.com/x", "https://other.example.com/x"),
            ("HTTP://Other.example.com", "http://other.example.com/"),
            ("http://other.example.com?a#b", "http://other.example.com/?a"),
            ("https://[::1]:5000/x", "https://[::1]:5000/x"),
            ("/path:with?colon:too", "https://registry.example.com:8443/path:with?colon:too"),
        ] {
            assert_eq!(base.join(location).unwrap().to_string(), full, "{location}");
        }
    }

    #[test]
    fn hostile_locations_are_refused() {
        let base = Url::parse("https://registry.example.com/v2/").unwrap();
        let long = format!("/{}", "a".repeat(LONGEST));
        for location in [
            "file:///etc/passwd",
            "ftp://x/",
            "http://user:secret@x/",
            "http://",
            "http://x:99999/",
            "http://x y/",
            "/\u{e9}",
            "/a\r\nb",
            &long,
        ] {
            assert!(base.join(location).is_err(), "{location}");
        }
    }

    #[test]
    fn queries_are_added_whatever_is_there() {
        for (text, full) in [
            ("http://x/u", "http://x/u?digest=sha256%3Aab"),
            ("http://x/u?", "http://x/u?digest=sha256%3Aab"),
            ("http://x/u?a=b", "http://x/u?a=b&digest=sha256%3Aab"),
            ("http://x/u?a=b&", "http://x/u?a=b&digest=sha256%3Aab"),
        ] {
            assert_eq!(Url::parse(text).unwrap().with_query("digest", "sha256:ab").to_string(), full);
        }
        assert_eq!(Url::parse("http://x/u?secret").unwrap().without_query(), "http://x/u");
    }

    #[test]
    fn origins_count_the_default_port() {
        let url = |text| Url::parse(text).unwrap();
        assert!(url("https://x/a").same_origin(&url("https://x:443/b")));
        for other in ["http://x/", "https://x:444/", "https://y/", "https://x.y/"] {
            assert!(!url("https://x/").same_origin(&url(other)), "{other}");
        }
        for (host, expected) in
            [("localhost", true), ("127.8.9.1", true), ("[::1]", true), ("127.0.0.1.example.com", false), ("128.0.0.1", false)]
        {
            assert_eq!(is_loopback(host), expected, "{host}");
        }
    }
}
