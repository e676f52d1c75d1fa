//! The form of requests and answers, and that the description is that of the routes.

use std::collections::BTreeSet;

use axum::body::Body;
use http::header::{ALLOW, CONTENT_TYPE};
use http::{Method, Request};
use serde_json::{Map, Value, json};

use super::scene::{Answer, As, Scene};
use crate::service::api::openapi::DESCRIPTION;
use crate::service::api::{LocalAdministrator, routes};

fn description() -> Value {
    serde_json::from_str(DESCRIPTION).unwrap()
}

/// Asserts that an answer has the form that is described for the request.
pub(super) fn fits(method: &Method, path: &str, answer: &Answer) {
    let description = description();
    let path = format!("/api/v1{}", path.split('?').next().unwrap());
    let is_meant = |described: &&String| {
        let (described, asked) = (described.split('/'), path.split('/'));
        described.clone().count() == asked.clone().count()
            && described.zip(asked).all(|(one, other)| one == other || one.starts_with('{'))
    };
    let described = description["paths"].as_object().unwrap().keys().find(is_meant).unwrap();
    let method = &description["paths"][described][method.as_str().to_lowercase()];
    let content = &method["responses"][answer.status.as_str()]["content"]["application/json"];
    conforms(&description, &content["schema"], &answer.json(), &path);
}

/// As far as the description goes: types, words, times, and each field there and described.
fn conforms(description: &Value, schema: &Value, value: &Value, place: &str) {
    if let Some(name) = schema["$ref"].as_str() {
        let schema = description.pointer(name.strip_prefix('#').unwrap()).unwrap();
        return conforms(description, schema, value, place);
    }
    if let Some(either) = schema["oneOf"].as_array() {
        let meant = either.iter().find(|it| (it["type"] == "null") == value.is_null());
        return conforms(description, meant.unwrap(), value, place);
    }
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let is_kind = schema["type"] == kind
        || schema["type"].as_array().is_some_and(|kinds| kinds.contains(&json!(kind)));
    assert!(is_kind, "{place} is {value}, and described as {schema}");
    if let Some(words) = schema["enum"].as_array() {
        assert!(words.contains(value), "{place}: {value}");
    }
    if let (Some("date-time"), Some(text)) = (schema["format"].as_str(), value.as_str()) {
        assert!(text.parse::<jiff::Timestamp>().is_ok(), "{place}: {text}");
    }
    for item in value.as_array().into_iter().flatten() {
        conforms(description, &schema["items"], item, &format!("{place}[]"));
    }
    let Some(fields) = value.as_object() else { return };
    let Some(described) = schema["properties"].as_object() else {
        let each = &schema["additionalProperties"];
        return fields.values().for_each(|it| conforms(description, each, it, place));
    };
    let names = |object: &Map<String, Value>| object.keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(names(described), names(fields), "{place}");
    assert_eq!(schema["required"].as_array().unwrap().len(), fields.len(), "{place}: always there");
    for (name, value) in fields {
        conforms(description, &described[name], value, &format!("{place}.{name}"));
    }
}

const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

#[tokio::test]
async fn every_route_is_described_and_every_description_is_of_a_route() {
    let scene = Scene::new().await;
    let description = description();
    let paths = description["paths"].as_object().unwrap();
    let described: Vec<String> =
        paths.keys().map(|path| path.strip_prefix("/api/v1").unwrap().to_owned()).collect();
    for (path, _) in routes() {
        assert!(described.iter().any(|described| described == path), "{path} is not described");
    }
    for path in described {
        let described = paths[&format!("/api/v1{path}")].as_object().unwrap();
        let at = path.replace("{id}", "AAAAAAAAAAAAAAAAAAAAAA");
        for method in METHODS {
            let asked: Method = method.parse().unwrap();
            let answer = scene.ask(As::Nobody, asked, &at, "").await;
            let is_described = described.contains_key(&method.to_lowercase());
            assert_eq!(answer.status != 405, is_described, "{method} {path}: {}", answer.text);
            assert_ne!(answer.status, 404, "{method} {path}");
            if answer.status == 405 {
                assert!(answer.problem().contains("Allow"));
                for allowed in answer.headers[ALLOW].to_str().unwrap().split(',') {
                    let described = described.contains_key(&allowed.trim().to_lowercase());
                    assert!(described || allowed == "HEAD", "{allowed} {path}");
                }
            }
        }
    }
}

#[tokio::test]
async fn answers_have_the_fields_that_are_described() {
    let scene = Scene::new().await;
    let description = description();
    let schemas = &description["components"]["schemas"];
    let check = |name: &str, value: &Value| {
        let schema = &schemas[name];
        let mut described: Vec<&String> =
            schema["properties"].as_object().unwrap().keys().collect();
        let mut present: Vec<&String> = value.as_object().unwrap().keys().collect();
        described.sort();
        present.sort();
        assert_eq!(described, present, "{name}");
        let required = schema["required"].as_array().unwrap();
        assert_eq!(required.len(), present.len(), "{name}: all fields are always there");
    };
    let created = scene
        .create(As::User("alice"), r#"{"expires": "1h", "refreshable": true, "images": ["a"]}"#)
        .await;
    check("CreatedToken", &created);
    let listed = scene.get(As::User("alice"), "/tokens").await.json();
    check("Tokens", &listed);
    check("Token", &listed["tokens"][0]);
    let refresh = json!({"refresh_token": created["refresh_token"]}).to_string();
    check("Refreshed", &scene.post(As::Nobody, "/refresh", &refresh).await.json());
    let added = scene.post(As::Local, "/services", r#"{"name": "ci/build"}"#).await.json();
    check("Service", &added);
    check("Services", &scene.get(As::Local, "/services").await.json());
    let users = scene.get(As::Local, "/users").await.json();
    check("Users", &users);
    check("User", &users["users"][0]);
    let question = r#"{"action": "pull", "image": "team/app:v1"}"#;
    check("Decision", &scene.post(As::User("alice"), "/decide", question).await.json());
    let access = scene.get(As::Local, "/image/access?ref=team/app:v1").await.json();
    check("Access", &access);
    check("AccessSubject", &access["subjects"][0]);
    check("AccessPermission", &access["subjects"][0]["permissions"][0]);
    let report = scene.get(As::Local, "/policy/shadow").await.json();
    check("ShadowReport", &report);
    check("ShadowDifference", &report["entries"][0]);
    check("Whoami", &scene.get(As::User("alice"), "/whoami").await.json());
    let value = json!({"value": created["access_token"]}).to_string();
    check("Revoked", &scene.post(As::Nobody, "/tokens/revoke", &value).await.json());
    check("Problem", &scene.get(As::Nobody, "/tokens").await.json());
}

#[tokio::test]
async fn the_description_needs_no_credential() {
    let scene = Scene::new().await;
    let answer = scene.get(As::Nobody, "/openapi.json").await;
    assert_eq!((answer.status.as_u16(), answer.json()), (200, description()));
    assert_eq!(description()["openapi"], "3.1.0");
}

#[tokio::test]
async fn what_is_not_understood_is_refused_at_its_place() {
    let scene = Scene::new().await;
    let refused = async |body: &str| scene.post(As::User("alice"), "/tokens", body).await.problem();
    insta::assert_snapshot!(
        refused(r#"{"expires": "1h", "administrator": true}"#).await,
        @"400 the body: administrator: unknown field `administrator`, expected one of `for`, `groups`, `images`, `actions`, `expires`, `refreshable`, `audience`, `comment` at line 1 column 33"
    );
    insta::assert_snapshot!(refused(r#"{"expires": 5}"#).await, @"400 the body: expires: invalid type: integer `5`, expected a string at line 1 column 13");
    insta::assert_snapshot!(refused(r#"{"expires": "1h", "groups": [1]}"#).await, @"400 the body: groups[0]: invalid type: integer `1`, expected a string at line 1 column 30");
    insta::assert_snapshot!(refused(r#"{"expires": "1h", "expires": "2h"}"#).await, @"400 the body: duplicate field `expires` at line 1 column 27");
    insta::assert_snapshot!(refused("{}").await, @"400 the body: missing field `expires` at line 1 column 2");
    insta::assert_snapshot!(refused(r#"{"expires": "1h"} {}"#).await, @"400 the body: trailing characters at line 1 column 19");
    insta::assert_snapshot!(refused(r#"["user:alice"]"#).await, @"400 the body has to be a JSON object");
    insta::assert_snapshot!(refused(r#"{"expires": "soon"}"#).await, @"400 `expires`: not a duration: write a whole number and s, m, h or d, such as `30s`");
    insta::assert_snapshot!(refused(r#"{"expires": "1h", "for": "alice"}"#).await, @"400 `for`: `alice` names no subject; write `user:NAME`, `service:NAME`, `peer:GATE/NAME` or `anonymous`");
    insta::assert_snapshot!(refused(r#"{"expires": "1h", "comment": "a\nb"}"#).await, @"400 `comment` has to be one line of at most 256 characters");
    let query = async |path: &str| scene.get(As::User("alice"), path).await.problem();
    insta::assert_snapshot!(query("/tokens?limit=0").await, @"400 `limit` has to be 1 to 1000");
    insta::assert_snapshot!(query("/tokens?limit=x").await, @"400 the query: limit: invalid digit found in string");
    insta::assert_snapshot!(query("/tokens?page=2").await, @"400 the query: page: unknown field `page`, expected one of `for`, `all-subjects`, `all`, `limit`, `cursor`");
    insta::assert_snapshot!(query("/tokens?all=true&all=true").await, @"400 the query: duplicate field `all`");
    insta::assert_snapshot!(query("/tokens?cursor=x").await, @"400 `cursor` has to be the one that came with the last page");
    insta::assert_snapshot!(query("/whoami?access_token=x").await, @"400 there are no parameters in the query here");
    let answer = scene.post(As::User("alice"), "/tokens?access_token=x", "{}").await;
    assert_eq!(answer.status, 400, "{}", answer.text);
}

#[tokio::test]
async fn a_body_is_json_of_at_most_64_kib() {
    let scene = Scene::new().await;
    let send = async |kind: Option<&str>, body: String| {
        let mut request = Request::post("/api/v1/tokens").extension(LocalAdministrator { uid: 0 });
        if let Some(kind) = kind {
            request = request.header(CONTENT_TYPE, kind);
        }
        scene.send(request.body(Body::from(body)).unwrap()).await.problem()
    };
    let json = Some("application/json");
    let padded = |size: usize| format!("{{{}}}", " ".repeat(size - 2));
    insta::assert_snapshot!(send(json, padded(64 * 1024 + 1)).await, @"413 a body has at most 64 KiB here");
    insta::assert_snapshot!(send(json, padded(64 * 1024)).await, @"400 the body: missing field `expires` at line 1 column 65536");
    for kind in [None, Some("text/plain"), Some("application/x-www-form-urlencoded")] {
        assert!(send(kind, "{}".to_owned()).await.starts_with("415 "), "{kind:?}");
    }
    assert!(
        send(Some("Application/JSON; charset=utf-8"), "{}".to_owned()).await.contains("expires")
    );
}

#[tokio::test]
async fn what_is_not_there_is_a_problem_too() {
    let scene = Scene::new().await;
    for path in ["", "/", "/nothing", "/tokens/", "/tokens/a/b", "/openapi.json/"] {
        let answer = scene.get(As::User("alice"), path).await;
        assert!(answer.problem().starts_with("404 "), "{path}");
    }
    let head = scene.ask(As::User("alice"), Method::HEAD, "/whoami", "").await;
    assert_eq!((head.status.as_u16(), head.text.as_str()), (200, ""));
}
