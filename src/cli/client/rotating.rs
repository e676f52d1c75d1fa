//! Tokens that refresh each other.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::kept::Kept;

/// An access token is replaced when less than this is left of it, or less than half of its life.
const MARGIN: SignedDuration = SignedDuration::from_mins(10);

/// A refresh token and what it brought.
///
/// It is exchanged for an access token and its successor. The gate gives the same
/// successor however often it is asked, until that is used itself; so a command that ends before it
/// has written down an answer has lost nothing. The identity token of a `docker login` is its own
/// successor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::cli) struct Rotating {
    /// The name of the family.
    pub(in crate::cli) id: String,
    /// The latest refresh token.
    refresh_token: Kept,
    /// The one before, until the latest one has brought its successor. It is what a gate knows whose
    /// state was brought back from just before the latest refresh.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    previous: Option<Kept>,
    access_token: Kept,
    /// When the access token was asked for, by the clock here.
    received_at: Timestamp,
    /// When it ends, by the clock here.
    good_until: Timestamp,
}

/// The answer of `/api/v1/refresh`, and the part that it has in common with that of `/api/v1/tokens`.
#[derive(Debug, Deserialize, Serialize)]
pub(in crate::cli) struct Refreshed {
    pub(in crate::cli) id: String,
    pub(in crate::cli) access_token: Kept,
    pub(in crate::cli) refresh_token: Option<Kept>,
    pub(in crate::cli) expires_at: Timestamp,
}

impl Rotating {
    /// What a gate has just made or refreshed; none if it cannot be refreshed again. `now` is when
    /// it was asked.
    pub(super) fn new(made: Refreshed, now: Timestamp) -> Option<Self> {
        let good_until = now.saturating_add(life(&made, now)).unwrap_or(made.expires_at);
        Some(Self {
            id: made.id,
            refresh_token: made.refresh_token?,
            previous: None,
            access_token: made.access_token,
            received_at: now,
            good_until,
        })
    }

    /// The same after a refresh. Where the answer does not name a successor, the refresh token
    /// stays.
    pub(super) fn after(&self, mut answer: Refreshed, now: Timestamp) -> Self {
        let successor = answer.refresh_token.get_or_insert_with(|| self.refresh_token.clone());
        let previous = (*successor != self.refresh_token).then(|| self.refresh_token.clone());
        match Self::new(answer, now) {
            Some(next) => Self { previous, ..next },
            None => self.clone(),
        }
    }

    /// The latest refresh token.
    pub(super) fn refresh_token(&self) -> &Kept {
        &self.refresh_token
    }

    /// The refresh tokens in the order in which they are to be tried.
    pub(super) fn refresh_tokens(&self) -> impl Iterator<Item = &Kept> {
        std::iter::once(&self.refresh_token).chain(&self.previous)
    }

    /// The access token, while there is no need for another.
    pub(super) fn fresh(&self, now: Timestamp) -> Option<&Kept> {
        let life = self.good_until.duration_since(self.received_at);
        let margin = MARGIN.min(life / 2);
        self.good(now).filter(|_| self.good_until.duration_since(now) >= margin)
    }

    /// The access token, while it holds. A clock that goes backwards tells nothing about that.
    pub(super) fn good(&self, now: Timestamp) -> Option<&Kept> {
        (self.received_at <= now && now < self.good_until).then_some(&self.access_token)
    }
}

/// How long the new access token lives. The token tells both ends of it by one clock, the gate's;
/// the one here may be wrong.
fn life(made: &Refreshed, now: Timestamp) -> SignedDuration {
    #[derive(Deserialize)]
    struct Life {
        iat: i64,
        exp: i64,
    }
    let claims = made.access_token.expose().split('.').nth(1);
    let claims = claims.and_then(|claims| URL_SAFE_NO_PAD.decode(claims).ok());
    let life = claims.and_then(|claims| serde_json::from_slice::<Life>(&claims).ok());
    match life {
        Some(Life { iat, exp }) => SignedDuration::from_secs(exp.saturating_sub(iat)),
        None => made.expires_at.duration_since(now),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::secret::Secret;

    fn kept(text: &str) -> Kept {
        Kept(Secret::new(text.to_owned()))
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// What a gate answers whose clock is an hour ahead of ours.
    pub(in super::super) fn answer(refresh_token: &str, now: i64, life: i64) -> Refreshed {
        let iat = now + 3600;
        let claims = format!(r#"{{"iat": {iat}, "exp": {}, "x": 1}}"#, iat + life);
        Refreshed {
            id: "family".to_owned(),
            access_token: kept(&format!("h.{}.s", URL_SAFE_NO_PAD.encode(claims))),
            refresh_token: Some(kept(refresh_token)),
            expires_at: at(iat + life),
        }
    }

    #[test]
    fn a_token_is_fresh_until_ten_minutes_or_half_its_life_are_left() {
        for (life, fresh) in [(3600, 3000), (1200, 600), (60, 30)] {
            let tokens = Rotating::new(answer("one", 1000, life), at(1000)).unwrap();
            assert!(tokens.fresh(at(1000)).is_some(), "{life}");
            assert!(tokens.fresh(at(1000 + fresh)).is_some(), "{life}");
            assert!(tokens.fresh(at(1001 + fresh)).is_none(), "{life}");
            assert!(tokens.good(at(999 + life)).is_some(), "{life}");
            assert!(tokens.good(at(1000 + life)).is_none(), "{life}");
        }
    }

    #[test]
    fn a_clock_that_goes_backwards_makes_no_token_hold() {
        let tokens = Rotating::new(answer("one", 100_000, 3600), at(100_000)).unwrap();
        assert!(tokens.good(at(99_999)).is_none() && tokens.fresh(at(99_999)).is_none());
    }

    #[test]
    fn a_token_that_tells_no_life_ends_when_the_answer_says() {
        let made = Refreshed { access_token: kept("opaque"), ..answer("one", 1000, 60) };
        let tokens = Rotating::new(made, at(1000)).unwrap();
        assert!(tokens.good(at(1000 + 3659)).is_some() && tokens.good(at(1000 + 3660)).is_none());
    }

    #[test]
    fn the_token_before_is_kept_until_its_successor_has_brought_another() {
        let order = |tokens: &Rotating| {
            tokens.refresh_tokens().map(|token| token.expose().to_owned()).collect::<Vec<_>>()
        };
        let first = Rotating::new(answer("one", 0, 60), at(0)).unwrap();
        assert_eq!(order(&first), ["one"]);
        let second = first.after(answer("two", 60, 60), at(60));
        assert_eq!(order(&second), ["two", "one"]);
        assert_eq!(second.good_until, at(120));
        let third = second.after(answer("three", 120, 60), at(120));
        assert_eq!(order(&third), ["three", "two"]);
        // The gate gave the same again, or none: it is not its own predecessor.
        assert_eq!(order(&third.after(answer("three", 180, 60), at(180))), ["three"]);
        let silent = Refreshed { refresh_token: None, ..answer("", 180, 60) };
        assert_eq!(order(&third.after(silent, at(180))), ["three"]);
        assert!(
            Rotating::new(Refreshed { refresh_token: None, ..answer("", 0, 60) }, at(0)).is_none()
        );
    }
}
