//! Certificates, of servers and of ours.

use testkit::certificates::{CLIENT, EXPIRED, FOREIGN_CLIENT, FUTURE, Pair};

use super::*;

fn shown(registry: &Registry, files: &[(&str, &str)]) -> Result<bool, String> {
    let (_folder, client) = client_with(registry, files);
    client.check_login(&registry.host()).map_err(|error| told(registry, &error))
}

#[test]
fn client_certificate_is_shown_to_who_asks_for_one() {
    let registry = Registry::encrypted(&SERVER, Some(AUTHORITY));
    let files = |pair: Pair| [("ca.crt", AUTHORITY), ("me.cert", pair.certificate), ("me.key", pair.key)];
    assert_eq!(shown(&registry, &files(CLIENT)), Ok(false));
    let (_folder, client) = client_with(&registry, &files(CLIENT));
    client.push(&image(&[LAYER]), &name(&registry, "app")).unwrap();

    let missing = shown(&registry, &[("ca.crt", AUTHORITY)]).unwrap_err();
    assert!(missing.starts_with("`HOST` asks for a client certificate, and there is none for it: "), "{missing}");
    let foreign = shown(&registry, &files(FOREIGN_CLIENT)).unwrap_err();
    assert!(foreign.starts_with("`HOST` does not accept the client certificate that it was shown: "), "{foreign}");
    let mixed = shown(&registry, &files(Pair { key: FOREIGN_CLIENT.key, ..CLIENT })).unwrap_err();
    assert!(mixed.starts_with("cannot use the certificates in `") && mixed.contains("its key is not that of `"), "{mixed}");
}

#[test]
fn server_that_asks_for_no_certificate_is_shown_one_in_vain() {
    let registry = Registry::encrypted(&SERVER, None);
    assert_eq!(shown(&registry, &[("ca.crt", AUTHORITY), ("me.cert", CLIENT.certificate), ("me.key", CLIENT.key)]), Ok(false));
}

#[test]
fn certificate_out_of_its_time_casts_doubt_on_the_clock() {
    // Our clock shows today.
    let elsewhere = "Wed, 21 Oct 2015 07:28:00 GMT";
    for (pair, date, expected) in [
        (EXPIRED, None, (CertificateFault::Expired, "nothing is known of this machine's clock")),
        (EXPIRED, Some(elsewhere), (CertificateFault::Expired, ", the server's 2015-10-21")),
        (FUTURE, Some(elsewhere), (CertificateFault::NotYetValid, ", the server's 2015-10-21")),
        (FUTURE, Some("junk"), (CertificateFault::NotYetValid, "nothing is known of this machine's clock")),
    ] {
        let registry = Registry::encrypted(&pair, None);
        if let Some(date) = date {
            registry.fault(Fault::header("HEAD", "/v2/", "Date", date));
        }
        let (_folder, client) = client_with(&registry, &[("ca.crt", AUTHORITY)]);
        let error = client.check_login(&registry.host()).unwrap_err();
        let RegistryError::Certificate { fault, clock, presented, .. } = &error else { panic!("{error}") };
        assert_eq!(*fault, expected.0);
        assert!(clock.to_string().ends_with(expected.1), "{clock}");
        assert_eq!(presented.as_ref().unwrap().issuer, "Test Authority, Example Works");
        assert!(registry.requests().iter().all(|seen| seen.method == "HEAD"), "nothing but the time is asked for");
    }
}

#[test]
fn roots_are_asked_for_when_they_are_needed() {
    let broken: TrustedRoots =
        Arc::new(|| Err(RegistryError::CertificateFile { path: "/broken.pem".into(), source: "no certificate".into() }));
    let (registry, reference) = stocked();
    let client = RegistryClient::new(Settings { roots: broken, ..settings() }).unwrap();
    client.pull(&reference, &target()).unwrap();
    drop(registry);
    let error = client.pull(&"registry.invalid/app".parse().unwrap(), &target()).unwrap_err();
    assert_eq!(error.to_string(), "cannot use the certificates in `/broken.pem`");
}

#[test]
fn proxies_of_another_kind_are_refused() {
    for url in ["socks5://127.0.0.1:1080", "ftp://127.0.0.1", "http://"] {
        let proxy = Proxy { url: Secret::new(url), bypass: Vec::new() };
        let error = RegistryClient::new(Settings { proxy: Some(proxy), ..settings() }).unwrap_err();
        assert!(error.to_string().starts_with("cannot use the proxy `"), "{error}");
    }
}
