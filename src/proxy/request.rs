//! The life of a request.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http::header::{EXPECT, STRICT_TRANSPORT_SECURITY};
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode, Version};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use oci::{ErrorBody, ErrorCode, Operation};
use policy::Policy;
use tokio::time::timeout;

use super::connection::Connection;
use super::exchange::{Exchange, full_length};
use super::forward::{Forwarding, json};
use super::headers::{Forwarded, X_REQUEST_ID, well_formed};
use super::held::Room;
use super::shadow::Beside;
use super::{Gate, Limits, request_id, services};
use crate::authorize::{Question, authorize, put_manifest};
use crate::body::{Body, Pace, Transfer};
use crate::content;
use crate::identity::Principal;
use crate::refusal::{Context, Refusal};
use crate::reload::LoadedPolicy;

/// For a manifest to arrive. It is small, and judged as things stand when it is there.
const MANIFEST_TIME: Duration = Duration::from_secs(60);

/// How much of a refused body is read, and for how long: a client that is still sending when the
/// connection closes may never see the answer.
const REFUSED_BODY: usize = 8 << 20;
const REFUSED_TIME: Duration = Duration::from_secs(2);

/// Answers one request: the registry's, or one of the gate's own services.
pub(super) async fn answer(
    gate: Arc<Gate>,
    connection: Arc<Connection>,
    request: Request<Incoming>,
) -> Response<Body> {
    let request_id = gate.request_ids.next();
    let path = request.uri().path();
    let is_tls = connection.tls;
    let mut response = if path == "/v2" || path.starts_with("/v2/") {
        let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
        let answering = registry(gate, connection, request_id.clone(), request);
        if is_read { answering.await } else { to_its_end(answering, &request_id).await }
    } else {
        let answering = services::answer(gate, &connection, request);
        request_id::within(request_id.clone(), answering).await
    };
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&request_id) {
        headers.insert(X_REQUEST_ID, id);
    }
    if is_tls {
        headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
    response
}

/// Runs what changes something to its end, also if the client goes away in the middle: the lock is
/// held until the upstream has answered, what it said is learned, and the account is written.
async fn to_its_end(
    answering: impl Future<Output = Response<Body>> + Send + 'static,
    request_id: &str,
) -> Response<Body> {
    match tokio::spawn(answering).await {
        Ok(response) => response,
        Err(error) => {
            tracing::error!(request_id, %error, "a request was not answered");
            let body = ErrorBody::new(ErrorCode::Unknown, "internal error").to_json();
            json(StatusCode::INTERNAL_SERVER_ERROR, body)
        }
    }
}

async fn registry(
    gate: Arc<Gate>,
    connection: Arc<Connection>,
    request_id: String,
    request: Request<Incoming>,
) -> Response<Body> {
    let started = Instant::now();
    let (head, body) = request.into_parts();
    let mut body = Some(body);
    let address = connection.client(&head.headers, &gate.trusted_proxies);
    let mut exchange = Exchange::new(Arc::clone(&gate), &request_id, address, &head, started);
    let parsed = parse(&gate, &head);
    let operation = parsed.as_ref().ok().cloned();
    let outcome = match parsed {
        Ok(operation) => {
            let forwarded = Forwarded { address, request_id: &request_id };
            decide_and_forward(&gate, operation, &head, &mut body, forwarded, &mut exchange).await
        }
        Err(refusal) => Err(refusal),
    };
    let mut response = match outcome {
        Ok(response) => response,
        Err(refusal) => {
            let mut response = refusal.response(&Context {
                issuer: gate.authenticator.issuer(),
                operation: operation.as_ref(),
                version: head.version,
                request_id: &request_id,
            });
            if head.method == Method::HEAD {
                *response.body_mut() = Body::Empty;
            }
            let bytes = full_length(response.body());
            exchange.refused(&refusal, bytes).await;
            // HTTP/2 ends a stream by itself, and who waits to be told to go on sends nothing.
            let sends = head.version <= Version::HTTP_11 && !head.headers.contains_key(EXPECT);
            if let (true, Some(body)) = (sends, body.take()) {
                drain(&gate, body).await;
            }
            response
        }
    };
    response
        .headers_mut()
        .entry("docker-distribution-api-version")
        .or_insert(HeaderValue::from_static("registry/2.0"));
    if head.method == Method::HEAD && matches!(response.body(), Body::Full(_)) {
        *response.body_mut() = Body::Empty;
    }
    exchange.finish(&mut response);
    response
}

/// The flow: parse, authenticate, authorize, forward. Everything else is something that it calls.
async fn decide_and_forward(
    gate: &Arc<Gate>,
    operation: Operation,
    head: &Parts,
    body: &mut Option<Incoming>,
    forwarded: Forwarded<'_>,
    exchange: &mut Exchange,
) -> Result<Response<Body>, Refusal> {
    exchange.parsed(&operation);
    let mut principal = authenticate(gate, &operation, head, forwarded).await?;
    let mut loaded = Arc::clone(&gate.policy.current());
    exchange.known(&principal, loaded.policy.groups_of(&principal.caller));
    if let Operation::Ping(_) = operation {
        exchange.answered_here();
        return Ok(json(StatusCode::OK, "{}".to_owned()));
    }
    // What is held is counted until it has been sent on.
    let mut room = gate.held.room();
    let mut manifest = None;
    if let Operation::PutManifest { .. } = operation {
        // Who may not store it need not send it. What counts is decided when it is there.
        let question = question(gate, &loaded.policy, &principal);
        if let Err(refusal) = put_manifest(question, operation.clone()).await {
            if let Some(beside) = Beside::of(gate, &operation, None, head) {
                beside.compare(gate, question, &loaded, Err(&refusal), exchange).await;
            }
            return Err(refusal);
        }
        manifest = Some(hold(gate, body, &mut room, exchange).await?);
        principal = authenticate(gate, &operation, head, forwarded).await?;
        loaded = Arc::clone(&gate.policy.current());
        exchange.known(&principal, loaded.policy.groups_of(&principal.caller));
    }
    let known = Known { principal: &principal, loaded: &loaded };
    judge_and_forward(gate, (operation, manifest), known, head, body, forwarded, exchange).await
}

/// Who asks, and by which policy it is decided.
#[derive(Clone, Copy)]
pub(super) struct Known<'a> {
    pub(super) principal: &'a Principal,
    pub(super) loaded: &'a LoadedPolicy,
}

/// What follows when it is known who asks, and what was sent is there as a whole if it is a manifest.
pub(super) async fn judge_and_forward(
    gate: &Arc<Gate>,
    (operation, manifest): (Operation, Option<Bytes>),
    Known { principal, loaded }: Known<'_>,
    head: &Parts,
    body: &mut Option<Incoming>,
    forwarded: Forwarded<'_>,
    exchange: &mut Exchange,
) -> Result<Response<Body>, Refusal> {
    let question = question(gate, &loaded.policy, principal);
    let changes = matches!(
        operation,
        Operation::PutManifest { .. }
            | Operation::DeleteManifest { .. }
            | Operation::DeleteBlob { .. }
    );
    let beside = Beside::of(gate, &operation, manifest.as_ref(), head);
    let decided = match manifest {
        Some(bytes) => match put_manifest(question, operation).await {
            Ok(pending) => pending.judge(bytes, content::content_type(&head.headers)).await,
            Err(refusal) => Err(refusal),
        },
        // What the registry is asked for to decide it is no time of the policy's.
        None if changes => authorize(question, operation).await,
        None => {
            let asked = Instant::now();
            let decided = authorize(question, operation).await;
            gate.metrics.policy_evaluated(asked.elapsed());
            decided
        }
    };
    if let Some(beside) = beside {
        beside.compare(gate, question, loaded, decided.as_ref(), exchange).await;
    }
    let permit = decided?;
    exchange.permitted(&permit);
    if changes {
        exchange.intend().await?;
    }
    permit.confirm().await?;
    let is_unconditional = false;
    Forwarding { gate, question, head, forwarded, exchange, is_unconditional }
        .run(permit, body.take())
        .await
}

fn question<'a>(gate: &'a Gate, policy: &'a Policy, principal: &'a Principal) -> Question<'a> {
    Question {
        policy,
        inventory: &gate.inventory,
        upstream: &gate.upstream,
        locks: &gate.locks,
        seal: &gate.seal,
        release: &gate.release,
        principal,
        now: gate.clock.now(),
        max_requests: gate.inventory.settings().max_requests,
    }
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
    let now = gate.clock.now();
    let (headers, address) = (&head.headers, forwarded.address);
    let known = async {
        match operation {
            Operation::UploadStatus { .. }
            | Operation::UploadChunk { .. }
            | Operation::FinishUpload { .. }
            | Operation::CancelUpload { .. } => {
                gate.authenticator.authenticate_upload(headers, address, now).await
            }
            _ => gate.authenticator.authenticate(headers, address, now).await,
        }
    };
    let known = request_id::within(forwarded.request_id.to_owned(), known).await?;
    let mut principal = known.ok_or(Refusal::NoCredential)?;
    let circumstances = &mut principal.caller.circumstances;
    (circumstances.at, circumstances.address) = (Some(now), Some(address));
    Ok(principal)
}

/// Holds a manifest that is to be judged.
async fn hold(
    gate: &Gate,
    body: &mut Option<Incoming>,
    room: &mut Room,
    exchange: &Exchange,
) -> Result<Bytes, Refusal> {
    let Some(body) = body.take() else { return Ok(Bytes::new()) };
    let limit = gate.limits.manifest_size;
    let mut transfer = Transfer::new(body, pace(&gate.limits), exchange.incoming(), |_| {});
    let collected = async {
        let mut held = BytesMut::new();
        while let Some(frame) = transfer.frame().await {
            let Ok(data) = frame.map_err(|_| Refusal::ClientBroke)?.into_data() else { continue };
            if held.len() + data.len() > limit {
                return Err(Refusal::TooLarge(limit));
            }
            if !room.grow(data.len()) {
                return Err(Refusal::Full);
            }
            held.extend_from_slice(&data);
        }
        Ok(held.freeze())
    };
    match timeout(MANIFEST_TIME, collected).await {
        Ok(Err(refusal @ (Refusal::TooLarge(_) | Refusal::Full))) => {
            // Failing to read what is refused anyway is no other failure.
            let _ = timeout(REFUSED_TIME, transfer.discard(REFUSED_BODY)).await;
            Err(refusal)
        }
        Ok(collected) => collected,
        Err(_) => Err(Refusal::ClientBroke),
    }
}

/// Reads the rest of a body that nobody wants.
async fn drain(gate: &Gate, body: Incoming) {
    let mut transfer = Transfer::new(body, pace(&gate.limits), Arc::default(), |_| {});
    // As above.
    let _ = timeout(REFUSED_TIME, transfer.discard(REFUSED_BODY)).await;
}

fn pace(limits: &Limits) -> Pace {
    Pace { idle: limits.idle_timeout, minimum_rate: limits.minimum_rate }
}
