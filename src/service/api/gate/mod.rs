//! `/api/v1/gates` and `/api/v1/exceptions`: release gates, and who broke the glass.

use std::sync::Arc;

use axum::Router;
use axum::routing::MethodRouter;

use super::Api;

/// Where each of them is.
pub(super) fn paths() -> Vec<(&'static str, MethodRouter<Arc<Api>>)> {
    Vec::new()
}

pub(super) fn routes() -> Router<Arc<Api>> {
    let with = |router: Router<Arc<Api>>, (path, methods)| router.route(path, methods);
    paths().into_iter().fold(Router::new(), with)
}
