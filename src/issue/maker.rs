//! Who makes, looks at and revokes tokens.

use std::fmt;

use policy::{Caller, Policy, Subject};

use crate::identity::{Authenticated, Ceiling};

/// Somebody who was identified, and whether policy makes them an administrator.
#[derive(Debug, Clone)]
pub struct Maker {
    who: Who,
    administrator: bool,
}

#[derive(Debug, Clone)]
enum Who {
    /// A user of the gate's own machine who may read its keys, and so do everything.
    Local(u32),
    Known(Box<Authenticated>),
}

impl Maker {
    /// The user of this number on the gate's own machine, who is an administrator.
    #[must_use]
    pub fn local(uid: u32) -> Self {
        Self { who: Who::Local(uid), administrator: true }
    }

    /// Whoever has a credential. One that was cut down to some images or actions does not make an
    /// administrator of its holder: it is for these images and nothing else. One that was cut down
    /// to some groups does so by one of these groups, and not by its holder's name.
    #[must_use]
    pub fn known(known: Authenticated, policy: &Policy) -> Self {
        let caller = &known.principal.caller;
        let whole = caller.bounds.is_none() && known.principal.ceiling == Ceiling::Unlimited;
        let by_name = || {
            let without_groups = Caller { granting: Some(Vec::new()), ..caller.clone() };
            policy.is_administrator(&without_groups)
        };
        let administrator =
            whole && policy.is_administrator(caller) && (caller.granting.is_none() || !by_name());
        Self { who: Who::Known(Box::new(known)), administrator }
    }

    /// Whether they may act for others.
    #[must_use]
    pub fn is_administrator(&self) -> bool {
        self.administrator
    }

    /// What they showed; none on the gate's own machine.
    #[must_use]
    pub fn credential(&self) -> Option<&Authenticated> {
        match &self.who {
            Who::Local(_) => None,
            Who::Known(known) => Some(known),
        }
    }

    /// Whose tokens are their own.
    #[must_use]
    pub fn subject(&self) -> Option<&Subject> {
        self.credential().map(|known| &known.principal.caller.subject)
    }

    /// Whether the credential is good for less than its holder is.
    #[must_use]
    pub fn is_narrowed(&self) -> bool {
        self.credential().is_some_and(|known| {
            let caller = &known.principal.caller;
            caller.granting.is_some()
                || caller.bounds.is_some()
                || known.principal.ceiling != Ceiling::Unlimited
        })
    }
}

/// As in lists and in the audit trail: `user:alice`, or `local:1000`.
impl fmt::Display for Maker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.who {
            Who::Local(uid) => write!(f, "local:{uid}"),
            Who::Known(known) => known.principal.caller.subject.fmt(f),
        }
    }
}
