//! Credentials, names, redirects: what goes where.

use std::io::Write as _;

use http::header::{LOCATION, RANGE};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tempfile::NamedTempFile;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::secret::Secret;

/// `gate:secret`.
const BASIC: &str = "Basic Z2F0ZTpzZWNyZXQ=";

fn redirect(location: impl std::fmt::Display) -> Reply {
    Reply::new(307, "elsewhere").with("location", location)
}

fn located(location: &str) -> HeaderMap {
    HeaderMap::from_iter([(LOCATION, HeaderValue::from_str(location).unwrap())])
}

#[tokio::test]
async fn the_gate_says_who_it_is_and_whom_it_asks() {
    let fake = Fake::start(|_| Reply::new(200, "")).await;
    let mut asked = get("/");
    asked.headers.insert(AUTHORIZATION, HeaderValue::from_static("Bearer of the client"));
    asked.headers.insert(HOST, HeaderValue::from_static("evil.example"));
    exchange(&fake.upstream(), asked).await.unwrap();
    let headers = &fake.asked()[0].headers;
    assert_eq!(headers["authorization"], BASIC);
    assert_eq!(headers["host"], fake.address.to_string());
    let preserving = upstream(Settings { host: Host::Preserve, ..fake.settings() });
    let mut asked = get("/");
    asked.headers.insert(HOST, HeaderValue::from_static("evil.example"));
    exchange(&preserving, asked).await.unwrap();
    assert_eq!(fake.asked()[1].headers["host"], "gate.example");
}

#[tokio::test]
async fn targets_stand_below_the_base_path() {
    let fake = Fake::start(|_| Reply::new(200, "")).await;
    assert_eq!(fake.upstream().target("/v2/"), "/v2/");
    let based = upstream(Settings { base_path: "/registry".to_owned(), ..fake.settings() });
    assert_eq!(based.target("/v2/"), "/registry/v2/");
    assert_eq!(based.path_of("/registry/v2/a"), "/v2/a");
    assert_eq!(based.path_of("/v2/a"), "/v2/a");
}

#[tokio::test]
async fn a_password_that_changed_is_sent_from_the_next_request_on() {
    let fake = Fake::start(|_| Reply::new(200, "")).await;
    let upstream = fake.upstream();
    for password in ["secret", "newer"] {
        upstream.set_password(&Secret::new(password.to_owned())).unwrap();
        exchange(&upstream, get("/")).await.unwrap();
    }
    let sent: Vec<_> =
        fake.asked().iter().map(|asked| asked.headers["authorization"].clone()).collect();
    // `gate:secret` and `gate:newer`.
    assert_eq!(sent, ["Basic Z2F0ZTpzZWNyZXQ=", "Basic Z2F0ZTpuZXdlcg=="]);
}

#[tokio::test]
async fn refused_credentials_are_the_gates_own_trouble() {
    for status in [401, 407] {
        let fake = Fake::start(move |_| Reply::new(status, "")).await;
        let refused = exchange(&fake.upstream(), get("/")).await;
        assert!(matches!(refused, Err(Error::Refused(said)) if said.as_u16() == status));
    }
    let fake = Fake::start(|_| Reply::new(403, "")).await;
    assert_eq!(exchange(&fake.upstream(), get("/")).await.unwrap().0, 403);
}

#[tokio::test]
async fn credentials_follow_a_redirect_to_the_registry_itself_alone() {
    let storage = Fake::start(|asked| match asked.target.as_str() {
        "/chained?sig=1" => redirect("/stored"),
        _ => Reply::new(200, "content"),
    })
    .await;
    let there = storage.address;
    let fake = Fake::start(move |asked| match asked.target.as_str() {
        "/away" => redirect(format!("http://{there}/chained?sig=1")),
        "/public" => redirect("https://gate.example/here"),
        "/relative" => redirect("/here"),
        _ => Reply::new(200, "content"),
    })
    .await;
    let upstream = fake.upstream();
    for (from, is_own) in [("/away", false), ("/public", true), ("/relative", true)] {
        let answer = upstream.send(get(from)).await.unwrap();
        let redirected = upstream.redirect(&answer).unwrap().unwrap();
        assert_eq!(upstream.is_own(&redirected), is_own, "{from}");
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::from_static("Bearer of the client"));
        headers.insert("x-forwarded-for", HeaderValue::from_static("10.0.0.1"));
        headers.insert(RANGE, HeaderValue::from_static("bytes=0-1"));
        let answer = upstream.follow(redirected, &Method::HEAD, &headers).await.unwrap();
        assert_eq!(answer.head.status(), StatusCode::OK);
    }
    assert_eq!(storage.lines(), ["HEAD /chained?sig=1", "HEAD /stored"]);
    for asked in storage.asked() {
        assert_eq!(asked.headers.get("authorization"), None);
        assert_eq!(asked.headers["host"], there.to_string());
        assert_eq!(asked.headers["range"], "bytes=0-1");
        assert_eq!(asked.headers.get("x-forwarded-for"), None, "it is told nothing of the client");
    }
    let own = fake.asked();
    let own: Vec<_> = own.iter().filter(|asked| asked.target == "/here").collect();
    assert_eq!(own.len(), 2);
    assert!(own.iter().all(|asked| asked.headers["authorization"] == BASIC));
    assert!(own.iter().all(|asked| asked.headers["host"] == fake.address.to_string()));
}

#[tokio::test]
async fn only_a_redirect_is_one() {
    let fake = Fake::start(|asked| {
        Reply::new(asked.target[1..].parse().unwrap(), "").with("location", "/x")
    })
    .await;
    let upstream = fake.upstream();
    for (status, is_one) in
        [(200, false), (201, false), (300, false), (304, false), (301, true), (302, true)]
            .into_iter()
            .chain([(303, true), (307, true), (308, true), (404, false)])
    {
        let answer = upstream.send(get(&format!("/{status}"))).await.unwrap();
        assert_eq!(upstream.redirect(&answer).unwrap().is_some(), is_one, "{status}");
    }
}

#[tokio::test]
async fn redirects_end() {
    let fake = Fake::start(|_| redirect("/again")).await;
    let upstream = fake.upstream();
    let answer = upstream.send(get("/")).await.unwrap();
    let redirected = upstream.redirect(&answer).unwrap().unwrap();
    let followed = upstream.follow(redirected, &Method::GET, &HeaderMap::new()).await;
    assert!(matches!(followed, Err(Error::Redirect(_))));
    assert_eq!(fake.asked().len(), 1 + redirect::MAX_REDIRECTS);
}

#[tokio::test]
async fn a_redirect_does_not_end_in_a_demand_for_credentials() {
    let storage = Fake::start(|_| Reply::new(401, "").with("www-authenticate", "Basic")).await;
    let there = storage.address;
    let fake = Fake::start(move |asked| match asked.target.as_str() {
        "/away" => redirect(format!("http://{there}/")),
        "/own" => redirect("/here"),
        _ => Reply::new(401, ""),
    })
    .await;
    let mut settings = fake.settings();
    // A registry that lets anybody in, but for one place.
    settings.credentials = None;
    let upstream = upstream(settings);
    for from in ["/away", "/own"] {
        let answer = upstream.send(get(from)).await.unwrap();
        let redirected = upstream.redirect(&answer).unwrap().unwrap();
        let followed = upstream.follow(redirected, &Method::GET, &HeaderMap::new()).await;
        match from {
            "/own" => assert!(matches!(followed, Err(Error::Refused(StatusCode::UNAUTHORIZED)))),
            _ => assert!(matches!(followed, Err(Error::Redirect(_)))),
        }
    }
}

#[test]
fn a_place_that_cannot_be_meant_is_refused() {
    let own = Origin { tls: true, authority: Authority::from_static("registry.example") };
    let read = |location| Redirected::read(&own, &located(location)).map_err(|e| e.to_string());
    for (location, target) in [("/a?b", "/a?b"), ("https://registry.example", "/")] {
        assert_eq!(read(location).unwrap().target, target);
        assert_eq!(read(location).unwrap().origin, own);
    }
    let http = read("http://registry.example/").unwrap();
    assert_ne!(http.origin, own, "without TLS it is another origin");
    for location in
        ["https://user@registry.example/", "ftp://registry.example/", "a", "registry.example", "?a"]
    {
        assert!(read(location).is_err(), "{location}");
    }
    assert!(Redirected::read(&own, &HeaderMap::new()).is_err());
}

#[tokio::test]
async fn a_location_for_later_is_on_the_registrys_own_origin() {
    let fake = Fake::start(|_| Reply::new(200, "")).await;
    let own = format!("http://{}", fake.address);
    for host in [Host::Upstream, Host::Preserve] {
        let upstream = upstream(Settings { host, ..fake.settings() });
        for (location, is_own) in [
            ("/v2/a/blobs/uploads/1?state=x".to_owned(), true),
            (format!("{own}/v2/a/blobs/uploads/1?state=x"), true),
            ("https://gate.example/v2/a/blobs/uploads/1?state=x".to_owned(), true),
            ("https://gate.example:5443/v2/a/blobs/uploads/1?state=x".to_owned(), false),
            ("http://gate.example/v2/a/blobs/uploads/1?state=x".to_owned(), false),
            ("https://gate.example.evil/v2/a/blobs/uploads/1?state=x".to_owned(), false),
            (format!("https://{}/v2/a/blobs/uploads/1?state=x", fake.address), false),
            ("uploads/1".to_owned(), false),
        ] {
            let target = upstream.own_target(&located(&location));
            match is_own {
                true => assert_eq!(target.unwrap(), "/v2/a/blobs/uploads/1?state=x"),
                false => assert!(target.is_err(), "{location}"),
            }
        }
        assert!(upstream.own_target(&HeaderMap::new()).is_err());
    }
}

fn file(text: &str) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

/// A registry behind TLS, and its certificate.
async fn behind_tls() -> (Authority, String) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let authority = listener.local_addr().unwrap().to_string().parse().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let mut head = [0; 1024];
                let _ = stream.read(&mut head).await;
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
            });
        }
    });
    (authority, cert.pem())
}

#[tokio::test]
async fn tls_goes_to_whom_the_configured_certificates_vouch_for() {
    let (authority, pem) = behind_tls().await;
    let fake = Fake::start(|_| Reply::new(200, "")).await;
    let (good, bad) = (file(&pem), file(&behind_tls().await.1));
    let trusting = |ca: &NamedTempFile, authority: &Authority| {
        upstream(Settings {
            scheme: Scheme::HTTPS,
            authority: authority.clone(),
            ca: Some(ca.path().to_owned()),
            ..fake.settings()
        })
    };
    assert_eq!(exchange(&trusting(&good, &authority), get("/")).await.unwrap().0, 200);
    let named = format!("localhost:{}", authority.port_u16().unwrap()).parse().unwrap();
    for (ca, authority) in [(&bad, &authority), (&good, &named)] {
        let outcome = exchange(&trusting(ca, authority), get("/")).await;
        assert!(matches!(&outcome, Err(Error::Connect { .. })), "{authority}: {outcome:?}");
    }
    assert_eq!(fake.asked().len(), 0);
}

#[tokio::test]
async fn a_file_without_certificates_is_told_at_the_start() {
    let fake = Fake::start(|_| Reply::new(200, "")).await;
    let error = |ca: &std::path::Path| {
        let settings = Settings { ca: Some(ca.to_owned()), ..fake.settings() };
        let public = Origin { tls: true, authority: Authority::from_static("gate.example") };
        let error = Upstream::new(settings, public).err().unwrap().to_string();
        error.replace(&ca.display().to_string(), "ca.pem")
    };
    insta::assert_snapshot!(
        error(file("").path()),
        @"cannot use the certificates in `ca.pem`: there is no certificate in it"
    );
    let garbled = file("-----BEGIN CERTIFICATE-----\n!\n");
    for path in [garbled.path(), std::path::Path::new("missing.pem")] {
        assert!(error(path).starts_with("cannot use the certificates in `ca.pem`: "));
    }
}
