//! `/ui/start`: how to use the registry from here, filled in for this gate and person.

mod jobs;

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use super::Web;
use super::frame::{Frame, Place, rendered};
use super::session::SignedIn;
use super::shown::Moment;
use crate::identity::federation::Forge;
use jobs::Jobs;

#[derive(Template)]
#[template(path = "start.html")]
struct Page<'a> {
    frame: Frame<'a>,
    /// Host and port.
    gate: &'a str,
    /// With a scheme.
    origin: &'a str,
    shown: Shown,
    /// The providers whose jobs are let in, by what runs them.
    github: Vec<Jobs>,
    gitlab: Vec<Jobs>,
}

/// What somebody signed in with, which decides what they can give to docker.
enum Shown {
    /// A password, under a name.
    Password(String),
    /// An account of a provider, which vouched until then. There is no password here.
    Provider(Moment),
    /// A token, which is as good for docker.
    Token,
}

impl Shown {
    fn by(signed_in: &SignedIn) -> Self {
        let Some(known) = signed_in.who.maker().credential() else { return Self::Token };
        let name = known.grant.subject.to_string();
        let name = name.strip_prefix("user:");
        match (&known.family, &known.grant.via, known.expires, name) {
            (None, None, _, Some(name)) => Self::Password(name.to_owned()),
            (Some(family), Some(_), Some(until), _) if *family == signed_in.session => {
                Self::Provider(Moment::of(until))
            }
            _ => Self::Token,
        }
    }

    fn is_password(&self) -> bool {
        matches!(self, Self::Password(_))
    }

    /// Under which name they log in.
    fn login(&self) -> &str {
        match self {
            Self::Password(name) => name,
            Self::Provider(_) | Self::Token => "token",
        }
    }
}

pub(super) async fn show(State(web): State<Arc<Web>>, signed_in: SignedIn) -> Response {
    let authenticator = &web.api.issue.authenticator;
    let issuer = authenticator.issuer();
    let providers = authenticator.federation().states();
    rendered(&Page {
        frame: Frame::around(&signed_in, Place::Start, "Use this registry"),
        gate: issuer.service(),
        origin: issuer.as_str(),
        github: Jobs::of(&providers, Forge::GitHub),
        gitlab: Jobs::of(&providers, Forge::GitLab),
        shown: Shown::by(&signed_in),
    })
}
