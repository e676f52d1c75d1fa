//! `/ui/admin/`: what administrators look after.

mod audit;
mod overview;

use axum::Router;
use axum::routing::get;
use std::sync::Arc;

use super::Web;

/// The pages of administrators, in the order of their menu.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    Overview,
    Audit,
}

impl Section {
    const ALL: [Self; 2] = [Self::Overview, Self::Audit];

    /// Whether this is the page that the menu stands on. Templates compare by call.
    fn is(self, other: &Self) -> bool {
        self == *other
    }

    fn title(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Audit => "Audit trail",
        }
    }

    fn page(self) -> &'static str {
        match self {
            Self::Overview => "/ui/admin",
            Self::Audit => "/ui/admin/audit",
        }
    }
}

pub(super) fn routes() -> Router<Arc<Web>> {
    Router::new()
        .route(Section::Overview.page(), get(overview::show))
        .route(Section::Audit.page(), get(audit::show))
        .route("/ui/admin/audit/export", get(audit::export))
}
