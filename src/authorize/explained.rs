//! The whole truth about a refusal. A client may not hear whether something is there; whoever
//! compares policies has to know why it would not be given.

use oci::{Operation, Read, Reference};
use policy::Action;

use super::Question;
use crate::refusal::Refusal;

/// The rule behind a refusal of that operation, where one decides, and why it is refused in words
/// for administrators.
#[must_use]
pub fn explained(
    question: &Question<'_>,
    operation: &Operation,
    refusal: &Refusal,
) -> (Option<String>, String) {
    let plain = |refusal: &Refusal| (refusal.rule().map(str::to_owned), refusal.to_string());
    match refusal {
        Refusal::Denied { rule, reason, .. } => (rule.clone(), reason.clone()),
        Refusal::UnknownContent(digest) => {
            let reason = format!(
                "the manifest names {digest}, which the caller neither pushed nor may pull by any tag"
            );
            (None, reason)
        }
        Refusal::Missing { .. } => match operation {
            Operation::ReadManifest { repository, reference: Reference::Tag(tag), .. } => {
                match question.denied(Action::Pull, repository, Some(tag)) {
                    Refusal::Denied { rule, reason, .. } => (rule, reason),
                    _ => plain(refusal),
                }
            }
            // Found there, it is not pushed again; so this is no denial to a client that pushes.
            Operation::ReadBlob { read: Read::Head, repository, .. }
                if question.may_write(repository) =>
            {
                (
                    None,
                    "no tag that the caller may pull leads to it, so it would be pushed".to_owned(),
                )
            }
            Operation::ReadManifest { .. }
            | Operation::ReadBlob { .. }
            | Operation::Referrers { .. }
            | Operation::DeleteManifest { .. } => {
                (None, "no tag that the caller may pull leads to it".to_owned())
            }
            Operation::ListTags { .. } => {
                (None, "there is no tag that the caller may pull".to_owned())
            }
            _ => plain(refusal),
        },
        _ => plain(refusal),
    }
}
