//! A line of an audit trail, read back.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;
use oci::{Digest, Reference, RepositoryName, Tag};
use policy::{Bounds, Caller, Circumstances, Credential, Policy, Subject};
use serde::Deserialize;

use super::Skipped;

/// What of a line a decision depends on. Keys that are not known are left alone: a later version of
/// the gate may have written them.
#[derive(Debug, Deserialize)]
pub(super) struct Line {
    pub(super) time: Timestamp,
    pub(super) event: String,
    pub(super) subject: Option<String>,
    #[serde(default)]
    groups: Vec<String>,
    credential: Option<String>,
    asserted: Option<Vec<String>>,
    carried: Option<Vec<String>>,
    bounds: Option<WrittenBounds>,
    address: Option<IpAddr>,
    pub(super) operation: Option<String>,
    pub(super) repository: Option<String>,
    pub(super) reference: Option<String>,
    pub(super) digest: Option<String>,
    pub(super) decision: Option<String>,
    pub(super) status: Option<u16>,
}

#[derive(Debug, Deserialize)]
struct WrittenBounds {
    images: Vec<String>,
    actions: Vec<String>,
}

/// Who asked, without the groups that depend on the policy.
pub(super) struct Asked {
    caller: Caller,
    asserted: Vec<String>,
}

/// What it was about.
pub(super) struct About {
    pub(super) repository: RepositoryName,
    /// Several, where a manifest was stored under several.
    pub(super) tags: Vec<Tag>,
    pub(super) digest: Option<Digest>,
}

impl Line {
    pub(super) fn asked(&self) -> Result<Asked, Skipped> {
        let subject = self.subject.as_deref().ok_or(Skipped::Nobody)?;
        let subject: Subject = subject.parse().map_err(|_| Skipped::Unreadable)?;
        // Older lines tell all groups in one list. Which of them may be asserted, the policy says.
        let is_old = self.credential.is_none() && self.asserted.is_none();
        let asserted = match &self.asserted {
            Some(asserted) => asserted.clone(),
            None if is_old => self.groups.clone(),
            None => Vec::new(),
        };
        let lists = [Some(&asserted), self.carried.as_ref()];
        if lists.into_iter().flatten().flatten().any(|group| group.ends_with('…')) {
            return Err(Skipped::Cut);
        }
        let bounds = match &self.bounds {
            Some(WrittenBounds { images, actions }) => {
                let bounds = Bounds::new(images.clone(), actions);
                Some(Arc::new(bounds.map_err(|_| Skipped::Unreadable)?))
            }
            None => None,
        };
        let circumstances = Circumstances {
            at: Some(self.time),
            address: self.address,
            credential: self.credential(&subject),
        };
        let caller = Caller::new(subject, Vec::new());
        let granting = self.carried.clone();
        Ok(Asked { caller: Caller { granting, bounds, circumstances, ..caller }, asserted })
    }

    fn credential(&self, subject: &Subject) -> Option<Credential> {
        let all = Credential::ALL.into_iter().chain([Credential::Anonymous]);
        match (&self.credential, subject) {
            (Some(word), _) => all.into_iter().find(|kind| kind.as_str() == word),
            (None, Subject::Peer { .. }) => Some(Credential::Peer),
            (None, Subject::Anonymous) => Some(Credential::Anonymous),
            // An older line does not tell whether an identity provider vouched.
            (None, Subject::User(_) | Subject::Service(_)) => None,
        }
    }

    pub(super) fn about(&self) -> Result<About, Skipped> {
        let repository = self.repository.as_deref().ok_or(Skipped::NoImage)?;
        let repository = RepositoryName::new(repository).map_err(|_| Skipped::Unreadable)?;
        let mut digest = self.digest.as_deref().and_then(|text| Digest::new(text).ok());
        let mut tags = BTreeSet::new();
        let is_mount = self.operation.as_deref() == Some("upload_start");
        for text in self.reference.iter().filter(|_| !is_mount).flat_map(|all| all.split(',')) {
            match text.parse::<Reference>() {
                Ok(Reference::Tag(tag)) => drop(tags.insert(tag)),
                Ok(Reference::Digest(named)) => digest = Some(named),
                Err(_) if text.ends_with('…') => return Err(Skipped::Cut),
                Err(_) => return Err(Skipped::Unreadable),
            }
        }
        Ok(About { repository, tags: tags.into_iter().collect(), digest })
    }
}

impl Asked {
    /// The caller before a policy: of the groups that were asserted, those that may be.
    pub(super) fn before(&self, policy: &Policy) -> Caller {
        let groups = self.asserted.iter().filter(|group| policy.may_be_asserted(group));
        Caller { groups: groups.cloned().collect(), ..self.caller.clone() }
    }
}
