//! `/ui/admin/`: what administrators look after.
//!
//! To everybody else each of these pages is denied, by the functions of the API that they ask; and no
//! menu leads there.

mod audit;
mod exceptions;
mod gates;
mod keys;
mod overview;
mod peers;
mod policy;
mod policy_file;
mod reloads;
mod scanning;
mod services;
mod shadow;
mod users;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};

use super::Web;

/// The pages of administrators, in the order of their menu.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    Overview,
    Policy,
    Reloads,
    Shadow,
    Gates,
    Exceptions,
    Audit,
    Scanning,
    Services,
    Users,
    Keys,
    Peers,
}

impl Section {
    const ALL: &[Self] = &[
        Self::Overview,
        Self::Policy,
        Self::Reloads,
        Self::Shadow,
        Self::Gates,
        Self::Exceptions,
        Self::Audit,
        Self::Scanning,
        Self::Services,
        Self::Users,
        Self::Keys,
        Self::Peers,
    ];

    /// Whether this is the page that the menu stands on. Templates compare by call.
    fn is(self, other: &Self) -> bool {
        self == *other
    }

    fn title(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Policy => "Policy",
            Self::Reloads => "Reloads",
            Self::Shadow => "Shadow policy",
            Self::Gates => "Gates",
            Self::Exceptions => "Exceptions",
            Self::Audit => "Audit trail",
            Self::Scanning => "Scanning",
            Self::Services => "Services",
            Self::Users => "Users",
            Self::Keys => "Keys",
            Self::Peers => "Trust",
        }
    }

    fn page(self) -> &'static str {
        match self {
            Self::Overview => "/ui/admin",
            Self::Policy => "/ui/admin/policy",
            Self::Reloads => "/ui/admin/reloads",
            Self::Shadow => "/ui/admin/shadow",
            Self::Gates => "/ui/admin/gates",
            Self::Exceptions => "/ui/admin/exceptions",
            Self::Audit => "/ui/admin/audit",
            Self::Scanning => "/ui/admin/scanning",
            Self::Services => "/ui/admin/services",
            Self::Users => "/ui/admin/users",
            Self::Keys => "/ui/admin/keys",
            Self::Peers => "/ui/admin/trust",
        }
    }
}

pub(super) fn routes() -> Router<Arc<Web>> {
    Router::new()
        .route(Section::Overview.page(), get(overview::show))
        .route(Section::Policy.page(), get(policy::show))
        .route("/ui/admin/policy/file", get(policy_file::show))
        .route(Section::Reloads.page(), get(reloads::show))
        .route(Section::Shadow.page(), get(shadow::show))
        .route(Section::Gates.page(), get(gates::show))
        .route(Section::Exceptions.page(), get(exceptions::show).post(exceptions::add))
        .route("/ui/admin/exceptions/remove", post(exceptions::remove))
        .route(Section::Audit.page(), get(audit::show))
        .route("/ui/admin/audit/export", get(audit::export))
        .route(Section::Scanning.page(), get(scanning::show))
        .route(Section::Services.page(), get(services::show).post(services::add))
        .route("/ui/admin/services/change", post(services::change))
        .route(Section::Users.page(), get(users::show))
        .route(Section::Keys.page(), get(keys::show))
        .route(Section::Peers.page(), get(peers::show))
}

#[cfg(test)]
mod tests;
