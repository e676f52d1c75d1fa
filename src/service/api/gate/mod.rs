//! `/api/v1/gates` and `/api/v1/exceptions`: release gates, and who broke the glass.

pub(crate) mod exceptions;
mod forecast;
pub(crate) mod list;
pub(crate) mod survey;
pub(crate) mod verdict;
mod whom;

use std::sync::Arc;

use axum::Router;
use axum::routing::{MethodRouter, delete, get};

use super::Api;
pub(super) use list::mode;
pub(super) use verdict::{Verdicts, verdicts};

/// Where each of them is.
pub(super) fn paths() -> Vec<(&'static str, MethodRouter<Arc<Api>>)> {
    vec![
        ("/gates", get(list::list)),
        ("/gates/forecast", get(forecast::show)),
        ("/image/gates", get(verdict::show)),
        ("/exceptions", get(exceptions::list).post(exceptions::add)),
        ("/exceptions/{id}", delete(exceptions::remove)),
    ]
}

pub(super) fn routes() -> Router<Arc<Api>> {
    let with = |router: Router<Arc<Api>>, (path, methods)| router.route(path, methods);
    paths().into_iter().fold(Router::new(), with)
}
