//! Why the gate does not run.

use std::io;

use crate::audit;
use crate::fetch::FetchError;
use crate::identity::{NoRandom, users};
use crate::last_good::NoPolicy;
use crate::log;
use crate::proxy::ListenError;
use crate::proxy::tls::TlsError;
use crate::service::socket::SocketError;
use crate::signature::KeyFilesError;
use crate::store::{self, StoreError};
use crate::token::KeyError;
use crate::upstream::{self, PasswordError};

/// Why the gate does not run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The log's settings.
    #[error(transparent)]
    Log(#[from] log::Error),
    /// The policies.
    #[error(transparent)]
    Policies(#[from] NoPolicy),
    /// The files of users.
    #[error(transparent)]
    Users(#[from] users::Error),
    /// The certificate.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The signing keys.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// The keys whose signatures of images count.
    #[error(transparent)]
    TrustedKeys(#[from] KeyFilesError),
    /// The state cannot be opened.
    #[error(transparent)]
    State(#[from] store::OpenError),
    /// The state cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The certificates by which a provider, a trusted gate or the scanner is known.
    #[error(transparent)]
    Trust(#[from] FetchError),
    /// The admin socket.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// The upstream's password.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// The upstream's settings.
    #[error(transparent)]
    Upstream(#[from] upstream::Error),
    /// The audit trail.
    #[error(transparent)]
    Audit(#[from] audit::Error),
    /// The system.
    #[error(transparent)]
    Random(#[from] NoRandom),
    /// An address.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// Threads or signals.
    #[error("the system does not give what the gate needs to run")]
    System(#[from] io::Error),
}
