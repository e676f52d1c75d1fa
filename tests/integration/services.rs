//! Services: names with tokens only, which an administrator makes, disables and takes back.

use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::api::{Puller, claims, text};
use crate::support::client::Credentials;
use crate::support::clock::MINUTE;
use crate::support::docker::Docker;
use crate::support::gate::{Gate, Setup};
use crate::support::images::Image;
use crate::support::process::wait_for;
use crate::support::scene::Scene;
use crate::support::wire::Wire;

/// Wider than what the tokens are made for.
const POLICY: &str = r#"
groups: {ci: external}
rules:
  - name: ci-works-everywhere
    subjects: [group:ci]
    images: ["**"]
    allow: [pull, push]
"#;

const CREATE: &[&str] = &[
    "token",
    "create",
    "--for",
    "service:ci/build",
    "--group",
    "ci",
    "--images",
    "team/app:v*",
    "--images",
    "build/**",
    "--actions",
    "pull,push",
    "--expires",
    "1h",
    "--refreshable",
    "--comment",
    "the build",
];

/// A gate with a service, some images, and a token that was made for it on the gate's machine.
struct Build {
    scene: Scene,
    made: Value,
    secret: Image,
}

impl Build {
    fn new() -> Self {
        let scene = Scene::with(POLICY, &[], Setup::own_clock);
        let (owner, secret) = (scene.registry.client(), Image::oci("secret"));
        owner.push("team/app", "v1", &Image::oci("service"));
        owner.push("team/app", "prod", &secret);
        owner.push("other/app", "v1", &secret);
        scene.gate.run(&["service", "add", "ci/build"]).ok();
        let made = scene.gate.json(CREATE);
        Self { scene, made, secret }
    }

    fn gate(&self) -> &Gate {
        &self.scene.gate
    }

    fn access(&self) -> String {
        text(&self.made, "access_token")
    }

    fn refresh_token(&self) -> String {
        text(&self.made, "refresh_token")
    }

    fn id(&self) -> String {
        text(&self.made, "id")
    }

    /// When the family ends, as it is listed.
    fn ends_at(&self) -> String {
        let listed = self.gate().json(&["token", "list"])["tokens"].clone();
        let listed = listed.as_array().unwrap().iter().find(|one| one["id"] == self.made["id"]);
        text(listed.unwrap(), "ends_at")
    }

    fn reuses(&self) -> usize {
        let records = self.gate().audit();
        records.iter().filter(|record| record["event"] == "token.reused").count()
    }
}

#[test]
fn a_token_of_a_service_reaches_as_far_as_it_was_made_for_by_every_way_of_using_it() {
    let build = Build::new();
    let gate = build.gate();
    let said = claims(&build.access());
    assert_eq!((&said["sub"], &said["groups"]), (&json!("service:ci/build"), &json!(["ci"])));
    // What the service does with its token as the password gives one that reaches no further.
    let password = Credentials::Tokens("ci/build".to_owned(), build.access());
    let scopes = ["repository:team/app:pull,push", "repository:build/x:pull,push"];
    let derived = gate.anonymous().with(password.clone()).token(&scopes);
    assert_eq!(claims(&derived)["family"], build.made["id"]);
    let basic = Credentials::Basic("token".to_owned(), build.access());
    for who in [gate.bearer(&build.access()), gate.bearer(&derived), gate.anonymous().with(basic)] {
        who.get("/v2/team/app/manifests/v1").expect(200);
        assert_eq!(who.tags("team/app"), ["v1"]);
        let digest = build.secret.digest();
        for hidden in ["prod", digest] {
            let status = who.get(&format!("/v2/team/app/manifests/{hidden}")).status;
            assert!(matches!(status, 403 | 404), "{hidden}: {status}");
        }
        let layer = &build.secret.layers[0].digest;
        who.get(&format!("/v2/team/app/blobs/{layer}")).expect(404);
        let elsewhere = who.get("/v2/other/app/manifests/v1").status;
        assert!(matches!(elsewhere, 401 | 403 | 404), "{elsewhere}");
        let image = Image::oci("pushed");
        who.push("build/x", "latest", &image);
        let outside = who.put_manifest("team/app", "prod", &image.manifest);
        assert!(matches!(outside.status, 401 | 403), "{outside:?}");
    }
    assert_eq!(build.scene.stored("team/app", "prod").as_deref(), Some(build.secret.digest()));
    let whole = gate.bearer(&build.access()).get("/v2/_catalog").expect(200).json();
    assert_eq!(whole["repositories"], json!(["build/x", "team/app"]));
    // It is for the registry, and makes nothing for anybody.
    let mint = json!({"for": "service:ci/build", "expires": "1h"});
    gate.bearer(&build.access()).post("/api/v1/tokens", &mint).expect(403);
}

#[test]
fn a_disabled_service_has_no_access_at_the_next_request_and_an_enabled_one_has_it_again() {
    let build = Build::new();
    let gate = build.gate();
    let docker = Docker::start(gate);
    docker.login_with("ci/build", &build.access()).ok();
    docker.pull("team/app:v1").ok();
    let mut puller = Puller::start(gate, &build.access());
    let cached = gate.count("portcullis_token_checks_total{result=\"cached\"}");
    assert_eq!(puller.pull().status, 200);
    assert!(gate.count("portcullis_token_checks_total{result=\"cached\"}") > cached);

    gate.run(&["service", "disable", "ci/build"]).ok();
    assert_eq!(puller.pull().status, 401);
    gate.refresh(&build.refresh_token()).expect(401);
    docker.pull("team/app:v1").failed();
    docker.login_with("ci/build", &build.access()).failed();

    gate.run(&["service", "enable", "ci/build"]).ok();
    assert_eq!(puller.pull().status, 200);
    docker.pull("team/app:v1").ok();
    let (access, _) = gate.refreshed(&build.refresh_token());
    assert_eq!(gate.pulls(&access), 200);

    // Taken back for good: what docker keeps comes from that token.
    gate.run(&["token", "revoke", &build.id()]).ok();
    assert_eq!((puller.pull().status, gate.pulls(&access)), (401, 401));
    docker.pull("team/app:v1").failed();
}

#[test]
fn a_job_of_a_day_refreshes_24_times_and_each_access_token_ends_after_its_hour() {
    let build = Build::new();
    let gate = build.gate();
    let end = build.ends_at();
    let (mut access, mut token) = (build.access(), build.refresh_token());
    for hour in 1..=24 {
        gate.clock().set(hour * 61 * MINUTE);
        assert_eq!(gate.pulls(&access), 401, "after {hour} h");
        let (next, successor) = gate.refreshed(&token);
        assert_ne!(successor, token);
        assert_eq!(claims(&next)["family"], build.made["id"]);
        assert_eq!(gate.pulls(&next), 200, "after {hour} h");
        (access, token) = (next, successor);
    }
    assert_eq!(build.ends_at(), end, "the family lives no longer by that");
    assert_eq!(build.reuses(), 0);
}

#[test]
fn a_refresh_token_that_comes_back_late_ends_its_family_and_all_access_tokens_of_it() {
    let build = Build::new();
    let gate = build.gate();
    let (first, stolen) = (build.access(), build.refresh_token());
    let (second, current) = gate.refreshed(&stolen);
    let (third, last) = gate.refreshed(&current);
    // The answers may have been lost: the same comes again, for a while.
    assert_eq!(gate.refreshed(&stolen).1, current);
    gate.clock().set(MINUTE);
    let mut pullers = [&first, &second, &third].map(|token| Puller::start(gate, token));
    gate.refresh(&stolen).expect(401);
    assert_eq!(pullers.each_mut().map(|puller| puller.pull().status), [401; 3]);
    gate.refresh(&last).expect(401);
    gate.refresh(&stolen).expect(401);
    let reused = wait_for("the audit trail", Duration::from_secs(10), || {
        gate.audit().into_iter().find(|record| record["event"] == "token.reused")
    });
    assert_eq!(
        (&reused["subject"], &reused["token_id"]),
        (&json!("service:ci/build"), &json!(build.id()))
    );
    assert_eq!(build.reuses(), 1, "told once");
    // A new one is another family.
    let again = gate.json(CREATE);
    assert_eq!(gate.pulls(&text(&again, "access_token")), 200);
}

#[test]
fn parallel_refreshes_and_lost_answers_get_the_same_successor() {
    let build = Build::new();
    let gate = build.gate();
    let mut token = build.refresh_token();
    for _ in 0..3 {
        let successors: Vec<_> = thread::scope(|scope| {
            let threads: Vec<_> =
                (0..20).map(|_| scope.spawn(|| gate.refreshed(&token).1)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(successors.windows(2).all(|pair| pair[0] == pair[1]), "{successors:?}");
        assert_ne!(successors[0], token);
        // The client goes away as soon as it has sent it.
        let body = json!({ "refresh_token": successors[0] }).to_string();
        let host = gate.name();
        let length = body.len();
        Wire::open(&gate.anonymous()).send(format!(
            "POST /api/v1/refresh HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        ));
        let (access, successor) = gate.refreshed(&successors[0]);
        assert_eq!(gate.refreshed(&successors[0]).1, successor);
        assert_eq!(gate.pulls(&access), 200);
        token = successor;
    }
    assert_eq!(build.reuses(), 0);
}
