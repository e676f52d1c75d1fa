//! The gate's own services, reached over the same listener.

use std::sync::Arc;

use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use tower::ServiceExt as _;

use super::Gate;
use super::act::Act;
use super::connection::Connection;
use super::forward::json;
use super::headers::well_formed;
use crate::body::Body;
use crate::identity::ClientAddress;

/// Hands the request to the services.
pub(super) async fn answer(
    gate: Arc<Gate>,
    connection: &Connection,
    request: Request<Incoming>,
) -> Response<Body> {
    let (head, body) = request.into_parts();
    if let Err(refusal) = well_formed(&head) {
        let body = oci::ErrorBody::new(oci::ErrorCode::Unsupported, refusal.to_string());
        return json(StatusCode::BAD_REQUEST, body.to_json());
    }
    let address = connection.client(&head.headers, &gate.trusted_proxies);
    let mut request = Request::from_parts(head, axum::body::Body::new(body));
    request.extensions_mut().insert(ClientAddress(address));
    let act = Act { gate: Arc::clone(&gate), _alive: Arc::clone(&connection._alive) };
    request.extensions_mut().insert(act);
    let response = match gate.services.clone().oneshot(request).await {
        Ok(response) => response.map(Body::Service),
        Err(never) => match never {},
    };
    if response.status().is_client_error() {
        // Why a login failed is safe before its answer. That one is a refusal in any case, and a
        // trail that cannot be written says so in the log.
        let _ = gate.audit.settle().await;
    }
    response
}
