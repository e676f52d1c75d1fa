//! Time that passes, and clocks that are wrong.

use std::time::Instant;

use serde_json::{Value, json};

use crate::federation::Jobs;
use crate::support::api::text;
use crate::support::client::Answer;
use crate::support::clock::{DAY, HOUR, MINUTE};
use crate::support::docker::Docker;
use crate::support::gate::{Gate, Setup, password_of};
use crate::support::images::Image;
use crate::support::scene::Scene;

const POLICY: &str = r#"
rules:
  - name: the-team-works-here
    subjects: [user:alice]
    images: ["team/**"]
    allow: [pull, push]
"#;

fn scene(tokens: &str, clock: i64) -> Scene {
    let scene = Scene::with(POLICY, &[("alice", &[])], |setup| {
        setup.clock_off_by(clock).setting("tokens", tokens)
    });
    scene.client("alice").push("team/app", "v1", &Image::oci("clocks"));
    scene
}

/// A token that alice makes for herself.
fn made(gate: &Gate, expires: &str) -> Value {
    let order = json!({"expires": expires, "refreshable": true});
    gate.basic("alice").post("/api/v1/tokens", &order).expect(201).json()
}

/// The identity token that a client keeps when alice signs in.
fn signed_in(gate: &Gate) -> String {
    let (service, password) = (gate.name(), password_of("alice"));
    let fields = [
        ("grant_type", "password"),
        ("service", &*service),
        ("client_id", "docker"),
        ("access_type", "offline"),
        ("username", "alice"),
        ("password", &*password),
    ];
    text(&gate.anonymous().form(&fields).expect(200).json(), "refresh_token")
}

/// What a client asks for with the identity token that it kept.
fn use_identity(gate: &Gate, token: &str) -> Answer {
    let service = gate.name();
    let fields = [
        ("grant_type", "refresh_token"),
        ("service", &*service),
        ("client_id", "docker"),
        ("scope", "repository:team/app:pull"),
        ("refresh_token", token),
    ];
    gate.anonymous().form(&fields)
}

/// Nothing that was over comes back, and what is made now is good.
fn nothing_came_back(gate: &Gate, over: &[&Value], when: &str) {
    for token in over {
        assert_eq!(gate.pulls(&text(token, "access_token")), 401, "{when}");
        gate.refresh(&text(token, "refresh_token")).expect(401);
    }
    let new = made(gate, "1h");
    assert_eq!(gate.pulls(&text(&new, "access_token")), 200, "{when}");
    let (access, _) = gate.refreshed(&text(&new, "refresh_token"));
    assert_eq!(gate.pulls(&access), 200, "{when}");
    let answer = use_identity(gate, &signed_in(gate)).expect(200).json();
    assert_eq!(gate.pulls(&text(&answer, "access_token")), 200, "{when}");
}

#[test]
fn a_clock_that_is_a_day_ahead_and_put_back_brings_nothing_back_to_life() {
    let mut scene = scene("{max_ttl: 12h}", 0);
    let gate = &mut scene.gate;
    let (expired, revoked) = (made(gate, "1h"), made(gate, "12h"));
    let target = format!("/api/v1/tokens/{}", text(&revoked, "id"));
    gate.basic("alice").delete(&target).expect(204);
    assert_eq!(gate.pulls(&text(&expired, "access_token")), 200);
    let over = [&expired, &revoked];

    gate.clock().set(DAY);
    nothing_came_back(gate, &over, "a day ahead");
    for (seconds, when) in [(0, "put right"), (-DAY, "a day behind")] {
        gate.clock().set(seconds);
        nothing_came_back(gate, &over, when);
        gate.restart();
        nothing_came_back(gate, &over, when);
        assert!(gate.log().contains("the system's clock is behind"), "{when}");
    }
    // Nor if it is killed, after a start at which the clock was ahead.
    gate.clock().set(2 * DAY);
    gate.restart();
    let late = made(gate, "1h");
    gate.clock().set(3 * DAY);
    gate.restart();
    assert_eq!(gate.pulls(&text(&late, "access_token")), 401);
    gate.kill_and_restart();
    gate.clock().set(-DAY);
    gate.kill_and_restart();
    nothing_came_back(gate, &[&expired, &revoked, &late], "killed");
}

#[test]
fn a_clock_that_is_a_day_behind_from_the_start_lets_nothing_live_longer() {
    let mut scene = scene("{max_ttl: 12h}", -DAY);
    let gate = &mut scene.gate;
    let token = made(gate, "1h");
    assert_eq!(gate.pulls(&text(&token, "access_token")), 200);
    gate.clock().set(0);
    nothing_came_back(gate, &[&token], "put right");
    gate.clock().set(-DAY);
    gate.restart();
    nothing_came_back(gate, &[&token], "behind again");
}

#[test]
fn a_login_ends_when_it_is_not_used_and_after_its_longest_time() {
    let scene = scene("{access_ttl: 5m, login_idle: 2h, login_max: 1d}", 0);
    let gate = &scene.gate;
    let begun = Instant::now();
    let (unused, used) = (signed_in(gate), signed_in(gate));
    let mut last = String::new();
    for minutes in (90..24 * 60).step_by(90) {
        gate.clock().set(minutes * MINUTE);
        if !last.is_empty() {
            assert_eq!(gate.pulls(&last), 401, "after 5 min");
        }
        last = text(&use_identity(gate, &used).expect(200).json(), "access_token");
        assert_eq!(gate.pulls(&last), 200);
    }
    use_identity(gate, &unused).expect(401);
    let listed = gate.basic("alice").listed("?all=true");
    let states: Vec<_> = listed.values().map(|token| text(token, "state")).collect();
    assert!(
        states.contains(&"idle".to_owned()) && states.contains(&"active".to_owned()),
        "{states:?}"
    );
    // A minute before its end it gets nothing that lasts longer. What all this took is over as well.
    let took = i64::try_from(begun.elapsed().as_secs()).unwrap() + 1;
    gate.clock().set(DAY - MINUTE - took);
    last = text(&use_identity(gate, &used).expect(200).json(), "access_token");
    assert_eq!(gate.pulls(&last), 200);
    gate.clock().set(DAY + MINUTE);
    assert_eq!(gate.pulls(&last), 401);
    use_identity(gate, &used).expect(401);
    use_identity(gate, &signed_in(gate)).expect(200);
}

#[test]
fn a_job_whose_own_token_lasts_five_minutes_pushes_until_its_session_ends() {
    let jobs = Jobs::at("", &[], Setup::own_clock);
    let gate = &jobs.scene.gate;
    jobs.scene.registry.client().push("team/app", "v1", &Image::oci("session"));
    let docker = Docker::start(gate);
    let id_token = jobs.token(json!({}));
    docker.login_with("oidc:ci", &id_token).ok();
    docker.pull("team/app:v1").ok();
    let push = |tag: &str| {
        let (from, to) =
            (docker.at_gate("team/app:v1"), docker.at_gate(&format!("team/app:{tag}")));
        docker.run(&["tag", &from, &to]).ok();
        docker.push(&format!("team/app:{tag}"))
    };
    let access = jobs.client(&id_token).token(&["repository:team/app:pull"]);
    gate.clock().set(11 * MINUTE);
    jobs.client(&id_token).ask_for_token(&[]).expect(401);
    push("v2").ok();
    assert!(jobs.scene.stored("team/app", "v2").is_some());
    assert_eq!(gate.pulls(&access), 200);
    gate.clock().set(HOUR + MINUTE);
    push("v3").failed();
    docker.pull("team/app:v1").failed();
    assert_eq!(gate.pulls(&access), 401);
    assert_eq!(jobs.scene.stored("team/app", "v3"), None);
}
