//! Ending tokens before their time.

use std::time::Duration;

use jiff::Timestamp;
use policy::Subject;

use super::Issue;
use super::list::missing;
use super::maker::Maker;
use super::refused::Refused;
use crate::proxy::seal::UPLOAD_LIFE;
use crate::secret::Secret;
use crate::store::Revocation;
use crate::token::{Family, Kind, LEEWAY, RefreshToken, TokenId, made_here};

/// What was revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// How many tokens that held ended with it, each with all that descend from it counted.
    pub count: u64,
    /// The name of the token, if it was one.
    pub id: Option<TokenId>,
    /// Whose it was or they were; none: not known, or everybody's.
    pub subject: Option<Subject>,
}

impl Issue {
    /// Revokes a token by its name: a family with all that descend from it, or one access token.
    ///
    /// # Errors
    /// See [`Refused`].
    pub async fn revoke_id(
        &self,
        maker: &Maker,
        id: &TokenId,
        now: Timestamp,
    ) -> Result<Ending, Refused> {
        let wanted = id.clone();
        let family = self.state.ask(|store| async move { store.family(&wanted).await }).await?;
        may_end(maker, id, family.as_ref())?;
        // A name that is not kept is that of a single access token.
        let until = family.as_ref().map_or_else(|| self.last_end(now), |family| family.ends_at);
        let count = self.state.revoke(Revocation::Id { id: id.clone(), until }, now).await?;
        let subject = family.map(|family| family.grant.subject);
        Ok(Ending { count, id: Some(id.clone()), subject })
    }

    /// Revokes the token that is shown with all of its family, which whoever has it may do. None: it
    /// is no token that this gate made, or one whose time is over, or one for nobody in particular.
    ///
    /// # Errors
    /// The text has the form of no token, or the state does not do it.
    pub async fn revoke_value(
        &self,
        value: &Secret,
        now: Timestamp,
    ) -> Result<Option<Ending>, Refused> {
        if let Some(token) = RefreshToken::parse(value.expose()) {
            let hash = token.hash();
            let family = self.state.ask(move |store| async move { store.family_of(hash).await });
            let Some(Family { id, ends_at: until, grant, .. }) = family.await? else {
                return Ok(None);
            };
            let count = self.state.revoke(Revocation::Id { id: id.clone(), until }, now).await?;
            return Ok(Some(Ending { count, id: Some(id), subject: Some(grant.subject) }));
        }
        if !crate::token::looks_like_one(value.expose()) {
            return Err(Refused::wrong("`value` has to be a refresh token or an access token"));
        }
        let issuer = self.authenticator.issuer();
        let claims = made_here(value.expose(), &self.authenticator.keys(), issuer);
        let Ok(claims) = claims else { return Ok(None) };
        // Anybody gets any number of tokens for nobody; what is revoked is kept, and told to others.
        if claims.kind == Kind::Anonymous {
            return Ok(None);
        }
        // Uploads go on for a while with a token that has expired.
        let end = claims.expires().map(|end| end.saturating_add(UPLOAD_LIFE).unwrap_or(end));
        if end.is_none_or(|end| end <= now) {
            return Ok(None);
        }
        // Whoever had it may have made others from it, which belong to its family. What was made
        // from a token of another gate has a family that is named, and revoked, by that one.
        let id = if claims.kind == Kind::Peer { &claims.jti } else { &claims.family }.clone();
        let wanted = id.clone();
        let kept = self.state.ask(|store| async move { store.family(&wanted).await }).await?;
        let until = kept.as_ref().map_or_else(|| self.last_end(now), |family| family.ends_at);
        let count = self.state.revoke(Revocation::Id { id: id.clone(), until }, now).await?;
        // A token without a family of its name is not among those that the state counts.
        let count = if kept.is_some() { count } else { count.saturating_add(1) };
        let subject = claims.grant().map(|grant| grant.subject);
        Ok(Some(Ending { count, id: Some(id), subject }))
    }

    /// Revokes everything of a subject that began at `before` or earlier.
    ///
    /// # Errors
    /// See [`Refused`].
    pub async fn revoke_subject(
        &self,
        maker: &Maker,
        subject: Subject,
        before: Timestamp,
        now: Timestamp,
    ) -> Result<Ending, Refused> {
        let own = maker.subject() == Some(&subject) && !maker.is_narrowed();
        if !own && !maker.is_administrator() {
            let text = format!("only an administrator revokes all tokens of {subject}");
            return Err(Refused::Denied(text));
        }
        let before = self.covering(before, now)?;
        let count = self.state.revoke(Revocation::Subject(subject.clone(), before), now).await?;
        Ok(Ending { count, id: None, subject: Some(subject) })
    }

    /// Revokes everything that began at `before` or earlier.
    ///
    /// # Errors
    /// See [`Refused`].
    pub async fn revoke_everything(
        &self,
        maker: &Maker,
        before: Timestamp,
        now: Timestamp,
    ) -> Result<Ending, Refused> {
        if !maker.is_administrator() {
            return Err(Refused::denied("only an administrator revokes all tokens"));
        }
        let before = self.covering(before, now)?;
        let count = self.state.revoke(Revocation::Everything(before), now).await?;
        Ok(Ending { count, id: None, subject: None })
    }

    /// The time that a revocation covers. Until now means: with those who signed in within this
    /// second, after another revocation.
    fn covering(&self, before: Timestamp, now: Timestamp) -> Result<Timestamp, Refused> {
        if before > now {
            // It would end tokens that nobody has made yet.
            return Err(Refused::wrong("`before` has to be a time that has passed"));
        }
        if before < now {
            return Ok(before);
        }
        Ok(self.state.revocations(|revocations, _| revocations.latest_beginning(now)))
    }

    /// When every access token that was made before now has ended.
    fn last_end(&self, now: Timestamp) -> Timestamp {
        let longest = self.settings.max_ttl.max(self.settings.access_ttl);
        now.saturating_add(longest.saturating_add(leeway())).unwrap_or(Timestamp::MAX)
    }
}

fn leeway() -> Duration {
    Duration::from_secs(LEEWAY.unsigned_abs())
}

/// Administrators end every token, others their own. A credential that was cut down ends nothing but
/// itself, so that a stolen one does not end what its holder's work depends on.
fn may_end(maker: &Maker, id: &TokenId, family: Option<&Family>) -> Result<(), Refused> {
    if maker.is_administrator() {
        return Ok(());
    }
    let known = maker.credential();
    let named = known.is_some_and(|known| {
        known.family.as_ref() == Some(id)
            || known.principal.token_id.as_deref() == Some(id.as_str())
    });
    let own = family.is_some_and(|family| Some(&family.grant.subject) == maker.subject());
    // Another gate names its tokens as it likes, also as one of somebody else here is named.
    let itself = named && (own || family.is_none());
    match (itself, own, maker.is_narrowed()) {
        (true, _, _) | (false, true, false) => Ok(()),
        (false, true, true) => Err(Refused::denied(
            "a token that was cut down to some groups, images or actions revokes only itself",
        )),
        (false, false, _) => Err(missing(id)),
    }
}

#[cfg(test)]
mod tests {
    use policy::{Caller, Policy, SourceFile};

    use super::*;
    use crate::identity::{Authenticated, Ceiling, GrantType, Principal};
    use crate::token::{FamilyKind, Grant, Kind};

    fn somebody(subject: &str, kind: Kind, family: &TokenId) -> Maker {
        let subject: Subject = subject.parse().unwrap();
        let grant = Grant::unlimited(subject.clone(), kind, Timestamp::UNIX_EPOCH);
        let caller = Caller::new(subject, Vec::new());
        let known = Authenticated {
            principal: Principal { caller, ceiling: Ceiling::Unlimited, token_id: None },
            grant,
            family: Some(family.clone()),
            by: GrantType::Token,
            expires: None,
        };
        let policy = SourceFile { path: "policy.yaml".into(), text: "rules: []".into() };
        Maker::known(known, &Policy::compile(&[policy]).unwrap().policy)
    }

    fn kept(subject: &str, id: &TokenId) -> Family {
        Family {
            id: id.clone(),
            kind: FamilyKind::Login,
            grant: Grant::unlimited(subject.parse().unwrap(), Kind::User, Timestamp::UNIX_EPOCH),
            audience: None,
            access_ttl: Duration::from_secs(3600),
            made_at: Timestamp::UNIX_EPOCH,
            made_by: subject.to_owned(),
            comment: String::new(),
            parent: None,
            ends_at: Timestamp::MAX,
            idle: None,
            last_use: None,
            revoked_at: None,
        }
    }

    /// Another gate chooses the names of its tokens, and can choose those of ours.
    #[test]
    fn a_token_of_another_gate_ends_nothing_of_ours_that_has_its_name() {
        let id = TokenId::random().unwrap();
        let alices = kept("user:alice", &id);
        let alice = somebody("user:alice", Kind::User, &id);
        assert!(may_end(&alice, &id, Some(&alices)).is_ok());
        let stranger = somebody("peer:eu/user:mallory", Kind::Peer, &id);
        let refused = may_end(&stranger, &id, Some(&alices));
        assert!(matches!(refused, Err(Refused::Missing(_))), "{refused:?}");
        // What came of it here is theirs.
        assert!(may_end(&stranger, &id, None).is_ok());
        assert!(may_end(&stranger, &id, Some(&kept("peer:eu/user:mallory", &id))).is_ok());
    }
}
