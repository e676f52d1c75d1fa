//! The image patterns of all rules, found by repository and by caller.
//!
//! Where many rules are about the same place, each for somebody else, only those for the caller are
//! looked at. So the cost of a decision grows with the rules that can match.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use crate::Action;
use crate::actions::{Actions, Kinds};
use crate::prefix_map::PrefixMap;
use crate::rule::{Clause, Effect};
use crate::subjects::{ANYONE, Role};

/// Clauses, in the order of the names of their rules.
#[derive(Debug)]
pub(crate) struct Clauses {
    clauses: Vec<Clause>,
    /// By the literal beginning of the repository.
    filed: PrefixMap<Filed>,
}

/// The entries under one beginning, by role where they are many.
#[derive(Debug)]
#[expect(
    clippy::box_collection,
    reason = "most beginnings have few, and the table of them is to be small"
)]
enum Filed {
    Few(Box<[Entry]>),
    Many(Box<HashMap<Role, Box<[Entry]>, RandomState>>),
}

/// So few entries are sooner looked through than looked up.
const FEW: usize = 8;

/// A clause, for one of the roles that its rule is for. What of the rule is asked first stands here
/// too: most of what is found is about another action, and the rule itself is seldom looked at.
#[derive(Debug, Clone, Copy)]
struct Entry {
    role: Role,
    clause: u32,
    allow: Kinds,
    deny: Kinds,
    /// Whether the rule speaks of whoever fills the role, always and without exceptions.
    suffices: bool,
}

/// A clause that may be about a repository, of a rule that may be for a caller.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Candidate<'p, 't> {
    pub(crate) clause: &'p Clause,
    /// What the repository has after the literal beginning of the pattern; `None`: nothing.
    pub(crate) rest: Option<&'t str>,
    entry: Entry,
}

impl Clauses {
    /// `clauses` are in the order of the names of their rules, and the subjects of each rule are in
    /// the order of their roles.
    pub(crate) fn new(mut clauses: Vec<Clause>) -> Self {
        clauses.shrink_to_fit();
        let mut by_beginning: HashMap<&str, Vec<Entry>> = HashMap::new();
        // Bounded by the size of the files, far below 2³².
        for (number, clause) in (0_u32..).zip(&clauses) {
            let beginning = clause.image.repository.literal_prefix();
            by_beginning.entry(beginning).or_default().extend(entries(number, clause));
        }
        let mut filed = PrefixMap::default();
        for (beginning, entries) in by_beginning {
            filed.insert(beginning, Filed::new(entries));
        }
        Self { clauses, filed }
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Clause> {
        self.clauses.iter()
    }

    /// What may be about the repository and for one of the roles, which are in order. A clause for
    /// several of the roles may come several times.
    pub(crate) fn candidates<'p, 't>(
        &'p self,
        roles: &'t [Role],
        repository: &'t str,
    ) -> impl Iterator<Item = Candidate<'p, 't>> {
        self.filed.candidates(repository).flat_map(move |(rest, filed)| {
            filed.under(roles).filter_map(move |&entry| {
                let clause = self.clauses.get(entry.clause as usize)?;
                Some(Candidate { clause, rest, entry })
            })
        })
    }
}

impl Filed {
    fn new(mut entries: Vec<Entry>) -> Self {
        if entries.len() <= FEW {
            return Self::Few(entries.into());
        }
        // The order among those of one role stays.
        entries.sort_by_key(|entry| entry.role);
        let by_role = entries.chunk_by(|one, other| one.role == other.role);
        let by_role = by_role.filter_map(|alike| Some((alike.first()?.role, alike.into())));
        Self::Many(Box::new(by_role.collect()))
    }

    /// The entries for one of the roles.
    fn under<'e, 'r>(&'e self, roles: &'r [Role]) -> impl Iterator<Item = &'e Entry> + use<'e, 'r> {
        let (few, many) = match self {
            Self::Few(entries) => (Some(entries), None),
            Self::Many(by_role) => (None, Some(by_role)),
        };
        let few = few.into_iter().flatten();
        let many = many
            .into_iter()
            .flat_map(|by_role| roles.iter().filter_map(|role| by_role.get(role)).flatten());
        few.filter(|entry| roles.binary_search(&entry.role).is_ok()).chain(many)
    }
}

/// A clause under each of the roles under which it is filed.
fn entries(number: u32, clause: &Clause) -> impl Iterator<Item = Entry> {
    let rule = &clause.rule;
    let is_plain = rule.except_subjects.is_empty()
        && rule.except_images.is_empty()
        && rule.conditions.is_none();
    let (allow, deny) = (rule.allow.kinds(), rule.deny.kinds());
    found_by(clause).iter().map(move |&role| {
        let suffices = is_plain && rule.subjects.binary_search(&role).is_ok();
        Entry { role, clause: number, allow, deny, suffices }
    })
}

/// The roles under which a clause is filed: each that its rule is for. Where the rule has many
/// subjects and many images, that would be each with each; it is then filed as for everybody, and
/// whoever finds it asks the rule.
fn found_by(clause: &Clause) -> &[Role] {
    /// So many times more than there are subjects and images.
    const EACH_WITH_EACH: usize = 4;
    let rule = &clause.rule;
    let (subjects, images) = (rule.subjects.len(), rule.images);
    let too_many = subjects.saturating_mul(images) > (subjects + images) * EACH_WITH_EACH;
    if too_many || rule.subjects.contains(&ANYONE) { &[ANYONE] } else { &rule.subjects }
}

/// Whether the action is among `actions`, of which `kinds` tells all but which flags there are.
fn speaks_of(action: Action, kinds: Kinds, actions: &Actions) -> bool {
    kinds.may_contain(action) && (!matches!(action, Action::Flag(_)) || actions.contains(action))
}

impl Candidate<'_, '_> {
    /// What its rule does about an action.
    pub(crate) fn effect(&self, action: Action) -> Option<Effect> {
        let rule = &self.clause.rule;
        if speaks_of(action, self.entry.deny, &rule.deny) {
            Some(Effect::Deny)
        } else if speaks_of(action, self.entry.allow, &rule.allow) {
            Some(Effect::Allow)
        } else {
            None
        }
    }

    /// The role under which it was found, where whoever fills it is somebody whom the rule speaks
    /// of, for all that the clause is about. `None`: the rule has to be asked.
    pub(crate) fn sufficient_role(&self) -> Option<Role> {
        self.entry.suffices.then_some(self.entry.role)
    }

    /// Of two, the one with the lower number has the rule whose name comes first.
    pub(crate) fn order(&self) -> u32 {
        self.entry.clause
    }

    /// Whether it was found by the first of these roles by which it can be found.
    pub(crate) fn comes_first(&self, roles: &[Role]) -> bool {
        let subjects = found_by(self.clause);
        subjects.len() == 1
            || subjects.iter().find(|subject| roles.binary_search(subject).is_ok())
                == Some(&self.entry.role)
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use document::SourceFile;
    use oci::RepositoryName;

    use crate::subjects::Standing;
    use crate::{Action, Caller, Image, Policy, Subject};

    fn compile(text: String) -> Policy {
        Policy::compile(&[SourceFile { path: "policy.yaml".into(), text }]).unwrap().policy
    }

    fn user(name: &str) -> Caller {
        Caller::new(Subject::User(name.into()), Vec::new())
    }

    fn found(policy: &Policy, caller: &Caller, repository: &str) -> usize {
        let standing = Standing::new(&policy.subjects, caller);
        policy.clauses.candidates(standing.held(), repository).count()
    }

    #[test]
    fn rules_for_others_about_the_same_place_are_not_looked_at() {
        let mut text = String::from("rules:\n");
        for index in 0..1_000 {
            let _ = writeln!(
                text,
                "  - {{name: rule-{index}, subjects: [user:u{index}], images: ['team/**', '**/lib'], allow: [pull]}}"
            );
        }
        text.push_str("  - {name: all, subjects: [anyone], images: ['**:v*'], deny: [delete]}\n");
        let policy = compile(text);
        assert_eq!(found(&policy, &user("u7"), "team/app"), 3);
        assert_eq!(found(&policy, &user("nobody"), "team/app"), 1);
        assert_eq!(found(&policy, &user("u7"), "other/app"), 2);
    }

    #[test]
    fn a_rule_with_many_subjects_and_images_is_for_each_and_all() {
        let list = |prefix: &str| {
            (0..50).map(|index| format!("{prefix}{index}")).collect::<Vec<_>>().join(", ")
        };
        let (subjects, images) = (list("user:u"), list("team/r"));
        let policy = compile(format!(
            "rules:\n  - {{name: many, subjects: [{subjects}], images: [{images}], allow: [pull]}}\n"
        ));
        let repository = RepositoryName::new("team/r31").unwrap();
        let image = Image { repository: &repository, tag: None };
        for (name, allowed) in [("u0", true), ("u49", true), ("u50", false)] {
            let caller = user(name);
            let decision = policy.decide(&caller, Action::Pull, image);
            assert_eq!(decision.is_allowed(), allowed, "{name}");
        }
    }

    #[test]
    fn a_rule_for_several_roles_of_a_caller_is_relevant_once() {
        let policy = compile(
            "groups: {a: [user:x], b: [group:a]}\n\
             rules:\n  - {name: one, subjects: [group:b, user:x, group:a], images: [team], allow: [pull]}\n"
                .to_owned(),
        );
        let caller = user("x");
        let standing = Standing::new(&policy.subjects, &caller);
        assert_eq!(found(&policy, &caller, "team"), 3);
        assert_eq!(policy.relevant(&standing, Action::Pull, "team").count(), 1);
    }
}
