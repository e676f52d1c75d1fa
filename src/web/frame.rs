//! What stands around every page.

use askama::Template;
use axum::response::{Html, IntoResponse, Response};
use http::StatusCode;

use super::assets;
use super::session::SignedIn;
use crate::log::Causes;

/// Where in the pages somebody is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Search,
    Tokens,
    Start,
    Admin,
    Elsewhere,
}

impl Place {
    fn heading(self) -> &'static str {
        match self {
            Self::Search => "images",
            Self::Tokens => "tokens",
            Self::Start => "start",
            Self::Admin => "admin",
            Self::Elsewhere => "",
        }
    }
}

/// The head of a page.
pub(super) struct Frame<'a> {
    pub(super) title: &'a str,
    pub(super) place: Place,
    pub(super) reader: Option<Reader<'a>>,
    pub(super) style: &'static str,
    pub(super) script: &'static str,
    pub(super) icon: &'static str,
}

/// Whoever reads it.
pub(super) struct Reader<'a> {
    pub(super) name: String,
    /// What their forms carry.
    pub(super) form_token: &'a str,
    pub(super) is_administrator: bool,
}

impl<'a> Frame<'a> {
    /// Around a page for somebody who signed in.
    pub(super) fn around(signed_in: &'a SignedIn, place: Place, title: &'a str) -> Self {
        let reader = Reader {
            name: signed_in.who.to_string(),
            form_token: signed_in.form_token.expose(),
            is_administrator: signed_in.who.maker().is_administrator(),
        };
        Self { place, reader: Some(reader), ..Self::plain(title) }
    }

    /// Around a page for anybody.
    pub(super) fn plain(title: &'a str) -> Self {
        Self {
            title,
            place: Place::Elsewhere,
            reader: None,
            style: assets::style(),
            script: assets::script(),
            icon: assets::icon(),
        }
    }

    /// Whether the page is one of those under a heading of the menu.
    pub(super) fn is_under(&self, heading: &str) -> bool {
        heading == self.place.heading()
    }
}

/// A page as it is sent.
pub(super) fn rendered(page: &impl Template) -> Response {
    match page.render() {
        Ok(text) => Html(text).into_response(),
        Err(error) => {
            tracing::error!(error = %Causes(&error), "a page could not be rendered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
