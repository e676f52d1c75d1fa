//! Signing in with a name and a password.

use jiff::Timestamp;
use policy::Subject;

use super::address::ClientAddress;
use super::authenticate::{Authenticated, Authenticator};
use super::failure::{AuthError, Rejection};
use super::observe::GrantType;
use super::password::MAX_PASSWORD;
use super::principal::{Ceiling, Principal};
use super::users::Users;
use super::verified::Passwords;
use crate::secret::Secret;
use crate::token::{Grant, Kind};

impl Authenticator {
    pub(super) async fn password(
        &self,
        username: &str,
        password: &Secret,
        address: ClientAddress,
        now: Timestamp,
    ) -> Result<Authenticated, AuthError> {
        let users = self.users.load_full();
        let account = self.passwords.fingerprint(&[username]);
        if password.expose().len() > MAX_PASSWORD {
            self.may_try(account, address, now)?;
            drop(self.throttle.attempt(account, address, now));
            return Err(Rejection::PasswordTooLong.into());
        }
        let fingerprint = self.passwords.fingerprint(&[username, password.expose()]);
        // Before what is remembered: it would tell a guesser which of any number of guesses is the
        // password that somebody used a moment ago.
        self.may_try(account, address, now)?;
        if self.passwords.was_right(&fingerprint, &users, now) {
            return self.signed_in(&users, username, now);
        }
        let turn = self.passwords.turn().await?;
        // While this one waited, others with the same name may have failed, or succeeded.
        self.may_try(account, address, now)?;
        if self.passwords.was_right(&fingerprint, &users, now) {
            return self.signed_in(&users, username, now);
        }
        let attempt = self.throttle.attempt(account, address, now);
        if !Passwords::check(turn, &users, username, password).await? {
            let known = users.get(username).is_some();
            let reason = if known { Rejection::WrongPassword } else { Rejection::UnknownUser };
            return Err(reason.into());
        }
        let known = self.signed_in(&users, username, now)?;
        attempt.succeeded();
        self.passwords.remember(fingerprint, &users, now);
        Ok(known)
    }

    pub(super) fn may_try(
        &self,
        account: [u8; 32],
        address: ClientAddress,
        now: Timestamp,
    ) -> Result<(), AuthError> {
        match self.throttle.wait(account, address, now) {
            Some(retry_after) => Err(AuthError::Throttled { retry_after }),
            None => Ok(()),
        }
    }

    /// A user whose password was right.
    fn signed_in(
        &self,
        users: &Users,
        name: &str,
        now: Timestamp,
    ) -> Result<Authenticated, AuthError> {
        let user = users.get(name).ok_or(Rejection::UnknownUser)?;
        if user.disabled {
            return Err(Rejection::Disabled.into());
        }
        let subject = Subject::User(name.to_owned());
        let began = self.state.revocations(|revocations, _| revocations.begins(&subject, now));
        let grant = Grant::unlimited(subject, Kind::User, began);
        Ok(Authenticated {
            principal: Principal {
                caller: grant.caller(user.groups.clone()),
                ceiling: Ceiling::Unlimited,
                token_id: None,
            },
            grant,
            family: None,
            by: GrantType::Password,
            expires: None,
        })
    }
}
