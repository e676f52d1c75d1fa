//! Who becomes an administrator, and who is none any more.

use std::collections::BTreeSet;

use super::Administrators;
use super::askers::{Askers, Concern, Cut};
use super::both::Both;
use super::limits::Limit;
use super::people::People;
use super::words::Words;
use crate::policy::Policy;

/// Whether somebody may become one, or be none any more: they are named otherwise, or by groups with
/// other members.
pub(super) fn may_change(policies: Both<&Policy>, words: &Words) -> bool {
    let old = words.of_roles(&policies.old.administrators, true);
    let new = words.of_roles(&policies.new.administrators, false);
    old != new || old.iter().any(|word| words.is_changed(*word))
}

/// Who is one before one of the policies alone.
pub(super) fn administrators(
    policies: Both<&Policy>,
    words: &Words,
    people: &People,
    limits: &mut BTreeSet<Limit>,
) -> Vec<Administrators> {
    if !may_change(policies, words) {
        return Vec::new();
    }
    let mut all: BTreeSet<_> =
        words.of_roles(&policies.old.administrators, true).into_iter().collect();
    all.extend(words.of_roles(&policies.new.administrators, false));
    let concern = Concern {
        words: all.clone(),
        touched: all,
        users: BTreeSet::new(),
        groups: BTreeSet::new(),
        exceptions: 0,
    };
    let askers = Askers::new(people, words, &concern);
    let mut changed: [BTreeSet<usize>; 2] = Default::default();
    for (place, asker) in askers.all.iter().enumerate() {
        let Both { old, new } =
            policies.zip(&asker.callers, |policy, caller| policy.is_administrator(caller));
        if old != new
            && let Some(own) = changed.get_mut(usize::from(new))
        {
            own.insert(place);
        }
    }
    let mut told: Vec<Administrators> = Vec::new();
    for (places, is_one) in changed.iter().zip([false, true]) {
        let who = askers.describe(places, words).into_iter();
        told.extend(who.map(|it| Administrators { who: it.text, is_one }));
    }
    told.sort_by(|one, other| one.who.cmp(&other.who));
    if let Some(Cut { groups, together }) = askers.cut {
        limits.insert(Limit::Administrators { groups, together });
    }
    told
}
