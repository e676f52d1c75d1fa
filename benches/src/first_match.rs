//! The usual way to do it: a list of regular expressions, read from the top until one matches.
//!
//! Denials come first in the list, so that it means the same as the policy.

use policy::{Action, Caller, Subject};
use regex::Regex;

use crate::workload::Request;

/// The list.
#[derive(Debug)]
pub struct FirstMatch(Vec<Line>);

#[derive(Debug)]
struct Line {
    subject: Regex,
    image: Regex,
    actions: Vec<Action>,
    allow: bool,
}

impl FirstMatch {
    /// The same policy as [`crate::workload::policy`].
    ///
    /// # Errors
    /// An expression is malformed.
    pub fn new(rules: usize) -> Result<Self, regex::Error> {
        let teams = (rules / 5).max(2);
        let mut lines = Vec::new();
        let push = [Action::Pull, Action::Create, Action::Overwrite];
        for team in 0..teams {
            let versions = format!("team/t{team}(/.*)?:v.*");
            lines.push(line(".*", &versions, &[Action::Overwrite, Action::Delete], false)?);
        }
        for team in 0..teams {
            let space = format!("team/t{team}(/[^:]*)?(:.*)?");
            let lib = format!("team/t{team}/lib(:.*)?");
            let neighbour = (team + 1) % teams;
            lines.push(line(&format!("group:team-{team}"), &space, &push, true)?);
            lines.push(line(&format!("service:ci/t{team}"), &space, &push, true)?);
            let candidates = format!("team/t{team}/api:rc-.*");
            lines.push(line(&format!("user:guest-{team}"), &candidates, &[Action::Pull], true)?);
            lines.push(line(&format!("group:team-{neighbour}"), &lib, &[Action::Pull], true)?);
        }
        Ok(Self(lines))
    }

    /// Decides a request, whose caller and image are given as text.
    #[must_use]
    pub fn allows(&self, request: &AsText, action: Action) -> bool {
        self.0
            .iter()
            .find(|line| {
                line.actions.contains(&action)
                    && line.image.is_match(&request.image)
                    && request.subjects.iter().any(|subject| line.subject.is_match(subject))
            })
            .is_some_and(|line| line.allow)
    }
}

fn line(subject: &str, image: &str, actions: &[Action], allow: bool) -> Result<Line, regex::Error> {
    Ok(Line {
        subject: Regex::new(&format!("^{subject}$"))?,
        image: Regex::new(&format!("^{image}$"))?,
        actions: actions.to_vec(),
        allow,
    })
}

/// A request as such a list wants it. Made before the clock starts.
#[derive(Debug)]
pub struct AsText {
    subjects: Vec<String>,
    image: String,
}

impl AsText {
    /// The names of the caller and its image.
    #[must_use]
    pub fn new(request: &Request) -> Self {
        let image = match &request.tag {
            Some(tag) => format!("{}:{tag}", request.repository),
            None => request.repository.to_string(),
        };
        Self { subjects: subjects(&request.caller), image }
    }
}

/// `user:dev-7-a` is in `group:team-7`.
fn subjects(caller: &Caller) -> Vec<String> {
    let mut subjects = vec![caller.subject.to_string()];
    if let Subject::User(name) = &caller.subject
        && let Some(("dev", team)) =
            name.rsplit_once('-').and_then(|(developer, _)| developer.split_once('-'))
    {
        subjects.push(format!("group:team-{team}"));
    }
    subjects
}
