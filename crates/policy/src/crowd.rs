//! How many roles one caller can come to fill.
//!
//! A decision looks at all roles of a caller. Whoever may write one file of a policy could give
//! everybody a hundred thousand groups, and so slow every request down, also those about the images
//! of others.

use crate::subjects::{Role, Subjects};

/// Roles that one name may bring, and patterns over groups. What organizations write takes a few
/// dozen.
const MAX_ROLES: usize = 4_096;

impl Subjects {
    /// The first subject that brings too many roles, alone or with those that begin in the same way:
    /// a caller may match all of these.
    pub(crate) fn crowded(&self) -> Option<Role> {
        let mut walk = Walk { subjects: self, seen: vec![0; self.role_count()], round: 0 };
        let alone = self.groups().filter(|&role| walk.following(role) > MAX_ROLES).min();
        let together = self
            .beginnings()
            .filter_map(|mut alike| {
                let mut left = MAX_ROLES;
                alike.find(|&role| {
                    let less = left.checked_sub(walk.following(role));
                    left = less.unwrap_or_default();
                    less.is_none()
                })
            })
            .min();
        let patterns = self.group_patterns().nth(MAX_ROLES);
        alone.into_iter().chain(together).chain(patterns).min()
    }
}

/// Counts what follows from one role after the other.
struct Walk<'a> {
    subjects: &'a Subjects,
    /// By role: the latest round in which it was met.
    seen: Vec<u32>,
    round: u32,
}

impl Walk<'_> {
    /// The role and those that follow from it, but no more than is too many.
    fn following(&mut self, role: Role) -> usize {
        self.round += 1;
        let mut count = 0;
        let mut open = vec![role];
        while let Some(role) = open.pop() {
            let Some(seen) = self.seen.get_mut(role.0 as usize) else { continue };
            if std::mem::replace(seen, self.round) == self.round {
                continue;
            }
            count += 1;
            if count > MAX_ROLES {
                break;
            }
            open.extend_from_slice(self.subjects.belongs_to(role));
        }
        count
    }
}
