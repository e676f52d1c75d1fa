//! A company's policy of any size, and the requests of its day.

use std::fmt::Write as _;

use oci::{RepositoryName, Tag};
use policy::{Action, Caller, Image, Policy, SourceFile, Subject};

/// How many rules a team has.
const RULES_OF_A_TEAM: usize = 5;

/// One question to a policy.
#[derive(Debug, Clone)]
pub struct Request {
    /// Who asks.
    pub caller: Caller,
    /// To do what.
    pub action: Action,
    /// In which repository.
    pub repository: RepositoryName,
    /// To which tag. `None`: to what is untagged.
    pub tag: Option<Tag>,
}

impl Request {
    /// What the request is about.
    #[must_use]
    pub fn image(&self) -> Image<'_> {
        Image { repository: &self.repository, tag: self.tag.as_ref() }
    }
}

/// A policy of about `rules` rules: teams with a space of their own, CI, a contractor who sees
/// candidates, a neighbour who reads a library, and versions that do not move.
#[must_use]
pub fn policy_text(rules: usize) -> String {
    let teams = teams(rules);
    let mut text = String::from("groups:\n");
    for team in 0..teams {
        let _ = writeln!(text, "  team-{team}: [user:dev-{team}-a, user:dev-{team}-b]");
    }
    text.push_str("rules:\n");
    for team in 0..teams {
        let neighbour = (team + 1) % teams;
        let _ = write!(
            text,
            r#"  - {{name: team-{team}-works, subjects: [group:team-{team}], images: ["team/t{team}/**"], allow: [pull, push]}}
  - {{name: team-{team}-builds, subjects: ["service:ci/t{team}"], images: ["team/t{team}/**"], allow: [pull, push]}}
  - {{name: team-{team}-candidates, subjects: [user:guest-{team}], images: ["team/t{team}/api:rc-*"], allow: [pull]}}
  - {{name: team-{team}-shares, subjects: [group:team-{neighbour}], images: ["team/t{team}/lib"], allow: [pull]}}
  - {{name: team-{team}-versions, subjects: [anyone], images: ["team/t{team}/**:v*"], deny: [overwrite, delete]}}
"#
        );
    }
    text
}

/// The policy, compiled.
///
/// # Panics
/// The generated policy has a mistake.
#[must_use]
pub fn policy(rules: usize) -> Policy {
    let file = SourceFile { path: "policy.yaml".to_owned(), text: policy_text(rules) };
    match Policy::compile(&[file]) {
        Ok(compiled) => compiled.policy,
        #[expect(clippy::panic, reason = "a benchmark of a wrong policy is none")]
        Err(errors) => panic!("{errors}"),
    }
}

/// Requests to that policy, the same ones in every run. About half are allowed.
#[must_use]
pub fn requests(rules: usize, count: usize) -> Vec<Request> {
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    (0..count).filter_map(|_| request(teams(rules), &mut dice)).collect()
}

fn teams(rules: usize) -> usize {
    (rules / RULES_OF_A_TEAM).max(2)
}

fn request(teams: usize, dice: &mut Dice) -> Option<Request> {
    let team = dice.below(teams);
    let neighbour = (team + 1) % teams;
    let elsewhere = dice.below(teams);
    let subject = match dice.below(6) {
        0 | 1 => Subject::User(format!("dev-{team}-a")),
        2 => Subject::Service(format!("ci/t{team}")),
        3 => Subject::User(format!("guest-{team}")),
        4 => Subject::User(format!("dev-{neighbour}-b")),
        _ => Subject::User(format!("dev-{elsewhere}-a")),
    };
    let name = ["api", "lib", "web/front", "worker"].get(dice.below(4))?;
    let tag = ["rc-1", "rc-22", "v1.2.3", "dev"].get(dice.below(5));
    let action = [Action::Pull, Action::Pull, Action::Pull, Action::Create, Action::Overwrite]
        .get(dice.below(5))?;
    Some(Request {
        caller: Caller::new(subject, Vec::new()),
        action: *action,
        repository: RepositoryName::new(&format!("team/t{team}/{name}")).ok()?,
        tag: tag.and_then(|tag| Tag::new(tag).ok()),
    })
}

/// Pseudo-random numbers (xorshift), so that every run asks the same.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap_or_default() % bound
    }
}
