//! Who pushes.

use std::fmt;
use std::fmt::Write as _;
use std::sync::Arc;

use oci::Algorithm;
use policy::{Bounds, Caller, Subject};

use crate::content;

/// Who pushes: a caller by its name and, where its credential has bounds, by these. What somebody
/// pushed is not thereby in the reach of every credential that was made narrower.
///
/// As text it is the subject, and for a credential with bounds a space and the SHA-256 of what they
/// say: that can be kept and compared, and tells nobody what a credential was for.
#[derive(Debug, Clone, Copy)]
pub struct Pusher<'a> {
    subject: &'a Subject,
    bounds: Option<&'a Arc<Bounds>>,
}

impl<'a> Pusher<'a> {
    /// The same caller with a credential that has no bounds.
    pub(super) fn unbounded(self) -> Self {
        Self { bounds: None, ..self }
    }

    pub(super) fn has_bounds(self) -> bool {
        self.bounds.is_some()
    }
}

impl<'a> From<&'a Caller> for Pusher<'a> {
    fn from(caller: &'a Caller) -> Self {
        Self { subject: &caller.subject, bounds: caller.bounds.as_ref() }
    }
}

/// With a credential that has no bounds.
impl<'a> From<&'a Subject> for Pusher<'a> {
    fn from(subject: &'a Subject) -> Self {
        Self { subject, bounds: None }
    }
}

impl fmt::Display for Pusher<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.subject)?;
        let Some(bounds) = self.bounds else { return Ok(()) };
        // With the length of each, so that no two bounds are written in the same way.
        let mut written = String::new();
        for image in bounds.images() {
            write!(written, "{} {image} ", image.len())?;
        }
        for action in bounds.actions() {
            write!(written, "{} ", action.as_str())?;
        }
        write!(f, " {}", content::digest(Algorithm::Sha256, written.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(images: &[&str], actions: &[&str]) -> String {
        let images = images.iter().map(ToString::to_string).collect();
        let bounds = Some(Arc::new(Bounds::new(images, actions).unwrap()));
        let caller = Caller::new(Subject::User("alice".to_owned()), Vec::new());
        Pusher::from(&Caller { bounds, ..caller }).to_string()
    }

    #[test]
    fn the_text_tells_the_subject_and_which_bounds() {
        let alice = Subject::User("alice".to_owned());
        assert_eq!(Pusher::from(&alice).to_string(), "user:alice");
        let bound = text(&["team/app"], &["push"]);
        assert!(bound.starts_with("user:alice sha256:"), "{bound}");
        assert_eq!(bound, text(&["team/app"], &["create", "overwrite"]), "the same actions");
        for other in [
            text(&["team/app", "team/web"], &["push"]),
            text(&["team/app:v*"], &["push"]),
            text(&["team/app"], &["create"]),
        ] {
            assert_ne!(bound, other);
        }
    }
}
