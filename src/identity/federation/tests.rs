mod providers;
mod refusals;
mod sessions;

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::*;
use crate::config::Config;
use crate::fetch::HttpsUrl;
use crate::jwks::JwksLocation;
use crate::sample_provider::{Key, Provider};

const NOW: i64 = 1_800_000_000;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(NOW + seconds).unwrap()
}

/// The providers of a configuration, as `serve` would read it. It lies in `folder`.
fn configured(folder: &Path, federation: &str) -> Vec<Settings> {
    let rest = "upstream: {url: 'http://127.0.0.1:5000'}\n\
                listen: [{address: '127.0.0.1:5080', tls: off}]\n";
    let text = format!("{rest}{federation}");
    Config::parse(&folder.join("portcullis.yaml"), &text, |_| None)
        .unwrap_or_else(|mistakes| panic!("{mistakes}"))
        .federation
}

/// A provider that is configured under its own name, and whose keys are those of a server that runs.
struct Scene {
    server: Provider,
    key: Key,
    settings: Settings,
}

const CORPORATE: &str = r#"
federation:
  - name: corporate
    issuer: https://idp.example/realms/all
    audience: gate.example
    require: {email_verified: true, department: [build, test]}
    kind: user
    subject: "{preferred_username}"
    groups:
      release: {claim: realm_access.roles, value: release-managers}
      staff: [{claim: department, value: build}, {claim: level, value: [3, 4]}]
    session: 8h
"#;

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self::of(configured(folder.path(), CORPORATE).remove(0))
    }

    fn of(mut settings: Settings) -> Self {
        let key = Key::es256("key-1");
        let server = Provider::start(std::slice::from_ref(&key));
        settings.jwks = JwksLocation::Url(HttpsUrl::new(&server.jwks_url()).unwrap());
        settings.ca = Some(server.ca().to_owned());
        Self { server, key, settings }
    }

    fn federation(&self) -> Federation {
        Federation::new(vec![self.settings.clone()]).unwrap()
    }

    async fn show(&self, token: &str) -> Result<Login, FederationError> {
        let token = Secret::new(token.to_owned());
        self.federation().login(&self.settings.name, &token, at(0)).await
    }

    async fn login(&self, claims: &Value) -> Result<Login, FederationError> {
        self.show(&self.key.sign(claims)).await
    }
}

/// A person's ID token, as a corporate provider makes it.
fn claims() -> Value {
    json!({
        "iss": "https://idp.example/realms/all", "aud": "gate.example", "azp": "gate.example",
        "sub": "f3b1c7e0-5b7e-4a53-9d35-5c1f0a6c2d11", "iat": NOW - 5, "exp": NOW + 295,
        "auth_time": NOW - 60, "typ": "ID", "sid": "1f0a", "email": "eve@corp.example",
        "email_verified": true, "preferred_username": "eve", "department": "build", "level": 3,
        "realm_access": {"roles": ["offline_access", "release-managers"]},
    })
}

/// The same with changes; what is changed to null is taken out.
fn with(changes: Value) -> Value {
    let (mut all, Value::Object(changes)) = (claims(), changes) else { panic!() };
    for (name, value) in changes {
        all.as_object_mut().unwrap().remove(&name);
        if !value.is_null() {
            all[name] = value;
        }
    }
    all
}

#[test]
fn what_docker_makes_of_a_name_with_a_colon_is_understood() {
    let read = |username: &str, password: &str| {
        Presented::read(username, &Secret::new(password.to_owned()))
            .map(|presented| (presented.provider, presented.id_token.expose().to_owned()))
    };
    let expected = Some(("github".to_owned(), "a.b.c".to_owned()));
    assert_eq!(read("oidc:github", "a.b.c"), expected);
    assert_eq!(read("oidc", "github:a.b.c"), expected);
    for (username, password) in [
        ("oidc", "a.b.c"),
        ("alice", "a.b.c"),
        ("oidcx", "github:a"),
        ("oidc-github", "a"),
        ("", ""),
    ] {
        assert_eq!(read(username, password), None, "{username}");
    }
}
