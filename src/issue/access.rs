//! Access tokens for the registry, made from whatever credential was shown.

use std::time::Duration;

use policy::Subject;

use super::{Issue, Occasion};
use crate::identity::{Access, Authenticated, TokenEvent};
use crate::secret::Secret;
use crate::token::{Claims, Kind, MintError, Order, Scopes, mint};

/// What somebody asks for.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// What it is to be good for.
    pub scopes: &'a Scopes,
    /// The service of another gate, where it is to be good there and not here.
    pub audience: Option<&'a str>,
    /// The longest life, where it was made with less than what the settings give.
    pub lifetime: Option<Duration>,
}

impl<'a> Wanted<'a> {
    /// What is good here, as long as the settings say.
    #[must_use]
    pub fn here(scopes: &'a Scopes) -> Self {
        Self { scopes, audience: None, lifetime: None }
    }
}

/// A token, and what is in it.
#[derive(Debug)]
pub struct Issued {
    /// The token.
    pub token: Secret,
    /// What it says.
    pub claims: Claims,
}

impl Issued {
    /// What was granted of what was asked for.
    #[must_use]
    pub fn access(&self) -> &[Access] {
        self.claims.access.as_deref().unwrap_or_default()
    }
}

impl Issue {
    /// Makes an access token from a credential. It reaches no further than the credential, belongs
    /// to its family and does not outlive it. At this gate it holds what policy grants of what was
    /// asked for on anything in that repository; at another, that gate's policy will see to it.
    ///
    /// # Errors
    /// The token would be too long, or its maker may have none for another gate.
    pub fn access(
        &self,
        known: &Authenticated,
        wanted: Wanted<'_>,
        occasion: Occasion,
    ) -> Result<Issued, MintError> {
        let longest = self.settings.access_ttl;
        let policy = (self.policy)();
        let caller = &known.principal.caller;
        let access = wanted.scopes.grant(&known.principal.ceiling, |action, name| {
            wanted.audience.is_some() || policy.grants_ever(caller, action, name)
        });
        let mut grant = known.grant.clone();
        if wanted.audience.is_some() {
            // What a peer vouches for is no word of ours; and nobody in particular needs no token.
            if matches!(grant.kind, Kind::Peer | Kind::Anonymous) {
                return Err(MintError::NotOurs);
            }
            grant.groups = Some(self.carried(known));
        }
        let order = Order {
            grant,
            family: known.family.clone(),
            audience: wanted.audience.map(str::to_owned),
            access: Some(access),
            lifetime: wanted.lifetime.unwrap_or(longest).min(longest),
            not_after: known.expires,
        };
        let authenticator = &self.authenticator;
        let (token, claims) =
            mint(order, &authenticator.keys(), authenticator.issuer(), occasion.now)?;
        self.issued(known, &caller.subject, &claims, occasion);
        Ok(Issued { token, claims })
    }

    /// The groups that a credential carries, each of them that its subject has now.
    pub(super) fn carried(&self, known: &Authenticated) -> Vec<String> {
        let caller = &known.principal.caller;
        let held = (self.policy)().groups_of(caller);
        let carries = |group: &String| {
            caller.granting.as_ref().is_none_or(|granting| granting.contains(group))
        };
        held.into_iter().filter(carries).collect()
    }

    fn issued(
        &self,
        known: &Authenticated,
        subject: &Subject,
        claims: &Claims,
        occasion: Occasion,
    ) {
        self.authenticator.observer().tell(TokenEvent::Issued {
            grant: known.by,
            subject,
            token_id: claims.jti.as_str(),
            address: occasion.address,
        });
    }
}
