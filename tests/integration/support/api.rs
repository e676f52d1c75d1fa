//! The gate's own API and its token endpoint, as programs use them.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::client::{ACCEPT, Answer, Ask, Client, Credentials};
use super::gate::{Gate, password_of};
use super::wire::{Raw, Wire};

/// The claims of an access token.
pub(crate) fn claims(token: &str) -> Value {
    let text = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap()
}

/// A member that is a text.
#[track_caller]
pub(crate) fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}")).to_owned()
}

impl Gate {
    /// Somebody with this access token.
    pub(crate) fn bearer(&self, token: &str) -> Client {
        self.anonymous().with(Credentials::Bearer(token.to_owned()))
    }

    /// A user who shows the password with each request.
    pub(crate) fn basic(&self, user: &str) -> Client {
        self.anonymous().with(Credentials::Basic(user.to_owned(), password_of(user)))
    }

    /// Exchanges a refresh token at `/api/v1/refresh`.
    pub(crate) fn refresh(&self, token: &str) -> Answer {
        self.anonymous().post("/api/v1/refresh", &json!({ "refresh_token": token }))
    }

    /// A new pair for a refresh token that holds.
    #[track_caller]
    pub(crate) fn refreshed(&self, token: &str) -> (String, String) {
        let pair = self.refresh(token).expect(200).json();
        (text(&pair, "access_token"), text(&pair, "refresh_token"))
    }

    /// What manifests of a tag of `team/app` come to with this token, in status codes.
    pub(crate) fn pulls(&self, token: &str) -> u16 {
        self.bearer(token).get("/v2/team/app/manifests/v1").status
    }
}

impl Client {
    /// A request with a document.
    pub(crate) fn post(&self, target: &str, body: &Value) -> Answer {
        self.send("POST", target, &Ask::body("application/json", body.to_string().as_bytes()))
    }

    /// Ends tokens: `value`, `subject` or `everything`.
    pub(crate) fn revoke(&self, what: &Value) -> Answer {
        self.post("/api/v1/tokens/revoke", what)
    }

    /// A form, to the token endpoint.
    pub(crate) fn form(&self, fields: &[(&str, &str)]) -> Answer {
        let pairs =
            fields.iter().map(|(name, value)| format!("{name}={}", value.replace(' ', "+")));
        let form = pairs.collect::<Vec<_>>().join("&");
        let anonymous = self.with(Credentials::None);
        let ask = Ask::body("application/x-www-form-urlencoded", form.as_bytes());
        anonymous.send("POST", "/token", &ask)
    }

    /// The tokens that this client sees, by their ids.
    pub(crate) fn listed(&self, query: &str) -> BTreeMap<String, Value> {
        let page = self.get(&format!("/api/v1/tokens{query}")).expect(200).json();
        let tokens = page["tokens"].as_array().unwrap().iter();
        tokens.map(|token| (text(token, "id"), token.clone())).collect()
    }
}

/// A connection that stays open, and one who pulls over it with the same token again and again.
pub(crate) struct Puller {
    wire: Wire,
    request: String,
}

impl Puller {
    /// Pulls once, which must go well.
    pub(crate) fn start(gate: &Gate, token: &str) -> Self {
        let host = gate.name();
        let request = format!(
            "GET /v2/team/app/manifests/v1 HTTP/1.1\r\nHost: {host}\r\n\
             Authorization: Bearer {token}\r\nAccept: {}\r\n\r\n",
            ACCEPT.1
        );
        let mut puller = Self { wire: Wire::open(&gate.anonymous()), request };
        assert_eq!(puller.pull().status, 200);
        puller
    }

    /// Once more.
    pub(crate) fn pull(&mut self) -> Raw {
        self.wire.ask(&self.request).expect("the connection stays open")
    }
}
