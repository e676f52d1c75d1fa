//! Who is asking.

mod address;
mod authenticate;
mod challenge;
mod credentials;
mod failure;
mod observe;
pub mod password;
mod principal;
mod recent;
mod throttle;
pub mod users;
mod verified;

pub use address::ClientAddress;
pub use authenticate::{Authenticated, Authenticator, NoRandom};
pub use challenge::{Challenge, Complaint, Scope};
pub use credentials::Credentials;
pub use failure::{AuthError, Rejection};
pub use observe::{CheckResult, GrantType, Observer, TokenEvent};
pub use principal::{Access, Ceiling, Principal};
