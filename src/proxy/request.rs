//! The life of a request.

use std::sync::Arc;
use std::time::Instant;

use http::header::STRICT_TRANSPORT_SECURITY;
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use jiff::Timestamp;
use oci::Operation;

use super::connection::Connection;
use super::exchange::Exchange;
use super::forward::{Forwarding, json};
use super::headers::{Forwarded, X_REQUEST_ID, well_formed};
use super::{Gate, services};
use crate::authorize::{Question, authorize, put_manifest};
use crate::body::{Body, BodyError, Pace, Transfer};
use crate::content;
use crate::identity::Principal;
use crate::refusal::{Context, Refusal};

/// Answers one request: the registry's, or one of the gate's own services.
pub(super) async fn answer(
    gate: Arc<Gate>,
    connection: Arc<Connection>,
    request: Request<Incoming>,
) -> Response<Body> {
    let request_id = gate.request_ids.next();
    let path = request.uri().path();
    let mut response = if path == "/v2" || path.starts_with("/v2/") {
        registry(&gate, &connection, &request_id, request).await
    } else {
        services::answer(&gate, &connection, request).await
    };
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&request_id) {
        headers.insert(X_REQUEST_ID, id);
    }
    if connection.tls {
        headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
    response
}

async fn registry(
    gate: &Arc<Gate>,
    connection: &Connection,
    request_id: &str,
    request: Request<Incoming>,
) -> Response<Body> {
    let started = Instant::now();
    let (head, body) = request.into_parts();
    let address = connection.client(&head.headers, &gate.trusted_proxies);
    let mut exchange = Exchange::new(Arc::clone(gate), request_id, address, &head, started);
    let parsed = parse(gate, &head);
    let operation = parsed.as_ref().ok().cloned();
    let outcome = match parsed {
        Ok(operation) => {
            let forwarded = Forwarded {
                address,
                tls: connection.tls,
                public_host: gate.authenticator.issuer().service(),
                request_id,
            };
            decide_and_forward(gate, operation, &head, body, forwarded, &mut exchange).await
        }
        Err(refusal) => Err(refusal),
    };
    let mut written = false;
    let mut response = match outcome {
        Ok(response) => response,
        Err(refusal) => {
            written = exchange.refused(&refusal, request_id).await;
            refusal.response(&Context {
                issuer: gate.authenticator.issuer(),
                operation: operation.as_ref(),
                version: head.version,
                request_id,
            })
        }
    };
    response
        .headers_mut()
        .entry("docker-distribution-api-version")
        .or_insert(HeaderValue::from_static("registry/2.0"));
    if head.method == Method::HEAD && matches!(response.body(), Body::Full(_)) {
        *response.body_mut() = Body::Empty;
    }
    exchange.finish(&mut response, written);
    response
}

/// The flow: parse, authenticate, authorize, forward. Everything else is something that it calls.
async fn decide_and_forward(
    gate: &Arc<Gate>,
    operation: Operation,
    head: &Parts,
    body: Incoming,
    forwarded: Forwarded<'_>,
    exchange: &mut Exchange,
) -> Result<Response<Body>, Refusal> {
    exchange.parsed(&operation);
    let principal = authenticate(gate, &operation, head, forwarded).await?;
    let policy = gate.policy.current().policy.clone();
    exchange.known(&principal, policy.groups_of(&principal.caller).into_iter().collect());
    if let Operation::Ping(_) = operation {
        exchange.answered_here();
        return Ok(json(StatusCode::OK, "{}".to_owned()));
    }
    let question = Question {
        policy: &policy,
        inventory: &gate.inventory,
        upstream: &gate.upstream,
        locks: &gate.locks,
        seal: &gate.seal,
        principal: &principal,
        now: Instant::now(),
    };
    let changes = matches!(
        operation,
        Operation::PutManifest { .. }
            | Operation::DeleteManifest { .. }
            | Operation::DeleteBlob { .. }
    );
    let (permit, body) = if let Operation::PutManifest { .. } = operation {
        let pending = put_manifest(question, operation).await?;
        let bytes = hold(gate, body, exchange).await?;
        (pending.judge(bytes, content::content_type(&head.headers)).await?, None)
    } else {
        (authorize(question, operation).await?, Some(body))
    };
    exchange.permitted(&permit);
    if changes {
        exchange.intend().await?;
    }
    Forwarding { gate, question, head, forwarded, exchange }.run(permit, body).await
}

fn parse(gate: &Gate, head: &Parts) -> Result<Operation, Refusal> {
    well_formed(head)?;
    let query = head.uri.query();
    Ok(Operation::parse_with(head.method.as_str(), head.uri.path(), query, &gate.mirrors)?)
}

async fn authenticate(
    gate: &Gate,
    operation: &Operation,
    head: &Parts,
    forwarded: Forwarded<'_>,
) -> Result<Principal, Refusal> {
    let now = Timestamp::now();
    let (headers, address) = (&head.headers, forwarded.address);
    let known = match operation {
        Operation::UploadStatus { .. }
        | Operation::UploadChunk { .. }
        | Operation::FinishUpload { .. }
        | Operation::CancelUpload { .. } => {
            gate.authenticator.authenticate_upload(headers, address, now).await
        }
        _ => gate.authenticator.authenticate(headers, address, now).await,
    };
    known?.ok_or(Refusal::NoCredential)
}

/// Holds a manifest that is to be judged.
async fn hold(gate: &Gate, body: Incoming, exchange: &Exchange) -> Result<bytes::Bytes, Refusal> {
    let limits = &gate.limits;
    let pace = Pace { idle: limits.idle_timeout, minimum_rate: limits.minimum_rate };
    Transfer::new(body, pace, exchange.incoming(), |_| {})
        .collect(limits.manifest_size)
        .await
        .map_err(|error| match error {
            BodyError::TooLarge(limit) => Refusal::TooLarge(limit),
            _ => Refusal::ClientBroke,
        })
}
