//! A body whose length is not said.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header;
use http_body::Frame;
use http_body_util::BodyExt as _;
use hyper::body::Body;

use crate::support::client::{Answer, Client, Credentials, collect, runtime};

struct InChunks(Option<Bytes>);

impl Body for InChunks {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.take().map(|bytes| Ok(Frame::data(bytes))))
    }
}

/// As docker sends layers.
pub(super) fn send_in_chunks(client: &Client, method: &str, target: &str, bytes: &[u8]) -> Answer {
    let Credentials::Bearer(token) = &client.credentials else { panic!("a token") };
    let request = client
        .request(method, target)
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .body(InChunks(Some(Bytes::copy_from_slice(bytes))).boxed())
        .unwrap();
    runtime().block_on(async { collect(client.stream(request).await.unwrap()).await })
}
