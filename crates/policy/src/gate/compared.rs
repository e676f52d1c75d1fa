//! What becomes of the gates of a policy in another.

use std::collections::BTreeMap;
use std::fmt;

use super::exception::Exception;
use super::flag::Flag;
use crate::lower::written;
use crate::policy::Policy;

/// A flag, a gate or an exception that another policy has, has not, or words otherwise. What it comes
/// to depends on what is known of images.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseChange {
    /// `flag`, `gate` or `exception`.
    pub kind: &'static str,
    /// Its name; the vulnerability of an exception.
    pub name: String,
    /// What it does not say any more, a line each.
    pub gone: Vec<String>,
    /// What it says from now on, a line each.
    pub new: Vec<String>,
    /// Whether it is there in the old policy, and in the new one.
    pub is_in: [bool; 2],
}

/// What `new` says otherwise than `old` of flags, gates and exceptions, in the order of these and of
/// their names.
#[must_use]
pub fn compare_releases(old: &Policy, new: &Policy) -> Vec<ReleaseChange> {
    let mut changes = Vec::new();
    let flags =
        |policy: &Policy| policy.flags().map(|it| (it.name().to_string(), lines_of(it))).collect();
    differ("flag", &flags(old), &flags(new), &mut changes);
    let gates =
        |policy: &Policy| policy.gates().map(|it| (it.name().to_owned(), it.lines())).collect();
    differ("gate", &gates(old), &gates(new), &mut changes);
    let exceptions = |policy: &Policy| {
        let mut all: Lines = BTreeMap::new();
        for exception in policy.exceptions() {
            all.entry(exception.cve.to_string()).or_default().push(exception.to_string());
        }
        all.values_mut().for_each(|lines| lines.sort_unstable());
        all
    };
    differ("exception", &exceptions(old), &exceptions(new), &mut changes);
    changes
}

type Lines = BTreeMap<String, Vec<String>>;

fn differ(kind: &'static str, old: &Lines, new: &Lines, changes: &mut Vec<ReleaseChange>) {
    let mut names: Vec<&String> = old.keys().chain(new.keys()).collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        let [before, after] = [old, new].map(|lines| lines.get(name));
        if before == after {
            continue;
        }
        let without = |some: Option<&Vec<String>>, other: Option<&Vec<String>>| -> Vec<String> {
            let is_new = |line: &&String| other.is_none_or(|other| !other.contains(line));
            some.into_iter().flatten().filter(is_new).cloned().collect()
        };
        changes.push(ReleaseChange {
            kind,
            name: name.clone(),
            gone: without(before, after),
            new: without(after, before),
            is_in: [before.is_some(), after.is_some()],
        });
    }
}

fn lines_of(flag: &Flag) -> Vec<String> {
    let mut carries: Vec<_> = flag.carries().collect();
    carries.sort_unstable();
    let carries = (!carries.is_empty()).then(|| format!("carries: {}", carries.join(", ")));
    let life = flag.expires_after().map(|life| format!("expires_after: {}", written(life)));
    carries.into_iter().chain(life).collect()
}

/// "pkg:deb/debian/zlib* in prod/api until 2027-01-31T00:00:00Z, by user:alice: not reachable"
impl fmt::Display for Exception {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(package) = &self.package {
            write!(f, "{package} ")?;
        }
        let images: Vec<_> = self.images.iter().map(ToString::to_string).collect();
        let Self { expires, by, reason, .. } = self;
        write!(f, "in {} until {expires}, by {by}: {reason}", images.join(", "))
    }
}

/// "gate production: now max_age: 90d; no longer max_age: 180d"
impl fmt::Display for ReleaseChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, name, gone, new, is_in } = self;
        let told = |lines: &[String]| lines.join("; ");
        match is_in {
            [false, _] if new.is_empty() => write!(f, "{kind} {name} is new"),
            [false, _] => write!(f, "{kind} {name} is new: {}", told(new)),
            [_, false] => write!(f, "{kind} {name} is gone"),
            [true, true] => {
                write!(f, "{kind} {name}: ")?;
                let now = (!new.is_empty()).then(|| format!("now {}", told(new)));
                let before = (!gone.is_empty()).then(|| format!("no longer {}", told(gone)));
                let parts: Vec<_> = now.into_iter().chain(before).collect();
                f.write_str(&parts.join("; "))
            }
        }
    }
}
