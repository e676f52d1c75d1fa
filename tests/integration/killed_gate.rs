//! The gate is killed while its clients refresh their tokens.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::api::text;
use crate::support::client::{Client, collect, payload, runtime};
use crate::support::gate::{Gate, Setup};
use crate::support::postgres::Postgres;
use crate::support::process::wait_for;

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
        client: gate.anonymous(),
    };
    for _ in 0..KILLS {
        let kept = AtomicUsize::new(0);
        thread::scope(|scope| {
            let refreshing = scope.spawn(|| holder.refresh_until_cut_off(&kept));
            wait_for("two refreshes", Duration::from_secs(60), || {
                (kept.load(Ordering::Relaxed) >= 2 || refreshing.is_finished()).then_some(())
            });
            thread::sleep(Duration::from_micros(RandomState::new().hash_one(()) % 100_000));
            gate.signal("KILL");
            refreshing.join().unwrap();
        });
        gate.restart();
        // Whatever was lost on the way, the last token that came is good.
        let (access, next) = gate.refreshed(&holder.token);
        holder.take(next);
        gate.bearer(&access).get("/v2/").expect(200);
    }
    assert!(holder.seen.len() >= 3 * KILLS, "only {} refreshes", holder.seen.len());
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
}

impl Holder {
    fn take(&mut self, next: String) {
        assert!(self.seen.insert(next.clone()), "a token that was already replaced came again");
        self.token = next;
    }

    /// Refreshes until the gate is gone before its answer, and counts.
    fn refresh_until_cut_off(&mut self, kept: &AtomicUsize) {
        while let Some(next) = self.refresh() {
            self.take(next);
            kept.fetch_add(1, Ordering::Relaxed);
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
