//! The data path: from an accepted connection to an answer.
//!
//! [`Gate`] holds what every request needs. `request.rs` reads like the life of a request; what it
//! calls lies beside it.

mod act;
#[cfg(test)]
mod built_on;
mod connection;
mod exchange;
mod forward;
#[cfg(test)]
mod gated;
mod headers;
mod held;
pub mod io;
mod listener;
mod lists;
mod manifests;
mod request;
pub(crate) mod request_id;
#[cfg(test)]
mod sample_gate;
pub mod seal;
mod services;
mod settings;
mod shadow;
pub mod tls;
mod uploads;
#[cfg(test)]
mod worlds;

use std::sync::Arc;

use crate::audit::Audit;
use crate::authorize::Locks;
use crate::clock::Clock;
use crate::config::Network;
use crate::identity::Authenticator;
use crate::inventory::Inventory;
use crate::metrics::Metrics;
use crate::release::Release;
use crate::reload::PolicyFiles;
use crate::shadow::Shadow;
use crate::signature::KeyFiles;
use crate::upstream::Upstream;
use crate::watch::Reloaded;
pub(crate) use act::{Act, Client};
pub use held::Held;
pub use listener::{Bound, ListenError, Listeners, Stop};
pub use lists::Turns;
pub use request_id::RequestIds;
use seal::Seal;
pub use settings::{Limits, Listen, Tls};

/// Everything that a request needs; made once.
pub struct Gate {
    /// Who is asking.
    pub authenticator: Arc<Authenticator>,
    /// What time it is.
    pub clock: Arc<Clock>,
    /// What they may do, as it stands now.
    pub policy: Arc<Reloaded<PolicyFiles>>,
    /// What decides beside it and changes nothing, if there is such a policy.
    pub shadow: Option<Arc<Shadow>>,
    /// Which tags vouch for which digests.
    pub inventory: Inventory,
    /// Whose signatures of images count.
    pub trusted_keys: Arc<Reloaded<KeyFiles>>,
    /// The registry.
    pub upstream: Arc<Upstream>,
    /// Says what gates hold back.
    pub release: Arc<Release>,
    /// One for each repository.
    pub locks: Locks,
    /// For upload locations.
    pub seal: Seal,
    /// What was done.
    pub audit: Arc<Audit>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// What a client may take.
    pub limits: Limits,
    /// Room for bodies that are read whole.
    pub held: Held,
    /// Lists that may be read at the same time.
    pub lists: Turns,
    /// Namespaces of other registries that are mirrored here.
    pub mirrors: oci::Mirrors,
    /// Whose word about the client's address counts.
    pub trusted_proxies: Vec<Network>,
    /// Names for requests.
    pub request_ids: RequestIds,
    /// `/token` and what else is not `/v2/`.
    pub services: axum::Router,
}
