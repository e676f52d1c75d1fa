//! What somebody does to the registry through the gate's own services: it goes the way of a client's
//! request, from the decision to the audit trail.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use http::header::USER_AGENT;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use oci::{Operation, Reference, RepositoryName};

use super::Gate;
use super::exchange::Exchange;
use super::headers::Forwarded;
use super::request::{Known, judge_and_forward};
use crate::body::Body;
use crate::identity::Principal;
use crate::refusal::Refusal;

/// The most of an answer that is read, in bytes: only its status is of interest.
const MAX_ANSWER: usize = 64 * 1024;

/// A gate before its registry, as an extension of requests to its own services.
#[derive(Clone)]
pub(crate) struct Act {
    pub(super) gate: Arc<Gate>,
    /// Keeps the worker from ending in the middle.
    pub(super) _alive: Arc<()>,
}

/// Who acts, and from where.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    pub(crate) principal: Principal,
    pub(crate) address: IpAddr,
    pub(crate) user_agent: Option<HeaderValue>,
}

impl Act {
    /// Deletes what a client would with `DELETE /v2/NAME/manifests/REFERENCE`: as that is decided,
    /// locked, recorded, and learned. It goes on to its end although whoever waits goes away. Tells
    /// what the registry answered.
    ///
    /// # Errors
    /// Why it was not asked, or what it did not answer.
    pub(crate) async fn delete(
        &self,
        client: Client,
        repository: RepositoryName,
        reference: Reference,
    ) -> Result<StatusCode, Refusal> {
        let act = self.clone();
        let operation = Operation::DeleteManifest { repository, reference };
        match tokio::spawn(async move { act.run(client, operation).await }).await {
            Ok(answered) => answered,
            Err(error) => {
                tracing::error!(%error, "a deletion was not answered");
                Err(Refusal::Internal("a deletion did not come to its end"))
            }
        }
    }

    async fn run(&self, client: Client, operation: Operation) -> Result<StatusCode, Refusal> {
        let (gate, started) = (&self.gate, Instant::now());
        let request_id = gate.request_ids.next();
        let Client { mut principal, address, user_agent } = client;
        let circumstances = &mut principal.caller.circumstances;
        (circumstances.at, circumstances.address) = (Some(gate.clock.now()), Some(address));
        let (mut head, ()) = Request::new(()).into_parts();
        head.headers.extend(user_agent.map(|value| (USER_AGENT, value)));
        let mut exchange = Exchange::new(Arc::clone(gate), &request_id, address, &head, started);
        exchange.parsed(&operation);
        let loaded = Arc::clone(&gate.policy.current());
        exchange.known(&principal, loaded.policy.groups_of(&principal.caller));
        let known = Known { principal: &principal, loaded: &loaded };
        let forwarded = Forwarded { address, request_id: &request_id };
        let asked = (operation, None);
        let answered =
            judge_and_forward(gate, asked, known, &head, &mut None, forwarded, &mut exchange).await;
        let mut response = match answered {
            Ok(response) => response,
            Err(refusal) => {
                exchange.refused(&refusal, 0).await;
                let mut response = Response::new(Body::Empty);
                *response.status_mut() = refusal.status();
                exchange.finish(&mut response);
                return Err(refusal);
            }
        };
        exchange.finish(&mut response);
        let status = response.status();
        // The account is written with the last byte, or when there are too many.
        let _ = Limited::new(response.into_body(), MAX_ANSWER).collect().await;
        Ok(status)
    }
}
