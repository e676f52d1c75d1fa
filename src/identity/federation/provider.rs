//! One provider: what its ID tokens are worth here.

use jiff::Timestamp;
use policy::Subject;

use super::claim::{Claims, Condition};
use super::error::FederationError;
use super::id_token::{self, Unverified};
use super::settings::Settings;
use super::template::SubjectKind;
use crate::fetch::FetchError;
use crate::jwks::JwksSource;
use crate::token::{Expected, Grant, Kind, verify_signature};

/// What comes of an ID token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// On whose behalf.
    pub grant: Grant,
    /// When all that comes of it ends.
    pub ends: Timestamp,
}

#[derive(Debug)]
pub(super) struct Provider {
    settings: Settings,
    keys: JwksSource,
}

impl Provider {
    pub(super) fn new(settings: Settings) -> Result<Self, FetchError> {
        let keys = JwksSource::new(settings.jwks.clone(), settings.ca.as_deref())?;
        Ok(Self { settings, keys })
    }

    pub(super) fn name(&self) -> &str {
        &self.settings.name
    }

    pub(super) fn issuer(&self) -> &str {
        self.settings.issuer.as_str()
    }

    /// Checks a token that says of itself what `unverified` holds.
    pub(super) async fn login(
        &self,
        token: &str,
        unverified: &Unverified,
        now: Timestamp,
    ) -> Result<Login, FederationError> {
        // Tokens of others are no reason to ask for keys.
        if unverified.issuer != self.issuer() {
            return Err(FederationError::Issuer);
        }
        let keys = self.keys.keys(&unverified.kid, now).await?;
        let claims: Claims = verify_signature(token, &keys, Expected::IdToken)?;
        id_token::check(&claims, self.issuer(), &self.settings.audience, now)?;
        let failed = self.settings.require.iter().find(|condition| !condition.holds(&claims));
        if let Some(Condition { claim, .. }) = failed {
            return Err(FederationError::Required(claim.as_str().to_owned()));
        }
        let name = self.settings.subject.name(&claims).ok_or(FederationError::Subject)?;
        let subject = match self.settings.subject.kind() {
            SubjectKind::User => Subject::User(name),
            SubjectKind::Service => Subject::Service(name),
        };
        let grant = Grant {
            via: Some(self.settings.name.clone()),
            asserted: self.groups(&claims),
            ..Grant::unlimited(subject, Kind::Federated, now)
        };
        let ends = self.ends(&grant).ok_or(FederationError::SessionOver)?;
        Ok(Login { grant, ends })
    }

    fn groups(&self, claims: &Claims) -> Vec<String> {
        let is_member = |conditions: &[Condition]| conditions.iter().any(|c| c.holds(claims));
        let groups = self.settings.groups.iter();
        groups.filter(|(_, c)| is_member(c)).map(|(group, _)| group.clone()).collect()
    }

    /// When what came of a login ends; none if no clock shows such a time.
    fn ends(&self, grant: &Grant) -> Option<Timestamp> {
        grant.auth_time.checked_add(self.settings.session).ok()
    }

    /// The groups of one who logged in before, as far as they are still mapped.
    pub(super) fn standing(
        &self,
        grant: &Grant,
        now: Timestamp,
    ) -> Result<Vec<String>, FederationError> {
        if self.ends(grant).is_none_or(|ends| ends <= now) {
            return Err(FederationError::SessionOver);
        }
        let is_ours = matches!(
            (&grant.subject, self.settings.subject.kind()),
            (Subject::User(_), SubjectKind::User) | (Subject::Service(_), SubjectKind::Service)
        );
        if !is_ours {
            return Err(FederationError::Subject);
        }
        let mapped = |name: &String| self.settings.groups.iter().any(|(group, _)| group == name);
        Ok(grant.asserted.iter().filter(|name| mapped(name)).cloned().collect())
    }
}
