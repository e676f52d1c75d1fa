//! What a line of the audit trail says.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;
use policy::Bounds;
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};

use crate::shadow::Verdict;

/// The longest text of a field, in bytes. Names that the gate validated are shorter.
const MAX_TEXT: usize = 512;

/// The longest reason, in bytes.
const MAX_REASON: usize = 2048;

/// The longest name of a client program, in bytes.
const MAX_USER_AGENT: usize = 256;

/// The most groups that a line lists.
const MAX_GROUPS: usize = 64;

/// One line. What is absent is left out. A value that is too long is cut, and ends in `…`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Record {
    /// When; written in UTC to the millisecond.
    #[serde(serialize_with = "milliseconds")]
    pub time: Timestamp,
    /// What happened: `request`, or `policy.loaded`, `login.failed` and the like.
    pub event: &'static str,
    /// What the client saw as `X-Request-Id`.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "text")]
    pub request_id: Option<String>,
    /// Who, such as `user:alice`.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "text")]
    pub subject: Option<String>,
    /// What kind of caller: `user`, `service`, `peer` or `anonymous`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<&'static str>,
    /// Groups that the decision took into account.
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "texts")]
    pub groups: Vec<String>,
    /// How the caller is known, where it is: `user`, `service`, `federated`, `peer` or `anonymous`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential: Option<&'static str>,
    /// Those of the groups that the source of the identity asserted; the policy adds the others.
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "texts")]
    pub asserted: Vec<String>,
    /// The groups that the credential carries, where it carries fewer than its holder has.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "carried")]
    pub carried: Option<Vec<String>>,
    /// How far the credential reaches at most, where that is bounded.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "bounds")]
    pub bounds: Option<Arc<Bounds>>,
    /// The `jti` of the token; never the token.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "text")]
    pub token_id: Option<String>,
    /// Where the request came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// What the client calls itself.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "user_agent")]
    pub user_agent: Option<String>,
    /// The operation's name, such as `manifest.read`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<&'static str>,
    /// Which repository.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "text")]
    pub repository: Option<String>,
    /// The tag or digest that was asked for.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "text")]
    pub reference: Option<String>,
    /// The digest that it turned out to be.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "text")]
    pub digest: Option<String>,
    /// What was decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decision>,
    /// By which rule.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "text")]
    pub rule: Option<String>,
    /// The release gate that holds it, or that lets it through although something is missing.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "text")]
    pub gate: Option<String>,
    /// Why, in words.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "reason")]
    pub reason: Option<String>,
    /// What the shadow policy would have decided, where that is something else or is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shadow: Option<Verdict>,
    /// By which rule of its own.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "text")]
    pub shadow_rule: Option<String>,
    /// Why, in words.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "reason")]
    pub shadow_reason: Option<String>,
    /// Of the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Body bytes from the client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_in: Option<u64>,
    /// Body bytes to the client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_out: Option<u64>,
    /// From the request's head to the end of the answer's body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
}

/// What was decided about a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// It went on.
    Allow,
    /// It did not.
    Deny,
}

impl Decision {
    /// As in the audit trail and in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        }
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Record {
    /// An event now, of which nothing else is known yet.
    #[must_use]
    pub fn new(event: &'static str) -> Self {
        Self {
            time: Timestamp::now(),
            event,
            request_id: None,
            subject: None,
            kind: None,
            groups: Vec::new(),
            credential: None,
            asserted: Vec::new(),
            carried: None,
            bounds: None,
            token_id: None,
            address: None,
            user_agent: None,
            operation: None,
            repository: None,
            reference: None,
            digest: None,
            decision: None,
            rule: None,
            gate: None,
            reason: None,
            shadow: None,
            shadow_rule: None,
            shadow_reason: None,
            status: None,
            bytes_in: None,
            bytes_out: None,
            duration_ms: None,
        }
    }
}

fn milliseconds<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{time:.3}"))
}

fn text<S: Serializer>(text: &Option<String>, serializer: S) -> Result<S::Ok, S::Error> {
    bounded(text, MAX_TEXT, serializer)
}

fn reason<S: Serializer>(text: &Option<String>, serializer: S) -> Result<S::Ok, S::Error> {
    bounded(text, MAX_REASON, serializer)
}

fn user_agent<S: Serializer>(text: &Option<String>, serializer: S) -> Result<S::Ok, S::Error> {
    bounded(text, MAX_USER_AGENT, serializer)
}

fn bounded<S: Serializer>(
    text: &Option<String>,
    most: usize,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&Cut(text.as_deref().unwrap_or_default(), most))
}

fn texts<S: Serializer>(texts: &[String], serializer: S) -> Result<S::Ok, S::Error> {
    let mut list = serializer.serialize_seq(None)?;
    for text in texts.iter().take(MAX_GROUPS) {
        list.serialize_element(&format_args!("{}", Cut(text, MAX_TEXT)))?;
    }
    if texts.len() > MAX_GROUPS {
        list.serialize_element("…")?;
    }
    list.end()
}

fn carried<S: Serializer>(groups: &Option<Vec<String>>, serializer: S) -> Result<S::Ok, S::Error> {
    texts(groups.as_deref().unwrap_or_default(), serializer)
}

fn bounds<S: Serializer>(bounds: &Option<Arc<Bounds>>, serializer: S) -> Result<S::Ok, S::Error> {
    let Some(bounds) = bounds else { return serializer.serialize_none() };
    let actions: Vec<_> = bounds.actions().map(|action| action.to_string()).collect();
    let mut map = serializer.serialize_map(Some(2))?;
    map.serialize_entry("images", bounds.images())?;
    map.serialize_entry("actions", &actions)?;
    map.end()
}

/// A text as a field holds it, for whoever keeps many.
pub(crate) fn cut_text(text: &mut String) {
    cut(text, MAX_TEXT);
}

/// The same of a reason.
pub(crate) fn cut_reason(text: &mut String) {
    cut(text, MAX_REASON);
}

fn cut(text: &mut String, most: usize) {
    if text.len() > most {
        *text = Cut(text, most).to_string();
    }
}

/// A text, or its beginning with `…` where it has more bytes than allowed.
struct Cut<'a>(&'a str, usize);

impl fmt::Display for Cut<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(text, most) = *self;
        if text.len() <= most {
            return f.write_str(text);
        }
        f.write_str(text.get(..text.floor_char_boundary(most)).unwrap_or_default())?;
        f.write_str("…")
    }
}
