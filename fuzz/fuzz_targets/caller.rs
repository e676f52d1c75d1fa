//! Who asks.

use policy::{Caller, Subject};

/// A caller with a credential that reaches as far as it does.
pub(crate) fn caller(subject: Subject, groups: Vec<String>) -> Caller {
    Caller { subject, groups, granting: None, bounds: None }
}
