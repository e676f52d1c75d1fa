//! `/api/v1/refresh`: a new access token for a refresh token.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Api;
use super::input::Body;
use super::problem::Problem;
use super::requester::Address;
use crate::issue::Occasion;
use crate::token::{RefreshToken, TokenId};

/// The refresh token, which is the only credential here.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(super) struct Refreshing {
    refresh_token: String,
}

/// The new access token, and what to show next time.
#[derive(Serialize)]
pub(super) struct Renewed {
    id: TokenId,
    access_token: String,
    refresh_token: String,
    expires_at: Timestamp,
}

pub(super) async fn refresh(
    State(api): State<Arc<Api>>,
    Address(address): Address,
    Body(Refreshing { refresh_token }): Body<Refreshing>,
) -> Result<Json<Renewed>, Problem> {
    let Some(token) = RefreshToken::parse(&refresh_token) else {
        return Err(Problem::wrong("`refresh_token` has to be a refresh token: `pcr_…`"));
    };
    let issuer = api.issue.authenticator.issuer();
    let occasion = Occasion { address, now: api.now() };
    let refreshed = api.issue.refresh(&token, occasion).await;
    let refreshed = refreshed.map_err(|error| Problem::credential(&error, issuer))?;
    let issued = api.issue.renew(&refreshed, occasion)?;
    Ok(Json(Renewed {
        id: refreshed.family.id,
        access_token: issued.token.expose().to_owned(),
        refresh_token: refreshed.next.written().expose().to_owned(),
        expires_at: issued.claims.expires().unwrap_or(occasion.now),
    }))
}
