use std::fs::{self, Permissions};
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;

use insta::assert_snapshot;
use jiff::Timestamp;
use rcgen::{CertificateParams, KeyPair};
use tempfile::TempDir;

use super::*;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn pair(made: &Development) -> Result<Pair, Error> {
    let tls = Tls { certificate: made.certificate.clone(), key: made.key.clone() };
    PairFiles::read(&tls)?.pair(&tls)
}

/// What a person is told of the pair in a folder.
fn told(folder: &TempDir, made: &Development) -> String {
    let text = pair(made).unwrap_err().mistake().render(false);
    text.replace(folder.path().to_str().unwrap(), "CERTS")
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
    pair(&made).unwrap().certified.keys_match().unwrap();
    assert_eq!((mode(&made.key), mode(&certs.join("ca.key"))), (0o600, 0o600));
    assert_eq!((mode(&made.ca), mode(&made.certificate)), (0o644, 0o644));
    let days = |chain: &[_]| {
        not_after(&made.ca, chain).unwrap().duration_since(Timestamp::now()).as_hours() / 24
    };
    assert_eq!((days(&chain), days(&chain[1..])), (396, 729));
    assert_eq!(pair(&made).unwrap().ends, not_after(&made.certificate, &chain).unwrap());
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

#[test]
fn the_end_of_a_certificate_is_known_in_every_century() {
    let key = KeyPair::generate().unwrap();
    for (year, end) in [
        (1999, "1999-02-03T00:00:00Z"),
        (2031, "2031-02-03T00:00:00Z"),
        (2061, "2061-02-03T00:00:00Z"),
    ] {
        let mut params = CertificateParams::new(["gate.example".to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(year, 2, 3);
        let chain = [params.self_signed(&key).unwrap().into()];
        assert_eq!(not_after(Path::new("a"), &chain).unwrap().to_string(), end);
    }
}

#[test]
fn what_is_wrong_with_a_certificate_is_told_with_file_and_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let made = make_development(folder.path(), &[]).unwrap();
    let whole = fs::read_to_string(&made.certificate).unwrap();
    let written = |content: &str| {
        fs::write(&made.certificate, content).unwrap();
        told(&folder, &made)
    };
    assert_snapshot!(written("hello"), @"
    error: CERTS/server.crt holds no certificate in PEM form
    help: it must be PEM, with `BEGIN CERTIFICATE`
    ");
    assert_snapshot!(written(&whole[..whole.len() / 4]), @"
    error: CERTS/server.crt is not whole
    help: copy it again, every line of it
    ");
    let empty = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let told_empty = written(empty);
    assert!(told_empty.starts_with("error: CERTS/server.crt holds no X.509 certificate: "));
    assert!(told_empty.ends_with("\nhelp: issue it again"), "{told_empty}");
    fs::write(&made.certificate, [0x30, 0x82, 0xff]).unwrap();
    assert!(told(&folder, &made).contains("holds no certificate in PEM form"), "DER");
    fs::remove_file(&made.certificate).unwrap();
    assert_snapshot!(told(&folder, &made), @"
    error: cannot read CERTS/server.crt: No such file or directory (os error 2)
    help: put it there, or make some for development: `portcullis certs dev CERTS`
    ");
    fs::create_dir(&made.certificate).unwrap();
    assert_snapshot!(told(&folder, &made), @"
    error: cannot read CERTS/server.crt: Is a directory (os error 21)
    help: it must be a file that the gate's user may read
    ");
}

#[test]
fn what_is_wrong_with_a_key_is_told_with_file_and_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let made = make_development(folder.path(), &[]).unwrap();
    let written = |content: &str| {
        fs::write(&made.key, content).unwrap();
        told(&folder, &made)
    };
    assert_snapshot!(written(&KeyPair::generate().unwrap().serialize_pem()), @"
    error: the certificate CERTS/server.crt and the key CERTS/server.key do not go together
    help: the first certificate of the file must be the one made for this key
    ");
    let encrypted =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    assert_snapshot!(written(encrypted), @"
    error: CERTS/server.key holds no private key in PEM form
    help: it must be PEM, with `BEGIN PRIVATE KEY`, and not encrypted
    ");
    let other = written("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
    assert!(other.starts_with("error: TLS cannot use the key CERTS/server.key: "), "{other}");
    assert!(other.ends_with("\nhelp: use ECDSA P-256 or P-384, Ed25519 or RSA"), "{other}");
    fs::set_permissions(&made.key, Permissions::from_mode(0o640)).unwrap();
    assert!(!told(&folder, &made).contains("open to others"), "its group may read it");
    fs::set_permissions(&made.key, Permissions::from_mode(0o660)).unwrap();
    assert_snapshot!(told(&folder, &made), @"
    error: the key CERTS/server.key is open to others (mode 660)
    help: run `chmod 600 CERTS/server.key`
    ");
}
