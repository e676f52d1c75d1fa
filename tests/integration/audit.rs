//! Every request leaves one line, and no secret leaves any.

use std::collections::HashSet;
use std::fs;
use std::time::Duration;

use crate::support::client::{Ask, Credentials, basic};
use crate::support::gate::password_of;
use crate::support::images::Image;
use crate::support::process::wait_for;
use crate::support::scene::Scene;
use crate::support::wire::Wire;

const POLICY: &str = r#"
groups: {team: external}
rules:
  - name: the-team-works-here
    subjects: [group:team]
    images: ["team/**"]
    allow: [pull, push]
  - name: production-is-not-for-pulling
    subjects: [anyone]
    images: ["team/app:prod"]
    deny: [pull]
"#;

fn scene() -> Scene {
    Scene::new(POLICY, &[("alice", &["team"])])
}

#[test]
fn each_request_leaves_one_record_that_says_who_what_and_why() {
    let scene = scene();
    let image = Image::oci("audit");
    let alice = scene.client("alice");
    alice.push("team/app", "v1", &image);
    alice.put_manifest("team/app", "prod", &image.manifest).expect(201);
    let before = scene.gate.requests(|records| !records.is_empty()).len();
    let token = alice.token(&["repository:team/app:pull"]);
    let signed = alice.with(Credentials::Bearer(token));
    let answers = [
        signed.get("/v2/team/app/manifests/v1").expect(200),
        signed.get(&format!("/v2/team/app/blobs/{}", image.config.digest)).expect(200),
        signed.get("/v2/team/app/manifests/prod").expect(403),
        scene.gate.anonymous().get("/v2/team/app/manifests/v1").expect(401),
    ];
    let ids: Vec<_> =
        answers.iter().map(|a| a.header("x-request-id").unwrap().to_owned()).collect();
    assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len());
    let of = |records: &[serde_json::Value], id: &str| {
        records.iter().filter(|record| record["request_id"] == id).cloned().collect::<Vec<_>>()
    };
    let records = scene.gate.requests(|all| ids.iter().all(|id| !of(all, id).is_empty()));
    assert!(records.len() > before);
    let records: Vec<_> = ids.iter().map(|id| of(&records, id)).collect();
    for (records, answer) in records.iter().zip(&answers) {
        let [record] = &records[..] else { panic!("not one record: {records:?}") };
        for field in ["time", "address", "operation", "decision", "duration_ms"] {
            assert!(!record[field].is_null(), "{field} in {record}");
        }
        assert_eq!(record["status"], answer.status);
        assert_eq!(record["repository"], "team/app");
        // A denial is on disk before it is answered, so before anybody knows what went out.
        if record["decision"] == "allow" {
            assert_eq!(record["bytes_out"], answer.body.len());
        }
    }
    let [manifest, blob, denied, anonymous] = &records.concat()[..] else { panic!() };
    assert_eq!(manifest["subject"], "user:alice");
    assert_eq!(manifest["reference"], "v1");
    assert_eq!(manifest["digest"], *image.digest());
    assert_eq!(manifest["rule"], "the-team-works-here");
    assert_eq!(manifest["decision"], "allow");
    assert!(blob.to_string().contains(&image.config.digest));
    assert_eq!(denied["rule"], "production-is-not-for-pulling");
    assert_eq!(denied["decision"], "deny");
    assert!(!denied["reason"].as_str().unwrap().is_empty());
    assert_ne!(anonymous["decision"], "allow");
}

#[test]
fn a_login_that_failed_is_found_by_the_id_of_its_request() {
    let scene = scene();
    let client = scene.gate.anonymous();
    let basic = basic("alice", "wrong");
    let header = [("authorization", basic.as_str())];
    let own = Ask::headers(&header);
    let origin = format!("https://{}", scene.gate.name());
    let form = "username=alice&password=wrong&next=/&form_token=";
    let page = Ask {
        headers: &[("origin", &origin)],
        ..Ask::body("application/x-www-form-urlencoded", form.as_bytes())
    };
    let token = format!("/token?service={}", scene.gate.name());
    let refresh = r#"{"refresh_token": "pcr_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}"#;
    let upload = format!("/v2/team/app/blobs/uploads/{}", "u".repeat(22));
    for (method, path, ask) in [
        ("GET", "/v2/", &own),
        ("GET", "/v2/team/app/manifests/v1", &own),
        ("PATCH", upload.as_str(), &own),
        ("GET", token.as_str(), &own),
        ("GET", "/api/v1/whoami", &own),
        ("POST", "/api/v1/refresh", &Ask::body("application/json", refresh.as_bytes())),
        ("POST", "/ui/sign-in", &page),
    ] {
        let answer = client.send(method, path, ask);
        assert_eq!(answer.status, 401, "{path}: {answer:?}");
        let id = answer.header("x-request-id").unwrap();
        let failed = wait_for(path, Duration::from_secs(20), || {
            let records = scene.gate.audit();
            let mut failed = records.into_iter().filter(|it| it["event"] == "login.failed");
            failed.find(|it| it["request_id"] == id)
        });
        assert!(failed["reason"].is_string() && failed["address"].is_string(), "{failed}");
    }
    let records = scene.gate.audit();
    let failed: Vec<_> = records.iter().filter(|it| it["event"] == "login.failed").collect();
    assert_eq!(failed.len(), 7, "each is told once: {failed:?}");
}

#[test]
fn the_records_the_metrics_and_the_upstream_agree_on_how_many_requests_there_were() {
    let scene = scene();
    let image = Image::oci("counting");
    let alice = scene.client("alice");
    alice.push("team/app", "v1", &image);
    for _ in 0..5 {
        alice.get("/v2/team/app/manifests/v1").expect(200);
        alice.get("/v2/other/app/manifests/v1").expect(403);
    }
    let sent_on = scene.recorder.content().len();
    let allowed = |records: &[serde_json::Value]| {
        records.iter().filter(|record| record["decision"] == "allow").count()
    };
    scene.gate.requests(|records| allowed(records) == sent_on);
    let counted: f64 = scene
        .gate
        .metrics()
        .lines()
        .filter(|line| line.starts_with("portcullis_requests_total{") && line.contains("\"allow\""))
        .map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
        .sum();
    assert_eq!(counted, sent_on as f64);
    scene.nobody_went_around(0);
}

#[test]
fn no_password_and_no_token_is_in_any_record_log_metric_or_answer() {
    let scene = scene();
    let alice = scene.client("alice");
    let image = Image::oci("canary");
    alice.push("team/app", "v1", &image);
    let token = alice.token(&["repository:team/app:pull"]);
    let canary = "canary-of-the-attacker";
    let encoded = basic("alice", canary);
    let (form, host) = ("application/x-www-form-urlencoded", scene.gate.name());
    let mut answers = Vec::new();
    for authorization in
        [&*encoded, "Bearer canary-of-the-attacker", "Canary canary-of-the-attacker"]
    {
        let headers = [("authorization", authorization)];
        for target in ["/v2/", "/v2/team/app/manifests/v1", "/token?service=x"] {
            answers
                .push(scene.gate.anonymous().send("GET", target, &Ask::headers(&headers)).text());
        }
    }
    for body in [
        format!("grant_type=password&service={host}&client_id=x&username=alice&password={canary}"),
        format!("grant_type=refresh_token&service={host}&client_id=x&refresh_token={canary}"),
        format!("grant_type={canary}"),
    ] {
        let ask = Ask::body(form, body.as_bytes());
        answers.push(scene.gate.anonymous().send("POST", "/token", &ask).text());
    }
    answers.push(alice.get(&format!("/v2/team/app/manifests/v1?access_token={canary}")).text());
    answers.push(scene.gate.anonymous().get(&format!("/token?service=x&password={canary}")).text());
    scene.gate.requests(|records| records.len() > 5);
    let audit = scene.gate.audit_text();
    assert!(audit.contains("user:alice"), "nothing was written down");

    let signature = token.rsplit('.').next().unwrap();
    let bare = encoded.strip_prefix("Basic ").unwrap();
    let secrets = [canary, &password_of("alice"), bare, signature, scene.gate.admin_password()];
    let mut places =
        vec![("audit", audit), ("log", scene.gate.log()), ("metrics", scene.gate.metrics())];
    places.extend(answers.into_iter().map(|text| ("an answer", text)));
    for file in ["users.yaml", "portcullis.yaml"] {
        places.push((file, fs::read_to_string(scene.gate.home().join(file)).unwrap()));
    }
    for (place, text) in &places {
        for secret in secrets {
            assert!(!text.contains(secret), "{secret} is in {place}: {text}");
        }
    }
}

#[test]
fn what_clients_write_cannot_forge_a_record() {
    let scene = scene();
    let alice = scene.client("alice");
    let token = alice.token(&["repository:team/app:pull"]);
    let mut wire = Wire::open(&scene.gate.anonymous());
    let agent = "evil \"}{\"subject\":\"user:admin\"\u{85}\u{202e}";
    wire.ask(format!(
        "GET /v2/team/app/manifests/absent HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {token}\r\n\
         User-Agent: {agent}\r\nX-Request-Id: forged\"id\r\n\r\n",
        scene.gate.name()
    ));
    let records = scene.gate.requests(|records| records.iter().any(|r| r["reference"] == "absent"));
    let record = records.iter().find(|record| record["reference"] == "absent").unwrap();
    assert_eq!(record["subject"], "user:alice");
    assert_ne!(record["request_id"], "forged\"id");
    for text in [scene.gate.audit_text(), scene.gate.log()] {
        assert!(!text.contains('\u{85}') && !text.contains('\u{202e}'), "{text}");
    }
}

#[test]
fn metrics_have_fixed_labels_and_name_no_repository_or_user() {
    let scene = scene();
    let alice = scene.client("alice");
    alice.push("team/app", "v1", &Image::oci("labels"));
    for n in 0..20 {
        alice.get(&format!("/v2/team/app-{n}/manifests/tag-{n}"));
        let mut wire = Wire::open(&scene.gate.anonymous());
        wire.ask(format!("METHOD{n} /v2/ HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"));
    }
    let metrics = scene.gate.metrics();
    for name in ["team/app", "tag-", "alice", "METHOD", "Rule"] {
        assert!(!metrics.contains(name), "{name} in\n{metrics}");
    }
    for name in [
        "portcullis_requests_total",
        "portcullis_request_duration_seconds",
        "portcullis_decisions_total",
        "portcullis_body_bytes_total",
        "portcullis_tokens_issued_total",
        "portcullis_token_checks_total",
        "portcullis_tls_handshakes_total",
        "portcullis_build_info",
        "process_resident_memory_bytes",
    ] {
        assert!(metrics.contains(name), "no {name}");
    }
}

#[test]
fn management_is_not_served_where_the_registry_is() {
    let scene = scene();
    for path in ["/metrics", "/healthz", "/readyz"] {
        scene.gate.management().get(path).expect(200);
        let status = scene.client("alice").get(path).status;
        assert!(matches!(status, 401 | 404), "{path}: {status}");
    }
    let registry = scene.gate.management().get("/v2/");
    assert_eq!(registry.status, 404);
}
