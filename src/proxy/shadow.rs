//! Deciding a request by the shadow policy, too. Nothing of this is done, or paid for, where there
//! is none.

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use oci::{Digest, Operation, RepositoryName};
use tokio::time::timeout;

use super::Gate;
use super::exchange::Exchange;
use crate::authorize::{Permit, Question};
use crate::content;
use crate::inventory::{Budget, learn_manifests};
use crate::log::Causes;
use crate::refusal::Refusal;
use crate::reload::LoadedPolicy;
use crate::shadow::{Asked, Content, MAX_REQUESTS, PATIENCE, Pair, Shadow, compare};

/// A request that is to be decided by the shadow policy after it was decided by the one in force.
pub(super) struct Beside<'g> {
    shadow: &'g Shadow,
    policy: Arc<LoadedPolicy>,
    asked: Asked,
}

impl<'g> Beside<'g> {
    /// Keeps what the second decision needs; none where there is no shadow policy. `manifest` is
    /// what was sent.
    pub(super) fn of(
        gate: &'g Gate,
        operation: &Operation,
        manifest: Option<&Bytes>,
        head: &Parts,
    ) -> Option<Self> {
        let shadow = gate.shadow.as_deref()?;
        let policy = shadow.policy()?;
        let content = match (operation, manifest) {
            (Operation::PutManifest { .. }, Some(bytes)) => {
                let content_type = content::content_type(&head.headers).map(str::to_owned);
                Content::Seen(bytes.clone(), content_type)
            }
            (Operation::PutManifest { .. }, None) => Content::Unseen,
            _ => Content::None,
        };
        Some(Self { shadow, policy, asked: Asked { operation: operation.clone(), content } })
    }

    /// Decides once more, and has it told if something else came of it. To be called before what
    /// was decided is done: afterwards the tag is there.
    pub(super) async fn compare(
        self,
        gate: &Gate,
        question: Question<'_>,
        by: &LoadedPolicy,
        decided: Result<&Permit, &Refusal>,
        exchange: &mut Exchange,
    ) {
        let comparison = compare(question, &self.policy.policy, &self.asked, decided).await;
        let Some(comparison) = comparison else { return };
        gate.metrics.shadow_decision(comparison.decision, comparison.shadow.verdict);
        let difference = comparison.differs().then(|| exchange.shadowed(comparison));
        let pair = Pair { policy: by.sha256, shadow: self.policy.sha256 };
        self.shadow.decided(pair, difference, gate.clock.now());
    }
}

/// What is about an image is readable with it, if it is known to be an artifact. Whoever reads
/// everything by the policy in force need not know that, and the shadow policy does.
pub(super) async fn learn_referrers(
    gate: &Gate,
    repository: &RepositoryName,
    found: impl FnOnce() -> Vec<Digest>,
) {
    if gate.shadow.as_deref().and_then(Shadow::policy).is_none() {
        return;
    }
    let (found, budget) = (found(), Budget::new(MAX_REQUESTS));
    let (inventory, upstream) = (&gate.inventory, &gate.upstream);
    let learning = learn_manifests(inventory, upstream, repository, &found, &budget);
    if let Ok(Err(error)) = timeout(PATIENCE, learning).await {
        tracing::debug!(error = %Causes(&error), "the shadow policy does not know all referrers");
    }
}
