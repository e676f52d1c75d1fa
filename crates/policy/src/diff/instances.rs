//! What is said of one where it is said of all.

use std::collections::BTreeMap;

use super::Change;
use super::askers::ANY_GROUP;
use crate::actions::Actions;

/// Takes out what is said of some users, or of a group, where it is said of all, by a variable that
/// stands for each.
pub(super) fn without_instances(changes: &mut Vec<Change<'_>>) {
    let mut general: BTreeMap<_, Actions> = BTreeMap::new();
    let key =
        |it: &Change<'_>, who: String| (who, it.images.clone(), it.is_allowed, it.when.clone());
    for change in changes.iter() {
        if of_all(change).is_some_and(|who| who == change.who) {
            let said = general.entry(key(change, change.who.clone())).or_default();
            *said = std::mem::take(said).union(Actions::of(&change.actions));
        }
    }
    changes.retain(|it| {
        let Some(who) = of_all(it).filter(|who| *who != it.who) else { return true };
        let said = general.get(&key(it, who));
        said.is_none_or(|said| !said.includes(&Actions::of(&it.actions)))
    });
}

/// Whom the words would mean where the variable in the pattern stands for everybody. Only users have
/// a name that `${user}` stands for; where that is left out, everybody else is meant, too.
fn of_all(change: &Change<'_>) -> Option<String> {
    if change.who.contains(" except ") {
        return None;
    }
    let (images, _) = change.images.split_once(" except ").unwrap_or((&change.images, ""));
    if images.contains("${user}")
        || (change.images.contains("${user}") && change.who.starts_with("user:"))
    {
        let groups = change.who.find(" in ").and_then(|at| change.who.get(at..));
        return Some(format!("user:**{}", groups.unwrap_or_default()));
    }
    let (kind, _) = change.who.rsplit_once("group:")?;
    let kind = kind.strip_suffix("groups such as ").unwrap_or(kind);
    change.images.contains("${group}").then(|| format!("{kind}{ANY_GROUP}"))
}
