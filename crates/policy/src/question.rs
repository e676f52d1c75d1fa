//! Questions to a policy as people write them: who asks, what for, about which image.

use document::{Mistake, nearest};
use oci::{RepositoryName, Tag};

use crate::actions::Actions;
use crate::caller::Subject;
use crate::circumstances::Credential;
use crate::policy::Image;
use crate::{Action, lower};

/// An image that is asked about. [`Target::image`] is what a decision takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The repository.
    pub repository: RepositoryName,
    /// The tag. `None`: the repository as a whole.
    pub tag: Option<Tag>,
}

impl Target {
    /// The image.
    #[must_use]
    pub fn image(&self) -> Image<'_> {
        Image { repository: &self.repository, tag: self.tag.as_ref() }
    }
}

/// As it is written: `team/app:v1`.
impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.tag {
            Some(tag) => write!(f, "{}:{tag}", self.repository),
            None => write!(f, "{}", self.repository),
        }
    }
}

/// Reads `REPOSITORY:TAG`, or `REPOSITORY` for all of it.
///
/// # Errors
/// It is neither; a digest is not, for policies speak of tags.
pub fn target(text: &str) -> Result<Target, Mistake> {
    if text.contains('@') {
        return Err(Mistake::new("policies speak of tags, not of digests").help(
            "what may be done to a digest follows from the tags that lead to it: name one of those",
        ));
    }
    if text.contains(['*', '?', '{']) {
        return Err(Mistake::new(format!("`{text}` is a pattern")).help("name one image"));
    }
    let (repository, tag) = match text.split_once(':') {
        Some((repository, tag)) => (repository, Some(tag)),
        None => (text, None),
    };
    Ok(Target {
        repository: RepositoryName::new(repository).map_err(|error| Mistake::of(&error))?,
        tag: tag.map(Tag::new).transpose().map_err(|error| Mistake::of(&error))?,
    })
}

/// Reads the word for an action: the actions that it stands for. Whether a policy declares the flag
/// of `flag:NAME` is not looked at.
///
/// # Errors
/// There is no such word.
pub fn actions(word: &str) -> Result<Vec<Action>, Mistake> {
    let actions = Actions::read(word)?;
    if actions.has_any_flag() {
        return Err(Mistake::new("`flag:*` is no single action").help("name one flag: `flag:NAME`"));
    }
    Ok(actions.iter().collect())
}

/// Reads who asks: `user:NAME`, `service:NAME`, `peer:GATE/NAME`, or `anyone` for a caller without
/// an account.
///
/// # Errors
/// It is none of these: a group does not ask, and a pattern is not one caller.
pub fn asker(text: &str) -> Result<Subject, Mistake> {
    if matches!(text, "anyone" | "anonymous") {
        return Ok(Subject::Anonymous);
    }
    let refuse = |message: String, help: &str| Err(Mistake::new(message).help(help));
    match text.split_once(':') {
        Some(("user" | "service" | "peer", name)) if name.contains('*') => {
            refuse(format!("`{text}` is a pattern"), "name one caller")
        }
        Some(("user" | "service" | "peer", "")) => {
            refuse(format!("nobody is named after `{text}`"), "write the name after the colon")
        }
        _ if text.chars().any(char::is_control) => {
            let text = text.escape_debug();
            refuse(format!("`{text}` is no caller"), "names hold no line breaks and no tabs")
        }
        Some(("peer", peer)) if !is_peer(peer) => {
            refuse(format!("`{text}` names no caller"), "write `peer:GATE/NAME`")
        }
        Some(("group", _)) => refuse(
            format!("`{text}` does not ask: it is a group"),
            "name someone, and the group among the groups of the caller",
        ),
        _ if text == "authenticated" => {
            refuse(format!("`{text}` is no single caller"), "name one, such as `user:alice`")
        }
        _ => text
            .parse()
            .map_err(|_| Mistake::new(format!("`{text}` is no caller")).help(guess(text))),
    }
}

fn is_peer(peer: &str) -> bool {
    peer.split_once('/').is_some_and(|(gate, name)| !gate.is_empty() && !name.is_empty())
}

fn guess(text: &str) -> String {
    let (prefix, name) = text.split_once(':').unwrap_or((text, ""));
    let guess = match nearest(prefix, ["user", "service", "peer", "anyone"]) {
        Some("anyone") => "anyone".to_owned(),
        Some(known) if !name.is_empty() => format!("{known}:{name}"),
        _ if prefix == text => format!("user:{text}"),
        _ => return "callers are `user:NAME`, `service:NAME`, `peer:GATE/NAME` or `anyone`".into(),
    };
    format!("did you mean `{guess}`?")
}

/// Reads the kind of a credential, as `token` has it in a rule.
///
/// # Errors
/// There is no such kind.
pub fn credential(text: &str) -> Result<Credential, Mistake> {
    lower::credential(text)
}

/// Reads a moment, as `starts` and `expires` have it in a rule: a date, which is its 00:00 UTC, or a
/// time with its offset.
///
/// # Errors
/// It is no moment.
pub fn time(text: &str) -> Result<jiff::Timestamp, Mistake> {
    lower::time(text)
}

impl Credential {
    /// The kind that a caller has where nothing else is said: users and services may come by the
    /// word of an identity provider too.
    #[must_use]
    pub fn usual(subject: &Subject) -> Self {
        match subject {
            Subject::User(_) => Self::User,
            Subject::Service(_) => Self::Service,
            Subject::Peer { .. } => Self::Peer,
            Subject::Anonymous => Self::Anonymous,
        }
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    fn refused<T: std::fmt::Debug>(read: Result<T, Mistake>) -> String {
        read.unwrap_err().render(false)
    }

    #[test]
    fn who_asks_is_one_caller() {
        for text in ["user:alice", "service:ci/build", "peer:eu/user:x"] {
            assert_eq!(asker(text).unwrap().to_string(), text);
        }
        assert_eq!(asker("anyone").unwrap(), Subject::Anonymous);
        assert_eq!(asker("anonymous").unwrap(), Subject::Anonymous);
        let wrong = [
            "alice",
            "usr:alice",
            "xyz:alice",
            "user:",
            "user:a\n",
            "group:qa",
            "peer:eu",
            "anyon",
            "authenticated",
            "service:ci/*",
        ];
        assert_snapshot!(wrong.map(|text| refused(asker(text))).join("\n"), @r"
        error: `alice` is no caller
        help: did you mean `user:alice`?
        error: `usr:alice` is no caller
        help: did you mean `user:alice`?
        error: `xyz:alice` is no caller
        help: callers are `user:NAME`, `service:NAME`, `peer:GATE/NAME` or `anyone`
        error: nobody is named after `user:`
        help: write the name after the colon
        error: `user:a\n` is no caller
        help: names hold no line breaks and no tabs
        error: `group:qa` does not ask: it is a group
        help: name someone, and the group among the groups of the caller
        error: `peer:eu` names no caller
        help: write `peer:GATE/NAME`
        error: `anyon` is no caller
        help: did you mean `anyone`?
        error: `authenticated` is no single caller
        help: name one, such as `user:alice`
        error: `service:ci/*` is a pattern
        help: name one caller
        ");
    }

    #[test]
    fn a_target_is_one_image() {
        assert_eq!(target("team/app:v1").unwrap().to_string(), "team/app:v1");
        assert_eq!(target("team/app").unwrap().to_string(), "team/app");
        let wrong = ["a/B", "a:-", "a@sha256:00", "team/**", ""];
        assert_snapshot!(wrong.map(|text| refused(target(text))).join("\n"), @"
        error: `B` cannot be a part of a repository name: lower-case letters and digits, joined by `.`, `_`, `__` or dashes
        error: not a tag: 1 to 128 letters, digits, `_`, `.` and `-`, the first neither a dot nor a dash
        error: policies speak of tags, not of digests
        help: what may be done to a digest follows from the tags that lead to it: name one of those
        error: `team/**` is a pattern
        help: name one image
        error: a repository name may not be empty
        ");
    }

    #[test]
    fn a_word_stands_for_its_actions() {
        assert_eq!(actions("push").unwrap(), [Action::Create, Action::Overwrite]);
        assert_eq!(actions("inspect").unwrap(), [Action::Inspect]);
        assert_eq!(actions("all").unwrap().len(), 5);
        assert_snapshot!([refused(actions("psh")), refused(actions("zzz"))].join("\n"), @"
        error: unknown action `psh`
        help: did you mean `push`?
        error: unknown action `zzz`
        help: actions are `pull`, `inspect`, `create`, `overwrite`, `push`, `attach`, `delete`, `all`, `report`, `scan`, `break-glass`, `flag:NAME`
        ");
    }
}
