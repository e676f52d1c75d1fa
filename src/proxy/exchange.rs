//! What is told of a request: its audit record, its metrics, its log line.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::request::Parts;
use http::{Response, StatusCode};
use oci::{Digest, Operation, Reference, UploadStart};
use policy::Subject;

use super::Gate;
use crate::audit::{Decision, Record, Unwritten};
use crate::authorize::Permit;
use crate::body::{Body, Progress};
use crate::identity::Principal;
use crate::refusal::Refusal;

/// The account of one request, written when its answer has ended.
pub(super) struct Exchange {
    gate: Arc<Gate>,
    started: Instant,
    record: Record,
    operation: &'static str,
    incoming: Arc<Progress>,
    asked: Option<Instant>,
    upstream: Duration,
}

impl Exchange {
    pub(super) fn new(
        gate: Arc<Gate>,
        request_id: &str,
        address: IpAddr,
        head: &Parts,
        started: Instant,
    ) -> Self {
        let user_agent = head.headers.get(http::header::USER_AGENT);
        let record = Record {
            request_id: Some(request_id.to_owned()),
            address: Some(address),
            user_agent: user_agent.map(|value| String::from_utf8_lossy(value.as_bytes()).into()),
            ..Record::new("request")
        };
        Self {
            gate,
            started,
            record,
            operation: "invalid",
            incoming: Arc::default(),
            asked: None,
            upstream: Duration::ZERO,
        }
    }

    /// What is asked for.
    pub(super) fn parsed(&mut self, operation: &Operation) {
        self.operation = operation.name();
        self.record.operation = Some(operation.name());
        self.record.repository = operation.repository().map(ToString::to_string);
        let digest = |digest: &Digest| Some(digest.to_string());
        match operation {
            Operation::ReadManifest { reference, .. }
            | Operation::PutManifest { reference, .. }
            | Operation::DeleteManifest { reference, .. } => {
                self.record.reference = Some(reference.to_string());
                if let Reference::Digest(named) = reference {
                    self.record.digest = digest(named);
                }
            }
            Operation::ReadBlob { digest: named, .. }
            | Operation::DeleteBlob { digest: named, .. }
            | Operation::FinishUpload { digest: named, .. }
            | Operation::Referrers { digest: named, .. }
            | Operation::StartUpload {
                start:
                    UploadStart::Monolithic { digest: named } | UploadStart::Mount { digest: named, .. },
                ..
            } => self.record.digest = digest(named),
            _ => {}
        }
    }

    /// Who asks.
    pub(super) fn known(&mut self, principal: &Principal, groups: Vec<String>) {
        let subject = &principal.caller.subject;
        self.record.subject = Some(subject.to_string());
        self.record.kind = Some(match subject {
            Subject::User(_) => "user",
            Subject::Service(_) => "service",
            Subject::Peer { .. } => "peer",
            Subject::Anonymous => "anonymous",
        });
        self.record.groups = groups;
        self.record.token_id.clone_from(&principal.token_id);
    }

    /// It may go on.
    pub(super) fn permitted(&mut self, permit: &Permit) {
        self.record.decision = Some(Decision::Allow);
        self.record.rule = permit.rule().map(str::to_owned);
        self.gate.metrics.decision(Decision::Allow, "granted");
    }

    /// It may go on without anybody else being asked.
    pub(super) fn answered_here(&mut self) {
        self.record.decision = Some(Decision::Allow);
    }

    /// The upstream is asked now.
    pub(super) fn asked(&mut self) {
        self.asked = Some(Instant::now());
    }

    /// The upstream has answered, or failed to.
    pub(super) fn answered(&mut self) {
        self.upstream += self.asked.take().map_or(Duration::ZERO, |asked| asked.elapsed());
    }

    /// Counts what the client sends.
    pub(super) fn incoming(&self) -> Arc<Progress> {
        Arc::clone(&self.incoming)
    }

    /// Writes down, before it is done, what is about to be done. What cannot be written down is not
    /// done.
    pub(super) async fn intend(&self) -> Result<(), Unwritten> {
        let intent = Record { event: "intent", ..self.record.clone() };
        self.gate.audit.flush(intent).await
    }

    /// Writes down why it does not go on. True if the record has been written.
    pub(super) async fn refused(&mut self, refusal: &Refusal, request_id: &str) -> bool {
        self.record.rule = refusal.rule().map(str::to_owned);
        self.record.reason = Some(refusal.to_string());
        self.record.status = Some(refusal.status().as_u16());
        self.record.decision = Some(Decision::Deny);
        if let Refusal::Upstream(error) = refusal {
            self.gate.metrics.upstream_error(error.kind().as_str());
        }
        self.gate.metrics.decision(Decision::Deny, refusal.label());
        let causes = crate::log::Causes(refusal).to_string();
        if refusal.status().is_server_error() {
            tracing::error!(request_id, operation = self.operation, error = causes, "failed");
        } else {
            tracing::debug!(request_id, operation = self.operation, reason = causes, "refused");
        }
        if refusal.is_decision() {
            let record = Record { duration_ms: Some(self.milliseconds()), ..self.record.clone() };
            // A denial stands in any case; a trail that cannot be written counts what it loses.
            return self.gate.audit.flush(record).await.is_ok();
        }
        false
    }

    /// Has the account written when the answer ends: at once, or with the last byte of its body.
    pub(super) fn finish(mut self, response: &mut Response<Body>, written: bool) {
        let status = response.status();
        let head = self.started.elapsed();
        self.record.status = Some(status.as_u16());
        let decision = self.record.decision.unwrap_or(Decision::Deny);
        self.gate.metrics.request(self.operation, decision, status.as_u16(), head);
        if self.upstream > Duration::ZERO {
            self.gate.metrics.upstream(self.operation, self.upstream);
        }
        if let Body::Stream(transfer) = response.body_mut() {
            let outgoing = Arc::clone(transfer.progress());
            let in_flight = self.gate.metrics.transfer();
            transfer.then(move |_| {
                drop(in_flight);
                self.close(outgoing.bytes(), written);
            });
        } else {
            let bytes = match response.body() {
                Body::Full(bytes) if status != StatusCode::NO_CONTENT => bytes.len() as u64,
                _ => 0,
            };
            self.close(bytes, written);
        }
    }

    fn close(self, bytes_out: u64, written: bool) {
        let bytes_in = self.incoming.bytes();
        self.gate.metrics.bytes_in(bytes_in);
        self.gate.metrics.bytes_out(bytes_out);
        if written {
            return;
        }
        let record = Record {
            bytes_in: Some(bytes_in),
            bytes_out: Some(bytes_out),
            duration_ms: Some(self.milliseconds()),
            ..self.record
        };
        self.gate.audit.queue(record);
    }

    fn milliseconds(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}
