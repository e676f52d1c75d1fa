//! What is revoked.

use std::collections::HashMap;

use jiff::Timestamp;
use policy::Subject;

use crate::store::Revoked;
use crate::token::TokenId;

/// All that is revoked and might still hold otherwise.
#[derive(Debug, Clone, Default)]
pub struct Revocations {
    /// Families and access tokens, with the time after which they would not hold in any case.
    ids: HashMap<TokenId, Timestamp>,
    /// By subject: what began in this second or earlier is void.
    subjects: HashMap<Subject, i64>,
    /// Likewise for everything.
    everything: Option<i64>,
}

impl Revocations {
    /// Adds one.
    pub fn add(&mut self, revoked: Revoked) {
        match revoked {
            Revoked::Id { id, until } => {
                let kept = self.ids.entry(id).or_insert(until);
                *kept = (*kept).max(until);
            }
            Revoked::Subject(subject, before) => {
                let second = before.as_second();
                let kept = self.subjects.entry(subject).or_insert(second);
                *kept = (*kept).max(second);
            }
            Revoked::Everything(before) => {
                self.everything = self.everything.max(Some(before.as_second()));
            }
        }
    }

    /// Whether a token is void.
    #[must_use]
    pub fn refuse<'a>(
        &self,
        ids: impl IntoIterator<Item = &'a TokenId>,
        subject: &Subject,
        auth_time: Timestamp,
    ) -> bool {
        let began = auth_time.as_second();
        self.everything.is_some_and(|before| began <= before)
            || self.subjects.get(subject).is_some_and(|&before| began <= before)
            || ids.into_iter().any(|id| self.ids.contains_key(id))
    }

    /// The time that a subject's signing in may be said to have happened at: now, or, in the second
    /// of a revocation, the next one, so that it is not among what was revoked.
    #[must_use]
    pub fn begins(&self, subject: &Subject, now: Timestamp) -> Timestamp {
        after(self.everything.max(self.subjects.get(subject).copied()), now)
    }

    /// The latest time at which anybody may be said to have signed in by now, which is what revoking
    /// everything until now has to cover.
    #[must_use]
    pub fn latest_beginning(&self, now: Timestamp) -> Timestamp {
        let subjects = self.subjects.values().map(|&before| after(Some(before), now));
        subjects.chain([after(self.everything, now)]).max().unwrap_or(now)
    }

    /// Forgets what could not hold at `before` in any case; tells whether there was any.
    pub fn forget(&mut self, before: Timestamp) -> bool {
        let had = self.ids.len();
        self.ids.retain(|_, until| *until >= before);
        self.ids.len() < had
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ids.len() + self.subjects.len() + usize::from(self.everything.is_some())
    }

    /// Whether nothing is revoked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The families and tokens by name.
    pub fn ids(&self) -> impl Iterator<Item = (&TokenId, Timestamp)> {
        self.ids.iter().map(|(id, until)| (id, *until))
    }

    /// The subjects, with the last second of what is void.
    pub fn subjects(&self) -> impl Iterator<Item = (&Subject, i64)> {
        self.subjects.iter().map(|(subject, before)| (subject, *before))
    }

    /// The last second of everything that is void.
    #[must_use]
    pub fn everything(&self) -> Option<i64> {
        self.everything
    }
}

/// How many revocations can follow each other within a second, each covering what began after the
/// one before.
const IN_A_SECOND: i64 = 5;

fn after(before: Option<i64>, now: Timestamp) -> Timestamp {
    match before {
        Some(before) if (0..IN_A_SECOND).contains(&before.saturating_sub(now.as_second())) => {
            Timestamp::from_second(before.saturating_add(1)).unwrap_or(now)
        }
        _ => now,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn alice() -> Subject {
        Subject::User("alice".to_owned())
    }

    #[test]
    fn a_name_is_void_whether_it_is_of_the_token_or_of_its_family() {
        let (token, family, other) =
            (TokenId::random().unwrap(), TokenId::random().unwrap(), TokenId::random().unwrap());
        let mut revocations = Revocations::default();
        assert!(!revocations.refuse([&token, &family], &alice(), at(10)));
        revocations.add(Revoked::Id { id: family.clone(), until: at(100) });
        assert!(revocations.refuse([&token, &family], &alice(), at(10)));
        assert!(!revocations.refuse([&token, &other], &alice(), at(10)));
    }

    #[test]
    fn what_a_subject_began_by_then_is_void_and_what_comes_later_is_not() {
        let mut revocations = Revocations::default();
        let alice = alice();
        revocations.add(Revoked::Subject(alice.clone(), at(10)));
        revocations.add(Revoked::Subject(alice.clone(), at(5)));
        let void = |revocations: &Revocations, subject: &Subject, second| {
            revocations.refuse([], subject, at(second))
        };
        assert!(void(&revocations, &alice, 10));
        assert!(!void(&revocations, &alice, 11));
        assert!(!void(&revocations, &Subject::Service("alice".to_owned()), 10));
        revocations.add(Revoked::Everything(at(20)));
        assert!(void(&revocations, &Subject::Anonymous, 20));
        assert!(!void(&revocations, &alice, 21));
    }

    #[test]
    fn who_signs_in_in_the_second_of_a_revocation_is_not_refused() {
        let mut revocations = Revocations::default();
        revocations.add(Revoked::Subject(alice(), at(10)));
        let began = revocations.begins(&alice(), at(10));
        assert!(!revocations.refuse([], &alice(), began));
        assert_eq!(revocations.begins(&alice(), at(12)), at(12));
        // A second revocation within that second covers who came after the first.
        assert_eq!(revocations.latest_beginning(at(10)), began);
        revocations.add(Revoked::Subject(alice(), revocations.latest_beginning(at(10))));
        assert!(revocations.refuse([], &alice(), began));
        let again = revocations.begins(&alice(), at(10));
        assert!(!revocations.refuse([], &alice(), again));
        // A clock that went back does not lift what was revoked.
        assert_eq!(revocations.begins(&alice(), at(3)), at(3));
    }

    #[test]
    fn only_what_is_over_is_forgotten() {
        let (old, young) = (TokenId::random().unwrap(), TokenId::random().unwrap());
        let mut revocations = Revocations::default();
        revocations.add(Revoked::Id { id: old.clone(), until: at(10) });
        revocations.add(Revoked::Id { id: young.clone(), until: at(30) });
        assert!(!revocations.forget(at(10)));
        assert!(revocations.forget(at(20)));
        assert!(!revocations.refuse([&old], &alice(), at(0)));
        assert!(revocations.refuse([&young], &alice(), at(0)));
        assert_eq!(revocations.len(), 1);
    }
}
