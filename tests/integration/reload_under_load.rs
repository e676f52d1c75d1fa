//! Policies that change while clients ask: no request fails, none is decided by parts of two, and
//! what was reported as loaded counts from then on.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Version, header};
use http_body_util::BodyExt as _;
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};

use crate::support::api::text;
use crate::support::client::{ACCEPT, Client, Connection, Payload, payload, runtime};
use crate::support::gate::{Gate, Setup};
use crate::support::images::Image;
use crate::support::process::wait_for;
use crate::support::registry::Registry;
use crate::support::wire::Wire;

const SOON: Duration = Duration::from_secs(30);

/// How often the policy changes.
const CHANGES: usize = 8;

/// Two files each. Between them each policy allows and denies everything by name, so a denial that
/// names no rule, a list with tags of both, or a mount that takes a right from each, is of a mixture.
const POLICIES: [[&str; 2]; 2] = [
    [
        r#"
rules:
  - {name: left-0, subjects: [user:alice], images: ["left"], allow: [pull]}
  - {name: tags-0-0, subjects: [user:alice], images: ["tags:a0"], allow: [pull]}
  - {name: mount-0, subjects: [user:alice], images: ["mount/from"], allow: [pull]}
"#,
        r#"
rules:
  - {name: right-0, subjects: [anyone], images: ["right"], deny: [pull]}
  - {name: tags-0-1, subjects: [user:alice], images: ["tags:b0"], allow: [pull]}
"#,
    ],
    [
        r#"
rules:
  - {name: right-1, subjects: [user:alice], images: ["right"], allow: [pull]}
  - {name: tags-1-0, subjects: [user:alice], images: ["tags:a1"], allow: [pull]}
"#,
        r#"
rules:
  - {name: left-1, subjects: [anyone], images: ["left"], deny: [pull]}
  - {name: tags-1-1, subjects: [user:alice], images: ["tags:b1"], allow: [pull]}
  - {name: mount-1, subjects: [user:alice], images: ["mount/to"], allow: [push]}
"#,
    ],
];

/// Which policy an answer shows, or what is wrong with it.
fn shown_by(probe: usize, answer: &Seen) -> Result<usize, String> {
    let wrong = || Err(format!("probe {probe}: {answer:?}"));
    let denied_by = |rule: &str| answer.status == 403 && answer.body.contains(rule);
    match probe {
        0 | 1 => {
            let (mine, other) = (probe, 1 - probe);
            let rule = if probe == 0 { "left-1" } else { "right-0" };
            match answer.status {
                200 => Ok(mine),
                _ if denied_by(rule) => Ok(other),
                _ => wrong(),
            }
        }
        2 => {
            let list: Value = serde_json::from_str(&answer.body).unwrap_or_default();
            match list["tags"] == json!(["a0", "b0"]) {
                true => Ok(0),
                _ if list["tags"] == json!(["a1", "b1"]) => Ok(1),
                _ => wrong(),
            }
        }
        // Who may only read the one may not write the other; who may only write gets an upload.
        _ => match answer.status {
            403 => Ok(0),
            202 => Ok(1),
            _ => wrong(),
        },
    }
}

#[derive(Debug)]
struct Seen {
    status: u16,
    body: String,
}

/// A connection that stays open.
enum Line {
    Http1 { wire: Wire, host: String },
    Http2 { sender: SendRequest<Payload>, client: Client },
}

impl Line {
    fn http1(gate: &Gate) -> Self {
        Self::Http1 { wire: Wire::open(&gate.anonymous()), host: gate.name() }
    }

    fn http2(gate: &Gate) -> Self {
        let client = gate.anonymous().http2();
        let sender = runtime().block_on(async {
            let Connection::Tls(io) = client.connect().await else { panic!("TLS") };
            let handshake =
                hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(*io));
            let (sender, driver) = handshake.await.unwrap();
            tokio::spawn(driver);
            sender
        });
        Self::Http2 { sender, client }
    }

    fn ask(&mut self, method: &str, target: &str, token: &str) -> Seen {
        let bearer = format!("Bearer {token}");
        match self {
            Self::Http1 { wire, host } => {
                let request = format!(
                    "{method} {target} HTTP/1.1\r\nHost: {host}\r\nAuthorization: {bearer}\r\n\
                     Accept: {}\r\nContent-Length: 0\r\n\r\n",
                    ACCEPT.1
                );
                let raw = wire.ask(request).expect("the connection stays open");
                Seen { status: raw.status, body: String::from_utf8(raw.body).unwrap() }
            }
            Self::Http2 { sender, client } => {
                let request: Request<Payload> = client
                    .request(method, target)
                    .version(Version::HTTP_2)
                    .header(header::AUTHORIZATION, bearer)
                    .header(ACCEPT.0, ACCEPT.1)
                    .body(payload(Bytes::new()))
                    .unwrap();
                runtime().block_on(async {
                    let answer = sender.send_request(request).await.expect("an answer");
                    let status = answer.status().as_u16();
                    let body = answer.into_body().collect().await.expect("all of it").to_bytes();
                    Seen { status, body: String::from_utf8(body.to_vec()).unwrap() }
                })
            }
        }
    }
}

/// A policy folder as Kubernetes mounts it: each file is a link through `..data`, which is replaced.
fn mount(folder: &Path) {
    for (number, files) in POLICIES.iter().enumerate() {
        let version = folder.join(format!("..{number}"));
        fs::create_dir(&version).unwrap();
        for (file, text) in ["one.yaml", "two.yaml"].iter().zip(files) {
            fs::write(version.join(file), text).unwrap();
        }
    }
    symlink("..0", folder.join("..data")).unwrap();
    for file in ["one.yaml", "two.yaml"] {
        symlink(format!("..data/{file}"), folder.join(file)).unwrap();
    }
    fs::remove_file(folder.join("test.yaml")).unwrap();
}

fn swap(folder: &Path, version: usize) {
    symlink(format!("..{version}"), folder.join("..data_tmp")).unwrap();
    fs::rename(folder.join("..data_tmp"), folder.join("..data")).unwrap();
}

fn sha256_in_force(gate: &Gate) -> String {
    let metrics = gate.metrics();
    let info = metrics.lines().find(|line| line.starts_with("portcullis_policy_info"));
    info.expect("there is always a policy").to_owned()
}

#[test]
fn no_request_fails_or_is_decided_by_two_policies_at_once_while_they_change() {
    let registry = Registry::start();
    let owner = registry.client();
    let image = Image::oci("under load");
    for (repository, tags) in [
        ("left", &["v1"][..]),
        ("right", &["v1"]),
        ("tags", &["a0", "a1", "b0", "b1"]),
        ("mount/from", &["v1"]),
    ] {
        tags.iter().for_each(|tag| owner.push(repository, tag, &image));
    }
    let gate = Setup::new(&format!("http://{}", registry.address()), "rules: []")
        .user("alice", &[])
        .start();
    let order = json!({"expires": "1h"});
    let made = gate.basic("alice").post("/api/v1/tokens", &order).expect(201).json();
    let token = text(&made, "access_token");
    let folder = gate.home().join("policies");
    let mut before = sha256_in_force(&gate);
    mount(&folder);
    // Between the steps above there may be policies that are neither.
    let mut line = Line::http1(&gate);
    wait_for("the first policy", SOON, || {
        let seen = line.ask("GET", "/v2/left/manifests/v1", &token);
        let now = sha256_in_force(&gate);
        let settled = seen.status == 200 && now == std::mem::replace(&mut before, now.clone());
        thread::sleep(Duration::from_millis(700));
        settled.then_some(())
    });

    let targets = [
        ("GET", "/v2/left/manifests/v1".to_owned()),
        ("GET", "/v2/right/manifests/v1".to_owned()),
        ("GET", "/v2/tags/tags/list".to_owned()),
        (
            "POST",
            format!("/v2/mount/to/blobs/uploads/?mount={}&from=mount/from", image.config.digest),
        ),
    ];
    // 4n: the first policy counts. 4n + 2: the second. In between: either.
    let phase = AtomicUsize::new(0);
    let over = AtomicBool::new(false);
    let counted = [AtomicUsize::new(0), AtomicUsize::new(0)];
    thread::scope(|scope| {
        for number in 0..4 {
            let (gate, token, targets) = (&gate, &token, &targets);
            let (phase, over, counted) = (&phase, &over, &counted);
            scope.spawn(move || {
                let mut line = if number % 2 == 0 { Line::http1(gate) } else { Line::http2(gate) };
                // Reads are quick; a mount leaves an upload behind, so there are fewer of them.
                for probe in [0, 1, 2, 0, 1, 2, 0, 1, 2, 3].into_iter().cycle() {
                    if over.load(Ordering::SeqCst) {
                        break;
                    }
                    let (method, target) = &targets[probe];
                    let asked = phase.load(Ordering::SeqCst);
                    let answer = line.ask(method, target, token);
                    let answered = phase.load(Ordering::SeqCst);
                    let shown = shown_by(probe, &answer).unwrap();
                    if asked == answered && asked % 2 == 0 {
                        assert_eq!(
                            shown,
                            asked / 2 % 2,
                            "probe {probe} in phase {asked}: {answer:?}"
                        );
                        counted[shown].fetch_add(1, Ordering::SeqCst);
                    }
                }
            });
        }
        // However this ends, the threads do.
        let _end = OnDrop(&over);
        for change in 1..=CHANGES {
            let in_force = sha256_in_force(&gate);
            let seen: Vec<_> = counted.iter().map(|count| count.load(Ordering::SeqCst)).collect();
            wait_for("requests in between", SOON, || {
                let now = counted.iter().map(|count| count.load(Ordering::SeqCst));
                (now.sum::<usize>() > seen.iter().sum::<usize>() + 20).then_some(())
            });
            phase.fetch_add(1, Ordering::SeqCst);
            swap(&folder, change % 2);
            if change % 4 == 0 {
                gate.signal("HUP");
            }
            wait_for("the word that it is loaded", SOON, || {
                (sha256_in_force(&gate) != in_force).then_some(())
            });
            phase.fetch_add(1, Ordering::SeqCst);
        }
    });
    assert!(counted.iter().all(|count| count.load(Ordering::SeqCst) > 20), "{counted:?}");
    let records = gate.audit();
    let requests = records.iter().filter(|record| record["event"] == "request");
    let failed: Vec<_> = requests.filter(|record| record["status"].as_u64() >= Some(500)).collect();
    assert!(failed.is_empty(), "{failed:?}");
}

struct OnDrop<'a>(&'a AtomicBool);

impl Drop for OnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}
