//! One provider: what its ID tokens are worth here.

use jiff::Timestamp;
use policy::Subject;

use super::claim::{Claims, Condition};
use super::error::FederationError;
use super::id_token::{self, Audience, Unverified};
use super::recycled::Forge;
use super::settings::Settings;
use super::sign_in::{Arrival, Client, Departure, SignIn, SignInError};
use super::template::SubjectKind;
use crate::fetch::FetchError;
use crate::jwks::{JwksSource, KeySetState};
use crate::public_url::PublicUrl;
use crate::secret::Secret;
use crate::token::{Expected, Grant, Kind, verify_signature};

/// What comes of an ID token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// On whose behalf.
    pub grant: Grant,
    /// When all that comes of it ends.
    pub ends: Timestamp,
}

/// What is known of a provider at this moment, for people.
#[derive(Debug, Clone)]
pub struct ProviderState {
    /// Our name for it.
    pub name: String,
    /// The issuer of its tokens.
    pub issuer: String,
    /// Whom these must be for.
    pub audience: String,
    /// What runs the jobs that its tokens are for, where that is known; none where they are for people.
    pub jobs: Option<Forge>,
    /// Its keys, which are asked for when somebody shows a token.
    pub keys: KeySetState,
}

#[derive(Debug)]
pub(super) struct Provider {
    settings: Settings,
    keys: JwksSource,
    /// What the gate is to it, where people sign in there.
    client: Option<Client>,
}

impl Provider {
    pub(super) fn new(settings: Settings) -> Result<Self, FetchError> {
        let keys = JwksSource::new(settings.jwks.clone(), settings.ca.as_deref())?;
        let client = settings.sign_in.as_ref();
        let client = client.map(|sign_in| Client::new(&settings, sign_in)).transpose()?;
        Ok(Self { settings, keys, client })
    }

    pub(super) fn state(&self) -> ProviderState {
        let Settings { name, issuer, audience, .. } = &self.settings;
        ProviderState {
            name: name.clone(),
            issuer: issuer.as_str().to_owned(),
            audience: audience.clone(),
            jobs: self.settings.jobs(),
            keys: self.keys.state(),
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.settings.name
    }

    pub(super) fn issuer(&self) -> &str {
        self.settings.issuer.as_str()
    }

    /// How people sign in there, if they do.
    pub(super) fn sign_in(&self) -> Option<&SignIn> {
        self.settings.sign_in.as_ref()
    }

    /// Where a browser goes to sign in.
    pub(super) async fn depart(
        &self,
        departure: &Departure,
        here: &PublicUrl,
        now: Timestamp,
    ) -> Result<String, SignInError> {
        self.client()?.depart(departure, here, now).await
    }

    /// The ID token of whoever came back from there.
    pub(super) async fn redeem(
        &self,
        departure: &Departure,
        arrival: &Arrival,
        here: &PublicUrl,
        now: Timestamp,
    ) -> Result<Secret, SignInError> {
        self.client()?.redeem(departure, arrival, here, now).await
    }

    fn client(&self) -> Result<&Client, SignInError> {
        self.client.as_ref().ok_or(SignInError::UnknownProvider)
    }

    /// Checks a token that says of itself what `unverified` holds.
    pub(super) async fn login(
        &self,
        token: &str,
        unverified: &Unverified,
        now: Timestamp,
    ) -> Result<Login, FederationError> {
        let claims = self.signed(token, unverified, now).await?;
        let audience = Audience::Service(&self.settings.audience);
        id_token::check(&claims, self.issuer(), audience, now)?;
        self.vouched_for(&claims, now)
    }

    /// Checks a token that the gate had made for this sign-in. It is for the gate as a client of the
    /// provider, which is another audience than that of tokens in the place of passwords.
    pub(super) async fn login_of(
        &self,
        departure: &Departure,
        token: &str,
        now: Timestamp,
    ) -> Result<Login, FederationError> {
        let sign_in = self.sign_in().ok_or(FederationError::UnknownProvider)?;
        let claims = self.signed(token, &Unverified::read(token)?, now).await?;
        id_token::check(&claims, self.issuer(), Audience::Client(sign_in.client_id.as_str()), now)?;
        id_token::check_nonce(&claims, departure.nonce().expose())?;
        self.vouched_for(&claims, now)
    }

    /// The claims of a token that the provider signed.
    async fn signed(
        &self,
        token: &str,
        unverified: &Unverified,
        now: Timestamp,
    ) -> Result<Claims, FederationError> {
        // Tokens of others are no reason to ask for keys.
        if unverified.issuer != self.issuer() {
            return Err(FederationError::Issuer);
        }
        let keys = self.keys.keys(&unverified.kid, now).await?;
        Ok(verify_signature(token, &keys, Expected::IdToken)?)
    }

    /// Whom these claims stand for here.
    fn vouched_for(&self, claims: &Claims, now: Timestamp) -> Result<Login, FederationError> {
        let failed = self.settings.require.iter().find(|condition| !condition.holds(claims));
        if let Some(Condition { claim, .. }) = failed {
            return Err(FederationError::Required(claim.as_str().to_owned()));
        }
        let name = self.settings.subject.name(claims).ok_or(FederationError::Subject)?;
        let subject = match self.settings.subject.kind() {
            SubjectKind::User => Subject::User(name),
            SubjectKind::Service => Subject::Service(name),
        };
        let grant = Grant {
            via: Some(self.settings.name.clone()),
            asserted: self.groups(claims),
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
