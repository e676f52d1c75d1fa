//! `/ui/admin/trust`: gates and providers whose word counts here.

use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use jiff::{SignedDuration, Timestamp};
use policy::Policy;

use super::Section;
use crate::identity::federation::ProviderState;
use crate::identity::peers::{PeerError, PeerState};
use crate::web::Web;
use crate::web::address::policy_line;
use crate::web::frame::{Frame, Place, rendered};
use crate::web::problem::Trouble;
use crate::web::session::SignedIn;
use crate::web::shown::{Moment, span};

/// How many rules are shown of each gate.
const RULES: usize = 50;

#[derive(Template)]
#[template(path = "admin/peers.html")]
struct Page<'a> {
    frame: Frame<'a>,
    section: Section,
    peers: Vec<Peer>,
    providers: Vec<ProviderState>,
}

/// A gate, and what it is trusted with.
struct Peer {
    state: PeerState,
    administrators: Vec<String>,
    rules: Vec<Rule>,
    more_rules: usize,
}

/// A rule that allows something to somebody behind a gate.
struct Rule {
    name: String,
    page: String,
    subjects: String,
    actions: String,
    images: String,
}

impl Page<'_> {
    fn moment(&self, at: &Timestamp) -> Moment {
        Moment::of(*at)
    }

    fn span(&self, length: &Duration) -> String {
        span(SignedDuration::try_from(*length).unwrap_or(SignedDuration::MAX))
    }
}

impl Peer {
    fn of(state: PeerState, policy: &Policy) -> Self {
        let vouched = policy.vouched(&state.name, &state.groups.all_ours());
        let more_rules = vouched.rules.len().saturating_sub(RULES);
        let rules = vouched.rules.into_iter().take(RULES).map(|found| Rule {
            name: found.rule.name.to_owned(),
            page: policy_line(found.rule.file, found.rule.line),
            subjects: found.subjects.join(", "),
            actions: found.actions.join(", "),
            images: found.images.join(", "),
        });
        Self { rules: rules.collect(), more_rules, administrators: vouched.administrators, state }
    }

    /// What is to be done about a gate whose tokens are refused.
    fn remedy(&self, why: &PeerError) -> &'static str {
        match (why, &self.state.looks) {
            (PeerError::RolledBack, _) => {
                "Somebody shows an old list, or its state was restored from an old backup. It is believed again when \
                 it has caught up; if it was restored, have it revoke all that was issued before, and trust it \
                 under another name."
            }
            (_, None) => "It is being asked for the first time: look again in a moment.",
            (_, Some(_)) => {
                "Look whether it runs, and whether this gate can reach it: it is asked again by itself."
            }
        }
    }

    /// Until when its tokens are accepted if it says nothing more; none where that has no end, or is over.
    fn accepted_until(&self) -> Option<Timestamp> {
        let list = self.state.list.filter(|_| self.state.refused.is_none())?;
        Some(list.holds_until)
    }
}

pub(super) async fn show(
    State(web): State<Arc<Web>>,
    signed_in: SignedIn,
) -> Result<Response, Trouble> {
    signed_in.who.administrator()?;
    let (api, policy) = (&web.api, web.api.policy());
    let peers = api.peers.states(api.now()).into_iter();
    Ok(rendered(&Page {
        frame: Frame::around(&signed_in, Place::Admin, "Trust"),
        section: Section::Peers,
        peers: peers.map(|state| Peer::of(state, &policy)).collect(),
        providers: api.issue.authenticator.federation().states(),
    }))
}
