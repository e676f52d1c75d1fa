//! `/` and `/ui/`: pages for people.
//!
//! Rendered here, without a build step; a little script filters tables and copies text, and
//! everything works without it. What a page shows is what the API says, asked by the same functions
//! in the name of whoever signed in, so no page knows or allows more than a command would.
//!
//! A page loads nothing from outside the gate: its content security policy (`guard.rs`) forbids it.
//! All text in it is escaped by the templates, in `templates/`.

mod access;
mod activity;
mod address;
mod admin;
mod assets;
mod denial;
mod escape;
mod form;
mod frame;
mod guard;
mod image;
mod order;
mod problem;
mod provider;
mod query;
mod repository;
mod search;
mod session;
mod shown;
mod sign_in;
mod start;
mod summary;
mod tokens;
mod verdict;
mod vulnerability;

use std::sync::Arc;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{get, post};

use crate::catalog::Catalog;
use crate::service::api::Api;
use crate::service::api::gate::survey::Survey;
pub(crate) use address::image_page;

/// What all pages need.
pub(crate) struct Web {
    /// What they show, and what is done there.
    pub(crate) api: Arc<Api>,
    /// Where images are looked for.
    pub(crate) catalog: Catalog,
    /// What gates hold, as far as it was counted.
    survey: Survey,
}

/// The pages. Each request needs a [`crate::identity::ClientAddress`] among its extensions.
pub(crate) fn router(api: Arc<Api>) -> Router {
    let catalog = Catalog::new(Arc::clone(&api.issue.state));
    let web = Arc::new(Web { api, catalog, survey: Survey::new() });
    // Before somebody has to wait for it.
    let early = Arc::clone(&web);
    web.api.issue.state.later("read what pages search", move |_| async move {
        early.catalog.current().await.map(drop)
    });
    Router::new()
        .route("/ui/sign-in", get(sign_in::show).post(sign_in::sign_in))
        .route("/ui/sign-in/with", post(provider::depart))
        .route("/ui/sign-in/callback/{provider}", get(provider::arrive))
        .route("/ui/sign-out", post(sign_in::sign_out))
        .route("/", get(search::show))
        .route("/ui/repository", get(repository::show))
        .route("/ui/vulnerability", get(vulnerability::show))
        .route("/ui/denial", get(denial::show))
        .route("/ui/tokens", get(tokens::show).post(tokens::create))
        .route("/ui/tokens/revoke", post(tokens::revoke))
        .route("/ui/start", get(start::show))
        .route("/ui/image", get(image::show))
        .route("/ui/access", get(access::show))
        .route("/ui/image/raw", get(image::raw))
        .route("/ui/image/vulnerabilities", get(image::export))
        .route("/ui/image/flags", post(image::change_flag))
        .route("/ui/image/delete", get(image::confirm).post(image::delete))
        .merge(admin::routes())
        .fallback(problem::no_page)
        .method_not_allowed_fallback(problem::no_way)
        .layer(from_fn_with_state(Arc::clone(&web), guard::settle))
        .route("/ui/assets/{name}", get(assets::serve))
        .layer(from_fn(guard::headers))
        .with_state(web)
}

#[cfg(test)]
mod tests;
