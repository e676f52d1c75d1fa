//! The access token that comes out of a refresh.

use super::{Issue, Issued, Occasion, Refreshed};
use crate::identity::TokenEvent;
use crate::token::{MintError, Order, mint};

impl Issue {
    /// Makes the next access token of a family: like the first one, for who its holder is now. Here
    /// their groups are looked up at each use; one for another gate tells those that are left.
    ///
    /// # Errors
    /// The token cannot be made.
    pub fn renew(&self, refreshed: &Refreshed, occasion: Occasion) -> Result<Issued, MintError> {
        let Refreshed { known, family, .. } = refreshed;
        let mut grant = family.grant.clone();
        if family.audience.is_some() {
            grant.groups = Some(self.carried(known));
        }
        let order = Order {
            grant,
            family: Some(family.id.clone()),
            audience: family.audience.clone(),
            access: None,
            lifetime: family.access_ttl,
            not_after: Some(family.ends_at),
        };
        let authenticator = &self.authenticator;
        let (token, claims) =
            mint(order, &authenticator.keys(), authenticator.issuer(), occasion.now)?;
        authenticator.observer().tell(TokenEvent::Issued {
            grant: known.by,
            subject: &family.grant.subject,
            token_id: claims.jti.as_str(),
            address: occasion.address,
        });
        Ok(Issued { token, claims })
    }
}
