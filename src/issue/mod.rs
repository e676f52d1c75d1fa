//! Giving out tokens, refreshing them and taking them back: what the token endpoint, the API and the
//! command line have in common.

mod access;
mod create;
mod elsewhere;
mod list;
mod login;
mod maker;
pub mod new_token;
mod refresh;
mod refused;
mod renew;
mod revoke;
#[cfg(test)]
pub(crate) mod sample;
mod service_name;

use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;
use policy::Policy;

pub use access::{Issued, Wanted};
pub use create::Made;
pub use elsewhere::ElsewhereError;
pub use list::{Cursor, InvalidCursor, Listing, Page, Whose};
pub use login::LoginError;
pub use maker::Maker;
pub use refresh::Refreshed;
pub use refused::Refused;
pub use revoke::Ending;
pub use service_name::{InvalidServiceName, ServiceName};

use crate::clock::Now;
use crate::identity::Authenticator;
use crate::state::State;
use crate::token::{Settings, Succession};

/// The policy of this moment.
pub type CurrentPolicy = Box<dyn Fn() -> Arc<Policy> + Send + Sync>;

/// Gives out tokens.
pub struct Issue {
    /// Knows who asks.
    pub authenticator: Arc<Authenticator>,
    /// Keeps what is given out.
    pub state: Arc<State>,
    /// Makes the successors of refresh tokens.
    pub succession: Succession,
    /// How long tokens live.
    pub settings: Settings,
    /// What may be granted at all.
    pub policy: CurrentPolicy,
    /// What time it is.
    pub now: Now,
}

/// From where something is asked for, and when.
#[derive(Debug, Clone, Copy)]
pub struct Occasion {
    /// From where.
    pub address: IpAddr,
    /// When.
    pub now: Timestamp,
}

#[cfg(test)]
mod tests;
