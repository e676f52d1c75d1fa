//! One request, decided by the shadow policy: the whole of the decision, with what the registry
//! holds, by the same code as the decision that counts.

use std::any::Any;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use oci::{Manifest, Operation, Read, Reference, RepositoryName, Tag, UploadStart};
use policy::{Action, Policy};
use tokio::time::timeout;

use super::Verdict;
use crate::audit::Decision;
use crate::authorize::{
    Granted, Locks, Permit, Question, authorize, explained, is_artifact, put_manifest,
};
use crate::identity::{Ceiling, Principal};
use crate::inventory::{fetch_bytes, head_tag};
use crate::log::Causes;
use crate::refusal::Refusal;

/// How long a request waits for its shadow, and for what only that needs to know.
pub const PATIENCE: Duration = Duration::from_secs(3);

/// How many requests to the registry its shadow may cost, for each question that needs some.
pub const MAX_REQUESTS: usize = 500;

/// A request, as much of it as a decision needs.
#[derive(Debug, Clone)]
pub struct Asked {
    /// What is asked for.
    pub operation: Operation,
    /// With which content.
    pub content: Content,
}

/// What is known of a request's content when it is decided.
#[derive(Debug, Clone)]
pub enum Content {
    /// It does not matter.
    None,
    /// A manifest that was refused before it was sent.
    Unseen,
    /// A manifest, and the type that the client gives it.
    Seen(Bytes, Option<String>),
}

/// What was decided, and what the shadow policy would have decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// By the policy in force.
    pub decision: Decision,
    /// By the other one.
    pub shadow: Judged,
}

/// A decision that does not count, and why it is so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// What.
    pub verdict: Verdict,
    /// By which rule, where one rule decides.
    pub rule: Option<String>,
    /// In words.
    pub reason: Option<String>,
}

impl Comparison {
    /// Whether it is worth telling: the two differ, or may.
    #[must_use]
    pub fn differs(&self) -> bool {
        self.decision.as_str() != self.shadow.verdict.as_str()
    }
}

/// How a decision lets something go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// As it was asked for.
    Whole,
    /// If what stands at the tag turns out to be an artifact.
    IfArtifact,
    /// As an upload, in the place of the mount that was asked for.
    NotMounted,
}

impl Form {
    fn of(asked: &Operation, permit: &Permit) -> Self {
        let wants_mount = matches!(
            asked,
            Operation::StartUpload { start: UploadStart::Mount { from: Some(_), .. }, .. }
        );
        match permit.granted() {
            Granted::ArtifactOnly(_) => Self::IfArtifact,
            Granted::Plain(Operation::StartUpload {
                start: UploadStart::Session { .. }, ..
            }) if wants_mount => Self::NotMounted,
            _ => Self::Whole,
        }
    }
}

/// Decides once more, by the shadow policy, what was `decided` by the policy in force. None where
/// policy had no say: a request that is wrong in itself, a token that does not reach as far and is
/// about to be replaced by another, a registry that does not answer.
///
/// It never takes longer than 3 s, waits for no lock and takes none that others wait for, and a panic
/// in it is one of the shadow alone. The lock of a change that was allowed is held meanwhile.
pub async fn compare(
    question: Question<'_>,
    shadow: &Policy,
    asked: &Asked,
    decided: Result<&Permit, &Refusal>,
) -> Option<Comparison> {
    let form = match decided {
        Ok(permit) => Some(Form::of(&asked.operation, permit)),
        Err(Refusal::Denied { .. } | Refusal::Missing { .. } | Refusal::UnknownContent(_)) => None,
        Err(_) => return None,
    };
    let locks = Locks::unshared();
    let max_requests = match finds_out_for_a_push(&question, &asked.operation) {
        true => 0,
        false => MAX_REQUESTS.min(question.max_requests),
    };
    let question = Question { policy: shadow, locks: &locks, max_requests, ..question };
    let undecided = |reason: &str| Comparison {
        decision: if form.is_some() { Decision::Allow } else { Decision::Deny },
        shadow: Judged::undecided(reason),
    };
    Some(match timeout(PATIENCE, caught(Box::pin(both(question, asked, form)))).await {
        Ok(Ok(comparison)) => comparison,
        Ok(Err(panic)) => {
            tracing::error!(panic = said(panic.as_ref()), "the shadow policy was not asked");
            undecided("an internal error, which the log tells")
        }
        Err(_) => undecided("the registry took too long to say what this depends on"),
    })
}

/// Whoever pushes asks with HEAD, in masses, for what it is about to push. No policy in force would
/// ask the registry more for that than is known, and neither does this one.
fn finds_out_for_a_push(question: &Question<'_>, operation: &Operation) -> bool {
    let repository = match operation {
        Operation::ReadBlob { read: Read::Head, repository, .. }
        | Operation::ReadManifest {
            read: Read::Head,
            repository,
            reference: Reference::Digest(_),
        } => repository,
        _ => return false,
    };
    let ceiling = &question.principal.ceiling;
    let writes = [Action::Create, Action::Overwrite, Action::Attach];
    *ceiling != Ceiling::Unlimited
        && writes.into_iter().any(|action| ceiling.covers(action, repository))
}

/// Both decisions, once it is known what stands at the tag if that matters to one of them alone.
async fn both(question: Question<'_>, asked: &Asked, form: Option<Form>) -> Comparison {
    let (shadow_form, shadow) = judged(question, asked).await;
    let is_artifact = match (form, shadow_form) {
        (Some(Form::IfArtifact), Some(Form::IfArtifact)) => Ok(true),
        (Some(Form::IfArtifact), _) | (_, Some(Form::IfArtifact)) => {
            artifact_there(question, &asked.operation).await
        }
        _ => Ok(true),
    };
    let allows = |form: Form, is_artifact: bool| match form {
        Form::Whole => true,
        Form::IfArtifact => is_artifact,
        Form::NotMounted => false,
    };
    let decision = |allowed| if allowed { Decision::Allow } else { Decision::Deny };
    let is_artifact = match is_artifact {
        Ok(is_artifact) => is_artifact,
        Err(refusal) => {
            let shadow = Judged::undecided(&Causes(&refusal).to_string());
            return Comparison { decision: decision(form.is_some()), shadow };
        }
    };
    let shadow = match shadow_form {
        Some(Form::NotMounted) => Judged::denied(
            None,
            "the blob would be uploaded in place of being mounted, as the caller may not pull it \
             there"
                .to_owned(),
        ),
        Some(Form::IfArtifact) if !is_artifact => Judged::denied(
            None,
            "without a grant for the tag itself, nothing but an artifact of a readable image may \
             be pulled by it"
                .to_owned(),
        ),
        _ => shadow,
    };
    let allowed = form.is_some_and(|form| allows(form, is_artifact));
    Comparison { decision: decision(allowed), shadow }
}

/// What the shadow policy says. A denial counts only if no token of the same caller would do: the
/// tokens that are shown were made by what the policy in force grants.
async fn judged(question: Question<'_>, asked: &Asked) -> (Option<Form>, Judged) {
    let mut outcome = decide(question, asked).await;
    let principal;
    let mut question = question;
    if outcome.is_err() && question.principal.ceiling != Ceiling::Unlimited {
        let caller = question.principal.caller.clone();
        principal = Principal { caller, ceiling: Ceiling::Unlimited, token_id: None };
        question = Question { principal: &principal, ..question };
        outcome = decide(question, asked).await;
    }
    match outcome {
        Ok((form, rule)) => {
            let unseen = matches!(asked.content, Content::Unseen);
            let reason = unseen.then(|| "the content was not sent, and so not judged".to_owned());
            (Some(form), Judged { verdict: Verdict::Allow, rule, reason })
        }
        Err(
            refusal @ (Refusal::Denied { .. }
            | Refusal::Missing { .. }
            | Refusal::UnknownContent(_)),
        ) => {
            let (rule, reason) = explained(&question, &asked.operation, &refusal);
            (None, Judged::denied(rule, reason))
        }
        Err(refusal) => (None, Judged::undecided(&Causes(&refusal).to_string())),
    }
}

async fn decide(question: Question<'_>, asked: &Asked) -> Result<(Form, Option<String>), Refusal> {
    let operation = asked.operation.clone();
    let permit = match &asked.content {
        Content::None => authorize(question, operation).await?,
        Content::Unseen => {
            let pending = put_manifest(question, operation).await?;
            return Ok((Form::Whole, pending.rule().map(str::to_owned)));
        }
        Content::Seen(bytes, content_type) => {
            let pending = put_manifest(question, operation).await?;
            pending.judge(bytes.clone(), content_type.as_deref()).await?
        }
    };
    Ok((Form::of(&asked.operation, &permit), permit.rule().map(str::to_owned)))
}

/// Whether an artifact stands at the tag that is to be read. What is not there is refused as well
/// as what is none.
async fn artifact_there(question: Question<'_>, operation: &Operation) -> Result<bool, Refusal> {
    let Operation::ReadManifest { repository, reference: Reference::Tag(tag), .. } = operation
    else {
        return Err(Refusal::Internal("an artifact is read by its tag"));
    };
    let Some(manifest) = manifest_at(question, repository, tag).await? else { return Ok(false) };
    let gone = question.learn_children(repository, &manifest).await?;
    Ok(is_artifact(question.inventory, repository, &manifest, &gone))
}

async fn manifest_at(
    question: Question<'_>,
    repository: &RepositoryName,
    tag: &Tag,
) -> Result<Option<Manifest>, Refusal> {
    let Some(digest) = head_tag(question.upstream, repository, tag).await? else { return Ok(None) };
    let there = fetch_bytes(question.upstream, repository, &digest).await?;
    let Some((bytes, content_type)) = there else { return Ok(None) };
    Ok(Manifest::parse(&bytes, content_type.as_deref()).ok())
}

impl Judged {
    fn denied(rule: Option<String>, reason: String) -> Self {
        Self { verdict: Verdict::Deny, rule, reason: Some(reason) }
    }

    fn undecided(reason: &str) -> Self {
        Self { verdict: Verdict::Undecided, rule: None, reason: Some(reason.to_owned()) }
    }
}

/// Runs to the end or to a panic.
async fn caught<T>(future: impl Future<Output = T>) -> Result<T, Box<dyn Any + Send>> {
    let mut future = pin!(future);
    // What a panic may leave half done is dropped with the future: it has no lock but its own, and
    // what it shares with others holds after a panic elsewhere, too.
    poll_fn(move |context| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
        Ok(poll) => poll.map(Ok),
        Err(panic) => std::task::Poll::Ready(Err(panic)),
    })
    .await
}

fn said(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_ends_what_panicked_and_nothing_else() {
        let panic = caught(async { panic!("no {}", 7) as u8 }).await.unwrap_err();
        assert_eq!(said(panic.as_ref()), "no 7");
        let panic = caught(async { panic!("plain") as u8 }).await.unwrap_err();
        assert_eq!(said(panic.as_ref()), "plain");
        let slow = async {
            tokio::task::yield_now().await;
            5
        };
        assert_eq!(caught(slow).await.unwrap(), 5);
    }
}
