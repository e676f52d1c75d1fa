//! From the text of a case file to its cases, noting everything that does not belong there.

use std::net::IpAddr;

use document::{
    Kind, Located, Mistake, Node, Problems, Section, Value, did_you_mean, listed, nearest,
};
use jiff::Timestamp;

use super::{Case, Expected, facts};
use crate::caller::{Caller, Subject};
use crate::circumstances::{Circumstances, Credential};
use crate::network::Network;
use crate::policy::Policy;
use crate::question;

const CASE_FILE: Kind = Kind {
    name: "a case file",
    max_mib: 4,
    too_large: "cases may be spread over many files",
    second_document: "move what follows `---` to a file of its own",
    instead_of_anchors: "write every case out; `do` and `image` may be lists",
    secret_keys: &[],
};

const NEEDED: [(&str, &str, &str); 4] = [
    ("as", "does not say who asks", "add `as: user:NAME`; without an account it is `anyone`"),
    ("do", "does not say what is to be done", "add `do: pull`, or another action"),
    ("image", "does not say which image it is about", "add `image: \"REPOSITORY:TAG\"`"),
    ("expect", "expects nothing", "add `expect: allow` or `expect: deny`"),
];

/// Reads one file.
pub(super) fn file(
    index: usize,
    text: &str,
    policy: &Policy,
    now: Timestamp,
    problems: &mut Problems,
) -> Vec<Case> {
    let Some(root) = document::parse(&CASE_FILE, index, text, problems) else { return Vec::new() };
    let mut reading = Reading { policy, now, problems };
    if root.value == Value::Null {
        reading.no_cases(&root);
        return Vec::new();
    }
    reading.cases(&root)
}

struct Reading<'a> {
    policy: &'a Policy,
    now: Timestamp,
    problems: &'a mut Problems,
}

impl Reading<'_> {
    fn cases(&mut self, root: &Node) -> Vec<Case> {
        let Some(mut file) = root.section("a case file", self.problems) else { return Vec::new() };
        let cases = file.take("cases", self.problems);
        let lacks = file.lacks("cases");
        let misspelt = file.finish(self.problems);
        let Some(node) = cases else {
            if lacks && misspelt.is_empty() {
                self.no_cases(root);
            }
            return Vec::new();
        };
        let nodes = node.list("`cases`", self.problems).unwrap_or_default();
        if nodes.is_empty() && matches!(node.value, Value::List(_)) {
            self.no_cases(node);
        }
        nodes.iter().filter_map(|node| self.case(node)).collect()
    }

    fn no_cases(&mut self, node: &Node) {
        let mistake = Mistake::new("a case file without cases").help(EXAMPLE);
        self.problems.at(node.place, mistake);
    }

    fn case(&mut self, node: &Node) -> Option<Case> {
        let mut section = node.section("a case", self.problems)?;
        let name = section.read("name", self.problems, |text| Ok(text.to_owned()));
        let subject = section.read("as", self.problems, question::asker);
        let groups = self.groups(&mut section, "groups");
        let carrying = self.groups(&mut section, "carrying");
        let token = section.read("token", self.problems, question::credential);
        let from = section.read("from", self.problems, address);
        let at = section.read("at", self.problems, question::time);
        let actions = section.take("do", self.problems);
        let actions = actions.map(|node| self.some(node, "`do`", question::actions).concat());
        let images = section.take("image", self.problems);
        let images = images.map(|node| self.some(node, "`image`", question::target));
        let facts = section.take("facts", self.problems);
        let asked_at = at.as_ref().map_or(self.now, |at| at.value);
        let facts = facts.and_then(|node| facts::read(node, self.policy, asked_at, self.problems));
        let expected = section.read("expect", self.problems, expected);
        let by = section.take("by", self.problems).and_then(|node| self.by(node));
        let missing: Vec<_> = NEEDED.into_iter().filter(|(key, ..)| section.lacks(key)).collect();
        let misspelt = section.finish(self.problems);
        for (key, message, help) in missing {
            if !misspelt.contains(&key) {
                let mistake = Mistake::new(format!("a case {message}")).help(help);
                self.problems.at(node.place, mistake);
            }
        }
        let (subject, expected) = (subject?, expected?);
        let mut actions = actions?;
        actions.sort_unstable();
        actions.dedup();
        let credential = self.credential(&subject.value, token);
        let caller = Caller {
            granting: carrying,
            circumstances: Circumstances {
                at: Some(asked_at),
                address: from.map(|from| from.value),
                credential: Some(credential),
            },
            ..Caller::new(subject.value, groups.unwrap_or_default())
        };
        Some(Case {
            name: name.map(|name| name.value),
            caller,
            actions,
            images: images?,
            facts,
            expected: expected.value,
            by_place: by.as_ref().map(|by| by.place),
            by: by.map(|by| by.value),
            place: node.place,
            expected_place: expected.place,
        })
    }

    /// One text, or a list of texts that is not empty.
    fn some<T>(
        &mut self,
        node: &Node,
        what: &str,
        read: impl Fn(&str) -> Result<T, Mistake>,
    ) -> Vec<T> {
        let nodes = match &node.value {
            Value::List(nodes) => nodes.as_slice(),
            _ => std::slice::from_ref(node),
        };
        if nodes.is_empty() {
            let mistake = Mistake::new(format!("{what} is empty")).help("name at least one");
            self.problems.at(node.place, mistake);
        }
        let read = nodes.iter().filter_map(|node| node.read(what, self.problems, &read));
        read.map(|read| read.value).collect()
    }

    fn groups(&mut self, section: &mut Section<'_>, key: &'static str) -> Option<Vec<String>> {
        let node = section.take(key, self.problems)?;
        let nodes = node.list(&format!("`{key}`"), self.problems)?;
        Some(nodes.iter().filter_map(|node| self.group(node)).collect())
    }

    /// A group that no policy file declares may be meant: `${group}` stands for it all the same. One
    /// that is almost declared is not.
    fn group(&mut self, node: &Node) -> Option<String> {
        let name =
            node.read("a group", self.problems, |text| match text.strip_prefix("group:") {
                Some(bare) => {
                    let mistake = Mistake::new("`group:` is not part of a group's own name");
                    Err(mistake.help(format!("write `{bare}`")))
                }
                None => Ok(text.to_owned()),
            })?;
        let declared = || self.policy.declared_groups();
        if !declared().any(|group| group == name.value)
            && let Some(help) = did_you_mean(&name.value, declared())
        {
            let message = format!("no policy file defines a group `{}`", name.value);
            self.problems.warn(name.place, Mistake::new(message).help(help));
        }
        Some(name.value)
    }

    fn credential(&mut self, subject: &Subject, token: Option<Located<Credential>>) -> Credential {
        let usual = Credential::usual(subject);
        let Some(token) = token else { return usual };
        if usual == Credential::Anonymous {
            let mistake = Mistake::new("a caller without an account has no token");
            self.problems
                .at(token.place, mistake.help("remove `token`, or name a user or service"));
        }
        token.value
    }

    fn by(&mut self, node: &Node) -> Option<Located<String>> {
        let policy = self.policy;
        node.read("`by`", self.problems, |name| {
            if policy.rules().any(|rule| rule.name == name) || policy.gate(name).is_some() {
                return Ok(name.to_owned());
            }
            let gates = policy.gates().map(|gate| gate.name());
            let help = did_you_mean(name, policy.rules().map(|rule| rule.name).chain(gates));
            Err(Mistake::new(format!("unknown rule `{name}`"))
                .label("not in any policy file")
                .maybe_help(help))
        })
    }
}

/// How a case is written, for those who did not write one yet.
pub const EXAMPLE: &str =
    "write `cases: [{as: user:alice, do: pull, image: \"team/app:v1\", expect: allow}]`";

fn address(text: &str) -> Result<IpAddr, Mistake> {
    text.parse().map_err(|_| {
        let help = match text.parse::<Network>() {
            Ok(_) => "name one address in that network",
            Err(_) => "write an IPv4 or IPv6 address such as `10.20.1.7`",
        };
        Mistake::new(format!("`{text}` is no address")).help(help)
    })
}

fn expected(text: &str) -> Result<Expected, Mistake> {
    const WORDS: [&str; 2] = [Expected::Allow.as_str(), Expected::Deny.as_str()];
    match text {
        "allow" => Ok(Expected::Allow),
        "deny" => Ok(Expected::Deny),
        _ => {
            let meant = match text {
                "allowed" => Some("allow"),
                "denied" => Some("deny"),
                _ => nearest(text, WORDS),
            };
            let help = meant.map_or_else(
                || format!("a case expects {}", listed(&WORDS)),
                |word| format!("did you mean `{word}`?"),
            );
            Err(Mistake::new(format!("`{text}` is no answer")).help(help))
        }
    }
}
