//! `/api/v1/image` and `/api/v1/images`: what is known of images, and what people and programs say of
//! them.

pub(crate) mod access;
mod around;
pub(crate) mod delete;
pub(crate) mod flags;
pub(crate) mod groups;
pub(crate) mod handled;
mod identity;
pub(crate) mod list;
pub(crate) mod named;
pub(crate) mod parts;
pub(crate) mod report;
pub(crate) mod scan;
pub(crate) mod show;
mod text;

use std::sync::Arc;

use axum::Router;
use axum::routing::{MethodRouter, get};

use super::Api;
pub(super) use list::Cursor;
pub(super) use named::{Named, Need, Shown, parse};
pub(super) use parts::platform_text;
pub(super) use text::{Expiry, line, shown_subject};

/// Where each of them is. All take a query.
pub(super) fn paths() -> Vec<(&'static str, MethodRouter<Arc<Api>>)> {
    vec![
        ("/images", get(list::list)),
        ("/images/groups", get(groups::list)),
        ("/image", get(show::show).delete(delete::delete)),
        ("/image/deletion", get(delete::preview)),
        ("/image/access", get(access::show)),
        ("/image/flags", get(flags::list).put(flags::set).post(flags::set).delete(flags::remove)),
        ("/image/report", get(report::list).put(report::send).post(report::send)),
        ("/image/scan", get(scan::show).post(scan::request)),
    ]
}

pub(super) fn routes() -> Router<Arc<Api>> {
    let with = |router: Router<Arc<Api>>, (path, methods)| router.route(path, methods);
    paths().into_iter().fold(Router::new(), with)
}
