//! The lives of tokens, from the credential to the end.

mod chain;
mod federated;
mod login;
mod refresh;

use std::path::Path;
use std::time::Duration;

use argon2::{Algorithm, Argon2, Params, PasswordHasher, Version};
use policy::Action;

use super::new_token::NewToken;
use super::sample::{Scene, an_hour};
use super::*;
use crate::identity::federation::{self, Federation};
use crate::identity::users::Users;
use crate::identity::{Access, AuthError, Authenticated, Rejection};
use crate::secret::Secret;
use crate::token::{RefreshToken, Scopes};

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

const POLICY: &str = r#"
administrators: ["user:root"]
groups:
  staff: ["user:alice", "group:backend", "service:ci/build"]
  backend: external
  release: external
rules:
  - {name: reads, subjects: ["group:staff", "group:release"], images: ["**"], allow: [pull]}
  - {name: writes, subjects: ["group:backend"], images: ["team/**"], allow: [push]}
  - {name: releases, subjects: ["group:release"], images: ["team/app:v*"], allow: [push]}
  - {name: own, subjects: ["user:alice"], images: ["home/alice/**"], allow: [all]}
  - {name: not-that, subjects: ["group:staff"], images: ["team/secret"], deny: [all]}
"#;

const FEDERATION: &str = r#"
upstream: {url: "http://127.0.0.1:5000"}
listen: [{address: "127.0.0.1:5080", tls: off}]
federation:
  - name: corporate
    issuer: https://idp.example
    audience: gate.example
    require: {email_verified: true}
    kind: user
    subject: "{preferred_username}"
    groups: {release: {claim: role, value: release}}
    session: 8h
"#;

fn password() -> Secret {
    Secret::new("s3cret".to_owned())
}

fn users(alice: &str) -> Users {
    let cheap = Params::new(8, 1, 1, None).unwrap();
    let hash = Argon2::new(Algorithm::Argon2id, Version::V0x13, cheap)
        .hash_password(password().expose().as_bytes())
        .unwrap();
    let text = format!("users: {{alice: {{password: '{hash}', {alice}}}}}");
    Users::parse(Path::new("users.yaml"), &text).unwrap()
}

fn scene() -> Scene {
    let config = crate::config::Config::parse(Path::new("portcullis.yaml"), FEDERATION, |_| None);
    let settings: Vec<federation::Settings> = config.unwrap().federation;
    Scene::new(POLICY, users("groups: [backend]"), Federation::new(settings).unwrap())
}

async fn alice(scene: &Scene) -> Authenticated {
    scene.basic("alice", &password()).await.unwrap()
}

/// An hour for each access token, and a refresh token.
fn refreshable(wanted: NewToken) -> NewToken {
    NewToken { refreshable: true, ..wanted }
}

fn of_service() -> NewToken {
    NewToken { subject: Some("service:ci/build".parse().unwrap()), ..refreshable(an_hour()) }
}

/// What somebody is granted on a repository who asks for everything.
fn granted(scene: &Scene, known: &Authenticated, repository: &str) -> Vec<Action> {
    let scope = format!("repository:{repository}:pull,push,delete");
    let scopes = Scopes::parse([scope.as_str()]).unwrap();
    let wanted = Wanted::here(&scopes);
    let issued = scene.issue.access(known, wanted, scene.occasion()).unwrap();
    let actions = |access: &Access| match access {
        Access::Repository { actions, .. } => actions.clone(),
        Access::Catalog => Vec::new(),
    };
    issued.access().iter().flat_map(actions).collect()
}

fn refused<T: std::fmt::Debug>(result: Result<T, AuthError>) -> Rejection {
    match result {
        Err(AuthError::Invalid { reason }) => reason,
        other => panic!("{other:?}"),
    }
}
