//! `/ui/admin/keys`: the keys that sign tokens. They are exchanged where their folder is.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use tokio::task::spawn_blocking;

use super::Section;
use crate::log::Causes;
use crate::service::api::Problem;
use crate::token::{KeyState, ListedKey};
use crate::web::Web;
use crate::web::frame::{Frame, Place, rendered};
use crate::web::problem::Trouble;
use crate::web::session::SignedIn;
use crate::web::shown::Moment;

#[derive(Template)]
#[template(path = "admin/keys.html")]
struct Page<'a> {
    frame: Frame<'a>,
    section: Section,
    /// The newest first.
    keys: Vec<ListedKey>,
    /// Why they cannot be listed.
    failed: Option<String>,
    /// The one that signs now.
    signing: String,
}

impl Page<'_> {
    fn moment(&self, at: &jiff::Timestamp) -> Moment {
        Moment::of(*at)
    }

    fn file(&self, key: &ListedKey) -> String {
        key.path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
    }

    /// What it is used for, with how that is coloured.
    fn state(&self, key: &ListedKey) -> (&'static str, String) {
        match key.state {
            KeyState::Signing => ("passed", "signs".to_owned()),
            KeyState::Verifying(Some(until)) => {
                ("", format!("checks what it signed until {} UTC", Moment::of(until)))
            }
            KeyState::Verifying(None) => ("", "checks while its file is there".to_owned()),
            KeyState::Retired => ("warned", "retired: its file may be removed".to_owned()),
        }
    }
}

pub(super) async fn show(
    State(web): State<Arc<Web>>,
    signed_in: SignedIn,
) -> Result<Response, Trouble> {
    signed_in.who.administrator()?;
    let (authenticator, now) = (Arc::clone(&web.api.issue.authenticator), web.api.now());
    let signing = authenticator.keys().kid().to_owned();
    let listed = spawn_blocking(move || authenticator.list_keys(now)).await;
    let (keys, failed) = match listed.map_err(|_| Problem::internal())? {
        Ok(mut keys) => {
            keys.reverse();
            (keys, None)
        }
        Err(error) => (Vec::new(), Some(Causes(&error).to_string())),
    };
    Ok(rendered(&Page {
        frame: Frame::around(&signed_in, Place::Admin, "Keys"),
        section: Section::Keys,
        keys,
        failed,
        signing,
    }))
}
