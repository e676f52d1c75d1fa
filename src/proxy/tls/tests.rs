use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use rustls::client::Resumption;
use rustls::crypto::SupportedKxGroup;
use rustls::pki_types::CertificateDer;
use rustls::{
    ClientConfig, ClientConnection, HandshakeKind, NamedGroup, ProtocolVersion, RootCertStore,
    ServerConnection, SupportedProtocolVersion,
};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::*;
use crate::metrics::Metrics;
use crate::proxy::Limits;
use crate::proxy::io::Guarded;

/// A folder with a certificate that ends on a given day, and its key.
struct Folder {
    _folder: TempDir,
    tls: Tls,
}

impl Folder {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name| folder.path().join(name);
        let tls = Tls { certificate: at("server.crt"), key: at("server.key") };
        let made = Self { _folder: folder, tls };
        made.issue(2090);
        made
    }

    /// Replaces the pair; gives the certificate.
    fn issue(&self, year: i32) -> CertificateDer<'static> {
        let (certificate, key) = pair(year);
        fs::write(&self.tls.certificate, certificate.pem()).unwrap();
        self.write_key(&key.serialize_pem());
        certificate.der().clone()
    }

    fn write_key(&self, text: &str) {
        fs::write(&self.tls.key, text).unwrap();
        fs::set_permissions(&self.tls.key, Permissions::from_mode(0o600)).unwrap();
    }
}

fn pair(year: i32) -> (rcgen::Certificate, rcgen::KeyPair) {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec!["gate.test".to_owned()]).unwrap();
    params.not_after = rcgen::date_time_ymd(year, 2, 3);
    (params.self_signed(&key).unwrap(), key)
}

fn client(
    trusted: &CertificateDer<'static>,
    version: &'static SupportedProtocolVersion,
    groups: Option<Vec<&'static dyn SupportedKxGroup>>,
) -> Arc<ClientConfig> {
    let mut provider = aws_lc_rs::default_provider();
    if let Some(groups) = groups {
        provider.kx_groups = groups;
    }
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config.resumption = Resumption::in_memory_sessions(8);
    Arc::new(config)
}

/// A whole handshake in memory, with what follows it (tickets).
fn handshake(
    server: &ServerTls,
    client: &Arc<ClientConfig>,
) -> Result<(ServerConnection, ClientConnection), rustls::Error> {
    let name = "gate.test".try_into().unwrap();
    let mut client = ClientConnection::new(Arc::clone(client), name).unwrap();
    let mut server = ServerConnection::new(server.config()).unwrap();
    for _ in 0..6 {
        let mut wire = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut wire).unwrap();
        }
        let mut wire = wire.as_slice();
        while !wire.is_empty() {
            server.read_tls(&mut wire).unwrap();
            server.process_new_packets()?;
        }
        let mut wire = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut wire).unwrap();
        }
        let mut wire = wire.as_slice();
        while !wire.is_empty() {
            client.read_tls(&mut wire).unwrap();
            client.process_new_packets()?;
        }
    }
    assert!(!client.is_handshaking() && !server.is_handshaking());
    Ok((server, client))
}

#[test]
fn clients_get_both_versions_http_2_first_and_a_post_quantum_exchange_where_they_can() {
    let folder = Folder::new();
    let trusted = folder.issue(2090);
    let server = ServerTls::load(&folder.tls).unwrap();

    let (side, _) = handshake(&server, &client(&trusted, &TLS13, None)).unwrap();
    assert_eq!(side.protocol_version(), Some(ProtocolVersion::TLSv1_3));
    assert_eq!(side.alpn_protocol(), Some(b"h2".as_slice()));
    let group = side.negotiated_key_exchange_group().unwrap().name();
    assert_eq!(group, NamedGroup::X25519MLKEM768);

    let (side, _) = handshake(&server, &client(&trusted, &TLS12, None)).unwrap();
    assert_eq!(side.protocol_version(), Some(ProtocolVersion::TLSv1_2));

    for group in [aws_lc_rs::kx_group::X25519, aws_lc_rs::kx_group::SECP256R1] {
        let client = client(&trusted, &TLS13, Some(vec![group]));
        let (side, _) = handshake(&server, &client).unwrap();
        assert_eq!(side.negotiated_key_exchange_group().unwrap().name(), group.name());
    }
}

#[test]
fn a_second_connection_resumes_in_both_versions() {
    let folder = Folder::new();
    let trusted = folder.issue(2090);
    let server = ServerTls::load(&folder.tls).unwrap();
    let metrics = Metrics::new();
    for version in [&TLS13, &TLS12] {
        let client = client(&trusted, version, None);
        let (first, _) = handshake(&server, &client).unwrap();
        assert_eq!(first.handshake_kind(), Some(HandshakeKind::Full));
        metrics.handshake(&first);
        let (second, _) = handshake(&server, &client).unwrap();
        assert_eq!(second.handshake_kind(), Some(HandshakeKind::Resumed), "{version:?}");
        metrics.handshake(&second);
    }
    let text = metrics.encode();
    for version in ["1.2", "1.3"] {
        for resumed in ["false", "true"] {
            let labels = format!(r#"{{result="ok",resumed="{resumed}",version="{version}"}} 1"#);
            assert!(text.contains(&labels), "{labels} in {text}");
        }
    }
}

#[test]
fn a_new_pair_serves_the_next_handshake_and_its_end_is_known() {
    let folder = Folder::new();
    let server = ServerTls::load(&folder.tls).unwrap();
    assert_eq!(server.expires_at().to_string(), "2090-02-03T00:00:00Z");
    assert!(!server.reload().unwrap());

    let trusted = folder.issue(2091);
    let new = client(&trusted, &TLS13, None);
    assert!(handshake(&server, &new).is_err(), "the old one serves until the reload");
    assert!(server.reload().unwrap());
    assert!(handshake(&server, &new).is_ok());
    assert_eq!(server.expires_at().to_string(), "2091-02-03T00:00:00Z");
}

#[test]
fn the_old_pair_serves_while_the_new_one_is_wrong() {
    let folder = Folder::new();
    let trusted = folder.issue(2090);
    let server = ServerTls::load(&folder.tls).unwrap();
    let (certificate, key) = pair(2091);

    fs::write(&folder.tls.certificate, certificate.pem()).unwrap();
    assert!(matches!(server.reload(), Err(certificate::Error::Mismatch { .. })));
    assert!(matches!(server.reload(), Ok(false)), "told once");
    assert!(handshake(&server, &client(&trusted, &TLS13, None)).is_ok());
    assert_eq!(server.expires_at().to_string(), "2090-02-03T00:00:00Z");

    fs::remove_file(&folder.tls.key).unwrap();
    assert!(matches!(server.reload(), Err(certificate::Error::Unreadable { .. })));
    assert!(handshake(&server, &client(&trusted, &TLS13, None)).is_ok());

    folder.write_key(&key.serialize_pem());
    assert!(server.reload().unwrap());
    assert_eq!(server.expires_at().to_string(), "2091-02-03T00:00:00Z");
}

#[tokio::test]
async fn a_body_passes_through_the_guard_below_it() {
    let folder = Folder::new();
    let trusted = folder.issue(2090);
    let server = ServerTls::load(&folder.tls).unwrap();
    let body: Vec<u8> = (0..1_000_000_u32).map(|at| (at / 7) as u8).collect();
    let (near, far) = tokio::io::duplex(100_000);

    let near = Guarded::new(near, &Limits::default());
    let accept = TlsAcceptor::from(server.config()).accept(near);
    let connector = TlsConnector::from(client(&trusted, &TLS13, None));
    let connect = connector.connect("gate.test".try_into().unwrap(), far);
    let (mut near, mut far) = tokio::try_join!(accept, connect).unwrap();

    let sent = body.clone();
    let client = tokio::spawn(async move {
        far.write_all(&sent).await.unwrap();
        far.shutdown().await.unwrap();
        let mut echo = Vec::new();
        far.read_to_end(&mut echo).await.unwrap();
        echo
    });
    let mut received = Vec::new();
    near.read_to_end(&mut received).await.unwrap();
    assert!(received == body, "it arrived changed");
    near.write_all(&received).await.unwrap();
    near.shutdown().await.unwrap();
    assert!(client.await.unwrap() == body, "it came back changed");
}
