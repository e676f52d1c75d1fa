use std::fs::Permissions;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;

use insta::assert_snapshot;
use jiff::Timestamp;

use super::*;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn pair(made: &Development) -> Result<CertifiedKey, Error> {
    let tls = Tls { certificate: made.certificate.clone(), key: made.key.clone() };
    certified_key(&tls, read_chain(&tls.certificate)?, read_key(&tls.key)?)
}

#[test]
fn a_development_certificate_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let certs = folder.path().join("new/certs");
    let hosts: Vec<Host> =
        ["Gate.Example", "192.0.2.7", "localhost"].map(|h| h.parse().unwrap()).into();
    let made = make_development(&certs, &hosts).unwrap();
    assert!(made.new_ca);
    let names: Vec<String> = made.hosts.iter().map(ToString::to_string).collect();
    assert_eq!(
        names,
        ["gate.example", "192.0.2.7", "localhost", "gate.localhost", "127.0.0.1", "::1"]
    );
    let chain = read_chain(&made.certificate).unwrap();
    assert_eq!(chain.len(), 2, "the server and its CA");
    assert_eq!(chain[1], read_chain(&made.ca).unwrap()[0]);
    pair(&made).unwrap().keys_match().unwrap();
    assert_eq!((mode(&made.key), mode(&certs.join("ca.key"))), (0o600, 0o600));
    assert_eq!((mode(&made.ca), mode(&made.certificate)), (0o644, 0o644));
    let days = |der| not_after(der).unwrap().duration_since(Timestamp::now()).as_hours() / 24;
    assert_eq!((days(&chain[0]), days(&chain[1])), (396, 729));
}

#[test]
fn the_ca_is_kept_for_the_next_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let first = make_development(folder.path(), &[]).unwrap();
    let (ca, certificate) = (fs::read(&first.ca).unwrap(), fs::read(&first.certificate).unwrap());
    let second = make_development(folder.path(), &["gate.example".parse().unwrap()]).unwrap();
    assert!(!second.new_ca);
    assert_eq!(fs::read(&second.ca).unwrap(), ca);
    assert_ne!(fs::read(&second.certificate).unwrap(), certificate);
    pair(&second).unwrap();
}

#[test]
fn a_ca_and_the_key_of_another_make_nothing() {
    let one = tempfile::tempdir().unwrap();
    let two = tempfile::tempdir().unwrap();
    let made = make_development(one.path(), &[]).unwrap();
    make_development(two.path(), &[]).unwrap();
    fs::copy(two.path().join("ca.key"), one.path().join("ca.key")).unwrap();
    let before = fs::read(&made.certificate).unwrap();
    let error = make_development(one.path(), &[]).unwrap_err();
    let told = error.mistake().render(false).replace(one.path().to_str().unwrap(), "CERTS");
    assert_snapshot!(told, @"
    error: the CA CERTS/ca.crt does not vouch for what the key beside it signs
    help: remove ca.crt and ca.key to have a new CA, and give clients the new ca.crt
    ");
    assert_eq!(fs::read(&made.certificate).unwrap(), before);
}

#[test]
fn an_open_ca_key_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    make_development(folder.path(), &[]).unwrap();
    fs::set_permissions(folder.path().join("ca.key"), Permissions::from_mode(0o644)).unwrap();
    assert!(matches!(make_development(folder.path(), &[]), Err(Error::Exposed { .. })));
}

#[test]
fn two_cas_have_two_names() {
    let ca = || {
        let folder = tempfile::tempdir().unwrap();
        fs::read(make_development(folder.path(), &[]).unwrap().ca).unwrap()
    };
    let subject = |pem: &[u8]| {
        let der = CertificateDer::from_pem_slice(pem).unwrap();
        let at = der.windows(26).position(|part| part == b"Portcullis development CA ").unwrap();
        der[at + 26..at + 34].to_vec()
    };
    assert_ne!(subject(&ca()), subject(&ca()));
}

#[test]
fn hosts_are_names_or_addresses() {
    for text in ["", "a b", "-a", "a..b", "https://a", "a:443", "*.example"] {
        assert!(text.parse::<Host>().is_err(), "{text}");
    }
    assert_eq!("::1".parse::<Host>().unwrap(), Host::from("::1".parse::<IpAddr>().unwrap()));
    assert_snapshot!("a b".parse::<Host>().unwrap_err(), @"`a b` is neither a host name nor an IP address");
}
