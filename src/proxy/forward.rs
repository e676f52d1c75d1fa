//! From a [`Permit`] to an answer. This is the only way to the upstream, and a permit is the only
//! way in here.

use std::sync::Arc;

use http::header::{
    CONTENT_LENGTH, CONTENT_TYPE, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, LOCATION,
    TRANSFER_ENCODING,
};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use oci::{Digest, Operation, Read, Reference, RepositoryName, UploadStart};

use super::exchange::Exchange;
use super::headers::{Forwarded, to_client, to_upstream};
use super::uploads::{Session, seal_location};
use super::{Gate, lists, manifests};
use crate::authorize::{Granted, Permit, Question, unknown_blob, unknown_manifest};
use crate::body::{Body, Pace, Progress, Transfer};
use crate::refusal::{Context, Refusal};
use crate::upstream::{Answer, Error, Outgoing, Redirects};
use hyper::body::Incoming;

/// One request on its way: what came, without what was decided about it.
pub(super) struct Forwarding<'a> {
    pub(super) gate: &'a Gate,
    pub(super) question: Question<'a>,
    pub(super) head: &'a Parts,
    pub(super) forwarded: Forwarded<'a>,
    pub(super) exchange: &'a mut Exchange,
    /// The upstream is asked for the whole, whatever the client has already.
    pub(super) is_unconditional: bool,
}

impl Forwarding<'_> {
    /// Does what the permit allows, and makes the answer for the client.
    pub(super) async fn run(
        mut self,
        permit: Permit,
        body: Option<Incoming>,
    ) -> Result<Response<Body>, Refusal> {
        let (granted, lock) = permit.into_parts();
        let answer = match granted {
            Granted::Plain(operation) => self.plain(operation, body).await,
            Granted::Gated(operation) => self.gated(operation).await,
            Granted::ArtifactOnly(operation) => {
                manifests::read_artifact(&mut self, operation).await
            }
            Granted::Manifest { operation, content } => {
                manifests::store(&mut self, operation, content).await
            }
            Granted::Upload { operation, upload } => {
                let session = Session { started: upload.started };
                self.upload_step(operation, &upload.location, session, body).await
            }
        };
        // The lock is held until the upstream has answered, and what it said is learned.
        drop(lock);
        answer
    }

    async fn plain(
        &mut self,
        operation: Operation,
        body: Option<Incoming>,
    ) -> Result<Response<Body>, Refusal> {
        match &operation {
            Operation::ReadManifest { .. } => manifests::read(self, operation).await,
            Operation::ReadBlob { read, .. } => {
                let read = *read;
                self.blob(operation, read).await
            }
            Operation::ListTags { .. }
            | Operation::Catalog { .. }
            | Operation::Referrers { .. } => lists::answer(self, operation).await,
            Operation::StartUpload { repository, start } => {
                let (repository, start) = (repository.clone(), start.clone());
                self.start_upload(operation, repository, start, body).await
            }
            Operation::DeleteManifest { .. } | Operation::DeleteBlob { .. } => {
                self.delete(operation).await
            }
            _ => Err(Refusal::Internal("an operation without its permit")),
        }
    }

    /// Reads what gates stand before.
    async fn gated(&mut self, operation: Operation) -> Result<Response<Body>, Refusal> {
        match &operation {
            Operation::ReadManifest { .. } => manifests::read_gated(self, operation).await,
            Operation::ReadBlob { read, repository, digest } => {
                let released = self.question.let_blob_through(repository, digest).await;
                match (released, *read) {
                    (Ok(released), read) => {
                        self.exchange.released(released.leniency());
                        self.blob(operation, read).await
                    }
                    // Clients take nothing but this for "it is not there".
                    (Err(Refusal::Held(_)), Read::Head) => Err(unknown_blob()),
                    (Err(refusal), _) => Err(refusal),
                }
            }
            _ => Err(Refusal::Internal("an operation that no gate stands before")),
        }
    }

    /// Asks the upstream for the operation as it stands.
    pub(super) async fn send(
        &mut self,
        operation: &Operation,
        method: Method,
        body: Body,
    ) -> Result<Answer, Refusal> {
        let target = operation.target().ok_or(Refusal::Internal("an operation without target"))?;
        let target = self.gate.upstream.target(&target);
        self.send_to(operation, method, target, body, Arc::default()).await
    }

    fn headers(&self, operation: &Operation) -> HeaderMap {
        let issuer = self.gate.authenticator.issuer();
        let mut headers = to_upstream(&self.head.headers, operation, issuer, self.forwarded);
        if self.is_unconditional {
            for condition in [IF_MATCH, IF_NONE_MATCH, IF_MODIFIED_SINCE] {
                headers.remove(condition);
            }
        }
        headers
    }

    async fn send_to(
        &mut self,
        operation: &Operation,
        method: Method,
        target: String,
        body: Body,
        progress: Arc<Progress>,
    ) -> Result<Answer, Refusal> {
        let outgoing = Outgoing {
            method,
            target,
            headers: self.headers(operation),
            body,
            progress: Arc::clone(&progress),
        };
        let is_read = matches!(outgoing.method, Method::GET | Method::HEAD);
        self.exchange.asked();
        let sent = self.gate.upstream.send(outgoing).await;
        self.exchange.answered();
        match sent {
            Err(_) if progress.is_broken() => Err(Refusal::ClientBroke),
            Ok(answer) if !is_read && self.gate.upstream.redirect(&answer)?.is_some() => {
                Err(Error::Redirect("a write is not sent elsewhere").into())
            }
            sent => Ok(sent?),
        }
    }

    /// Follows the redirect of a read, if the answer is one.
    pub(super) async fn settle(
        &mut self,
        operation: &Operation,
        method: &Method,
        answer: Answer,
    ) -> Result<Answer, Refusal> {
        let upstream = &self.gate.upstream;
        let Some(redirected) = upstream.redirect(&answer)? else { return Ok(answer) };
        answer.discard().await;
        Ok(upstream.follow(redirected, method, &self.headers(operation)).await?)
    }

    async fn blob(&mut self, operation: Operation, read: Read) -> Result<Response<Body>, Refusal> {
        let method = method_of(read);
        if let Operation::ReadBlob { repository, digest, .. } = &operation {
            self.must_be_there(repository, digest)?;
        }
        let answer = self.send(&operation, method.clone(), Body::Empty).await?;
        if answer.head.status() == StatusCode::NOT_FOUND
            && let Operation::ReadBlob { repository, digest, .. } = &operation
            && let Some(absent) =
                self.absent(&operation, repository, digest, &unknown_blob()).await?
        {
            answer.discard().await;
            return Ok(absent);
        }
        let upstream = &self.gate.upstream;
        if upstream.settings().redirects == Redirects::Pass
            && let Some(redirected) = upstream.redirect(&answer)?
            && !upstream.is_own(&redirected)
        {
            // Where the blob is stored is the client's to know; where the upstream is, is not.
            let location = HeaderValue::from_str(&redirected.location)
                .map_err(|_| Error::Redirect("its place is unprintable"))?;
            return Ok(self.stream(answer, HeaderMap::from_iter([(LOCATION, location)])));
        }
        let answer = self.settle(&operation, &method, answer).await?;
        let headers = answer.head.headers();
        let is_bounded =
            headers.contains_key(CONTENT_LENGTH) || headers.contains_key(TRANSFER_ENCODING);
        if read == Read::Get && answer.head.status().is_success() && !is_bounded {
            // Its end would be where the connection ends, whole or not.
            return Err(Error::Wrong("a blob came without its length".to_owned()).into());
        }
        Ok(self.stream(answer, HeaderMap::new()))
    }

    async fn delete(&mut self, operation: Operation) -> Result<Response<Body>, Refusal> {
        let answer = self.send(&operation, Method::DELETE, Body::Empty).await?;
        let status = answer.head.status();
        let (inventory, now) = (&self.gate.inventory, self.gate.clock.now());
        if let Operation::DeleteManifest { repository, reference } = &operation {
            match reference {
                // What is not there is answered as what may not be known to be there.
                Reference::Digest(_) if status == StatusCode::NOT_FOUND => {
                    answer.discard().await;
                    return Ok(self.missing(&operation, &unknown_manifest()));
                }
                Reference::Digest(digest) if status.is_success() => {
                    inventory.manifest_deleted(repository, digest, now);
                }
                Reference::Tag(tag) if status.is_success() => {
                    inventory.tag_deleted(repository, tag, now);
                }
                _ => {}
            }
        }
        if let Operation::DeleteManifest { .. } = operation {
            inventory.settle().await;
        }
        Ok(self.stream(answer, HeaderMap::new()))
    }

    /// A registry may say of what is not there that it has not changed, as its name is its content.
    /// Where that is all that tells it from what is denied, it is asked without conditions.
    pub(super) fn must_be_there(
        &mut self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<(), Refusal> {
        self.is_unconditional |= self.question.reader(repository).is_merely_undenied(digest)?;
        Ok(())
    }

    /// The answer for a digest that is not there, to whoever may read a part of the repository: the
    /// same as for what it may not read, after as many questions. None where the caller reads all of
    /// it: then the upstream has the word.
    pub(super) async fn absent(
        &self,
        operation: &Operation,
        repository: &RepositoryName,
        digest: &Digest,
        refusal: &Refusal,
    ) -> Result<Option<Response<Body>>, Refusal> {
        let reader = self.question.reader(repository);
        if reader.reads_all() {
            return Ok(None);
        }
        reader.look_in_vain(digest).await?;
        Ok(Some(self.missing(operation, refusal)))
    }

    /// The same answer as a refusal, to the last byte, for what was allowed and is not there.
    fn missing(&self, operation: &Operation, refusal: &Refusal) -> Response<Body> {
        refusal.response(&Context {
            issuer: self.gate.authenticator.issuer(),
            operation: Some(operation),
            version: self.head.version,
            request_id: self.forwarded.request_id,
        })
    }

    /// Passes an answer on as it is, with the headers that the gate adds.
    pub(super) fn stream(&mut self, answer: Answer, more: HeaderMap) -> Response<Body> {
        let mut headers = to_client(answer.head.headers());
        headers.extend(more);
        let mut response = Response::new(Body::Empty);
        *response.status_mut() = answer.head.status();
        *response.headers_mut() = headers;
        *response.body_mut() = answer.stream(Arc::default());
        response
    }

    /// The client's body for the upstream.
    fn body(&mut self, body: Option<Incoming>) -> (Body, Arc<Progress>) {
        let progress = self.exchange.incoming();
        let body = match body {
            Some(body) if !http_body::Body::is_end_stream(&body) => {
                let limits = &self.gate.limits;
                let pace = Pace { idle: limits.idle_timeout, minimum_rate: limits.minimum_rate };
                Body::Stream(Box::new(Transfer::new(body, pace, Arc::clone(&progress), |_| {})))
            }
            _ => Body::Empty,
        };
        (body, progress)
    }

    async fn start_upload(
        &mut self,
        operation: Operation,
        repository: RepositoryName,
        start: UploadStart,
        body: Option<Incoming>,
    ) -> Result<Response<Body>, Refusal> {
        // A body that is not the blob itself is not sent on.
        let body = if matches!(start, UploadStart::Monolithic { .. }) { body } else { None };
        let (body, progress) = self.body(body);
        let target = operation.target().ok_or(Refusal::Internal("an upload without target"))?;
        let target = self.gate.upstream.target(&target);
        let answer = self.send_to(&operation, Method::POST, target, body, progress).await?;
        let mut headers = HeaderMap::new();
        match (answer.head.status(), &start) {
            (
                StatusCode::CREATED,
                UploadStart::Monolithic { digest } | UploadStart::Mount { digest, .. },
            ) => {
                self.stored(&repository, digest).await;
                headers.insert(LOCATION, blob_location(&repository, digest));
            }
            (StatusCode::ACCEPTED, _) => {
                let session = Session { started: self.gate.clock.now() };
                headers = self.seal(&repository, answer.head.headers(), session)?;
            }
            (status, _) if status.is_success() => {
                return Err(unexpected(status, "the start of an upload"));
            }
            _ => {}
        }
        Ok(self.stream(answer, headers))
    }

    async fn upload_step(
        &mut self,
        operation: Operation,
        location: &str,
        session: Session,
        body: Option<Incoming>,
    ) -> Result<Response<Body>, Refusal> {
        let (method, target, body) = match &operation {
            Operation::UploadChunk { .. } => (Method::PATCH, location.to_owned(), body),
            Operation::FinishUpload { digest, .. } => {
                let mark = if location.contains('?') { '&' } else { '?' };
                (Method::PUT, format!("{location}{mark}digest={digest}"), body)
            }
            Operation::CancelUpload { .. } => (Method::DELETE, location.to_owned(), None),
            _ => (Method::GET, location.to_owned(), None),
        };
        let (body, progress) = self.body(body);
        let answer = self.send_to(&operation, method, target, body, progress).await?;
        let status = answer.head.status();
        let mut headers = HeaderMap::new();
        match &operation {
            Operation::FinishUpload { repository, digest, .. } if status.is_success() => {
                if status != StatusCode::CREATED {
                    return Err(unexpected(status, "the end of an upload"));
                }
                self.stored(repository, digest).await;
                headers.insert(LOCATION, blob_location(repository, digest));
            }
            Operation::UploadChunk { repository, .. }
            | Operation::UploadStatus { repository, .. }
                if status.is_success() =>
            {
                headers = self.seal(repository, answer.head.headers(), session)?;
            }
            _ => {}
        }
        Ok(self.stream(answer, headers))
    }

    fn seal(
        &self,
        repository: &RepositoryName,
        upstream: &HeaderMap,
        session: Session,
    ) -> Result<HeaderMap, Refusal> {
        let location = self.gate.upstream.own_target(upstream)?;
        let subject = self.question.principal.caller.subject.to_string();
        seal_location(&self.gate.seal, location, subject, repository, session)
    }

    async fn stored(&self, repository: &RepositoryName, digest: &Digest) {
        let caller = &self.question.principal.caller;
        self.gate.inventory.saw_push(repository, caller, digest, self.question.now);
        self.settle_push(repository).await;
    }

    /// Whoever does not read the whole repository reads what it pushed as its own: the next step of
    /// the push may come to a replica that has to know of this one.
    pub(super) async fn settle_push(&self, repository: &RepositoryName) {
        if !self.question.reader(repository).reads_all() {
            self.gate.inventory.settle().await;
        }
    }
}

/// The method for a read.
pub(super) fn method_of(read: Read) -> Method {
    match read {
        Read::Get => Method::GET,
        Read::Head => Method::HEAD,
    }
}

fn blob_location(repository: &RepositoryName, digest: &Digest) -> HeaderValue {
    path_value(&format!("/v2/{repository}/blobs/{digest}"))
}

/// Where a manifest is, for `Location`.
pub(super) fn manifest_location(repository: &RepositoryName, reference: &Reference) -> HeaderValue {
    path_value(&format!("/v2/{repository}/manifests/{reference}"))
}

/// Names, tags and digests are printable ASCII, so this gives the path.
fn path_value(path: &str) -> HeaderValue {
    HeaderValue::from_str(path).unwrap_or(HeaderValue::from_static("/v2/"))
}

fn unexpected(status: StatusCode, at: &str) -> Refusal {
    Error::Wrong(format!("it answered {status} at {at}")).into()
}

/// An answer that the gate makes itself.
pub(super) fn json(status: StatusCode, body: String) -> Response<Body> {
    let length = body.len();
    let mut response = Response::new(Body::full(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    response
}
