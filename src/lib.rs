//! Portcullis: a gatekeeper for container registries.

pub mod app;
pub mod atomic_file;
pub mod certificate;
pub mod cli;
pub mod config;
pub mod document;
pub mod audit;
pub mod identity {
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
}
pub mod log;
pub mod policy_folder;
pub mod metrics;
pub mod proxy {
    //! The data path.
    pub mod io;
    pub mod seal;
    mod settings;
    pub mod tls;
    pub use settings::{Limits, Listen, Tls};
}
pub mod secret;
pub mod service {
    //! What the gate itself answers.
    mod oauth;
    mod parameters;
    pub mod token;
}
pub mod service;
pub mod token {
    //! Access tokens.
    mod access;
    mod claims;
    mod issuer;
    mod keys;
    mod mint;
    mod ring;
    mod scope;
    mod settings;
    mod verify;
    pub use claims::{Claims, Kind};
    pub use issuer::{InvalidUrl, Issuer};
    pub use keys::{KeyError, KeyFolder};
    pub use mint::{MintError, Order, mint};
    pub use ring::{BadKey, KeyRing};
    pub(crate) use scope::written;
    pub use scope::{Scopes, TooManyScopes};
    pub use settings::Settings;
    pub use verify::{InvalidToken, LEEWAY, MAX_TOKEN, verify};
    pub(crate) use verify::{in_time, looks_like_one};
}
pub mod upstream {
    //! The registry behind the gate.
    mod settings;
    pub use settings::{Credentials, Host, Redirects, Settings, Timeouts};
}
pub mod watch;
