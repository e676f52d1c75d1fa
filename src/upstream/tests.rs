use std::collections::HashSet;
use std::time::Duration;

use super::fake::{Asked, Fake, Reply, upstream};
use super::*;
use crate::body::source::Source;

mod elsewhere;

fn outgoing(method: Method, target: &str, body: Body) -> Outgoing {
    Outgoing {
        method,
        target: target.to_owned(),
        headers: HeaderMap::new(),
        body,
        progress: Arc::default(),
    }
}

fn get(target: &str) -> Outgoing {
    outgoing(Method::GET, target, Body::Empty)
}

/// A PUT whose body the test sends, with a declared length.
async fn put(length: usize) -> (Source, Outgoing) {
    let (source, incoming) = Source::of_length(length).await;
    let pace = Pace { idle: Duration::from_secs(20), minimum_rate: 0 };
    let progress = Arc::<Progress>::default();
    let transfer = Transfer::new(incoming, pace, Arc::clone(&progress), |_| {});
    let mut outgoing = outgoing(Method::PUT, "/put", Body::Stream(Box::new(transfer)));
    outgoing.progress = progress;
    (source, outgoing)
}

/// Sends it, and reads the answer to its end.
async fn exchange(upstream: &Upstream, outgoing: Outgoing) -> Result<(u16, Bytes), Error> {
    let answer = upstream.send(outgoing).await?;
    let status = answer.head.status().as_u16();
    Ok((status, answer.collect(1 << 20).await?))
}

/// How often each connection was used.
fn uses(fake: &Fake) -> Vec<usize> {
    let mut uses = vec![0; fake.connections()];
    for asked in fake.asked() {
        uses[asked.connection - 1] += 1;
    }
    uses
}

#[tokio::test]
async fn a_connection_is_used_again_after_an_answer_was_read_to_its_end() {
    let fake = Fake::start(|_| Reply::new(200, "content")).await;
    let upstream = fake.upstream();
    for _ in 0..3 {
        assert_eq!(exchange(&upstream, get("/")).await.unwrap().1, "content");
    }
    let head = upstream.send(outgoing(Method::HEAD, "/", Body::Empty)).await.unwrap();
    drop(head.stream(Arc::default()));
    upstream.send(get("/")).await.unwrap().discard().await;
    assert_eq!(exchange(&upstream, get("/")).await.unwrap().0, 200);
    assert_eq!(uses(&fake), [6]);
}

#[tokio::test]
async fn a_connection_with_unread_content_is_not_used_again() {
    let fake = Fake::start(|_| Reply::new(200, vec![b'x'; 200_000])).await;
    let upstream = fake.upstream();
    drop(upstream.send(get("/")).await.unwrap());
    drop(upstream.send(get("/")).await.unwrap().stream(Arc::default()));
    // More than is worth the reading.
    upstream.send(get("/")).await.unwrap().discard().await;
    assert!(upstream.send(get("/")).await.unwrap().collect(100).await.is_err());
    assert_eq!(exchange(&upstream, get("/")).await.unwrap().1.len(), 200_000);
    assert_eq!(uses(&fake), [1, 1, 1, 1, 1]);
}

#[tokio::test]
async fn so_many_connections_are_kept_and_no_more() {
    let fake = Fake::start(|_| Reply::new(200, "x")).await;
    let upstream = upstream(Settings { idle_connections: 1, ..fake.settings() });
    for expected in [2, 3] {
        let (one, two) = (upstream.send(get("/")).await, upstream.send(get("/")).await);
        one.unwrap().collect(9).await.unwrap();
        two.unwrap().collect(9).await.unwrap();
        assert_eq!(fake.connections(), expected, "one of two was kept");
    }
}

#[tokio::test]
async fn origins_have_connections_of_their_own() {
    let one = Fake::start(|_| Reply::new(200, "one")).await;
    let two = Fake::start(|_| Reply::new(200, "two")).await;
    for _ in 0..2 {
        assert_eq!(exchange(&one.upstream(), get("/")).await.unwrap().1, "one");
        assert_eq!(exchange(&two.upstream(), get("/")).await.unwrap().1, "two");
    }
    assert_eq!((one.connections(), two.connections()), (1, 1));
}

/// Ends each connection in place of its second answer.
fn dies_when_used_again() -> impl Fn(&Asked) -> Reply {
    let used = std::sync::Mutex::new(HashSet::new());
    move |asked| match used.lock().unwrap().insert(asked.connection) {
        true => Reply::new(200, "x"),
        false => Reply::nothing(),
    }
}

#[tokio::test]
async fn a_request_without_a_body_is_sent_once_more_if_its_kept_connection_has_died() {
    for method in [Method::GET, Method::HEAD, Method::POST, Method::DELETE, Method::PUT] {
        let fake = Fake::start(dies_when_used_again()).await;
        let upstream = fake.upstream();
        exchange(&upstream, get("/first")).await.unwrap();
        let again = outgoing(method.clone(), "/second", Body::Empty);
        assert_eq!(exchange(&upstream, again).await.unwrap().0, 200, "{method}");
        let line = format!("{method} /second");
        assert_eq!(fake.lines(), ["GET /first", line.as_str(), line.as_str()]);
        let sent: Vec<_> = fake.asked().into_iter().map(|asked| asked.headers).collect();
        assert_eq!(sent[1], sent[2], "and is the same");
    }
}

#[tokio::test]
async fn a_request_is_not_sent_a_third_time() {
    let fake = Fake::start(|asked| match asked.target.as_str() {
        "/first" => Reply::new(200, "x"),
        _ => Reply::nothing(),
    })
    .await;
    let upstream = fake.upstream();
    exchange(&upstream, get("/first")).await.unwrap();
    assert!(matches!(exchange(&upstream, get("/second")).await, Err(Error::Exchange(_))));
    assert_eq!(fake.lines(), ["GET /first", "GET /second", "GET /second"]);
}

#[tokio::test]
async fn a_new_connection_that_dies_is_not_tried_again() {
    let fake = Fake::start(|_| Reply::nothing()).await;
    assert!(matches!(exchange(&fake.upstream(), get("/")).await, Err(Error::Exchange(_))));
    assert_eq!(fake.lines(), ["GET /"]);
}

#[tokio::test]
async fn what_had_a_body_is_not_sent_twice() {
    let fake = Fake::start(dies_when_used_again()).await;
    let upstream = fake.upstream();
    exchange(&upstream, get("/")).await.unwrap();
    let whole = outgoing(Method::PUT, "/put", Body::full("content"));
    assert!(matches!(exchange(&upstream, whole).await, Err(Error::Exchange(_))));
    exchange(&upstream, get("/")).await.unwrap();
    let (mut source, streamed) = put(3).await;
    source.send(b"abc").await;
    assert!(matches!(exchange(&upstream, streamed).await, Err(Error::Exchange(_))));
    assert_eq!(fake.lines(), ["GET /", "PUT /put", "GET /", "PUT /put"]);
}

#[tokio::test]
async fn a_connection_that_was_closed_meanwhile_costs_nothing() {
    let fake = Fake::start(|_| Reply::new(200, "x")).await;
    let upstream = fake.upstream();
    exchange(&upstream, get("/")).await.unwrap();
    fake.close_all();
    while pool::take(&upstream.origin).is_some_and(|sender| {
        let is_open = !sender.is_closed();
        Lease::new(upstream.origin.clone(), sender, 8).release();
        is_open
    }) {
        sleep(Duration::from_millis(5)).await;
    }
    let (mut source, streamed) = put(3).await;
    source.send(b"abc").await;
    assert_eq!(exchange(&upstream, streamed).await.unwrap().0, 200);
    assert_eq!(uses(&fake), [1, 1]);
}

#[tokio::test]
async fn an_early_answer_to_an_upload_spoils_no_connection() {
    let fake = Fake::start(|asked| match asked.method.as_str() {
        "PUT" => Reply::new(413, "too large").early(),
        _ => Reply::new(200, "x"),
    })
    .await;
    let upstream = fake.upstream();
    let (mut source, streamed) = put(6).await;
    source.send(b"abc").await;
    assert_eq!(exchange(&upstream, streamed).await.unwrap().0, 413);
    // The rest of the upload has not come, so its connection is not free.
    assert_eq!(exchange(&upstream, get("/")).await.unwrap().0, 200);
    assert_eq!(fake.connections(), 2);
    source.send(b"def").await;
    while fake.asked().len() < 2 {
        sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(fake.asked()[1].body, b"abcdef");
    // The connection task has to learn that the upload is over.
    sleep(Duration::from_millis(100)).await;
    for _ in 0..5 {
        let (one, two) = (upstream.send(get("/")).await, upstream.send(get("/")).await);
        assert_eq!(one.unwrap().collect(9).await.unwrap(), "x");
        assert_eq!(two.unwrap().collect(9).await.unwrap(), "x");
    }
    assert_eq!(fake.connections(), 2, "both are used again");
}

#[tokio::test]
async fn a_stalled_answer_is_given_up() {
    let fake = Fake::start(|asked| match asked.target.as_str() {
        "/" => Reply::new(200, "x"),
        _ => Reply::never(),
    })
    .await;
    let mut settings = fake.settings();
    settings.timeouts.response = Duration::from_millis(100);
    let upstream = upstream(settings);
    exchange(&upstream, get("/")).await.unwrap();
    for _ in 0..2 {
        // On a kept connection as on a new one, and not tried again.
        let outcome = exchange(&upstream, get("/never")).await;
        assert!(matches!(outcome, Err(Error::ResponseTimeout(_))));
    }
    let (_source, stalled) = put(3).await;
    assert!(matches!(exchange(&upstream, stalled).await, Err(Error::ResponseTimeout(_))));
    assert_eq!(fake.lines(), ["GET /", "GET /never", "GET /never"]);
}

#[tokio::test]
async fn an_answer_may_take_as_long_as_its_upload_moves() {
    let fake = Fake::start(|_| Reply::new(201, "")).await;
    let mut settings = fake.settings();
    settings.timeouts.response = Duration::from_millis(1000);
    let upstream = upstream(settings);
    let (mut source, outgoing) = put(15).await;
    let sending = tokio::spawn(async move {
        for _ in 0..15 {
            sleep(Duration::from_millis(100)).await;
            source.send(b"x").await;
        }
    });
    assert_eq!(exchange(&upstream, outgoing).await.unwrap().0, 201);
    sending.await.unwrap();
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_an_error_and_its_connection_is_gone() {
    let fake = Fake::start(|asked| match asked.target.as_str() {
        "/broken" => Reply::new(200, "content").broken(),
        _ => Reply::new(200, "x"),
    })
    .await;
    let upstream = fake.upstream();
    assert!(matches!(exchange(&upstream, get("/broken")).await, Err(Error::Body(_))));
    exchange(&upstream, get("/")).await.unwrap();
    assert_eq!(fake.connections(), 2);
}
