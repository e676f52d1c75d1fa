//! `/ui/admin/trust`: gates and providers whose word counts here.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use super::Section;
use crate::identity::federation::ProviderState;
use crate::identity::peers::PeerState;
use crate::web::Web;
use crate::web::frame::{Frame, Place, rendered};
use crate::web::problem::Trouble;
use crate::web::session::SignedIn;
use crate::web::shown::Moment;

#[derive(Template)]
#[template(path = "admin/peers.html")]
struct Page<'a> {
    frame: Frame<'a>,
    section: Section,
    peers: Vec<PeerState>,
    providers: Vec<ProviderState>,
}

impl Page<'_> {
    fn moment(&self, at: &jiff::Timestamp) -> Moment {
        Moment::of(*at)
    }
}

pub(super) async fn show(
    State(web): State<Arc<Web>>,
    signed_in: SignedIn,
) -> Result<Response, Trouble> {
    signed_in.who.administrator()?;
    let api = &web.api;
    Ok(rendered(&Page {
        frame: Frame::around(&signed_in, Place::Admin, "Trust"),
        section: Section::Peers,
        peers: api.peers.states(api.now()),
        providers: api.issue.authenticator.federation().states(),
    }))
}
