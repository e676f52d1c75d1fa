//! Access tokens.

mod access;
mod claims;
mod keys;
mod mint;
mod ring;
mod scope;
mod settings;
mod verify;

pub use claims::{Claims, Kind};
pub use keys::{KeyError, KeyFolder};
pub use mint::{MintError, Order, mint};
pub use ring::{BadKey, KeyRing};
pub(crate) use scope::written;
pub use scope::{Scopes, TooManyScopes};
pub use settings::Settings;
pub use verify::{InvalidToken, LEEWAY, MAX_TOKEN, verify};
pub(crate) use verify::{in_time, looks_like_one, verify_expired};
