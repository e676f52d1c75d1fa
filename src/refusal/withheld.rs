//! What a release gate holds back, as the client is told of it.

use std::fmt;

use policy::gate::Held;
use serde_json::{Value, json};

use super::Context;
use crate::web::image_page;

/// How many reasons of each gate are told one by one; all of them are in the image's own view.
const MAX_REASONS: usize = 20;

/// An image that a gate holds.
#[derive(Debug)]
pub struct Withheld {
    action: &'static str,
    image: String,
    /// The gate; the first by name, if several hold it.
    pub(super) gate: String,
    summary: String,
    gates: Vec<Value>,
}

impl Withheld {
    /// What `held` says of `action` on `image`.
    pub(crate) fn new(action: &'static str, image: String, held: &Held) -> Self {
        let gate = |held: &Held| {
            let place = held.gate.place();
            let reasons = held.reasons.iter().take(MAX_REASONS);
            let reasons: Vec<_> = reasons
                .map(|reason| json!({"reason": reason.why.word(), "text": reason.to_string()}))
                .collect();
            json!({
                "gate": place.name, "file": place.file, "line": place.line, "reasons": reasons,
            })
        };
        Self {
            action,
            image,
            gate: held.gate.name().to_owned(),
            summary: held.summary(),
            gates: std::iter::once(held).chain(&held.others).map(gate).collect(),
        }
    }

    /// Where to look at the image.
    pub(super) fn link(&self, context: &Context<'_>) -> String {
        format!("{}{}", context.issuer, image_page(&self.image))
    }

    pub(super) fn detail(&self, context: &Context<'_>) -> Value {
        json!({
            "action": self.action, "image": self.image, "gates": self.gates,
            "link": self.link(context), "request_id": context.request_id,
        })
    }
}

/// `pull of prod/api:v2 is denied by gate "production": it was never scanned`
impl fmt::Display for Withheld {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { action, image, gate, summary, .. } = self;
        write!(f, "{action} of {image} is denied by gate \"{gate}\": {summary}")
    }
}

impl std::error::Error for Withheld {}
