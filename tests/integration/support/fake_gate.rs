//! What the command line sees of a gate, and nothing behind it: tokens that follow each other by
//! number, answers that can be lost, and a count of everything.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::client::runtime;

/// A gate over plain HTTP on loopback.
pub(crate) struct FakeGate {
    address: SocketAddr,
    known: Arc<Mutex<Known>>,
    serving: JoinHandle<()>,
}

/// What it knows. The refresh token of number N is `pcr_N`.
#[derive(Default)]
pub(crate) struct Known {
    /// The number of the latest refresh token that was shown.
    shown: u64,
    /// The number of the latest that was given away.
    given: u64,
    /// How long access tokens live, in seconds.
    pub(crate) life: i64,
    /// A refresh token older than the one before the latest came back: a sign of theft.
    pub(crate) stolen: bool,
    /// The sign-in does not hold any more.
    pub(crate) revoked: bool,
    /// How often refresh tokens were exchanged.
    pub(crate) refreshes: u64,
    /// How many of the next answers get lost, once what was asked for is done.
    pub(crate) losing: u64,
    /// What was to be revoked.
    pub(crate) revocations: Vec<String>,
    /// The credentials that tokens were made with.
    pub(crate) credentials: Vec<String>,
}

type Shared = State<Arc<Mutex<Known>>>;

impl FakeGate {
    pub(crate) fn start() -> Self {
        let known = Arc::new(Mutex::new(Known { life: 3600, ..Known::default() }));
        let router = Router::new()
            .route("/api/v1/tokens", post(create))
            .route("/api/v1/tokens/revoke", post(revoke))
            .route("/api/v1/refresh", post(refresh))
            .route("/api/v1/whoami", get(async || Json(json!({ "subject": "user:alice" }))))
            .with_state(Arc::clone(&known));
        let listener = runtime().block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let serving = runtime().spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, known, serving }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn name(&self) -> String {
        self.address.to_string()
    }

    pub(crate) fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap()
    }

    /// Brings its state back to before the latest refresh, as a backup does.
    pub(crate) fn forget_the_latest_refresh(&self) {
        let mut known = self.known();
        known.given -= 1;
        known.shown = known.shown.min(known.given);
    }
}

impl Drop for FakeGate {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Known {
    fn tokens(&self, number: u64) -> Value {
        let now = jiff::Timestamp::now().as_second();
        let claims = json!({ "iat": now, "exp": now + self.life, "jti": self.refreshes });
        let claims = BASE64_URL_SAFE_NO_PAD.encode(claims.to_string());
        json!({
            "id": "Vu3yJqZ0bQ7mX1nY2kLw4A", "subject": "user:alice",
            "access_token": format!("eyJ.{claims}.{number}"),
            "refresh_token": format!("pcr_{number}"),
            "expires_at": jiff::Timestamp::from_second(now + self.life).unwrap(),
        })
    }

    /// The answer, unless it gets lost.
    fn answer(&mut self, status: StatusCode, answer: Value) -> Response {
        if self.losing > 0 {
            self.losing -= 1;
            return axum::body::Body::new(Lost).into_response();
        }
        (status, Json(answer)).into_response()
    }
}

/// The body of an answer that does not arrive.
struct Lost;

impl http_body::Body for Lost {
    type Data = bytes::Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Self::Data>, Self::Error>>> {
        Poll::Ready(Some(Err(std::io::ErrorKind::ConnectionReset.into())))
    }
}

fn refused() -> Response {
    let problem = [(header::CONTENT_TYPE, "application/problem+json")];
    let body =
        json!({ "status": 401, "detail": "the user name, the password or the token is wrong" });
    (StatusCode::UNAUTHORIZED, problem, body.to_string()).into_response()
}

async fn create(State(known): Shared, headers: HeaderMap, Json(_): Json<Value>) -> Response {
    let mut known = known.lock().unwrap();
    let credential = headers[header::AUTHORIZATION].to_str().unwrap().to_owned();
    known.credentials.push(credential);
    (known.shown, known.given, known.revoked) = (0, 1, false);
    let answer = known.tokens(1);
    known.answer(StatusCode::CREATED, answer)
}

async fn refresh(State(known): Shared, Json(body): Json<Value>) -> Response {
    let mut known = known.lock().unwrap();
    let number = body["refresh_token"].as_str().and_then(|text| text.strip_prefix("pcr_"));
    let number: u64 = number.unwrap().parse().unwrap();
    if known.revoked || number > known.given {
        return refused();
    }
    if number + 1 < known.shown {
        (known.stolen, known.revoked) = (true, true);
        return refused();
    }
    known.shown = known.shown.max(number);
    known.given = known.given.max(number + 1);
    known.refreshes += 1;
    let answer = known.tokens(number + 1);
    known.answer(StatusCode::OK, answer)
}

async fn revoke(State(known): Shared, Json(body): Json<Value>) -> Response {
    let mut known = known.lock().unwrap();
    known.revocations.push(body["value"].as_str().unwrap().to_owned());
    known.revoked = true;
    known.answer(StatusCode::OK, json!({ "revoked": 1 }))
}
