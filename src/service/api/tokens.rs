//! `/api/v1/tokens`: making tokens and looking at them.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use http::StatusCode;
use jiff::Timestamp;
use policy::{Bounds, Subject};
use serde::{Deserialize, Serialize};

use super::Api;
use super::input::{Asked, Body};
use super::problem::Problem;
use super::requester::Requester;
use crate::audit::Record;
use crate::issue::new_token::{self, Audience, Comment, NewToken};
use crate::issue::{self, Cursor, Refused, Whose};
use crate::store::FamilyOrder;
use crate::token::{Ended, Family, TokenId};

/// On a page, unless the client says how many.
const PAGE: u32 = 100;
const MAX_PAGE: u32 = 1000;

/// What a new token is to be like.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(crate) struct Creation {
    pub(crate) r#for: Option<String>,
    pub(crate) groups: Option<Vec<String>>,
    pub(crate) images: Option<Vec<String>>,
    pub(crate) actions: Option<Vec<String>>,
    pub(crate) expires: String,
    #[serde(default)]
    pub(crate) refreshable: bool,
    pub(crate) audience: Option<String>,
    #[serde(default)]
    pub(crate) comment: String,
}

/// A token that was just made, with its values, which are shown this once.
#[derive(Serialize)]
pub(crate) struct Created {
    #[serde(flatten)]
    pub(crate) described: Described,
    pub(crate) access_token: String,
    pub(crate) refresh_token: Option<String>,
    pub(crate) expires_at: Timestamp,
    pub(crate) ends_at: Timestamp,
}

/// What is told of a token wherever it is shown.
#[derive(Serialize)]
pub(crate) struct Described {
    pub(crate) id: TokenId,
    pub(crate) kind: &'static str,
    pub(crate) subject: String,
    pub(crate) groups: Option<Vec<String>>,
    pub(crate) images: Option<Vec<String>>,
    pub(crate) actions: Option<Vec<String>>,
    pub(crate) audience: Option<String>,
    pub(crate) comment: String,
    pub(crate) made_at: Timestamp,
    pub(crate) made_by: String,
}

/// A token in a list.
#[derive(Serialize)]
pub(crate) struct Token {
    #[serde(flatten)]
    pub(crate) described: Described,
    pub(crate) last_used_at: Option<Timestamp>,
    pub(crate) last_used_from: Option<IpAddr>,
    pub(crate) ends_at: Timestamp,
    pub(crate) state: &'static str,
}

/// Which tokens are to be listed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Listing {
    pub(crate) r#for: Option<String>,
    #[serde(default)]
    pub(crate) all_subjects: bool,
    #[serde(default)]
    pub(crate) all: bool,
    pub(crate) limit: Option<u32>,
    pub(crate) cursor: Option<String>,
    /// Pages alone choose.
    #[serde(skip)]
    pub(crate) order: FamilyOrder,
}

/// A page of a list.
#[derive(Serialize)]
pub(crate) struct Tokens {
    pub(crate) tokens: Vec<Token>,
    pub(crate) cursor: Option<String>,
}

impl Described {
    fn of(family: &Family) -> Self {
        let bounds = family.grant.bounds.as_deref();
        let actions =
            |bounds: &Bounds| bounds.actions().map(|action| action.to_string()).collect::<Vec<_>>();
        Self {
            id: family.id.clone(),
            kind: family.kind.as_str(),
            subject: family.grant.subject.to_string(),
            groups: family.grant.groups.clone(),
            images: bounds.map(|bounds| bounds.images().to_vec()),
            actions: bounds.map(actions),
            audience: family.audience.clone(),
            comment: family.comment.clone(),
            made_at: family.made_at,
            made_by: family.made_by.clone(),
        }
    }
}

impl Token {
    fn of(family: &Family, now: Timestamp) -> Self {
        let state = match family.holds(now) {
            Ok(()) => "active",
            Err(Ended::Revoked) => "revoked",
            Err(Ended::Expired) => "expired",
            Err(Ended::Idle) => "idle",
        };
        Self {
            described: Described::of(family),
            last_used_at: family.last_use.map(|last| last.at),
            last_used_from: family.last_use.map(|last| last.from),
            ends_at: family.ends_at,
            state,
        }
    }
}

impl Creation {
    fn wanted(self) -> Result<NewToken, Refused> {
        let life = crate::config::duration(&self.expires).map_err(|mistake| {
            let remedy = mistake.remedy().map(|remedy| format!(": {remedy}")).unwrap_or_default();
            Refused::Wrong(format!("`expires`: {}{remedy}", mistake.message()))
        })?;
        Ok(NewToken {
            subject: self.r#for.as_deref().map(|text| subject("for", text)).transpose()?,
            groups: self.groups.map(new_token::groups).transpose()?,
            bounds: new_token::bounds(self.images, self.actions)?,
            life,
            refreshable: self.refreshable,
            audience: self.audience.as_deref().map(Audience::new).transpose()?,
            comment: Comment::new(self.comment)?,
        })
    }
}

pub(crate) fn subject(field: &str, text: &str) -> Result<Subject, Refused> {
    text.parse().map_err(|error| Refused::Wrong(format!("`{field}`: {error}")))
}

pub(crate) async fn create(
    State(api): State<Arc<Api>>,
    who: Requester,
    Body(creation): Body<Creation>,
) -> Result<(StatusCode, Json<Created>), Problem> {
    let refused = |error| who.refused(error);
    let wanted = creation.wanted().map_err(refused)?;
    let users = api.users.load_full();
    let made = api.issue.create(who.maker(), wanted, &users, api.now()).await.map_err(refused)?;
    let family = &made.family;
    // A token that nobody recorded is never given to anyone.
    let record = Record {
        token_id: Some(family.id.to_string()),
        groups: family.grant.groups.clone().unwrap_or_default(),
        reason: Some(format!("{} for {}", family.kind.as_str(), family.grant.subject)),
        ..who.record("token.created")
    };
    api.audit.flush(record).await?;
    api.issue.keep(&made).await?;
    api.metrics.token_issued("api");
    let created = Created {
        described: Described::of(family),
        access_token: made.access_token.expose().to_owned(),
        refresh_token: made.refresh_token.map(|token| token.written().expose().to_owned()),
        expires_at: made.expires_at,
        ends_at: family.ends_at,
    };
    Ok((StatusCode::CREATED, Json(created)))
}

pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    who: Requester,
    Asked(listing): Asked<Listing>,
) -> Result<Json<Tokens>, Problem> {
    let refused = |error| who.refused(error);
    let whose = match (&listing.r#for, listing.all_subjects) {
        (None, false) => Whose::Own,
        (None, true) => Whose::All,
        (Some(text), false) => Whose::Of(subject("for", text).map_err(refused)?),
        (Some(_), true) => {
            return Err(Problem::wrong("`for` and `all-subjects` cannot both be meant"));
        }
    };
    let limit = listing.limit.unwrap_or(PAGE);
    if !(1..=MAX_PAGE).contains(&limit) {
        return Err(Problem::wrong(format!("`limit` has to be 1 to {MAX_PAGE}")));
    }
    let after = listing.cursor.as_deref().map(str::parse::<Cursor>).transpose();
    let after = after.map_err(|error| Problem::wrong(error.to_string()))?;
    let now = api.now();
    let (ended, order) = (listing.all, listing.order);
    let listing = issue::Listing { whose, ended, order, after, limit };
    let page = api.issue.list(who.maker(), listing, now).await.map_err(refused)?;
    Ok(Json(Tokens {
        tokens: page.families.iter().map(|family| Token::of(family, now)).collect(),
        cursor: page.next.map(|cursor| cursor.written()),
    }))
}

pub(crate) async fn show(
    State(api): State<Arc<Api>>,
    who: Requester,
    Path(id): Path<String>,
) -> Result<Json<Token>, Problem> {
    let family = api.issue.find(who.maker(), &id_of(&id)?).await;
    let family = family.map_err(|error| who.refused(error))?;
    Ok(Json(Token::of(&family, api.now())))
}

pub(crate) fn id_of(text: &str) -> Result<TokenId, Problem> {
    // What is no id is the id of nothing.
    text.parse().map_err(|_| Problem::new(StatusCode::NOT_FOUND, "there is no such token"))
}
