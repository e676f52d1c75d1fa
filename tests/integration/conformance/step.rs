//! One request of the table, and how it is sent.

use std::collections::HashMap;

use super::outcome::Outcome;
use crate::support::client::{Ask, Client};
use crate::support::images::Blob;

/// One request with what the distribution specification allows as its answer.
pub(super) struct Step {
    /// What is shown, in words. No two steps have the same.
    pub(super) name: &'static str,
    method: &'static str,
    /// A path with its query; or `@name` with a query, for a location that an earlier step kept.
    target: String,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    /// The statuses that the specification allows.
    pub(super) allows: &'static [u16],
    keeps: Option<&'static str>,
}

/// A request without a body.
pub(super) fn step(
    name: &'static str,
    method: &'static str,
    target: impl Into<String>,
    allows: &'static [u16],
) -> Step {
    let target = target.into();
    Step { name, method, target, headers: Vec::new(), body: Vec::new(), allows, keeps: None }
}

impl Step {
    pub(super) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Octets, as blobs are sent.
    pub(super) fn octets(self, bytes: impl Into<Vec<u8>>) -> Self {
        self.typed("application/octet-stream", bytes)
    }

    pub(super) fn typed(mut self, media_type: &str, bytes: impl Into<Vec<u8>>) -> Self {
        self.body = bytes.into();
        self.header("content-type", media_type)
    }

    pub(super) fn manifest(self, blob: &Blob) -> Self {
        self.typed(&blob.media_type, &*blob.bytes)
    }

    /// Where the answer points is known to later steps as `@name`.
    pub(super) fn keeps(mut self, name: &'static str) -> Self {
        self.keeps = Some(name);
        self
    }
}

/// One of the two ways to a registry: straight, or through the gate.
pub(super) struct Way {
    client: Client,
    kept: HashMap<&'static str, String>,
}

impl Way {
    pub(super) fn new(client: Client) -> Self {
        Self { client, kept: HashMap::new() }
    }

    pub(super) fn go(&mut self, step: &Step) -> Outcome {
        let target = match step.target.strip_prefix('@') {
            None => step.target.clone(),
            Some(kept) => {
                let (name, query) = kept.split_once('?').unwrap_or((kept, ""));
                let Some(location) = self.kept.get(name) else { return Outcome::nowhere() };
                match query {
                    "" => location.clone(),
                    _ if location.contains('?') => format!("{location}&{query}"),
                    _ => format!("{location}?{query}"),
                }
            }
        };
        let headers: Vec<_> =
            step.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let ask = Ask { headers: &headers, body: &step.body, media_type: None };
        let answer = self.client.send(step.method, &target, &ask);
        if let Some(name) = step.keeps {
            let header = answer.header("location").or_else(|| answer.header("link"));
            let place = header.and_then(|place| place.trim_start_matches('<').split('>').next());
            self.kept.remove(name);
            self.kept.extend(place.map(|place| (name, self.client.target_of(place))));
        }
        Outcome::of(&answer)
    }
}
