//! Portcullis: a gatekeeper for container registries.

pub mod identity {
    //! Who is asking.
    mod principal;
    pub use principal::{Access, Ceiling, Principal};
}
pub mod proxy {
    //! The data path.
    mod settings;
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
