//! What a policy opens to those whom another gate vouches for: for whoever decides about trusting it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::caller::{Caller, Subject};
use crate::decide::RuleRef;
use crate::glob::Bindings;
use crate::involved::Involved;
use crate::path::PathPattern;
use crate::policy::Policy;
use crate::subject_pattern::SubjectPattern;
use crate::subjects::{Role, Standing};

/// What a policy says of those behind one gate.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Vouched<'p> {
    /// Those of the `administrators` that somebody from there can be, as policies write them.
    pub administrators: Vec<String>,
    /// The rules that allow something to somebody from there, in the order of their names.
    pub rules: Vec<VouchedRule<'p>>,
}

/// A rule that allows something to somebody behind another gate. Its conditions, or another rule that
/// denies, may still keep them out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VouchedRule<'p> {
    /// Which one.
    pub rule: RuleRef<'p>,
    /// Those of its subjects that they can be, as policies write them, in order.
    pub subjects: Vec<String>,
    /// What it allows.
    pub actions: Vec<String>,
    /// What to, as policies write it.
    pub images: Vec<String>,
}

impl Policy {
    /// What somebody behind `gate`, our name for it, can be allowed here, if they may be in all of
    /// `groups`, which are ours. Whom a rule leaves out is not looked at.
    #[must_use]
    pub fn vouched(&self, gate: &str, groups: &[String]) -> Vouched<'_> {
        let written: HashMap<Role, SubjectPattern> = self.subjects.written().collect();
        let roles = self.roles_behind(gate, groups, written.values());
        let texts = |among: &[Role]| {
            let found = among.iter().filter(|role| roles.contains(role));
            let texts = found.filter_map(|role| Some(written.get(role)?.to_string()));
            texts.collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>()
        };
        let mut rules = BTreeMap::new();
        for rule in self.rules.iter().filter(|rule| !rule.allow.is_empty()) {
            let subjects = texts(&rule.subjects);
            if !subjects.is_empty() {
                let actions = rule.allow.iter().map(|action| action.to_string()).collect();
                let rule_ref = rule.reference();
                let found = VouchedRule { rule: rule_ref, subjects, actions, images: Vec::new() };
                rules.insert(&*rule.name, found);
            }
        }
        for clause in self.clauses.iter() {
            if let Some(found) = rules.get_mut(&*clause.rule.name) {
                found.images.push(clause.image.to_string());
            }
        }
        for found in rules.values_mut() {
            found.images.sort_unstable();
        }
        Vouched {
            administrators: texts(&self.administrators),
            rules: rules.into_values().collect(),
        }
    }

    /// All that somebody behind the gate can be: anybody there, and each of those who are named.
    fn roles_behind<'a>(
        &self,
        gate: &str,
        groups: &[String],
        written: impl Iterator<Item = &'a SubjectPattern>,
    ) -> BTreeSet<Role> {
        let anybody = Involved::of(&SubjectPattern::Peer(PathPattern::of_name("*/**")));
        let named = written.filter(|pattern| is_behind(pattern, gate)).map(Involved::of);
        let mut roles = BTreeSet::new();
        for Involved { caller: Caller { subject, .. }, .. } in [anybody].into_iter().chain(named) {
            let Subject::Peer { name, .. } = subject else { continue };
            let subject = Subject::Peer { gate: gate.to_owned(), name };
            let caller = Caller::new(subject, groups.to_vec());
            roles.extend(Standing::new(&self.subjects, &caller).held());
        }
        roles
    }
}

/// Whether it is a pattern over peers that somebody of that gate can match.
fn is_behind(pattern: &SubjectPattern, gate: &str) -> bool {
    let SubjectPattern::Peer(name) = pattern else { return false };
    let text = name.to_string();
    let gates = text.split_once('/').map_or(&*text, |(gates, _)| gates);
    PathPattern::of_name(gates).matches(gate, Bindings::default())
}

#[cfg(test)]
mod tests {
    use document::SourceFile;

    use super::*;

    fn policy(text: &str) -> Policy {
        let file = SourceFile { path: "policies/a.yaml".into(), text: text.into() };
        Policy::compile(&[file]).unwrap().policy
    }

    /// `rule: subjects may actions on images`, a line each.
    fn told(policy: &Policy, gate: &str, groups: &[&str]) -> String {
        let groups: Vec<_> = groups.iter().map(|&group| group.to_owned()).collect();
        let Vouched { administrators, rules } = policy.vouched(gate, &groups);
        let mut text = format!("administrators: {}\n", administrators.join(" "));
        for VouchedRule { rule, subjects, actions, images } in rules {
            let [subjects, actions, images] = [subjects, actions, images].map(|it| it.join(" "));
            text += &format!("{}: {subjects} may {actions} on {images}\n", rule.name);
        }
        text
    }

    const POLICY: &str = r#"
administrators: ["group:chiefs", "user:root"]
groups:
  builders: external
  makers: ["group:builders", "peer:eu/user:bob"]
  chiefs: ["peer:us/**"]
  others: ["user:alice"]
rules:
  - {name: a-public, subjects: [anyone], images: ["public/**"], allow: [pull]}
  - {name: b-mapped, subjects: ["group:builders", "user:alice"], images: ["b/**", "a/**:v*"], allow: [pull, push]}
  - {name: c-through-another-group, subjects: ["group:makers"], images: ["c/**"], allow: [pull]}
  - {name: d-of-any-gate, subjects: ["peer:*/service:ci"], images: ["d/**"], allow: [pull]}
  - {name: e-of-eu, subjects: ["peer:eu/**", "peer:eu/user:bob"], images: ["e/**"], allow: [pull]}
  - {name: f-our-own, subjects: [authenticated, "user:alice", "group:others"], images: ["f/**"], allow: [all]}
  - {name: g-denied, subjects: ["peer:eu/**"], images: ["g/**"], deny: [pull]}
  - {name: h-groups-by-pattern, subjects: ["group:build*"], images: ["h/**"], allow: [pull]}
"#;

    #[test]
    fn rules_for_a_gate_are_those_for_its_names_and_for_the_groups_that_it_is_given() {
        let policy = policy(POLICY);
        insta::assert_snapshot!(told(&policy, "eu", &["builders"]), @r"
        administrators: 
        a-public: anyone may pull on public/**
        b-mapped: group:builders may pull create overwrite on a/**:v* b/**
        c-through-another-group: group:makers may pull on c/**
        d-of-any-gate: peer:*/service:ci may pull on d/**
        e-of-eu: peer:eu/** peer:eu/user:bob may pull on e/**
        h-groups-by-pattern: group:build* may pull on h/**
        ");
        insta::assert_snapshot!(told(&policy, "us", &[]), @r"
        administrators: group:chiefs
        a-public: anyone may pull on public/**
        d-of-any-gate: peer:*/service:ci may pull on d/**
        ");
    }

    #[test]
    fn a_gate_of_which_no_rule_speaks_is_allowed_nothing() {
        let policy = policy(
            "rules:\n  - {name: own, subjects: [authenticated], images: [\"**\"], allow: [pull]}\n",
        );
        assert_eq!(policy.vouched("eu", &["builders".to_owned()]), Vouched::default());
    }
}
