//! A scanner adapter on loopback, as the Harbor pluggable scanner API has it: it takes scans, is not
//! ready for a while, and then reports. It holds the gate to the specification, and misbehaves as it
//! is told. The unit tests of the gate use it too.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

/// What an adapter does instead of answering as it should.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Mood {
    Well,
    /// The report never comes.
    NeverReady,
    /// Every answer is a redirect with this status to this address.
    Redirects(u16, String),
    /// A body of 10 GB; with a length that says so, or without one.
    Endless {
        tells: bool,
    },
    /// What is no JSON, under the media type that was asked for.
    Garbage,
    /// The right body under this media type.
    Named(String),
    /// An error with this status.
    Fails(u16),
    /// No answer, and the connection stays.
    Hangs,
    /// The report of another image.
    OtherImage,
    /// The connection ends in the middle of the body.
    Breaks,
    /// This body, as a success.
    Says(Value),
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    Metadata,
    Scan,
    Report,
}

const GENERIC: &str = "application/vnd.security.vulnerability.report; version=1.1";
const REQUESTS: [&str; 2] = [
    "application/vnd.scanner.adapter.scan.request+json; version=1.0",
    "application/vnd.scanner.adapter.scan.request+json; version=1.1",
];

/// A running adapter; stops listening when dropped.
pub(crate) struct Scanner {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

/// Looks at the request for a scan; an error is why it is not taken.
pub(crate) type OnScan = Arc<dyn Fn(&Value) -> Result<(), String> + Send + Sync>;

struct State {
    moods: BTreeMap<Step, Mood>,
    metadata: Value,
    /// The header that whoever asks must show.
    authorization: Option<String>,
    /// The header that it must be handed for the registry.
    registry_authorization: String,
    /// What it does with a scan that it takes, instead of looking at that header.
    on_scan: Option<OnScan>,
    /// How often it is not ready.
    polls: u32,
    /// The artifact of each scan, and how often its report was asked for.
    scans: BTreeMap<String, (Value, u32)>,
    asked: Vec<String>,
    closed: bool,
}

struct Request {
    method: String,
    path: String,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

impl Scanner {
    /// One that wants `Basic` or `Bearer` at the registry, and must be handed this header.
    pub(crate) fn start(kind: &str, registry_authorization: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let metadata = json!({
            "scanner": {"name": "Sample", "vendor": "Example", "version": "1.2.3"},
            "capabilities": [
                {"type": "sbom", "consumes_mime_types": [], "produces_mime_types": []},
                {"type": "vulnerability",
                    "consumes_mime_types": ["application/vnd.oci.image.manifest.v1+json"],
                    "produces_mime_types": [GENERIC]},
            ],
            "properties": {
                "harbor.scanner-adapter/registry-authorization-type": kind,
                "harbor.scanner-adapter/vulnerability-database-updated-at": "2026-01-02T03:04:05Z",
            },
        });
        let state = Arc::new(Mutex::new(State {
            moods: BTreeMap::new(),
            metadata,
            authorization: None,
            registry_authorization: registry_authorization.to_owned(),
            on_scan: None,
            polls: 2,
            scans: BTreeMap::new(),
            asked: Vec::new(),
            closed: false,
        }));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if shared.lock().unwrap().closed {
                    return;
                }
                let shared = Arc::clone(&shared);
                thread::spawn(move || serve(stream, &shared));
            }
        });
        Self { address, state }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on it does this when it is asked for that.
    pub(crate) fn be(&self, step: Step, mood: Mood) {
        self.state().moods.insert(step, mood);
    }

    pub(crate) fn wants(&self, authorization: &str) {
        self.state().authorization = Some(authorization.to_owned());
    }

    pub(crate) fn tells(&self, change: impl FnOnce(&mut Value)) {
        change(&mut self.state().metadata);
    }

    /// From now on it does this with the scans that it takes.
    pub(crate) fn on_scan(&self, act: OnScan) {
        self.state().on_scan = Some(act);
    }

    /// Method and path of each request, in order.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.state().asked.clone()
    }
}

impl Drop for Scanner {
    fn drop(&mut self) {
        self.state().closed = true;
        // Whoever listens looks up.
        let _ = TcpStream::connect(self.address);
    }
}

/// One request on each connection.
fn serve(mut stream: TcpStream, shared: &Mutex<State>) {
    let Some(request) = read(&mut stream) else { return };
    let (step, mood) = {
        let mut state = shared.lock().unwrap();
        state.asked.push(format!("{} {}", request.method, request.path));
        let step = match request.path.as_str() {
            "/api/v1/metadata" => Step::Metadata,
            "/api/v1/scan" => Step::Scan,
            _ => Step::Report,
        };
        (step, state.moods.get(&step).cloned().unwrap_or(Mood::Well))
    };
    let (status, headers, body) = answer(&request, step, &mood, &mut shared.lock().unwrap());
    let length = match mood {
        Mood::Endless { tells: true } => Some(10_000_000_000),
        Mood::Endless { tells: false } => None,
        _ => Some(body.len()),
    };
    let mut head = format!("HTTP/1.1 {status} Said\r\nconnection: close\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if let Some(length) = length {
        head.push_str(&format!("content-length: {length}\r\n"));
    }
    head.push_str("\r\n");
    // Whoever is gone needs no answer.
    match mood {
        Mood::Hangs => thread::sleep(Duration::from_secs(20)),
        Mood::Breaks => {
            let _ = stream.write_all(head.as_bytes());
            let _ = stream.write_all(&body[..body.len() / 2]);
        }
        Mood::Endless { .. } => {
            let _ = stream.write_all(head.as_bytes());
            while stream.write_all(&[b' '; 65536]).is_ok() {}
        }
        _ => {
            let _ = stream.write_all(head.as_bytes());
            let _ = stream.write_all(&body);
        }
    }
}

type Answer = (u16, Vec<(&'static str, String)>, Vec<u8>);

fn named(status: u16, media_type: &str, body: &Value) -> Answer {
    (status, vec![("content-type", media_type.to_owned())], body.to_string().into_bytes())
}

fn refused(status: u16, message: &str) -> Answer {
    let media_type = "application/vnd.scanner.adapter.error+json; version=1.0";
    named(status, media_type, &json!({"error": {"message": message}}))
}

fn answer(request: &Request, step: Step, mood: &Mood, state: &mut State) -> Answer {
    if request.headers.get("authorization") != state.authorization.as_ref() {
        return refused(401, "who is there?");
    }
    match mood {
        Mood::Redirects(status, to) => {
            return (*status, vec![("location", to.clone())], Vec::new());
        }
        Mood::Fails(status) => return refused(*status, "out of\r\nmemory"),
        Mood::Garbage if step != Step::Report => return (success(step), Vec::new(), b"<a>".into()),
        Mood::Says(body) => return named(success(step), GENERIC, body),
        _ => {}
    }
    match (request.method.as_str(), step) {
        ("GET", Step::Metadata) => {
            let media_type = "application/vnd.scanner.adapter.metadata+json; version=1.1";
            named(200, media_type, &state.metadata)
        }
        ("POST", Step::Scan) => accept(request, state),
        ("GET", Step::Report) => report(request, mood, state),
        _ => refused(405, "no such method"),
    }
}

fn success(step: Step) -> u16 {
    if step == Step::Scan { 202 } else { 200 }
}

fn accept(request: &Request, state: &mut State) -> Answer {
    let media_type = request.headers.get("content-type").map_or("", String::as_str);
    let Ok(body) = serde_json::from_slice::<Value>(&request.body) else {
        return refused(400, "no JSON");
    };
    let artifact = &body["artifact"];
    let is_filled = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
    let mut filled = ["repository", "digest", "mime_type"].iter().map(|name| &artifact[*name]);
    if !REQUESTS.contains(&media_type)
        || !filled.all(is_filled)
        || !is_filled(&body["registry"]["url"])
    {
        return refused(422, "something is missing");
    }
    let taken = match &state.on_scan {
        Some(act) => act(&body),
        None if body["registry"]["authorization"] == state.registry_authorization.as_str() => {
            Ok(())
        }
        None => Err("the registry would not let me in".to_owned()),
    };
    if let Err(why) = taken {
        return refused(422, &why);
    }
    let id = format!("scan/{}", state.scans.len());
    state.scans.insert(id.clone(), (artifact.clone(), 0));
    named(
        202,
        "application/vnd.scanner.adapter.scan.response+json; version=1.0",
        &json!({"id": id}),
    )
}

fn report(request: &Request, mood: &Mood, state: &mut State) -> Answer {
    if request.headers.get("accept").map(String::as_str) != Some(GENERIC) {
        return refused(501, "no such report");
    }
    let id =
        request.path.strip_prefix("/api/v1/scan/").and_then(|rest| rest.strip_suffix("/report"));
    let id = id.unwrap_or_default().replace("%2F", "/");
    let polls = state.polls;
    let Some((artifact, asked)) = state.scans.get_mut(&id) else { return refused(404, "unknown") };
    *asked += 1;
    if *asked <= polls || *mood == Mood::NeverReady {
        let here = ("location", request.path.clone());
        return (302, vec![here, ("refresh-after", "0".to_owned())], Vec::new());
    }
    let mut artifact = artifact.clone();
    if *mood == Mood::OtherImage {
        artifact["digest"] = format!("sha256:{}", "0".repeat(64)).into();
    }
    let report = json!({
        "generated_at": "2026-01-02T03:04:05Z",
        "artifact": artifact,
        "scanner": {"name": "Sample", "vendor": "Example", "version": "1.2.3"},
        "severity": "High",
        "vulnerabilities": [
            {"id": "CVE-2021-44228", "package": "log4j", "version": "2.14", "severity": "Critical"},
        ],
    });
    match mood {
        Mood::Garbage => (200, vec![("content-type", GENERIC.to_owned())], b"<a>".to_vec()),
        Mood::Named(media_type) => named(200, media_type, &report),
        _ => named(200, GENERIC, &report),
    }
}

fn read(stream: &mut TcpStream) -> Option<Request> {
    let mut read = Vec::new();
    let mut piece = [0; 4096];
    let mut more = |read: &mut Vec<u8>| match stream.read(&mut piece) {
        Ok(count) if count > 0 => {
            read.extend_from_slice(&piece[..count]);
            Some(())
        }
        _ => None,
    };
    let end = loop {
        match read.windows(4).position(|window| window == b"\r\n\r\n") {
            Some(end) => break end,
            None => more(&mut read)?,
        }
    };
    let text = String::from_utf8(read.drain(..end + 4).collect()).ok()?;
    let mut lines = text.trim_end().split("\r\n");
    let mut words = lines.next()?.split(' ').map(str::to_owned);
    let (method, path) = (words.next()?, words.next()?);
    let headers = lines.filter_map(|line| line.split_once(": "));
    let headers: BTreeMap<_, _> =
        headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    while read.len() < length {
        more(&mut read)?;
    }
    Some(Request { method, path, headers, body: read })
}
