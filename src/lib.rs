//! Portcullis: a gatekeeper for container registries.

pub mod app;
pub mod atomic_file;
pub mod certificate;
pub mod cli;
pub mod config;
pub mod document;
pub mod identity {
    //! Who is asking.
    pub mod password;
    mod principal;
    pub mod users;
    pub use principal::{Access, Ceiling, Principal};
}
pub mod log;
pub mod proxy {
    //! The data path.
    pub mod io;
    pub mod seal;
    mod settings;
    pub mod tls;
    pub use settings::{Limits, Listen, Tls};
}
pub mod secret;
pub mod token {
    //! Access tokens.
    mod settings;
    pub use settings::Settings;
}
pub mod upstream {
    //! The registry behind the gate.
    mod settings;
    pub use settings::{Credentials, Host, Redirects, Settings, Timeouts};
}
pub mod watch;
