//! What a policy answers to a recorded operation, as far as the record tells.

use policy::{Action, Caller, Image, Policy, Tags};

use super::line::About;
use super::seen::Seen;

/// As the gate would answer, without the registry behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Answer {
    Allow,
    Deny,
    /// Only a tag that does not exist may be set.
    OnlyNew,
    /// Only a tag that exists may be set.
    OnlyThere,
    /// It depends on which tags lead to the digest, or on the image that a fallback tag names.
    Unknown,
}

impl Answer {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::OnlyNew => "allow if the tag is new",
            Self::OnlyThere => "allow if the tag exists",
            Self::Unknown => "unknown",
        }
    }
}

/// `None`: policy does not decide about this operation alone.
pub(super) fn answer(
    policy: &Policy,
    caller: &Caller,
    operation: &str,
    about: &About,
    seen: &Seen,
) -> Option<Answer> {
    let may = |action, tag| {
        let image = Image { repository: &about.repository, tag };
        policy.decide(caller, action, image).is_allowed()
    };
    let one = |is_allowed| if is_allowed { Answer::Allow } else { Answer::Deny };
    let any = |actions: &[Action]| {
        one(actions.iter().any(|action| policy.grants_any(caller, *action, &about.repository)))
    };
    let by_digest = |action| match policy.tags(caller, action, &about.repository) {
        Tags::All => Answer::Allow,
        Tags::None => Answer::Deny,
        Tags::Some(filter) => {
            let tags = about.digest.as_ref().map_or(&[][..], |it| seen.tags(&about.repository, it));
            match action == Action::Pull && tags.iter().any(|tag| filter.allows(tag)) {
                true => Answer::Allow,
                false => Answer::Unknown,
            }
        }
    };
    let writes = [Action::Create, Action::Overwrite, Action::Attach];
    Some(match (operation, about.tags.as_slice()) {
        ("manifest_read", [tag]) => match may(Action::Pull, Some(tag)) {
            false if tag.referrers_subject().is_some() => Answer::Unknown,
            is_allowed => one(is_allowed),
        },
        ("manifest_delete", [tag]) => one(may(Action::Delete, Some(tag))),
        ("manifest_put", []) => any(&writes),
        ("manifest_put", tags) => {
            let answers = tags.iter().map(|tag| {
                match (may(Action::Create, Some(tag)), may(Action::Overwrite, Some(tag))) {
                    (true, true) => Answer::Allow,
                    _ if tag.referrers_subject().is_some() => Answer::Unknown,
                    (true, false) => Answer::OnlyNew,
                    (false, true) => Answer::OnlyThere,
                    (false, false) => Answer::Deny,
                }
            });
            answers.reduce(both).unwrap_or(Answer::Deny)
        }
        ("manifest_read" | "blob_read" | "referrers", _) => by_digest(Action::Pull),
        ("manifest_delete", _) => by_digest(Action::Delete),
        ("blob_delete", _) => {
            one(matches!(policy.tags(caller, Action::Delete, &about.repository), Tags::All))
        }
        ("tags_list", _) => any(&[Action::Pull]),
        (
            "upload_start" | "upload_status" | "upload_chunk" | "upload_finish" | "upload_cancel",
            _,
        ) => any(&writes),
        _ => return None,
    })
}

/// What holds for two tags that are set at once.
fn both(one: Answer, other: Answer) -> Answer {
    match (one, other) {
        (Answer::Deny, _) | (_, Answer::Deny) => Answer::Deny,
        (Answer::Allow, it) | (it, Answer::Allow) => it,
        (one, other) if one == other => one,
        _ => Answer::Unknown,
    }
}
