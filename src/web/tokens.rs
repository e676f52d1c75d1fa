//! `/ui/tokens`: making tokens, looking at them, revoking them.

use std::sync::Arc;

use askama::Template;
use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use http::StatusCode;
use serde::Deserialize;

use super::Web;
use super::address::tokens_page;
use super::form::Sent;
use super::frame::{Frame, Place, rendered};
use super::problem::{Mistake, Trouble};
use super::query::Query;
use super::session::SignedIn;
use super::shown::Moment;
use crate::service::api::input::{Asked, Body};
use crate::service::api::tokens::{self, Created, Creation, Listing, Token, Tokens};
use crate::service::api::{Api, Requester, revoke};
use crate::store::FamilyOrder;

/// How many are on a page.
const MOST: u32 = 100;

#[derive(Deserialize)]
pub(super) struct Asking {
    /// Those of everybody, for administrators.
    #[serde(default)]
    everybody: Option<String>,
    /// From here on.
    #[serde(default)]
    cursor: String,
}

/// Which part of which list is shown.
#[derive(Default)]
struct Part {
    everybody: bool,
    /// Where it begins; empty: with the one that ends first.
    cursor: String,
}

/// What stands in the form.
struct Filled {
    comment: String,
    expires: String,
    images: String,
    actions: String,
    groups: String,
    refreshable: bool,
}

impl Default for Filled {
    fn default() -> Self {
        let [comment, images, actions, groups] = [const { String::new() }; 4];
        Self { comment, expires: "30d".to_owned(), images, actions, groups, refreshable: false }
    }
}

/// What came of it.
enum Outcome {
    Made(Box<Created>),
    Mistaken(Filled, Mistake),
}

#[derive(Template)]
#[template(path = "tokens.html")]
struct Page<'a> {
    frame: Frame<'a>,
    /// Those that end soon first.
    tokens: Vec<Token>,
    /// Where there are more than are shown.
    more: Option<String>,
    /// The one that was made just now.
    created: Option<&'a Created>,
    /// What is wrong with what was filled in, and what that was.
    mistake: Option<&'a str>,
    filled: &'a Filled,
    session: &'a str,
    part: &'a Part,
    is_administrator: bool,
    /// Host and port.
    gate: &'a str,
}

impl Page<'_> {
    fn moment(&self, at: &jiff::Timestamp) -> Moment {
        Moment::of(*at)
    }

    /// How far a token reaches.
    fn reach(&self, token: &Token) -> String {
        let described = &token.described;
        let some = |what: &str, list: &Option<Vec<String>>| {
            let list = list.as_ref()?;
            let list = if list.is_empty() { "none".to_owned() } else { list.join(" ") };
            Some(format!("{what}: {list}"))
        };
        let parts = [
            some("groups", &described.groups),
            some("images", &described.images),
            some("actions", &described.actions),
            described.audience.as_ref().map(|gate| format!("for {gate}")),
        ];
        let parts: Vec<_> = parts.into_iter().flatten().collect();
        if parts.is_empty() { "all that its holder may do".to_owned() } else { parts.join("; ") }
    }

    fn is_this_session(&self, token: &Token) -> bool {
        token.described.id.as_str() == self.session
    }
}

async fn page(
    api: &Arc<Api>,
    signed_in: &SignedIn,
    part: &Part,
    outcome: Option<&Outcome>,
) -> Result<Response, Trouble> {
    let listing = Listing {
        r#for: None,
        all_subjects: part.everybody,
        all: false,
        limit: Some(MOST),
        cursor: Some(part.cursor.clone()).filter(|cursor| !cursor.is_empty()),
        order: FamilyOrder::Ends,
    };
    let listed = tokens::list(State(Arc::clone(api)), signed_in.who.clone(), Asked(listing)).await;
    let Json(Tokens { tokens, cursor }) = listed?;
    let empty = Filled::default();
    let (created, filled, mistake) = match outcome {
        None => (None, &empty, None),
        Some(Outcome::Made(created)) => (Some(created.as_ref()), &empty, None),
        Some(Outcome::Mistaken(filled, mistake)) => (None, filled, Some(mistake)),
    };
    let page = rendered(&Page {
        frame: Frame::around(signed_in, Place::Tokens, "Tokens"),
        tokens,
        more: cursor.map(|cursor| tokens_page(part.everybody, &cursor)),
        created,
        mistake: mistake.map(|mistake| &*mistake.text),
        filled,
        session: signed_in.session.as_str(),
        part,
        is_administrator: signed_in.who.maker().is_administrator(),
        gate: api.issue.authenticator.issuer().service(),
    });
    let status = mistake.map_or(StatusCode::OK, |mistake| mistake.status);
    Ok((status, page).into_response())
}

pub(super) async fn show(
    State(web): State<Arc<Web>>,
    signed_in: SignedIn,
    Query(asking): Query<Asking>,
) -> Result<Response, Trouble> {
    let part = Part { everybody: asking.everybody.is_some(), cursor: asking.cursor };
    page(&web.api, &signed_in, &part, None).await
}

/// Words between spaces; none where the field is empty, which stands for all.
fn list(text: &str) -> Option<Vec<String>> {
    let words = text.split([' ', ',', '\n', '\r', '\t']).filter(|word| !word.is_empty());
    Some(words.map(str::to_owned).collect::<Vec<_>>()).filter(|words| !words.is_empty())
}

/// Makes one, and shows it this once. It stands on no page that is asked for again.
pub(super) async fn create(
    State(web): State<Arc<Web>>,
    Sent { signed_in, form }: Sent,
) -> Result<Response, Trouble> {
    form.only(&["comment", "expires", "images", "actions", "groups", "refreshable"])?;
    let text = |name: &str| form.text(name).trim().to_owned();
    let filled = Filled {
        comment: text("comment"),
        expires: text("expires"),
        images: text("images"),
        actions: text("actions"),
        groups: text("groups"),
        refreshable: !form.text("refreshable").is_empty(),
    };
    let creation = Creation {
        r#for: None,
        groups: list(&filled.groups),
        images: list(&filled.images),
        actions: list(&filled.actions),
        expires: filled.expires.clone(),
        refreshable: filled.refreshable,
        audience: None,
        comment: filled.comment.clone(),
    };
    let who: Requester = signed_in.who.clone();
    let outcome = match tokens::create(State(Arc::clone(&web.api)), who, Body(creation)).await {
        Ok((_, Json(created))) => Outcome::Made(Box::new(created)),
        Err(problem) => Outcome::Mistaken(filled, Trouble::mistake(problem)?),
    };
    page(&web.api, &signed_in, &Part::default(), Some(&outcome)).await
}

/// Revokes one, and shows the same part of the list again.
pub(super) async fn revoke(
    State(web): State<Arc<Web>>,
    Sent { signed_in, form }: Sent,
) -> Result<Response, Trouble> {
    form.only(&["id", "everybody", "cursor"])?;
    let id = form.text("id").to_owned();
    revoke::delete(State(Arc::clone(&web.api)), signed_in.who, Path(id)).await?;
    let everybody = !form.text("everybody").is_empty();
    Ok(Redirect::to(&tokens_page(everybody, form.text("cursor"))).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_field_is_all_and_not_nothing() {
        assert_eq!(list(" ,\r\n "), None);
        assert_eq!(list("team/** , prod/*\nx").unwrap(), ["team/**", "prod/*", "x"]);
    }
}
