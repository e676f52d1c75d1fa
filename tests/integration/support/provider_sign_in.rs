//! The part of the provider at which people sign in: it takes whoever comes for the one that it was
//! told of last, and gives out their ID token for a code, once, to the client that asked for it.

use std::collections::BTreeMap;

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::{Key, Provider};

/// A client that is registered, and who signs in for it.
pub(crate) struct Desk {
    client_id: String,
    secret: Option<String>,
    /// What it says of whoever comes.
    claims: Value,
    /// Whether its answers say that they are its own.
    names_itself: bool,
    codes: BTreeMap<String, Request>,
    /// The forms that came for tokens.
    exchanged: Vec<Request>,
}

/// What stands in a query or a form.
pub(crate) type Request = BTreeMap<String, String>;

/// What came over the wire.
pub(super) struct Asked {
    pub(super) method: String,
    pub(super) target: String,
    pub(super) authorization: Option<String>,
    pub(super) body: String,
}

/// What goes back.
pub(super) struct Reply {
    pub(super) status: &'static str,
    pub(super) headers: String,
    pub(super) body: String,
}

/// The pairs of a query or a form, or of an address with a query.
pub(crate) fn pairs(text: &str) -> Request {
    let query = text.split_once('?').map_or(text, |(_, query)| query);
    form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

impl Provider {
    /// From now on people sign in there, for a client of this name.
    pub(crate) fn register(&self, client_id: &str, secret: Option<&str>) {
        self.state().desk = Some(Desk {
            client_id: client_id.to_owned(),
            secret: secret.map(str::to_owned),
            claims: json!({}),
            names_itself: false,
            codes: BTreeMap::new(),
            exchanged: Vec::new(),
        });
    }

    fn at_desk<T>(&self, act: impl FnOnce(&mut Desk) -> T) -> T {
        act(self.state().desk.as_mut().expect("nobody signs in there"))
    }

    /// From now on this one signs in.
    pub(crate) fn knows(&self, claims: Value) {
        self.at_desk(|desk| desk.claims = claims);
    }

    /// From now on its answers carry `iss`.
    pub(crate) fn name_itself(&self) {
        self.at_desk(|desk| desk.names_itself = true);
    }

    /// The address to which it sends back whoever comes with this one and lets themselves be known.
    pub(crate) fn visit(&self, target: &str) -> String {
        let mut state = self.state();
        let issuer = state.issuer.clone();
        state.desk.as_mut().unwrap().agreed(&issuer, target).unwrap()
    }

    /// The forms that came for tokens.
    pub(crate) fn exchanged(&self) -> Vec<Request> {
        self.at_desk(|desk| desk.exchanged.clone())
    }
}

impl Desk {
    /// What the discovery document says of it.
    pub(super) fn describe(&self, issuer: &str, document: &mut Value) {
        document["authorization_endpoint"] = json!(format!("{issuer}/authorize"));
        document["token_endpoint"] = json!(format!("{issuer}/token"));
        document["authorization_response_iss_parameter_supported"] = json!(self.names_itself);
    }

    /// None for what is not asked here.
    pub(super) fn answer(&mut self, issuer: &str, keys: &[Key], asked: &Asked) -> Option<Reply> {
        let path = asked.target.split('?').next().unwrap_or_default();
        Some(match (asked.method.as_str(), path) {
            ("GET", "/authorize") => page(&asked.target),
            ("POST", "/authorize") => match self.agreed(issuer, &asked.target) {
                Ok(back) => Reply {
                    status: "302 Found",
                    headers: format!("Location: {back}\r\n"),
                    body: String::new(),
                },
                Err(wrong) => Reply {
                    status: "400 Bad Request",
                    headers: String::new(),
                    body: wrong.to_owned(),
                },
            },
            ("POST", "/token") => match self.token(keys, asked) {
                Ok(tokens) => document("200 OK", &tokens),
                Err((status, error)) => document(status, &json!({"error": error})),
            },
            _ => return None,
        })
    }

    /// A code for the request in the query (RFC 6749, section 4.1.2).
    fn agreed(&mut self, issuer: &str, target: &str) -> Result<String, &'static str> {
        let request = pairs(target);
        let is = |name: &str, value: &str| request.get(name).is_some_and(|it| it == value);
        if !is("client_id", &self.client_id) || !is("response_type", "code") {
            return Err("another client, or another flow");
        }
        if !is("code_challenge_method", "S256")
            || !request["scope"].split(' ').any(|it| it == "openid")
        {
            return Err("no challenge, or no OpenID");
        }
        let code = format!("canary-code-{}", self.codes.len() + self.exchanged.len());
        let back = request["redirect_uri"].clone();
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("code", &code).append_pair("state", &request["state"]);
        if self.names_itself {
            query.append_pair("iss", issuer);
        }
        let back = format!("{back}?{}", query.finish());
        self.codes.insert(code, request);
        Ok(back)
    }

    /// The tokens for a code, which is of no use afterwards.
    fn token(
        &mut self,
        keys: &[Key],
        asked: &Asked,
    ) -> Result<Value, (&'static str, &'static str)> {
        let form = pairs(&asked.body);
        self.exchanged.push(form.clone());
        let encoded =
            |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let is_client = match &self.secret {
            Some(secret) => {
                let pair = format!("{}:{}", encoded(&self.client_id), encoded(secret));
                asked.authorization == Some(format!("Basic {}", BASE64_STANDARD.encode(pair)))
            }
            None => asked.authorization.is_none() && form.get("client_id") == Some(&self.client_id),
        };
        if !is_client {
            return Err(("401 Unauthorized", "invalid_client"));
        }
        const WRONG: (&str, &str) = ("400 Bad Request", "invalid_grant");
        let request = form.get("code").and_then(|code| self.codes.remove(code)).ok_or(WRONG)?;
        let verifier = form.get("code_verifier").ok_or(WRONG)?;
        let challenge =
            BASE64_URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, verifier.as_bytes()));
        if form["grant_type"] != "authorization_code"
            || form.get("redirect_uri") != request.get("redirect_uri")
            || challenge != request["code_challenge"]
        {
            return Err(WRONG);
        }
        let mut claims = self.claims.clone();
        if claims["nonce"].is_null() {
            claims["nonce"] = json!(request["nonce"]);
        }
        Ok(json!({
            "access_token": "canary-access-token", "token_type": "Bearer", "expires_in": 300,
            "id_token": keys[0].sign(&claims),
        }))
    }
}

/// As people see it.
fn page(target: &str) -> Reply {
    let action = target.replace('&', "&amp;");
    let body = format!(
        "<!doctype html><title>Provider</title><h1>Who are you?</h1>\
         <form method=\"post\" action=\"{action}\"><button>Let me in</button></form>"
    );
    Reply { status: "200 OK", headers: "Content-Type: text/html\r\n".to_owned(), body }
}

fn document(status: &'static str, document: &Value) -> Reply {
    let headers = "Content-Type: application/json\r\n".to_owned();
    Reply { status, headers, body: document.to_string() }
}
