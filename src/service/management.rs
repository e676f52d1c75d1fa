//! The management listener: what a monitoring system and an orchestrator ask, in plain HTTP, away
//! from where clients come in.

use std::borrow::Cow;

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{StatusCode, header};

/// Prometheus' text format.
const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Whether the gate can serve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// It can.
    Ready,
    /// It cannot, for this reason, which anyone who reaches the listener may read.
    NotReady(Cow<'static, str>),
}

/// `/metrics`, `/healthz` and `/readyz`; everything else is not found. Each request asks the
/// closures anew, and they must not block.
pub fn router<M, R>(metrics: M, readiness: R) -> Router
where
    M: Fn() -> String + Clone + Send + Sync + 'static,
    R: Fn() -> Readiness + Clone + Send + Sync + 'static,
{
    Router::new()
        .route(
            "/metrics",
            get(async move || ([(header::CONTENT_TYPE, METRICS_TYPE)], metrics()))
                .fallback(not_found),
        )
        .route("/healthz", get(async || "ok\n").fallback(not_found))
        .route("/readyz", get(async move || answer(readiness())).fallback(not_found))
        .fallback(not_found)
}

fn answer(readiness: Readiness) -> Response {
    match readiness {
        Readiness::Ready => "ready\n".into_response(),
        Readiness::NotReady(reason) => {
            (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {reason}\n")).into_response()
        }
    }
}

async fn not_found() -> StatusCode {
    StatusCode::NOT_FOUND
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use axum::body::Body;
    use http::{Method, Request};
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    use super::*;

    async fn ask(router: &Router, method: Method, path: &str) -> (u16, String) {
        let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    fn always(readiness: Readiness) -> Router {
        router(|| "metric 1\n".to_owned(), move || readiness.clone())
    }

    #[tokio::test]
    async fn metrics_come_in_the_type_that_prometheus_wants() {
        let request = Request::get("/metrics").body(Body::empty()).unwrap();
        let response = always(Readiness::Ready).oneshot(request).await.unwrap();
        assert_eq!(response.headers()["content-type"], METRICS_TYPE);
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body, "metric 1\n");
    }

    #[tokio::test]
    async fn the_process_is_healthy_although_it_is_not_ready() {
        let router = always(Readiness::NotReady("the upstream is away".into()));
        assert_eq!(ask(&router, Method::GET, "/healthz").await, (200, "ok\n".to_owned()));
        let (status, body) = ask(&router, Method::GET, "/readyz").await;
        assert_eq!((status, body.as_str()), (503, "not ready: the upstream is away\n"));
    }

    #[tokio::test]
    async fn readiness_is_asked_each_time() {
        let ready = Arc::new(AtomicBool::new(true));
        let seen = Arc::clone(&ready);
        let router = router(String::new, move || {
            if seen.load(Ordering::Relaxed) {
                Readiness::Ready
            } else {
                Readiness::NotReady("stopping".into())
            }
        });
        assert_eq!(ask(&router, Method::GET, "/readyz").await.0, 200);
        ready.store(false, Ordering::Relaxed);
        assert_eq!(ask(&router, Method::GET, "/readyz").await.0, 503);
    }

    #[tokio::test]
    async fn nothing_else_is_there() {
        let router = always(Readiness::Ready);
        for path in ["/", "/metrics/", "/v2/", "/healthz/x", "/token", "/readyz%2f"] {
            assert_eq!(ask(&router, Method::GET, path).await, (404, String::new()), "{path}");
        }
        for path in ["/metrics", "/healthz", "/readyz"] {
            assert_eq!(ask(&router, Method::POST, path).await, (404, String::new()), "{path}");
            assert_eq!(ask(&router, Method::HEAD, path).await.0, 200, "{path}");
        }
    }
}
