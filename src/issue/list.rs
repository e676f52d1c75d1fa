//! Looking at the tokens that were made.

use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use policy::Subject;

use super::Issue;
use super::maker::Maker;
use super::refused::Refused;
use crate::store::{FamilyOrder, FamilyQuery};
use crate::token::{Family, TokenId};

/// Whose tokens are to be listed, as somebody asks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whose {
    /// Those of whoever asks; on the gate's own machine, everybody's.
    Own,
    /// Those of a subject.
    Of(Subject),
    /// Everybody's.
    All,
}

/// A list, as somebody asks for it.
#[derive(Debug, Clone)]
pub struct Listing {
    /// Whose tokens.
    pub whose: Whose,
    /// Those too that have ended.
    pub ended: bool,
    /// In which order.
    pub order: FamilyOrder,
    /// From here on; none: from the beginning.
    pub after: Option<Cursor>,
    /// At most so many.
    pub limit: u32,
}

/// A part of a list.
#[derive(Debug, Clone)]
pub struct Page {
    /// What is on it.
    pub families: Vec<Family>,
    /// Where the next one begins; none: this is the last.
    pub next: Option<Cursor>,
}

/// A place in a list. What it is written as means nothing to others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor(Timestamp, TokenId);

/// The text is no place in a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("`cursor` has to be the one that came with the last page")]
pub struct InvalidCursor;

impl Cursor {
    /// The text for it.
    #[must_use]
    pub fn written(&self) -> String {
        URL_SAFE_NO_PAD.encode(format!("{}.{}", self.0.as_millisecond(), self.1))
    }
}

impl FromStr for Cursor {
    type Err = InvalidCursor;

    fn from_str(text: &str) -> Result<Self, InvalidCursor> {
        let read = || {
            let text = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
            let (time, id) = text.split_once('.')?;
            let time = Timestamp::from_millisecond(time.parse().ok()?).ok()?;
            Some(Self(time, id.parse().ok()?))
        };
        read().ok_or(InvalidCursor)
    }
}

impl Issue {
    /// A page of tokens.
    ///
    /// # Errors
    /// See [`Refused`].
    pub async fn list(
        &self,
        maker: &Maker,
        listing: Listing,
        now: Timestamp,
    ) -> Result<Page, Refused> {
        let Listing { whose, ended, order, after, limit } = listing;
        let query = FamilyQuery {
            subject: visible(maker, whose)?,
            holding_at: (!ended).then_some(now),
            for_others: false,
            order,
            after: after.map(|Cursor(time, id)| (time, id)),
            // One more, to know whether there are more.
            limit: limit.saturating_add(1),
        };
        let families = self.state.ask(|store| async move { store.families(&query).await });
        let mut families: Vec<Family> = families.await?;
        let most = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = families.len() > most;
        families.truncate(most);
        families.iter_mut().for_each(|family| self.with_last_use(family));
        let last = families.last().filter(|_| more);
        let next = last.map(|family| Cursor(order.time(family), family.id.clone()));
        Ok(Page { families, next })
    }

    /// The token of this name, if it is one that `maker` may see.
    ///
    /// # Errors
    /// See [`Refused`].
    pub async fn find(&self, maker: &Maker, id: &TokenId) -> Result<Family, Refused> {
        let wanted = id.clone();
        let found = self.state.ask(|store| async move { store.family(&wanted).await }).await?;
        let may_see = |family: &Family| {
            maker.is_administrator() || maker.subject() == Some(&family.grant.subject)
        };
        let mut family = found.filter(may_see).ok_or_else(|| missing(id))?;
        self.with_last_use(&mut family);
        Ok(family)
    }

    /// Adds a use that is not written down yet.
    fn with_last_use(&self, family: &mut Family) {
        let noted = self.state.noted_use(&family.id);
        let kept = family.last_use.map(|last| last.at);
        family.last_use = noted.filter(|noted| Some(noted.at) > kept).or(family.last_use);
    }
}

/// The same whether it is there or not.
pub(super) fn missing(id: &TokenId) -> Refused {
    Refused::Missing(format!("there is no token `{id}`"))
}

/// Whose tokens `maker` is to see; none: everybody's.
fn visible(maker: &Maker, whose: Whose) -> Result<Option<Subject>, Refused> {
    let subject = match whose {
        Whose::Own => maker.subject().cloned(),
        Whose::Of(subject) => Some(subject),
        Whose::All => None,
    };
    if maker.is_administrator() || (subject.is_some() && subject.as_ref() == maker.subject()) {
        return Ok(subject);
    }
    Err(Refused::denied("only an administrator lists the tokens of others"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_is_written_and_nothing_else_is_one() {
        let time = "2026-01-02T03:04:05.678Z".parse().unwrap();
        let cursor = Cursor(time, TokenId::random().unwrap());
        assert_eq!(cursor.written().parse::<Cursor>().unwrap(), cursor);
        for text in ["", "x", "!", &URL_SAFE_NO_PAD.encode("1.x"), &URL_SAFE_NO_PAD.encode("x.1")] {
            assert_eq!(text.parse::<Cursor>(), Err(InvalidCursor), "{text}");
        }
    }
}
