//! The configuration's `federation`.

use std::path::PathBuf;
use std::time::Duration;

use document::Mistake;

use super::claim::{ClaimPath, Condition};
use super::recycled::Forge;
use super::sign_in::SignIn;
use super::template::{SubjectKind, Template};
use crate::fetch::HttpsUrl;
use crate::jwks::JwksLocation;

/// How long what comes of an ID token lasts, unless the configuration says otherwise.
pub const SESSION: Duration = Duration::from_secs(12 * 3600);

/// A provider whose ID tokens are taken, and for whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Our name for it, in `oidc:NAME`: 1 to 64 of `a-z0-9-`.
    pub name: String,
    /// The `iss` of its tokens, letter by letter.
    pub issuer: HttpsUrl,
    /// What the `aud` of its tokens must name: this gate, and no other service.
    pub audience: String,
    /// Where its keys are.
    pub jwks: JwksLocation,
    /// The PEM file of the CAs to trust in place of the system's when the keys are fetched.
    pub ca: Option<PathBuf>,
    /// What its tokens must say, all of it. Never empty: at a public issuer anyone has tokens.
    pub require: Vec<Condition>,
    /// The name of whoever has the token, and what kind of name it is.
    pub subject: Template,
    /// Groups of ours, and what makes somebody a member: any one of the conditions.
    pub groups: Vec<(String, Vec<Condition>)>,
    /// What comes of a token ends so long after it was shown.
    pub session: Duration,
    /// How people sign in to the pages there, if they may.
    pub sign_in: Option<SignIn>,
}

/// Which part of [`Settings`] a mistake is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// `audience`
    Audience,
    /// `require`
    Require,
    /// `subject`
    Subject,
}

/// Claims that are looked at for every token, so that requiring them requires nothing.
const ALWAYS_CHECKED: [&str; 6] = ["iss", "aud", "azp", "exp", "iat", "nbf"];

/// Whether a text can be the name of a provider.
///
/// # Errors
/// It cannot.
pub fn check_name(text: &str) -> Result<(), Mistake> {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if text.is_empty() || text.len() > 64 || !text.bytes().all(fits) {
        return Err(Mistake::new("not the name of a provider")
            .help("write 1 to 64 lower-case letters, digits and `-`, such as `github`"));
    }
    Ok(())
}

impl Settings {
    /// What of it lets in others than are meant, whatever each part is on its own.
    #[must_use]
    pub fn mistakes(&self) -> Vec<(Part, Mistake)> {
        let mut mistakes = Vec::new();
        mistakes.extend(self.audience().map(|mistake| (Part::Audience, mistake)));
        mistakes.extend(self.required().map(|mistake| (Part::Require, mistake)));
        mistakes.extend(self.named().map(|mistake| (Part::Subject, mistake)));
        mistakes
    }

    /// Audiences that tokens have unless their holder asks for another one: every service that is
    /// shown such a token could show it here.
    fn audience(&self) -> Option<Mistake> {
        let audience = self.audience.trim_end_matches('/');
        let is_default = audience == self.issuer.as_str().trim_end_matches('/')
            || audience.starts_with("https://kubernetes.default")
            || (self.forge() == Some(Forge::GitHub) && audience.starts_with("https://github.com"));
        is_default.then(|| {
            Mistake::new("the audience of tokens that are for anyone").help(
                "write a name of this gate, such as its host, and have jobs ask for tokens with it",
            )
        })
    }

    fn required(&self) -> Option<Mistake> {
        let required = &self.require;
        let says_nothing =
            |condition: &Condition| ALWAYS_CHECKED.iter().any(|name| condition.claim.is(name));
        if required.iter().all(says_nothing) {
            return Some(no_requirement());
        }
        self.forge().and_then(|forge| forge.check_required(required))
    }

    fn named(&self) -> Option<Mistake> {
        if let Some(forge) = self.forge() {
            return forge.check_subject(&self.subject);
        }
        let verified = |condition: &Condition| {
            condition.claim.is("email_verified") && condition.values == ["true"]
        };
        let by_email = self.subject.variables().any(|claim| claim.is("email"));
        (by_email && !self.require.iter().any(verified)).then(|| {
            Mistake::new("an `email` that nobody may have verified")
                .help("add `email_verified: true` to `require`, or name callers by `{sub}`")
        })
    }

    /// What runs the jobs that come in, where that is known.
    pub(super) fn jobs(&self) -> Option<Forge> {
        self.forge().filter(|_| self.subject.kind() == SubjectKind::Service)
    }

    fn forge(&self) -> Option<Forge> {
        let mapped = self.groups.iter().flat_map(|(_, conditions)| conditions);
        let conditions = self.require.iter().chain(mapped).map(|condition| &condition.claim);
        let claims: Vec<&ClaimPath> = conditions.chain(self.subject.variables()).collect();
        Forge::of(&self.issuer, claims.into_iter())
    }

    /// Whether a caller of the one could have the name of a caller of the other. Two entries for one
    /// issuer speak of the same callers.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        self.issuer != other.issuer && self.subject.overlaps(&other.subject)
    }
}

/// What is said to a provider without `require`.
#[must_use]
pub fn no_requirement() -> Mistake {
    Mistake::new("nothing is required of the tokens: whoever has one of this issuer could log in")
        .help(
            "add claims that only yours have to `require`, such as `repository_owner_id: 1234` \
             or `[kubernetes.io].namespace: ci`",
        )
}
