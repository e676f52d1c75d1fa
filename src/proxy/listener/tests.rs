use std::io::{Read as _, Write as _};
use std::net::TcpStream as Client;
use std::thread::{self, JoinHandle};

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tempfile::TempDir;

use super::*;
use crate::proxy::sample_gate::gate;
use crate::upstream::fake::{Fake, Reply};

/// A gate that listens, with one worker.
struct Listening {
    address: SocketAddr,
    listeners: Arc<Listeners>,
    stop: watch::Sender<bool>,
    worker: JoinHandle<io::Result<()>>,
    _folder: TempDir,
}

impl Listening {
    fn start(limits: Limits, tls: bool) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let upstream = runtime.block_on(Fake::start(|_| Reply::new(404, ""))).upstream();
        let (gate, folder) = gate("rules: []", upstream, limits, Default::default());
        let listen = Listen { address: SocketAddr::from(([127, 0, 0, 1], 0)), tls };
        let mut bound = vec![Bound::new(&listen, 1).unwrap()];
        let address = bound[0].address;
        let listeners = Listeners::new(gate, tls.then(server_config));
        let (stop, stopped) = Stop::new();
        let sockets = Listeners::share(&mut bound);
        let serving = Arc::clone(&listeners);
        let worker = thread::spawn(move || serving.work(sockets, &stopped));
        Self { address, listeners, stop, worker, _folder: folder }
    }

    fn connect(&self) -> Client {
        let client = Client::connect(self.address).unwrap();
        // So that a test which should fail does, rather than wait for ever.
        client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        client
    }

    /// Waits until so many connections are open.
    fn until_open(&self, count: usize) {
        for _ in 0..2000 {
            if self.listeners.open() == count {
                return;
            }
            thread::sleep(Duration::from_millis(5));
        }
        panic!("{} connections are open, not {count}", self.listeners.open());
    }

    fn stop(self) {
        self.stop.send(true).unwrap();
        self.worker.join().unwrap().unwrap();
    }
}

fn server_config() -> Arc<ServerConfig> {
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
    Arc::new(config)
}

/// What comes until the other side closes; a reset is a close too.
fn rest(client: &mut Client) -> String {
    let mut bytes = Vec::new();
    match client.read_to_end(&mut bytes) {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), io::ErrorKind::ConnectionReset, "{error}"),
    }
    String::from_utf8(bytes).unwrap()
}

/// One request on an open connection; true if it was answered.
fn answers(client: &mut Client) -> bool {
    let sent = client.write_all(b"GET /v2/ HTTP/1.1\r\nhost: gate.example\r\n\r\n");
    let mut status = [0; 12];
    sent.is_ok() && client.read_exact(&mut status).is_ok() && status == *b"HTTP/1.1 401"
}

#[test]
fn connections_are_limited_and_a_free_place_is_given_again() {
    let all = Limits { connections: 2, ..Limits::default() };
    let of_one = Limits { connections_per_address: 2, ..Limits::default() };
    for limits in [all, of_one] {
        let listening = Listening::start(limits, false);
        let (mut one, mut two) = (listening.connect(), listening.connect());
        listening.until_open(2);
        let mut three = listening.connect();
        assert_eq!(rest(&mut three), "", "closed without a word");
        assert!(answers(&mut one) && answers(&mut two));
        drop(one);
        listening.until_open(1);
        assert!(answers(&mut listening.connect()));
        drop(two);
        listening.until_open(0);
        assert!(listening.listeners.by_address.is_empty(), "nothing is kept of those that went");
        listening.stop();
    }
}

#[test]
fn a_head_that_does_not_come_is_not_waited_for() {
    let short = Duration::from_millis(200);
    let listening = Listening::start(Limits { header_timeout: short, ..Limits::default() }, false);
    let mut whole = listening.connect();
    assert!(answers(&mut whole));
    for head in ["", "GET /v2/ HTTP/1.1\r\nhost: gate"] {
        let mut half = listening.connect();
        half.write_all(head.as_bytes()).unwrap();
        assert!(!rest(&mut half).contains("401"), "it ends without an answer of the registry");
    }
    drop(whole);
    listening.until_open(0);
    listening.stop();
}

#[test]
fn a_handshake_that_does_not_end_is_not_waited_for() {
    let short = Duration::from_millis(200);
    let listening =
        Listening::start(Limits { handshake_timeout: short, ..Limits::default() }, true);
    // The beginning of a TLS record that announces more.
    for hello in [&b""[..], b"\x16\x03\x01\x02\x00\x01"] {
        let mut half = listening.connect();
        half.write_all(hello).unwrap();
        assert_eq!(rest(&mut half), "");
    }
    let mut plain = listening.connect();
    assert!(!answers(&mut plain), "no plain HTTP where TLS is asked for");
    listening.until_open(0);
    listening.stop();
}

#[test]
fn a_stop_ends_idle_connections_and_the_worker() {
    let listening = Listening::start(Limits::default(), false);
    let mut idle = listening.connect();
    assert!(answers(&mut idle));
    let address = listening.address;
    listening.stop();
    rest(&mut idle);
    assert!(Client::connect(address).is_err(), "nobody listens");
}

#[test]
fn an_address_that_is_taken_is_told() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let told = Bound::new(&Listen { address, tls: false }, 2).err().unwrap().to_string();
    assert_eq!(
        told,
        format!(
            "{address} is in use by another program: stop that one, or choose another port with \
             `listen`"
        )
    );
}
