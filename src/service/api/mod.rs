//! `/api/v1`: what people and programs ask of the gate itself, as JSON.
//!
//! The same routes are reached over the gate's listeners, with a credential as on `/v2/`, and over
//! the admin socket and by the command line without one, as [`LocalAdministrator`].

pub(crate) mod decide;
pub(crate) mod gate;
pub(crate) mod image;
pub(crate) mod in_force;
pub(crate) mod input;
mod openapi;
mod problem;
mod refresh;
mod requester;
pub(crate) mod revoke;
pub(crate) mod services;
pub(crate) mod shadow;
pub(crate) mod status;
pub(crate) mod tokens;
pub(crate) mod trail;
pub(crate) mod users;
mod whoami;

use std::sync::Arc;

use arc_swap::ArcSwap;
use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, any, delete, get, post};
use http::header::{ALLOW, CACHE_CONTROL};
use http::{HeaderValue, StatusCode};
use jiff::Timestamp;
use policy::Policy;

use crate::audit::Audit;
use crate::authorize::{Locks, Question};
use crate::identity::Principal;
use crate::identity::peers::Peers;
use crate::identity::users::Users;
use crate::inventory::Inventory;
use crate::issue::Issue;
use crate::metrics::Metrics;
use crate::proxy::request_id;
use crate::proxy::seal::Seal;
use crate::release::Release;
use crate::reload::PolicyFiles;
use crate::shadow::Shadow;
use crate::status::Status;
use crate::store::{Store, StoreError};
use crate::upstream::Upstream;
use crate::watch::Reloaded;

pub(crate) use problem::{Denial, Problem};
pub use requester::LocalAdministrator;
pub(crate) use requester::Requester;

/// Answers are for whoever asked, and of this moment.
const NOT_STORED: HeaderValue = HeaderValue::from_static("no-store");

/// Where the routes are.
const PREFIX: &str = "/api/v1";

/// Everything that the API needs.
pub struct Api {
    /// What is done with tokens, and with what: who asks, what is kept, the policy, the clock.
    pub issue: Arc<Issue>,
    /// Who can log in with a password.
    pub users: Arc<ArcSwap<Users>>,
    /// What was done.
    pub audit: Arc<Audit>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// What another policy would have decided, where there is one beside the policy in force.
    pub shadow: Option<Arc<Shadow>>,
    /// The policy in force, with where it comes from.
    pub policies: Arc<Reloaded<PolicyFiles>>,
    /// The gates that are trusted.
    pub peers: Arc<Peers>,
    /// How the gate is doing.
    pub status: Arc<Status>,
    /// What is asked about images.
    pub images: Images,
}

/// The images behind the gate. All clones are of the same.
#[derive(Clone)]
pub struct Images {
    /// Which tags vouch for which digests.
    pub inventory: Inventory,
    /// The registry.
    pub upstream: Arc<Upstream>,
    /// What judges them.
    pub release: Arc<Release>,
    /// Seals what travels through a client's hands.
    pub seal: Arc<Seal>,
    /// Whether there is a scanner that scans what is asked for.
    pub has_scanner: bool,
}

/// What decides about images for one request.
struct Deciding {
    policy: Arc<Policy>,
    principal: Principal,
    now: Timestamp,
    /// Nothing is changed in the registry here.
    locks: Locks,
}

impl Api {
    /// The most requests to the upstream that one question may cost.
    fn max_requests(&self) -> usize {
        self.images.inventory.settings().max_requests
    }

    /// Changes what is said of images, and has that in force here before it is answered: who takes a
    /// flag away must not see it count for seconds.
    async fn change<T, F>(&self, work: impl FnOnce(Arc<dyn Store>) -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>> + Send + 'static,
        T: Send + 'static,
    {
        let done = self.issue.state.ask(work).await?;
        self.issue.state.look().await?;
        Ok(done)
    }

    fn question<'a>(&'a self, deciding: &'a Deciding) -> Question<'a> {
        let Deciding { policy, principal, now, locks } = deciding;
        Question {
            policy,
            inventory: &self.images.inventory,
            upstream: &self.images.upstream,
            locks,
            seal: &self.images.seal,
            release: &self.images.release,
            principal,
            now: *now,
            max_requests: self.max_requests(),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.issue.now)()
    }

    /// The policy in force.
    pub(crate) fn policy(&self) -> Arc<Policy> {
        (self.issue.policy)()
    }
}

/// The routes, below `/api/v1`. Each request needs a [`LocalAdministrator`] or a
/// [`crate::identity::ClientAddress`] among its extensions.
pub fn router(api: Arc<Api>) -> Router {
    let mut without_query = Router::new();
    for (path, methods) in routes() {
        without_query = without_query.route(path, methods);
    }
    let routes = without_query
        .layer(from_fn(input::no_query))
        .route(TOKENS, get(tokens::list))
        .route("/policy/shadow", get(shadow::show))
        .route("/policy/file", get(in_force::file))
        .merge(image::routes())
        .merge(gate::routes())
        .merge(trail::routes())
        .fallback(async || Problem::no_route())
        .layer(from_fn_with_state(Arc::clone(&api), whole))
        .with_state(api);
    // Nested routes take `/api/v1`, and not this.
    Router::new().nest(PREFIX, routes).route("/api/v1/", any(async || Problem::no_route()))
}

const TOKENS: &str = "/tokens";

/// All but the lists, which take a query.
fn routes() -> [(&'static str, MethodRouter<Arc<Api>>); 12] {
    [
        (TOKENS, post(tokens::create)),
        ("/tokens/{id}", delete(revoke::delete).get(tokens::show)),
        ("/tokens/revoke", post(revoke::revoke)),
        ("/refresh", post(refresh::refresh)),
        ("/services", get(services::list).post(services::add).patch(services::change)),
        ("/users", get(users::list)),
        ("/decide", post(decide::decide)),
        ("/policy", get(in_force::show)),
        ("/policy/reloads", get(in_force::reloads)),
        ("/status", get(status::show)),
        ("/whoami", get(whoami::show)),
        ("/openapi.json", get(openapi::show)),
    ]
}

/// Carries a request out to its end, also if the client goes away in the middle, so that nothing is
/// done without its record; and sees to what all answers have in common.
async fn whole(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    let answering = request_id::carried(next.run(request));
    let mut response = match tokio::spawn(answering).await {
        Ok(response) => response,
        Err(error) => {
            tracing::error!(%error, "a request to the API was not answered");
            Problem::internal().into_response()
        }
    };
    if response.status() == StatusCode::METHOD_NOT_ALLOWED {
        response = Problem::method(response.headers().get(ALLOW).cloned()).into_response();
    }
    if let Some(Denial(record)) = response.extensions_mut().remove()
        && let Err(unwritten) = api.audit.flush(record).await
    {
        response = Problem::from(unwritten).into_response();
    }
    response.headers_mut().insert(CACHE_CONTROL, NOT_STORED);
    response
}

#[cfg(test)]
pub(crate) mod tests;
