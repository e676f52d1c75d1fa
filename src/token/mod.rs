//! Access tokens.

mod access;
mod claims;
mod family;
mod grant;
mod invalid;
mod jwk;
mod key_files;
mod keys;
mod live_keys;
mod mint;
pub mod refresh;
mod ring;
mod scope;
mod settings;
mod signed;
mod verify;
mod verifying;
pub(crate) mod written_bounds;

pub use claims::Claims;
pub use family::{Ended, Family, FamilyKind, InvalidTokenId, LastUse, NoRandomBytes, TokenId};
pub use grant::{Grant, Kind};
pub use invalid::InvalidToken;
pub use key_files::{KeyAlgorithm, KeyState, UnknownAlgorithm};
pub use keys::{KeyError, KeyFolder, ListedKey};
pub use live_keys::Keys;
pub use mint::{MintError, Order, mint};
pub use refresh::{RefreshToken, Succession, TokenHash};
pub use ring::{BadKey, KeyRing};
pub(crate) use scope::written;
pub use scope::{Scopes, TooManyScopes};
pub use settings::Settings;
pub use signed::{ACCESS_TOKEN, Expected, MAX_TOKEN, verify_signature};
pub use verify::{LEEWAY, verify, verify_from};
pub(crate) use verify::{in_time, looks_like_one, verify_expired};
pub use verifying::{BadJwks, MAX_JWKS, MAX_JWKS_KEYS, VerifyingKeys};
