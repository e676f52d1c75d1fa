//! What is told of a request: its audit record, its metrics, its log line.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::Response;
use http::request::Parts;
use oci::{Digest, Operation, Reference, UploadStart};
use policy::{Credential, Subject};

use super::Gate;
use crate::audit::{Decision, Record, Unwritten};
use crate::authorize::{Granted, Leniency, Permit};
use crate::body::{Body, Progress};
use crate::identity::Principal;
use crate::refusal::Refusal;
use crate::shadow::{Comparison, Difference};

/// The account of one request. It is written when the answer has ended, or when this is dropped
/// before there was one; so there is always exactly one.
pub(super) struct Exchange {
    gate: Arc<Gate>,
    started: Instant,
    record: Record,
    operation: &'static str,
    incoming: Arc<Progress>,
    outgoing: Arc<Progress>,
    asked: Option<Instant>,
    upstream: Duration,
    is_written: bool,
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
            outgoing: Arc::default(),
            asked: None,
            upstream: Duration::ZERO,
            is_written: false,
        }
    }

    /// What is asked for.
    pub(super) fn parsed(&mut self, operation: &Operation) {
        self.operation = operation.name();
        self.record.operation = Some(operation.name());
        self.record.repository = operation.repository().map(ToString::to_string);
        let digest = |digest: &Digest| Some(digest.to_string());
        match operation {
            Operation::PutManifest { reference, tags, .. } => {
                // Every tag that is set stands there, not the first alone.
                let tags = tags.iter().map(|tag| format!(",{tag}"));
                let all = std::iter::once(reference.to_string()).chain(tags);
                self.record.reference = Some(all.collect());
            }
            Operation::ReadManifest { reference, .. }
            | Operation::DeleteManifest { reference, .. } => {
                self.record.reference = Some(reference.to_string());
                if let Reference::Digest(named) = reference {
                    self.record.digest = digest(named);
                }
            }
            Operation::StartUpload {
                start: UploadStart::Mount { digest: named, from: Some(from) },
                ..
            } => {
                self.record.digest = digest(named);
                self.record.reference = Some(format!("from {from}"));
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
    pub(super) fn known(&mut self, principal: &Principal, groups: BTreeSet<String>) {
        let subject = &principal.caller.subject;
        self.record.subject = Some(subject.to_string());
        self.record.kind = Some(match subject {
            Subject::User(_) => "user",
            Subject::Service(_) => "service",
            Subject::Peer { .. } => "peer",
            Subject::Anonymous => "anonymous",
        });
        self.record.groups = groups.into_iter().collect();
        let caller = &principal.caller;
        self.record.credential = caller.circumstances.credential.map(Credential::as_str);
        self.record.asserted.clone_from(&caller.groups);
        self.record.carried.clone_from(&caller.granting);
        self.record.bounds.clone_from(&caller.bounds);
        self.record.token_id.clone_from(&principal.token_id);
    }

    /// The groups of whoever asks.
    pub(super) fn groups(&self) -> &[String] {
        &self.record.groups
    }

    /// What the shadow policy would have decided, which is something else; to be called before
    /// the decision is told. What there is to report of it.
    pub(super) fn shadowed(&mut self, comparison: Comparison) -> Difference {
        let Comparison { decision, shadow } = comparison;
        let record = &mut self.record;
        record.shadow = Some(shadow.verdict);
        record.shadow_rule.clone_from(&shadow.rule);
        record.shadow_reason.clone_from(&shadow.reason);
        // The reference of a mount is where the blob comes from.
        let named = match self.operation {
            "upload_start" => &record.digest,
            _ if record.reference.is_some() => &record.reference,
            _ => &record.digest,
        };
        Difference {
            subject: record.subject.clone().unwrap_or_default(),
            operation: self.operation,
            repository: record.repository.clone(),
            reference: named.clone(),
            decision,
            shadow: shadow.verdict,
            shadow_rule: shadow.rule,
            shadow_reason: shadow.reason,
        }
    }

    /// It may go on.
    pub(super) fn permitted(&mut self, permit: &Permit) {
        self.record.decision = Some(Decision::Allow);
        self.record.rule = permit.rule().map(str::to_owned);
        if let Granted::Manifest { content, .. } = permit.granted() {
            self.served(&content.digest);
            self.released(content.leniency.as_ref());
        }
        self.gate.metrics.decision(Decision::Allow, "granted");
    }

    /// What the gates let it through without.
    pub(super) fn released(&mut self, leniency: Option<&Leniency>) {
        if let Some(Leniency { gate, reason }) = leniency {
            self.record.gate = Some(gate.clone());
            self.record.reason = Some(reason.clone());
        }
    }

    /// Which manifest it turned out to be.
    pub(super) fn served(&mut self, digest: &Digest) {
        self.record.digest = Some(digest.to_string());
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

    /// Writes down why it does not go on, before the client hears of it where that is due. The
    /// answer's body will have so many bytes.
    pub(super) async fn refused(&mut self, refusal: &Refusal, bytes: u64) {
        self.record.rule = refusal.rule().map(str::to_owned);
        self.record.gate = refusal.gate().map(str::to_owned);
        self.record.reason = Some(refusal.to_string());
        self.record.status = Some(refusal.status().as_u16());
        self.record.decision = Some(Decision::Deny);
        if let Some(error) = refusal.upstream() {
            self.gate.metrics.upstream_error(error.kind().as_str());
        }
        self.gate.metrics.decision(Decision::Deny, refusal.label());
        let request_id = self.record.request_id.as_deref().unwrap_or_default();
        let causes = crate::log::Causes(refusal).to_string();
        if refusal.status().is_server_error() {
            tracing::error!(request_id, operation = self.operation, error = causes, "failed");
        } else {
            tracing::debug!(request_id, operation = self.operation, reason = causes, "refused");
        }
        self.outgoing.add(bytes);
        if refusal.is_decision() {
            let record = self.close();
            // A denial stands in any case; a trail that cannot be written counts what it loses.
            let _ = self.gate.audit.flush(record).await;
        }
    }

    /// Has the account written when the answer ends: at once, or with the last byte of its body.
    pub(super) fn finish(mut self, response: &mut Response<Body>) {
        let status = response.status().as_u16();
        self.record.status = Some(status);
        let decision = self.record.decision.unwrap_or(Decision::Deny);
        self.gate.metrics.request(self.operation, decision, status, self.started.elapsed());
        if self.upstream > Duration::ZERO {
            self.gate.metrics.upstream(self.operation, self.upstream);
        }
        if let Body::Stream(transfer) = response.body_mut() {
            self.outgoing = Arc::clone(transfer.progress());
            let in_flight = self.gate.metrics.transfer();
            transfer.then(move |_| drop((self, in_flight)));
        } else if self.outgoing.bytes() == 0 {
            self.outgoing.add(full_length(response.body()));
        }
    }

    /// The record as it stands, for good.
    fn close(&mut self) -> Record {
        self.is_written = true;
        let milliseconds = self.started.elapsed().as_millis();
        Record {
            bytes_in: Some(self.incoming.bytes()),
            bytes_out: Some(self.outgoing.bytes()),
            duration_ms: Some(u64::try_from(milliseconds).unwrap_or(u64::MAX)),
            ..self.record.clone()
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.gate.metrics.bytes_in(self.incoming.bytes());
        self.gate.metrics.bytes_out(self.outgoing.bytes());
        if self.is_written {
            return;
        }
        if self.record.status.is_none() {
            self.record.reason = Some("the client went away before there was an answer".to_owned());
        }
        let record = self.close();
        self.gate.audit.queue(record);
    }
}

/// Of a body that is known as a whole; a streamed one counts itself.
pub(super) fn full_length(body: &Body) -> u64 {
    match body {
        Body::Full(bytes) => bytes.len() as u64,
        Body::Empty | Body::Stream(_) | Body::Service(_) => 0,
    }
}
