//! Names that pass from one owner to another.
//!
//! Whoever renames or deletes an organisation, a project or an account frees its name, and the next
//! one to take it gets tokens in which that name stands. The numbers beside the names are given
//! once. For the providers whose claims are known, names alone decide nothing.

use document::{Mistake, listed};

use super::claim::{ClaimPath, Condition};
use super::template::Template;
use crate::fetch::HttpsUrl;

/// A kind of provider whose claims are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forge {
    /// GitHub Actions.
    GitHub,
    /// GitLab CI.
    GitLab,
}

/// A claim with a name, and the claim with the number of the same thing.
type Names = &'static [(&'static str, &'static str)];

const GITHUB: Names = &[
    ("repository", "repository_id"),
    ("repository_owner", "repository_owner_id"),
    ("actor", "actor_id"),
    ("enterprise", "enterprise_id"),
    ("sub", "repository_id"),
    ("job_workflow_ref", "repository_id"),
    ("workflow_ref", "repository_id"),
];

const GITLAB: Names = &[
    ("project_path", "project_id"),
    ("namespace_path", "namespace_id"),
    ("user_login", "user_id"),
    ("user_email", "user_id"),
    ("sub", "project_id"),
    ("ci_config_ref_uri", "project_id"),
];

impl Forge {
    /// What stands behind an issuer: known by its address, or by the claims that are asked for.
    pub(crate) fn of<'c>(
        issuer: &HttpsUrl,
        mut claims: impl Iterator<Item = &'c ClaimPath>,
    ) -> Option<Self> {
        let (host, path) = (issuer.host(), issuer.as_str().trim_end_matches('/'));
        // GitHub in its cloud, at companies with a cloud of their own, and on their own machines.
        if host.starts_with("token.actions.") || path.ends_with("/_services/token") {
            return Some(Self::GitHub);
        }
        let is_gitlab = |claim: &ClaimPath| {
            ["project_path", "project_id", "namespace_path", "namespace_id", "user_login"]
                .iter()
                .any(|name| claim.is(name))
        };
        (host.split(['.', ':']).next() == Some("gitlab") || claims.any(is_gitlab))
            .then_some(Self::GitLab)
    }

    fn names(self) -> Names {
        match self {
            Self::GitHub => GITHUB,
            Self::GitLab => GITLAB,
        }
    }

    fn number_for(self, claim: &ClaimPath) -> Option<&'static str> {
        self.names().iter().find(|(name, _)| claim.is(name)).map(|(_, number)| *number)
    }

    fn is_number(self, claim: &ClaimPath) -> bool {
        self.names().iter().any(|(_, number)| claim.is(number))
    }

    /// The numbers of those who answer for what a job does. Who set it off is none of them: on
    /// GitHub, a comment in a stranger's repository is enough for that.
    fn owners(self) -> &'static [&'static str] {
        match self {
            Self::GitHub => &["repository_id", "repository_owner_id", "enterprise_id"],
            Self::GitLab => &["project_id", "namespace_id"],
        }
    }

    /// What is wrong with the names that callers get.
    pub(crate) fn check_subject(self, subject: &Template) -> Option<Mistake> {
        for claim in subject.variables() {
            if let Some(number) = self.number_for(claim) {
                return Some(
                    Mistake::new(format!(
                        "`{}` is a name that another can take over",
                        claim.as_str()
                    ))
                    .help(format!("write `{{{number}}}`, which is given once")),
                );
            }
        }
        if subject.variables().any(|claim| self.is_number(claim)) {
            return None;
        }
        Some(
            Mistake::new("a name that does not tell whose job it is")
                .help(format!("use one of {}", listed(self.owners()))),
        )
    }

    /// What is wrong with the claims that are required.
    pub(crate) fn check_required(self, required: &[Condition]) -> Option<Mistake> {
        let is_owner = |claim: &ClaimPath| self.owners().iter().any(|owner| claim.is(owner));
        if required.iter().any(|condition| is_owner(&condition.claim)) {
            return None;
        }
        let help = format!(
            "require one of {} as well: another can take over a name, and never a number",
            listed(self.owners())
        );
        let message = "what is required does not say whose jobs are meant for good";
        Some(Mistake::new(message).help(help))
    }
}
