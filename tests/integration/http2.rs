//! HTTP/2 below its libraries: frames that no client sends by accident.

use crate::support::client::{ACCEPT, Client};
use crate::support::images::Image;
use crate::support::scene::Scene;
use crate::support::wire::Wire;

const POLICY: &str = r#"
rules:
  - name: the-team-works-here
    subjects: [user:alice]
    images: ["team/**"]
    allow: [pull, push]
"#;

const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

fn scene() -> Scene {
    let scene = Scene::new(POLICY, &[("alice", &[])]);
    scene.client("alice").push("team/app", "v1", &Image::oci("http2"));
    scene
}

/// A frame (RFC 9113 §4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// Header fields as literals that are neither indexed nor compressed (RFC 7541 §6.2.2).
fn fields(fields: &[(&str, &str)]) -> Vec<u8> {
    let text = |text: &str| {
        let mut bytes = Vec::new();
        match text.len() {
            short @ 0..127 => bytes.push(u8::try_from(short).unwrap()),
            long => {
                bytes.push(127);
                let mut rest = long - 127;
                while rest >= 128 {
                    bytes.push(u8::try_from(rest % 128).unwrap() | 128);
                    rest /= 128;
                }
                bytes.push(u8::try_from(rest).unwrap());
            }
        }
        [bytes, text.as_bytes().to_vec()].concat()
    };
    fields.iter().flat_map(|(name, value)| [vec![0], text(name), text(value)].concat()).collect()
}

/// A connection after its preface, with what the server said about one stream.
struct Frames(Wire);

impl Frames {
    fn open(client: &Client) -> Self {
        let mut wire = Wire::open(&client.http2());
        wire.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        wire.send(frame(SETTINGS, 0, 0, &[]));
        Self(wire)
    }

    /// What ends stream 1 or the connection: the kind of the frame, or none where it just closes.
    fn end(&mut self) -> Option<u8> {
        loop {
            let head = self.0.exactly(9)?;
            let length =
                usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
            let _ = self.0.exactly(length)?;
            let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
            match head[3] {
                GOAWAY => return Some(GOAWAY),
                kind @ (HEADERS | RST_STREAM) if stream == 1 => return Some(kind),
                _ => {}
            }
        }
    }
}

#[test]
fn a_well_made_request_is_answered() {
    // Without this, the refusals below would prove nothing.
    let scene = scene();
    let alice = scene.client("alice");
    let bearer = format!("Bearer {}", alice.token(&["repository:team/app:pull"]));
    let authority = scene.gate.name();
    let block = fields(&[
        (":method", "GET"),
        (":scheme", "https"),
        (":authority", &authority),
        (":path", "/v2/team/app/manifests/v1"),
        ("authorization", &bearer),
        ACCEPT,
    ]);
    let (end, asked) = scene.recorder.during(|| {
        let mut frames = Frames::open(&alice);
        frames.0.send(frame(HEADERS, END_STREAM | END_HEADERS, 1, &block));
        frames.end()
    });
    assert_eq!(end, Some(HEADERS));
    assert_eq!(asked.len(), 1);
}

#[test]
fn requests_that_http2_forbids_end_their_stream_and_are_not_sent_on() {
    let scene = scene();
    let alice = scene.client("alice");
    let bearer = format!("Bearer {}", alice.token(&["repository:team/app:pull"]));
    let authority = scene.gate.name();
    let good = [
        (":method", "GET"),
        (":scheme", "https"),
        (":authority", &*authority),
        (":path", "/v2/team/app/manifests/v1"),
        ("authorization", &*bearer),
    ];
    let with = |name, value| [&good[..], &[(name, value)]].concat();
    let without = |name: &str| good.iter().copied().filter(|(n, _)| *n != name).collect::<Vec<_>>();
    let instead = |name: &'static str, value| {
        good.iter().map(|(n, v)| (*n, if *n == name { value } else { *v })).collect::<Vec<_>>()
    };
    for block in [
        with("transfer-encoding", "chunked"),
        with("connection", "keep-alive"),
        with("upgrade", "h2c"),
        with("X-Upper", "case"),
        with("x-split", "a\r\nGET /v2/ HTTP/1.1"),
        with("x-nul", "a\0b"),
        with("x split", "a"),
        with("te", "gzip"),
        with("content-length", "5"),
        with(":path", "/v2/team/secret/manifests/v1"),
        with(":unknown", "x"),
        with("host", "evil.example"),
        without(":path"),
        without(":method"),
        instead(":path", ""),
        instead(":path", "/v2/team/app/../secret/manifests/v1"),
        instead(":path", "/v2/team/app/manifests/v1 HTTP/1.1\r\nX: y"),
        instead(":path", "https://evil.example/v2/"),
        instead(":method", "CONNECT"),
        instead(":scheme", "http\r\n"),
    ] {
        let (end, asked) = scene.recorder.during(|| {
            let mut frames = Frames::open(&alice);
            let flags = END_STREAM | END_HEADERS;
            frames.0.send(frame(HEADERS, flags, 1, &fields(&block)));
            frames.end()
        });
        // An answer of the gate's own (400) ends it as well as a reset does.
        assert!(end.is_none() || matches!(end, Some(HEADERS | RST_STREAM | GOAWAY)), "{block:?}");
        assert!(asked.is_empty(), "{block:?} was sent on as {asked:?}");
    }
}

#[test]
fn endless_headers_are_cut_off() {
    let scene = scene();
    let before = scene.gate.memory();
    let mut frames = Frames::open(&scene.gate.anonymous());
    frames.0.send(frame(HEADERS, END_STREAM, 1, &fields(&[(":method", "GET")])));
    let more = frame(CONTINUATION, 0, 1, &fields(&[("x-more", &"x".repeat(8 << 10))]));
    for _ in 0..2_000 {
        frames.0.send(&more);
    }
    assert!(matches!(frames.end(), Some(GOAWAY | RST_STREAM | HEADERS) | None));
    scene.gate.anonymous().get("/v2/").expect(401);
    let growth = scene.gate.peak_memory().saturating_sub(before);
    assert!(growth < 16 << 20, "16 MiB of headers took {} KiB", growth >> 10);
}

#[test]
fn streams_that_are_opened_to_be_reset_end_the_connection_and_nobody_elses() {
    let scene = scene();
    let alice = scene.client("alice");
    let bearer = format!("Bearer {}", alice.token(&["repository:team/app:pull"]));
    let authority = scene.gate.name();
    let block = fields(&[
        (":method", "GET"),
        (":scheme", "https"),
        (":authority", &authority),
        (":path", "/v2/team/app/manifests/v1"),
        ("authorization", &bearer),
    ]);
    let mut frames = Frames::open(&alice);
    for stream in (1..20_001).step_by(2) {
        let open = frame(HEADERS, END_STREAM | END_HEADERS, stream, &block);
        frames.0.send([open, frame(RST_STREAM, 0, stream, &8u32.to_be_bytes())].concat());
    }
    let sent_on = scene.recorder.content().len();
    assert!(sent_on < 5_000, "{sent_on} of 10000 reset requests were sent on");
    alice.get("/v2/team/app/manifests/v1").expect(200);
}
