//! No credential of any kind is ever written down, wherever it was shown and whether it was good.

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::federation::Jobs;
use crate::support::api::text;
use crate::support::client::{Answer, Ask, Credentials, basic};
use crate::support::gate::{Gate, password_of};
use crate::support::images::Image;

/// What is not to be found anywhere: credentials that were good, and others like them.
struct Secrets {
    good: Vec<String>,
    alike: Vec<String>,
}

impl Secrets {
    /// Makes one of every kind and uses it.
    fn of(jobs: &Jobs) -> Self {
        let gate = &jobs.scene.gate;
        gate.run(&["service", "add", "ci/20"]).ok();
        let mut good = vec![password_of("alice"), gate.admin_password().to_owned()];
        let alice = gate.basic("alice");
        let order = json!({"expires": "1h", "refreshable": true, "comment": "for trying"});
        let made = alice.post("/api/v1/tokens", &order).expect(201).json();
        good.extend(["access_token", "refresh_token"].map(|name| text(&made, name)));
        let (access, successor) = gate.refreshed(&good[3]);
        gate.bearer(&access).get("/v2/").expect(200);
        good.extend([access, successor]);
        let create =
            ["token", "create", "--for", "service:ci/20", "--expires", "1h", "--refreshable"];
        let made = gate.json(&create);
        good.extend(["access_token", "refresh_token"].map(|name| text(&made, name)));
        let elsewhere = json!({"expires": "1h", "audience": "gate-b.example:5443"});
        let elsewhere = alice.post("/api/v1/tokens", &elsewhere).expect(201).json();
        good.push(text(&elsewhere, "access_token"));
        // What docker gets: with a password, and with a token of a provider.
        let id_token = jobs.token(json!({}));
        for (name, password) in [("alice", &password_of("alice")), ("oidc:ci", &id_token)] {
            let credentials = Credentials::Basic(name.to_owned(), password.clone());
            let target =
                format!("/token?service={}&offline_token=true&client_id=docker", gate.name());
            let answer = gate.anonymous().with(credentials).get(&target).expect(200).json();
            good.extend(["token", "refresh_token"].map(|name| text(&answer, name)));
        }
        good.push(id_token);
        // A password, an access token, a refresh token, and a token of the provider.
        let alike = [0, 2, 3, good.len() - 1].map(|kind| another(&good[kind])).to_vec();
        Self { good, alike }
    }

    fn all(&self) -> impl Iterator<Item = &String> {
        self.good.iter().chain(&self.alike)
    }

    /// What would betray them: of tokens with a signature that alone, as the rest is no secret; of
    /// others the whole, as it is written and as it is meant.
    fn traces(&self) -> Vec<Vec<u8>> {
        let mut traces = Vec::new();
        for secret in self.all() {
            if let Some(signature) = secret.rsplit_once('.').map(|(_, signature)| signature) {
                traces.push(signature.as_bytes().to_vec());
                continue;
            }
            traces.push(secret.as_bytes().to_vec());
            if let Some(token) = secret.strip_prefix("pcr_") {
                traces.push(token.as_bytes().to_vec());
                traces.push(BASE64_URL_SAFE_NO_PAD.decode(token).unwrap());
            }
            for name in ["alice", "token"] {
                let pair = BASE64_STANDARD.encode(format!("{name}:{secret}"));
                // The last letters differ with what follows.
                traces.push(pair.as_bytes()[..pair.len() - 4].to_vec());
            }
        }
        traces
    }
}

/// One of the same form that was never good.
fn another(secret: &str) -> String {
    let (kept, changed) = secret.split_at(secret.len() - 20);
    let turn = |letter: char| match letter {
        'a'..='y' | 'A'..='Y' | '0'..='8' => char::from(letter as u8 + 1),
        'z' => 'a',
        'Z' => 'A',
        '9' => '0',
        other => other,
    };
    // The last letter of base64 says less than six bits.
    let (middle, last) = changed.split_at(changed.len() - 1);
    format!("{kept}{}{last}", middle.chars().map(turn).collect::<String>())
}

/// Shows a secret wherever a credential may stand, and some places where none belongs. A password
/// that stands in the place of a name cannot be told from a name, and names are recorded.
fn show(gate: &Gate, secret: &str) -> Vec<Answer> {
    let anonymous = gate.anonymous();
    let mut answers = Vec::new();
    let pull = "/v2/team/app/manifests/v1";
    let token = format!("/token?service={}", gate.name());
    let name = if secret.starts_with("canary-") || secret.len() < 40 { "alice" } else { secret };
    for name in ["alice", "token", "oidc:ci", "oidc", "ci/20", name] {
        let password = basic(name, secret);
        let headers = [("authorization", password.as_str())];
        answers.push(anonymous.send("GET", &token, &Ask::headers(&headers)));
    }
    let headers = [
        basic("token", secret),
        basic(name, ""),
        format!("Bearer {secret}"),
        format!("bearer  {secret}"),
        format!("Canary {secret}"),
        secret.to_owned(),
    ];
    for authorization in &headers {
        let headers = [("authorization", authorization.as_str()), ("cookie", secret)];
        for target in [pull, &token, "/api/v1/whoami"] {
            answers.push(anonymous.send("GET", target, &Ask::headers(&headers)));
        }
    }
    let service = gate.name();
    for (grant, name) in [
        ("password", "password"),
        ("refresh_token", "refresh_token"),
        ("urn:ietf:params:oauth:grant-type:token-exchange", "subject_token"),
        (secret, "client_secret"),
    ] {
        answers.push(anonymous.form(&[
            ("grant_type", grant),
            ("service", &service),
            (name, secret),
        ]));
    }
    answers.push(anonymous.form(&[
        ("grant_type", "password"),
        ("service", &service),
        ("username", name),
        ("password", secret),
    ]));
    for name in ["access_token", "password", "refresh_token", "subject_token", "client_secret"] {
        for target in [pull, "/token", "/api/v1/tokens", "/api/v1/whoami", "/v2/_catalog"] {
            let answer = anonymous.get(&format!("{target}?{name}={secret}"));
            assert!(answer.status >= 400, "{target}?{name}: {answer:?}");
            answers.push(answer);
        }
    }
    // A name that means nothing there is passed over.
    answers.push(anonymous.get(&format!("{token}&token={secret}")));
    for body in [json!({ "refresh_token": [secret] }), json!({ "refresh_token": secret, "x": 1 })] {
        answers.push(anonymous.post("/api/v1/refresh", &body));
    }
    answers.push(anonymous.revoke(&json!({ "value": { "x": secret } })));
    answers.push(anonymous.revoke(&json!({ "value": secret, "everything": true })));
    answers
}

#[track_caller]
fn assert_clean(place: &str, bytes: &[u8], traces: &[Vec<u8>]) {
    // A letter for each byte, as searching texts is fast.
    let letters = |bytes: &[u8]| bytes.iter().map(|byte| char::from(*byte)).collect::<String>();
    let text = letters(bytes);
    for trace in traces {
        assert!(
            !text.contains(&letters(trace)),
            "{} is in {place}",
            String::from_utf8_lossy(trace)
        );
    }
}

/// Every file below a folder, with its content.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.is_file() {
            found.push((path.display().to_string(), fs::read(&path).unwrap()));
        }
    }
    found
}

#[test]
fn no_credential_is_in_the_log_the_audit_trail_a_metric_an_error_or_the_state() {
    let mut jobs = Jobs::at("", &[("alice", &["release"])], |setup| {
        setup.setting("log", "{format: json, level: \"debug,portcullis=trace\"}")
    });
    jobs.scene.registry.client().push("team/app", "v1", &Image::oci("canaries"));
    let secrets = Secrets::of(&jobs);
    let traces = secrets.traces();
    let gate = &jobs.scene.gate;
    for secret in secrets.all() {
        for answer in show(gate, secret) {
            if answer.status >= 400 {
                let headers = format!("{:?}", answer.headers);
                assert_clean("the head of an answer", headers.as_bytes(), &traces);
                assert_clean("an answer", &answer.body, &traces);
            }
        }
    }
    let listed = gate.run(&["token", "list", "--output", "json"]).ok().out;
    assert!(listed.contains("for trying"));
    assert_clean("the list of tokens", listed.as_bytes(), &traces);
    assert_clean("the metrics", gate.metrics().as_bytes(), &traces);
    for secret in &secrets.good[2..] {
        gate.anonymous().revoke(&json!({ "value": secret }));
    }
    assert_eq!(jobs.scene.gate.stop(), Some(0));

    let gate = &jobs.scene.gate;
    let (log, events) = (gate.log(), gate.audit());
    let told = |event: &str| events.iter().filter(|record| record["event"] == event).count();
    for event in ["login.failed", "token.created", "token.issued", "token.revoked"] {
        assert!(told(event) > 0, "no {event}: nothing was looked at");
    }
    assert!(log.lines().count() > 10 && !log.contains("panicked"), "{log}");
    assert_clean("the log", log.as_bytes(), &traces);
    let files = files(&gate.home());
    for name in ["portcullis.db", "audit.jsonl", "users.yaml"] {
        assert!(files.iter().any(|(path, _)| path.ends_with(name)), "{name}");
    }
    for (path, bytes) in &files {
        assert_clean(path, bytes, &traces);
    }
    let upstream = jobs.scene.recorder.seen();
    let upstream: Value = upstream.iter().map(|seen| json!(format!("{seen:?}"))).collect();
    assert_clean("what the upstream saw", upstream.to_string().as_bytes(), &traces);
}
