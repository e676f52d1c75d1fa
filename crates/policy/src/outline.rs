//! What a policy says beside its rules and gates, in short: for whoever looks after it.

use std::collections::{BTreeMap, BTreeSet};

use crate::policy::{Delegation, Policy};
use crate::subjects::Role;

/// A group that a policy speaks of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Without `group:`.
    pub name: String,
    /// Who is in it by the policy; none where identity sources say that.
    pub members: Option<Members>,
}

/// Those whom a group lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Members {
    /// The first of them, in order, as policies write them.
    pub first: Vec<String>,
    /// How many there are in all.
    pub count: usize,
}

impl Policy {
    /// The administrators, as policies write them, in order.
    #[must_use]
    pub fn administrators(&self) -> Vec<String> {
        let mut texts: Vec<_> = self
            .subjects
            .written()
            .filter(|(role, _)| self.administrators.contains(role))
            .map(|(_, pattern)| pattern.to_string())
            .collect();
        texts.sort_unstable();
        texts
    }

    /// The groups that are declared or named, in the order of their names, each with at most `most`
    /// of its members.
    #[must_use]
    pub fn groups(&self, most: usize) -> Vec<Group> {
        let names: BTreeSet<&str> = self.declared_groups().collect();
        let mut members: BTreeMap<Role, Vec<String>> = BTreeMap::new();
        for (role, pattern) in self.subjects.written() {
            for &group in self.subjects.belongs_to(role) {
                members.entry(group).or_default().push(pattern.to_string());
            }
        }
        let group = |name: &str| {
            let listed = self.listed_groups.contains(name).then(|| {
                let role = self.subjects.group_role(name);
                let mut all = role.and_then(|role| members.get(&role)).cloned().unwrap_or_default();
                all.sort_unstable();
                let count = all.len();
                all.truncate(most);
                Members { first: all, count }
            });
            Group { name: name.to_owned(), members: listed }
        };
        names.into_iter().map(group).collect()
    }

    /// The files that may speak of some images and groups only.
    pub fn delegations(&self) -> impl ExactSizeIterator<Item = &Delegation> {
        self.delegations.iter()
    }
}

#[cfg(test)]
mod tests {
    use document::SourceFile;

    use super::*;

    fn policy(text: &str) -> Policy {
        let file = SourceFile { path: "policies/a.yaml".into(), text: text.into() };
        Policy::compile(&[file]).unwrap().policy
    }

    #[test]
    fn administrators_and_members_stand_there_as_they_are_written() {
        let policy = policy(
            "administrators: [\"user:root\", \"group:ops\"]\n\
             groups:\n  ops: [\"user:bob\", \"user:alice\", \"service:ci/*\"]\n  idp: external\n\
             rules: []\n",
        );
        assert_eq!(policy.administrators(), ["group:ops", "user:root"]);
        let groups = policy.groups(2);
        let [idp, ops] = &groups[..] else { panic!("{groups:?}") };
        assert_eq!((idp.name.as_str(), &idp.members), ("idp", &None));
        let members = ops.members.as_ref().unwrap();
        assert_eq!((members.count, members.first.len()), (3, 2));
        assert_eq!(members.first, ["service:ci/*", "user:alice"]);
    }

    #[test]
    fn a_group_without_members_is_not_one_that_others_fill() {
        let policy = policy("groups: {nobody: []}\nrules: []\n");
        let groups = policy.groups(9);
        assert_eq!(groups[0].members, Some(Members { first: Vec::new(), count: 0 }));
    }
}
