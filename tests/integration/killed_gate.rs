//! The gate is killed while its clients refresh their tokens.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::api::text;
use crate::support::client::{Client, collect, payload, runtime};
use crate::support::gate::{Gate, Setup};
use crate::support::postgres::Postgres;

const POLICY: &str = r#"
rules:
  - name: the-team-works-here
    subjects: [user:alice]
    images: ["team/**"]
    allow: [pull, push]
"#;

/// How often, on each kind of state.
const KILLS: usize = 20;

#[test]
fn a_gate_on_sqlite_that_is_killed_loses_no_token_and_splits_no_family() {
    kill_again_and_again(setup().start());
}

#[test]
fn a_gate_on_postgresql_that_is_killed_loses_no_token_and_splits_no_family() {
    let database = Postgres::start();
    let state = format!("{{url: '{}'}}", database.url());
    kill_again_and_again(setup().setting("state", &state).start());
}

fn setup() -> Setup {
    Setup::new("http://127.0.0.1:9", POLICY).user("alice", &[])
}

fn kill_again_and_again(mut gate: Gate) {
    let order = json!({"expires": "1h", "refreshable": true});
    let made = gate.basic("alice").post("/api/v1/tokens", &order).expect(201).json();
    let mut holder = Holder {
        token: text(&made, "refresh_token"),
        seen: HashSet::new(),
        lost: 0,
        client: gate.anonymous(),
    };
    for _ in 0..KILLS {
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            let refreshing = scope.spawn(|| holder.refresh_until(&stop));
            thread::sleep(Duration::from_micros(RandomState::new().hash_one(()) % 100_000));
            gate.signal("KILL");
            stop.store(true, Ordering::Relaxed);
            refreshing.join().unwrap();
        });
        gate.restart();
        // Whatever was lost on the way, the last token that came is good.
        let (access, next) = gate.refreshed(&holder.token);
        holder.take(next);
        gate.bearer(&access).get("/v2/").expect(200);
    }
    assert!(holder.seen.len() > 2 * KILLS, "only {} refreshes", holder.seen.len());
    assert!(holder.lost > 0, "no refresh was cut off");
    let listed = gate.basic("alice").listed("");
    assert_eq!(listed.len(), 1, "{listed:?}");
    assert_eq!(listed[&text(&made, "id")]["state"], "active");
    assert!(gate.audit().iter().all(|record| record["event"] != "token.reused"));
}

/// Who keeps the last refresh token that came.
struct Holder {
    client: Client,
    token: String,
    seen: HashSet<String>,
    /// How many requests got no answer.
    lost: usize,
}

impl Holder {
    fn take(&mut self, next: String) {
        assert!(self.seen.insert(next.clone()), "a token that was already replaced came again");
        self.token = next;
    }

    fn refresh_until(&mut self, stop: &AtomicBool) {
        while !stop.load(Ordering::Relaxed) {
            match self.refresh() {
                Some(next) => self.take(next),
                None => self.lost += 1,
            }
        }
    }

    /// One refresh; none if the gate is gone before its answer is whole.
    fn refresh(&self) -> Option<String> {
        let body = json!({ "refresh_token": self.token }).to_string();
        let request = self.client.request("POST", "/api/v1/refresh");
        let request = request.header("content-type", "application/json").body(payload(body));
        let answer = runtime().block_on(async {
            Some(collect(self.client.try_stream(request.unwrap()).await?).await)
        });
        let answer = answer.filter(|answer| answer.complete)?.expect(200);
        let pair: Value = serde_json::from_slice(&answer.body).ok()?;
        Some(text(&pair, "refresh_token"))
    }
}
