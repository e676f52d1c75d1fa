//! Signing in to the pages at a provider: the authorization code flow with PKCE (OpenID Connect
//! Core, section 3.1; RFC 7636).
//!
//! A browser departs to the provider and arrives with a code, for which the provider gives the gate
//! an ID token. What binds the two ways to each other is kept by the browser alone, sealed, so that
//! any replica takes the arrival.

mod arrival;
mod client;
mod departure;
mod discovery;
mod error;
mod settings;

pub use arrival::Arrival;
pub(super) use client::Client;
pub use departure::Departure;
pub use discovery::DiscoveryError;
pub use error::SignInError;
pub use settings::{ClientId, Offer, Scope, SignIn, Title};
