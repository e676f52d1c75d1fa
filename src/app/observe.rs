//! What becomes of credentials, for metrics and the audit trail.

use std::sync::Arc;

use crate::audit::{Audit, Record};
use crate::identity::{Observer, TokenEvent};
use crate::metrics::Metrics;
use crate::proxy::request_id;

/// Counts and records what becomes of credentials.
pub(super) fn observer(metrics: Arc<Metrics>, audit: Arc<Audit>) -> Observer {
    Observer::new(move |event| match event {
        TokenEvent::Issued { grant, subject, token_id, address } => {
            metrics.token_issued(grant.label());
            audit.queue(Record {
                request_id: request_id::current(),
                subject: Some(subject.to_string()),
                token_id: Some(token_id.to_owned()),
                address: Some(address),
                reason: Some(grant.label().to_owned()),
                ..Record::new("token.issued")
            });
        }
        TokenEvent::Reused { subject, family, address } => {
            tracing::warn!(%subject, family, %address, "a refresh token was used again: its family is revoked");
            audit.queue(Record {
                request_id: request_id::current(),
                subject: Some(subject.to_string()),
                token_id: Some(family.to_owned()),
                address: Some(address),
                ..Record::new("token.reused")
            });
        }
        TokenEvent::Checked { result } => metrics.token_checked(result.label()),
        TokenEvent::LoginFailed { account, address, reason } => {
            metrics.login_failed(reason);
            audit.queue(Record {
                request_id: request_id::current(),
                subject: Some(account.to_owned()),
                address: Some(address),
                reason: Some(reason.to_owned()),
                ..Record::new("login.failed")
            });
        }
    })
}
