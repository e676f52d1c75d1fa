//! An OpenID Connect provider on loopback: discovery, a key set and signed tokens, over https with a
//! CA of its own. It counts what it is asked, and misbehaves as it is told. The unit tests of the
//! gate use it too.

#[path = "provider_sign_in.rs"]
mod sign_in;

use std::collections::BTreeMap;
use std::io::{Read as _, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::thread;
use std::time::Duration;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RsaKeyPair,
};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};

#[allow(unused_imports, reason = "not every test that uses this file needs it")]
pub(crate) use sign_in::pairs;
use sign_in::{Asked, Desk, Reply};

/// What a provider does instead of answering as it should.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Mood {
    Well,
    /// Every answer points to the same document at another address of it, where it would be.
    Redirects,
    /// A body without an end; with a length that says so, or without one.
    Endless {
        tells: bool,
    },
    /// Half an answer, and then nothing.
    Stalls,
    /// A page for people.
    Html,
    /// 503.
    Down,
    /// Discovery names another issuer.
    OtherIssuer(String),
    /// Discovery says that the keys are there.
    KeysAt(String),
    /// A set without keys.
    NoKeys,
}

/// A key of a provider.
#[derive(Clone)]
pub(crate) struct Key {
    pub(crate) kid: String,
    pub(crate) algorithm: Algorithm,
    private: EncodingKey,
    /// The public half, as it stands in the set.
    pub(crate) jwk: Value,
}

impl Key {
    /// An RSA key of 2048 bits. Making one takes long, so that all of them are the same.
    pub(crate) fn rs256(kid: &str) -> Self {
        static PAIR: OnceLock<RsaKeyPair> = OnceLock::new();
        let pair = PAIR.get_or_init(|| RsaKeyPair::generate(KeySize::Rsa2048).unwrap());
        let der = AsDer::<Pkcs8V1Der<'_>>::as_der(pair).unwrap();
        // PKCS#1, which is wanted here, stands in PKCS#8 behind 26 bytes (RFC 5208, section 5).
        let private = EncodingKey::from_rsa_der(&der.as_ref()[26..]);
        let public = pair.public_key();
        let n = encode(public.modulus().big_endian_without_leading_zero());
        let e = encode(public.exponent().big_endian_without_leading_zero());
        let jwk = json!({"kty": "RSA", "use": "sig", "alg": "RS256", "kid": kid, "n": n, "e": e});
        Self { kid: kid.to_owned(), algorithm: Algorithm::RS256, private, jwk }
    }

    pub(crate) fn es256(kid: &str) -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let private = EncodingKey::from_ec_der(pair.to_pkcs8v1().unwrap().as_ref());
        // An uncompressed point: 4, and two coordinates of 32 bytes.
        let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
        let jwk = json!({"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": kid,
            "x": encode(x), "y": encode(y)});
        Self { kid: kid.to_owned(), algorithm: Algorithm::ES256, private, jwk }
    }

    pub(crate) fn eddsa(kid: &str) -> Self {
        let der = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        let pair = Ed25519KeyPair::from_pkcs8(der.as_ref()).unwrap();
        let x = encode(pair.public_key().as_ref());
        let jwk = json!({"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": kid,
            "x": x});
        let private = EncodingKey::from_ed_der(der.as_ref());
        Self { kid: kid.to_owned(), algorithm: Algorithm::EdDSA, private, jwk }
    }

    /// A token with these claims, and the header that providers write.
    pub(crate) fn sign(&self, claims: &Value) -> String {
        let alg = self.jwk["alg"].clone();
        self.sign_as(&json!({"alg": alg, "typ": "JWT", "kid": self.kid}), claims)
    }

    /// A token with this header, whatever it says, signed with this key.
    pub(crate) fn sign_as(&self, header: &Value, claims: &Value) -> String {
        // Whoever came first installed the same one.
        let _ = jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER.install_default();
        let message = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
        let signed = jsonwebtoken::crypto::sign(message.as_bytes(), &self.private, self.algorithm);
        format!("{message}.{}", signed.unwrap())
    }
}

/// The key set of these keys.
pub(crate) fn jwks(keys: &[Key]) -> Value {
    json!({"keys": keys.iter().map(|key| &key.jwk).collect::<Vec<_>>()})
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// A running provider; stops listening when dropped.
pub(crate) struct Provider {
    address: SocketAddr,
    ca: tempfile::NamedTempFile,
    state: Arc<Mutex<State>>,
}

struct State {
    issuer: String,
    keys: Vec<Key>,
    mood: Mood,
    /// Other documents, by path.
    documents: BTreeMap<String, String>,
    /// Where people sign in, if they do.
    desk: Option<Desk>,
    asked: Vec<String>,
    closed: bool,
}

impl Provider {
    /// One whose first keys are these.
    pub(crate) fn start(keys: &[Key]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (tls, ca_pem) = certificates();
        let mut ca = tempfile::NamedTempFile::new().unwrap();
        ca.write_all(ca_pem.as_bytes()).unwrap();
        let state = Arc::new(Mutex::new(State {
            issuer: format!("https://localhost:{}", address.port()),
            keys: keys.to_vec(),
            mood: Mood::Well,
            documents: BTreeMap::new(),
            desk: None,
            asked: Vec::new(),
            closed: false,
        }));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if shared.lock().unwrap().closed {
                    return;
                }
                let (tls, state) = (Arc::clone(&tls), Arc::clone(&shared));
                // A client that goes away in the middle is none of our troubles.
                thread::spawn(move || drop(serve(stream.unwrap(), tls, &state)));
            }
        });
        Self { address, ca, state }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// `https://localhost:PORT`
    pub(crate) fn issuer(&self) -> String {
        self.state().issuer.clone()
    }

    pub(crate) fn jwks_url(&self) -> String {
        format!("{}/keys", self.issuer())
    }

    /// The file of the CA that signed its certificate.
    pub(crate) fn ca(&self) -> &std::path::Path {
        self.ca.path()
    }

    /// From now on these are its keys.
    pub(crate) fn rotate(&self, keys: &[Key]) {
        self.state().keys = keys.to_vec();
    }

    pub(crate) fn be(&self, mood: Mood) {
        self.state().mood = mood;
    }

    /// From now on this text stands at a path.
    #[allow(dead_code, reason = "not every test that uses this file needs it")]
    pub(crate) fn put(&self, path: &str, text: &str) {
        self.state().documents.insert(path.to_owned(), text.to_owned());
    }

    /// The paths it was asked for so far.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.state().asked.clone()
    }

    /// How often it was asked for its keys.
    pub(crate) fn times_asked_for_keys(&self) -> usize {
        self.asked().iter().filter(|path| *path == "/keys").count()
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.state().closed = true;
        let _ = TcpStream::connect(self.address);
    }
}

/// A server configuration for `localhost`, and the CA that signed its certificate.
fn certificates() -> (Arc<ServerConfig>, String) {
    let ca_key = rcgen::KeyPair::generate().unwrap();
    let mut ca = rcgen::CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca_pem = ca.self_signed(&ca_key).unwrap().pem();
    let issuer = rcgen::Issuer::new(ca, ca_key);
    let key = rcgen::KeyPair::generate().unwrap();
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let certificate =
        rcgen::CertificateParams::new(names).unwrap().signed_by(&key, &issuer).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::Pkcs8(key.serialize_der().into()),
        )
        .unwrap();
    (Arc::new(config), ca_pem)
}

type Stream = StreamOwned<ServerConnection, TcpStream>;

/// One request, and the end of the connection.
fn serve(stream: TcpStream, tls: Arc<ServerConfig>, state: &Mutex<State>) -> std::io::Result<()> {
    let connection = ServerConnection::new(tls).map_err(std::io::Error::other)?;
    let mut stream = StreamOwned::new(connection, stream);
    let asked = read(&mut stream)?;
    let path = asked.target.clone();
    let (mood, body) = {
        let mut state = state.lock().unwrap();
        state.asked.push(path.clone());
        (state.mood.clone(), state.body(&path))
    };
    match mood {
        Mood::Redirects if !path.starts_with("/moved") => {
            let to = format!("Location: /moved{path}\r\nContent-Length: 0\r\n");
            write!(stream, "HTTP/1.1 302 Found\r\n{to}Connection: close\r\n\r\n")?;
        }
        Mood::Endless { tells } => return endless(&mut stream, tells),
        Mood::Stalls => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")?;
            stream.flush()?;
            while !state.lock().unwrap().closed {
                thread::sleep(Duration::from_millis(20));
            }
        }
        Mood::Html => answer(&mut stream, "200 OK", "<!doctype html><title>Sign in</title>")?,
        Mood::Down => answer(&mut stream, "503 Service Unavailable", "later")?,
        _ => match body {
            Some(body) => answer(&mut stream, "200 OK", &body)?,
            None => match state.lock().unwrap().at_desk(&asked) {
                Some(made) => reply(&mut stream, &made)?,
                None => answer(&mut stream, "404 Not Found", "")?,
            },
        },
    }
    stream.conn.send_close_notify();
    stream.flush()
}

impl State {
    fn at_desk(&mut self, asked: &Asked) -> Option<Reply> {
        self.desk.as_mut()?.answer(&self.issuer, &self.keys, asked)
    }

    fn body(&self, path: &str) -> Option<String> {
        if let Some(text) = self.documents.get(path) {
            return Some(text.clone());
        }
        self.json(path).map(|document| document.to_string())
    }

    fn json(&self, path: &str) -> Option<Value> {
        match path.strip_prefix("/moved").unwrap_or(path) {
            "/.well-known/openid-configuration" => {
                let issuer = match &self.mood {
                    Mood::OtherIssuer(other) => other,
                    _ => &self.issuer,
                };
                let keys = match &self.mood {
                    Mood::KeysAt(url) => url.clone(),
                    _ => format!("{}/keys", self.issuer),
                };
                let mut document =
                    json!({"issuer": issuer, "jwks_uri": keys, "claims_supported": ["sub"]});
                if let Some(desk) = &self.desk {
                    desk.describe(&self.issuer, &mut document);
                }
                Some(document)
            }
            "/keys" if self.mood == Mood::NoKeys => Some(json!({"keys": []})),
            "/keys" => Some(jwks(&self.keys)),
            _ => None,
        }
    }
}

fn read(stream: &mut Stream) -> std::io::Result<Asked> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head);
    let header = |name: &str| {
        let mut pairs = head.lines().filter_map(|line| line.split_once(':'));
        let found = pairs.find(|(other, _)| other.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.trim().to_owned())
    };
    let length = header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    let mut words = head.split(' ').map(str::to_owned);
    Ok(Asked {
        method: words.next().unwrap_or_default(),
        target: words.next().unwrap_or_default(),
        authorization: header("authorization"),
        body: String::from_utf8_lossy(&body).into_owned(),
    })
}

fn reply(stream: &mut Stream, reply: &Reply) -> std::io::Result<()> {
    let Reply { status, headers, body } = reply;
    let head = format!("HTTP/1.1 {status}\r\n{headers}Connection: close\r\n");
    write!(stream, "{head}Content-Length: {}\r\n\r\n{body}", body.len())
}

fn answer(stream: &mut Stream, status: &str, body: &str) -> std::io::Result<()> {
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nConnection: close\r\n");
    write!(stream, "{head}Content-Length: {length}\r\n\r\n{body}")
}

/// A gigabyte at least, or until the client has had enough.
fn endless(stream: &mut Stream, tells: bool) -> std::io::Result<()> {
    stream.write_all(b"HTTP/1.1 200 OK\r\n")?;
    if tells {
        stream.write_all(b"Content-Length: 1073741824\r\n\r\n")?;
    } else {
        stream.write_all(b"Connection: close\r\n\r\n")?;
    }
    let piece = [b' '; 64 << 10];
    for _ in 0..(1 << 30) / piece.len() {
        stream.write_all(&piece)?;
    }
    Ok(())
}
