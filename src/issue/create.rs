//! Making tokens on purpose, for oneself or for others.
//!
//! What may be made is decided by [`plan`], which looks at nothing but its arguments.

use jiff::Timestamp;
use policy::{Caller, Policy, Subject};

use crate::identity::Authenticated;
use crate::identity::users::Users;
use crate::public_url::PublicUrl;
use crate::secret::Secret;
use crate::store::{Service, StoreError};
use crate::token::{
    Family, FamilyKind, Grant, KeyRing, Kind, Order, RefreshToken, Settings, TokenId, mint,
};

use super::Issue;
use super::maker::Maker;
use super::new_token::{NewToken, SHORTEST};
use super::refused::Refused;

/// In seconds.
const A_DAY: u64 = 24 * 3600;

/// A token that was made. Nothing holds before its family is kept.
#[derive(Debug)]
pub struct Made {
    /// What the state is to remember of it.
    pub family: Family,
    /// The access token.
    pub access_token: Secret,
    /// When that one ends.
    pub expires_at: Timestamp,
    /// What it is refreshed with, if it can be.
    pub refresh_token: Option<RefreshToken>,
}

/// What a decision about a new token rests on.
pub(super) struct Facts<'a> {
    pub(super) policy: &'a Policy,
    pub(super) users: &'a Users,
    pub(super) services: &'a dyn Fn(&str) -> Option<Service>,
    /// The family of the maker's credential, where it is kept.
    pub(super) parent: Option<&'a Family>,
    pub(super) settings: &'a Settings,
    pub(super) issuer: &'a PublicUrl,
    /// When something that a subject begins now is said to have begun.
    pub(super) begins: &'a dyn Fn(&Subject) -> Timestamp,
    pub(super) now: Timestamp,
}

/// A token that may be made.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) grant: Grant,
    /// The family of the credential that it comes from.
    pub(super) parent: Option<TokenId>,
    /// The end of that credential, which it does not outlive.
    pub(super) bound: Option<Timestamp>,
}

impl Issue {
    /// Makes a token that `maker` wants and may have. It holds once [`Issue::keep`] has kept it.
    ///
    /// # Errors
    /// See [`Refused`].
    pub async fn create(
        &self,
        maker: &Maker,
        wanted: NewToken,
        users: &Users,
        now: Timestamp,
    ) -> Result<Made, Refused> {
        let parent = match maker.credential().and_then(|known| known.family.clone()) {
            Some(family) => {
                self.state.ask(|store| async move { store.family(&family).await }).await?
            }
            None => None,
        };
        let policy = (self.policy)();
        let facts = Facts {
            policy: &policy,
            users,
            services: &|name| self.state.service(name),
            parent: parent.as_ref(),
            settings: &self.settings,
            issuer: self.authenticator.issuer(),
            begins: &|subject| self.state.revocations(|revoked, _| revoked.begins(subject, now)),
            now,
        };
        let plan = plan(maker, &wanted, &facts)?;
        make(maker, wanted, plan, &facts, &self.authenticator.keys())
    }

    /// Has the state remember a new token.
    ///
    /// # Errors
    /// It does not; the token must not be given to anyone then.
    pub async fn keep(&self, made: &Made) -> Result<(), StoreError> {
        let family = made.family.clone();
        let hash = made.refresh_token.as_ref().map(RefreshToken::hash);
        self.state.ask(move |store| async move { store.add_family(&family, hash).await }).await
    }
}

/// Decides whether `maker` may have such a token, and what it stands for.
///
/// # Errors
/// See [`Refused`].
pub(super) fn plan(maker: &Maker, wanted: &NewToken, facts: &Facts<'_>) -> Result<Plan, Refused> {
    if wanted.life < SHORTEST {
        return Err(Refused::wrong("`expires` has to be at least a minute (`1m`)"));
    }
    if wanted.life > facts.settings.max_ttl {
        let most = match facts.settings.max_ttl.as_secs() {
            seconds if seconds % A_DAY == 0 => format!("{}d", seconds / A_DAY),
            seconds => format!("{seconds}s"),
        };
        let text = format!("`expires` is at most `{most}` here (`tokens.max_ttl`)");
        return Err(Refused::Wrong(text));
    }
    if wanted.audience.as_ref().is_some_and(|gate| gate.as_str() == facts.issuer.service()) {
        return Err(Refused::wrong("`audience` is this gate itself; leave it out"));
    }
    if maker.is_narrowed() {
        return Err(Refused::denied(
            "a token that was cut down to some groups, images or actions makes no other tokens",
        ));
    }
    let own = |subject: &Subject| wanted.subject.as_ref().is_none_or(|wanted| wanted == subject);
    let mut plan = match (maker.credential(), &wanted.subject) {
        (Some(known), _) if own(&known.grant.subject) => for_oneself(known, wanted, facts)?,
        (_, Some(subject)) if maker.is_administrator() => for_other(subject, wanted, facts)?,
        (_, Some(subject)) => {
            let text = format!("only an administrator makes tokens for {subject}");
            return Err(Refused::Denied(text));
        }
        (_, None) => return Err(Refused::wrong("`for` has to name whom the token is for")),
    };
    // Elsewhere our "all groups" means nothing.
    if wanted.audience.is_some() {
        let held = facts.policy.groups_of(&caller(&plan.grant, facts));
        plan.grant.groups.get_or_insert_with(|| held.into_iter().collect());
    }
    Ok(plan)
}

/// A part of what the maker has by its credential, for no longer than that one lasts.
fn for_oneself(
    known: &Authenticated,
    wanted: &NewToken,
    facts: &Facts<'_>,
) -> Result<Plan, Refused> {
    match known.grant.kind {
        Kind::User | Kind::Service | Kind::Federated => {}
        Kind::Peer => {
            let text = "another gate vouches for you, and only that one makes tokens for you";
            return Err(Refused::denied(text));
        }
        Kind::Anonymous => return Err(Refused::denied("tokens are made for those who log in")),
    }
    let held = facts.policy.groups_of(&known.principal.caller);
    if let Some(group) = wanted.groups.iter().flatten().find(|group| !held.contains(*group)) {
        let text = format!("{} is not in the group `{group}`", known.grant.subject);
        return Err(Refused::Wrong(text));
    }
    // What is asked with an access token of an hour lasts as long as the family behind that token.
    let bound = facts.parent.map(|parent| parent.ends_at).or(known.expires);
    let gone = facts.parent.is_some_and(|parent| parent.holds(facts.now).is_err());
    let soon = facts.now.saturating_add(SHORTEST).unwrap_or(Timestamp::MAX);
    if gone || bound.is_some_and(|bound| bound < soon) {
        let text = "the credential that you use has ended, or ends in a moment: log in again";
        return Err(Refused::denied(text));
    }
    let narrowed = Grant {
        groups: wanted.groups.clone(),
        bounds: wanted.bounds.clone(),
        ..known.grant.clone()
    };
    Ok(Plan { grant: narrowed, parent: known.family.clone(), bound })
}

/// What an administrator makes for somebody else comes from no credential.
fn for_other(subject: &Subject, wanted: &NewToken, facts: &Facts<'_>) -> Result<Plan, Refused> {
    let mut grant = match subject {
        Subject::User(name) => {
            let user = facts.users.get(name);
            let user =
                user.ok_or_else(|| Refused::Missing(format!("there is no user `{name}`")))?;
            if user.disabled {
                let text =
                    format!("the user `{name}` is disabled: `portcullis user enable {name}`");
                return Err(Refused::Conflict(text));
            }
            Grant::unlimited(subject.clone(), Kind::User, (facts.begins)(subject))
        }
        Subject::Service(name) => {
            let service = (facts.services)(name).ok_or_else(|| {
                Refused::Missing(format!(
                    "there is no service `{name}`: `portcullis service add {name}`"
                ))
            })?;
            if service.disabled {
                let text =
                    format!("the service `{name}` is disabled: `portcullis service enable {name}`");
                return Err(Refused::Conflict(text));
            }
            Grant::unlimited(subject.clone(), Kind::Service, (facts.begins)(subject))
        }
        Subject::Peer { .. } | Subject::Anonymous => {
            return Err(Refused::Wrong(format!(
                "tokens are made for users and services, not for `{subject}`"
            )));
        }
    };
    let held = facts.policy.groups_of(&caller(&grant, facts));
    for group in wanted.groups.iter().flatten().filter(|group| !held.contains(*group)) {
        if grant.kind != Kind::Service {
            return Err(Refused::Wrong(format!("{subject} is not in the group `{group}`")));
        }
        if !facts.policy.may_be_asserted(group) {
            return Err(Refused::Wrong(format!(
                "{subject} is not in the group `{group}`, whose members the policies list"
            )));
        }
        grant.asserted.push(group.clone());
    }
    grant.groups = wanted.groups.clone();
    grant.bounds = wanted.bounds.clone();
    Ok(Plan { grant, parent: None, bound: None })
}

/// The subject of a grant, with all groups that somebody asserts.
fn caller(grant: &Grant, facts: &Facts<'_>) -> Caller {
    let groups = match (&grant.subject, grant.kind) {
        (Subject::User(name), Kind::User) => {
            facts.users.get(name).map(|user| user.groups.clone()).unwrap_or_default()
        }
        _ => grant.asserted.clone(),
    };
    Caller::new(grant.subject.clone(), groups)
}

fn make(
    maker: &Maker,
    wanted: NewToken,
    plan: Plan,
    facts: &Facts<'_>,
    keys: &KeyRing,
) -> Result<Made, Refused> {
    let Plan { grant, parent, bound } = plan;
    let audience = wanted.audience.map(|gate| gate.as_str().to_owned());
    let (kind, family) = match wanted.refreshable {
        true => (FamilyKind::Rotating, Some(TokenId::random()?)),
        // One token that is named as its family is.
        false => (FamilyKind::Access, None),
    };
    let order = Order {
        grant: grant.clone(),
        family,
        audience: audience.clone(),
        access: None,
        lifetime: wanted.life,
        not_after: bound,
    };
    let (access_token, claims) = mint(order, keys, facts.issuer, facts.now)?;
    let expires_at = claims.expires().unwrap_or(facts.now);
    let ends_at = match kind {
        FamilyKind::Access => expires_at,
        FamilyKind::Rotating | FamilyKind::Login | FamilyKind::Session => {
            let end = facts.now.saturating_add(facts.settings.max_ttl).unwrap_or(expires_at);
            bound.map_or(end, |bound| bound.min(end))
        }
    };
    let family = Family {
        id: claims.family,
        kind,
        grant,
        audience,
        access_ttl: wanted.life,
        made_at: facts.now,
        made_by: maker.to_string(),
        comment: wanted.comment.as_str().to_owned(),
        parent,
        ends_at,
        idle: None,
        last_use: None,
        revoked_at: None,
    };
    let refresh_token = wanted.refreshable.then(RefreshToken::random).transpose()?;
    Ok(Made { family, access_token, expires_at, refresh_token })
}

#[cfg(test)]
mod tests;
