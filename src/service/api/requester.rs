//! Who asks.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::request::Parts;
use policy::Policy;

use crate::audit::Record;
use crate::identity::{Authenticated, Ceiling, ClientAddress, Credentials};
use crate::issue::{Maker, Refused};
use crate::proxy::request_id;

use super::Api;
use super::problem::Problem;

/// Somebody on the gate's own machine, as a request extension: the admin socket puts it there, and
/// the command line that works on the state itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalAdministrator {
    /// The number of the user.
    pub uid: u32,
}

/// Whoever sent a request, identified, with a credential that is good for the API.
#[derive(Debug, Clone)]
pub(crate) struct Requester {
    maker: Maker,
    address: Option<IpAddr>,
}

/// Whoever sent a request, if they say it, with whatever credential.
#[derive(Debug, Clone)]
pub(super) struct Visitor {
    requester: Option<Requester>,
    address: Option<IpAddr>,
}

/// From where a request came.
#[derive(Debug, Clone, Copy)]
pub(super) struct Address(pub(super) IpAddr);

impl Requester {
    /// Whoever showed a credential, from some address.
    pub(crate) fn known(known: Authenticated, address: IpAddr, policy: &Policy) -> Self {
        Self { maker: Maker::known(known, policy), address: Some(address) }
    }

    pub(crate) fn maker(&self) -> &Maker {
        &self.maker
    }

    /// From where; none on the gate's own machine.
    pub(crate) fn address(&self) -> Option<IpAddr> {
        self.address
    }

    /// Refuses whoever is no administrator.
    pub(crate) fn administrator(&self) -> Result<(), Problem> {
        match self.maker.is_administrator() {
            true => Ok(()),
            false => {
                Err(self.denied("this is for administrators (`administrators` in the policies)"))
            }
        }
    }

    /// A problem of theirs.
    pub(crate) fn refused(&self, refused: Refused) -> Problem {
        Problem::refused(refused, self.to_string(), self.address)
    }

    pub(crate) fn denied(&self, text: &str) -> Problem {
        Problem::denied(self.to_string(), self.address, text.to_owned())
    }

    /// A record of what they do.
    pub(crate) fn record(&self, event: &'static str) -> Record {
        let known = self.maker.credential();
        Record {
            request_id: request_id::current(),
            subject: Some(self.to_string()),
            kind: known.map(|known| known.grant.kind.as_str()),
            address: self.address,
            ..Record::new(event)
        }
    }

    /// A token of the token endpoint is for the registry, for what it was asked for there.
    fn for_the_api(self) -> Result<Self, Problem> {
        let known = self.maker.credential();
        if known.is_some_and(|known| known.principal.ceiling != Ceiling::Unlimited) {
            let text = "this token is for the registry: use a password, or a token that was made \
                        with `portcullis token create` or `portcullis login`";
            return Err(self.denied(text));
        }
        Ok(self)
    }
}

impl fmt::Display for Requester {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.maker.fmt(f)
    }
}

impl Visitor {
    /// They have to say who they are.
    pub(super) fn known(self, api: &Api) -> Result<Requester, Problem> {
        self.requester.ok_or_else(|| Problem::no_credential(api.issue.authenticator.issuer()))
    }

    /// A problem of theirs.
    pub(super) fn refused(&self, refused: Refused) -> Problem {
        let who = self.requester.as_ref().map(ToString::to_string);
        Problem::refused(refused, who.unwrap_or_default(), self.address)
    }

    /// A record of what they do.
    pub(super) fn record(&self, event: &'static str) -> Record {
        match &self.requester {
            Some(requester) => requester.record(event),
            None => Record { address: self.address, ..Record::new(event) },
        }
    }

    /// As [`Visitor::known`], with a credential that is good for more than the registry.
    pub(super) fn requester(self, api: &Api) -> Result<Requester, Problem> {
        self.known(api)?.for_the_api()
    }
}

impl FromRequestParts<Arc<Api>> for Visitor {
    type Rejection = Problem;

    /// A credential that is not accepted is never taken for none.
    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Problem> {
        if let Some(LocalAdministrator { uid }) = parts.extensions.get() {
            let requester = Requester { maker: Maker::local(*uid), address: None };
            return Ok(Self { requester: Some(requester), address: None });
        }
        let Address(address) = Address::from_request_parts(parts, api).await?;
        let rejected = |error| Problem::credential(&error, api.issue.authenticator.issuer());
        let Some(credentials) = Credentials::from_headers(&parts.headers).map_err(rejected)? else {
            return Ok(Self { requester: None, address: Some(address) });
        };
        let known = api.issue.authenticator.check(&credentials, address, api.now()).await;
        let known = known.map_err(rejected)?;
        let requester = Requester::known(known, address, &api.policy());
        Ok(Self { requester: Some(requester), address: Some(address) })
    }
}

impl FromRequestParts<Arc<Api>> for Address {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Api>) -> Result<Self, Problem> {
        if parts.extensions.get::<LocalAdministrator>().is_some() {
            return Ok(Self(IpAddr::V4(Ipv4Addr::LOCALHOST)));
        }
        let address = parts.extensions.get().map(|ClientAddress(address)| Self(*address));
        address.ok_or_else(|| {
            tracing::error!("a request came to the API without the address of its client");
            Problem::internal()
        })
    }
}

impl FromRequestParts<Arc<Api>> for Requester {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Problem> {
        Visitor::from_request_parts(parts, api).await?.requester(api)
    }
}
