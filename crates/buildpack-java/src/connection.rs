//! How Java reaches the network: proxies and trusted certificates, which it knows by system properties alone.

use std::ffi::OsStr;
use std::io;
use std::path::Path;

use fnpack_buildpack::Variables;

use crate::trust_store;

/// System properties.
pub(crate) type Properties = Vec<(&'static str, String)>;

/// Of the variables that other programs take. A trust store is written to `store` if `SSL_CERT_FILE` names a bundle.
pub(crate) fn properties(variables: &Variables, store: &Path) -> io::Result<Properties> {
    let mut properties = proxies(variables);
    let bundle = variable(variables, "SSL_CERT_FILE").filter(|bundle| Path::new(bundle).is_file());
    if let Some(bundle) = bundle
        && let Some(bytes) = trust_store::from_pem(&fs_err::read(bundle)?)
    {
        fs_err::write(store, bytes)?;
        properties.push(("javax.net.ssl.trustStore", store.display().to_string()));
        properties.push(("javax.net.ssl.trustStoreType", "PKCS12".to_owned()));
    }
    Ok(properties)
}

/// As arguments of `java`.
pub(crate) fn arguments(properties: &Properties) -> Vec<String> {
    properties.iter().map(|(name, value)| format!("-D{name}={value}")).collect()
}

/// Whether a proxy is among them.
pub(crate) fn has_proxy(properties: &Properties) -> bool {
    properties.iter().any(|(name, _)| name.ends_with(".proxyHost"))
}

fn variable<'a>(variables: &'a Variables, name: &str) -> Option<&'a str> {
    variables.get(OsStr::new(name))?.to_str().filter(|value| !value.is_empty())
}

fn either_case<'a>(variables: &'a Variables, name: &str) -> Option<&'a str> {
    variable(variables, name).or_else(|| variable(variables, &name.to_lowercase()))
}

fn proxies(variables: &Variables) -> Properties {
    let of = |name, keys| either_case(variables, name).and_then(Proxy::parse).map(|proxy| proxy.properties(keys));
    let https = of("HTTPS_PROXY", ["https.proxyHost", "https.proxyPort", "https.proxyUser", "https.proxyPassword"]);
    let http = of("HTTP_PROXY", ["http.proxyHost", "http.proxyPort", "http.proxyUser", "http.proxyPassword"]);
    let mut properties: Properties = https.into_iter().chain(http).flatten().collect();
    // One property is for both.
    if let Some(hosts) = either_case(variables, "NO_PROXY").filter(|_| !properties.is_empty()) {
        properties.push(("http.nonProxyHosts", non_proxy_hosts(hosts)));
    }
    properties
}

/// `.example.com` and `example.com` both mean all hosts below for other programs; Java wants a star.
fn non_proxy_hosts(hosts: &str) -> String {
    let hosts = hosts.split([',', ' ']).filter(|host| !host.is_empty());
    let patterns = hosts.flat_map(|host| match host.trim_start_matches('.') {
        "*" => vec!["*".to_owned()],
        host => vec![host.to_owned(), format!("*.{host}")],
    });
    ["localhost".to_owned(), "127.*".to_owned()].into_iter().chain(patterns).collect::<Vec<_>>().join("|")
}

/// `http://user:password@host:port`
#[derive(Debug, PartialEq, Eq)]
struct Proxy {
    host: String,
    port: u16,
    user: Option<(String, String)>,
}

impl Proxy {
    fn parse(address: &str) -> Option<Self> {
        let (scheme, rest) = address.split_once("://").unwrap_or(("http", address));
        let authority = rest.split('/').next()?;
        let (user, place) = authority.rsplit_once('@').map_or((None, authority), |(user, place)| (Some(user), place));
        let default_port = if scheme == "https" { 443 } else { 80 };
        let (host, port) = match place.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()?),
            _ => (place, default_port),
        };
        let user = user.map(|user| user.split_once(':').unwrap_or((user, "")));
        let user = user.map(|(name, password)| (decoded(name), decoded(password)));
        Some(Self { host: host.trim_matches(['[', ']']).to_owned(), port, user }).filter(|proxy| !proxy.host.is_empty())
    }

    fn properties(self, [host, port, user, password]: [&'static str; 4]) -> Properties {
        let mut properties = vec![(host, self.host), (port, self.port.to_string())];
        if let Some((name, secret)) = self.user {
            properties.extend([(user, name), (password, secret)]);
        }
        properties
    }
}

/// Percent signs with two digits after them are bytes.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let escaped = after.get(..2).and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        if let Some(byte) = escaped.filter(|_| *first == b'%') {
            bytes.push(byte);
            rest = after.get(2..).unwrap_or_default();
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(&str, &str)]) -> String {
        let variables = pairs.iter().map(|(name, value)| (name.into(), value.into())).collect();
        arguments(&properties(&variables, Path::new("/nowhere/store")).unwrap()).join(" ")
    }

    #[test]
    fn properties_of_proxies() {
        for (pairs, expected) in [
            (&[][..], ""),
            (&[("HTTPS_PROXY", "http://proxy:3128")], "-Dhttps.proxyHost=proxy -Dhttps.proxyPort=3128"),
            (&[("https_proxy", "proxy")], "-Dhttps.proxyHost=proxy -Dhttps.proxyPort=80"),
            (
                &[("HTTPS_PROXY", "http://me:p%40ss%2@[::1]:1/"), ("HTTP_PROXY", "https://proxy")],
                "-Dhttps.proxyHost=::1 -Dhttps.proxyPort=1 -Dhttps.proxyUser=me -Dhttps.proxyPassword=p@ss%2 \
                 -Dhttp.proxyHost=proxy -Dhttp.proxyPort=443",
            ),
            (
                &[("HTTP_PROXY", "proxy:80"), ("NO_PROXY", ".example.com, 10.0.0.1")],
                "-Dhttp.proxyHost=proxy -Dhttp.proxyPort=80 \
                 -Dhttp.nonProxyHosts=localhost|127.*|example.com|*.example.com|10.0.0.1|*.10.0.0.1",
            ),
            (&[("NO_PROXY", "*")], ""),
            (&[("HTTPS_PROXY", "http://"), ("HTTP_PROXY", "proxy:many")], ""),
            (&[("SSL_CERT_FILE", "/nowhere")], ""),
        ] {
            assert_eq!(of(pairs), expected, "{pairs:?}");
        }
    }

    #[test]
    fn properties_of_a_bundle() {
        let folder = tempfile::tempdir().unwrap();
        let (bundle, store) = (folder.path().join("ca.pem"), folder.path().join("trust.p12"));
        let variables = [("SSL_CERT_FILE".into(), bundle.clone().into())].into();
        fs_err::write(&bundle, "no certificates here").unwrap();
        assert_eq!(properties(&variables, &store).unwrap(), []);
        fs_err::write(&bundle, "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n").unwrap();
        let found = arguments(&properties(&variables, &store).unwrap());
        assert_eq!(found, [format!("-Djavax.net.ssl.trustStore={}", store.display()), "-Djavax.net.ssl.trustStoreType=PKCS12".to_owned()]);
        assert!(store.is_file());
    }
}
