//! Who is asking.

mod address;
mod authenticate;
mod bearer;
mod challenge;
mod credentials;
mod failure;
mod federated;
pub mod federation;
mod identity_token;
mod observe;
pub mod password;
mod password_login;
pub mod peers;
mod principal;
mod session;
mod signed_in_elsewhere;
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
