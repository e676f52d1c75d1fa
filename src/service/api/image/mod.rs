//! `/api/v1/image` and `/api/v1/images`: what is known of images, and what people and programs say of
//! them.

mod flags;
mod identity;
mod named;
mod parts;
mod report;
mod scan;
mod text;

use std::sync::Arc;

use axum::Router;
use axum::routing::{MethodRouter, get};

use super::Api;
pub(super) use named::{Named, Need, parse};
pub(super) use text::{Expiry, line, shown_subject};

/// Where each of them is. All take a query.
pub(super) fn paths() -> Vec<(&'static str, MethodRouter<Arc<Api>>)> {
    vec![("/image/flags", get(flags::list).put(flags::set).post(flags::set).delete(flags::remove))]
}

pub(super) fn routes() -> Router<Arc<Api>> {
    let with = |router: Router<Arc<Api>>, (path, methods)| router.route(path, methods);
    paths().into_iter().fold(Router::new(), with)
}
