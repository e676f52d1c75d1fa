//! On whose behalf a token is, and how far it reaches.

use std::sync::Arc;

use jiff::Timestamp;
use policy::{Bounds, Caller, Circumstances, Credential, Subject};
use serde::{Deserialize, Serialize};

/// What all tokens that come from one credential have in common. What of it holds is looked up at
/// each use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Whom they are for.
    pub subject: Subject,
    /// How the subject is known.
    pub kind: Kind,
    /// The name, in our configuration, of the provider or the peer that vouches for the subject;
    /// there for [`Kind::Federated`] and [`Kind::Peer`] and for no other.
    pub via: Option<String>,
    /// The groups that whoever vouches for the subject says it is in: of a provider as our
    /// configuration maps them, of a peer as the peer writes them, of a service as the administrator
    /// who made its token said. Those of a user are looked up, and this is empty.
    pub asserted: Vec<String>,
    /// The groups that the tokens carry; none: all that the subject has.
    pub groups: Option<Vec<String>>,
    /// How far they reach at most; none: as far as the subject does.
    pub bounds: Option<Arc<Bounds>>,
    /// When the credential was shown from which all of them come. Revoking everything of a subject
    /// that was issued before some time looks at this.
    pub auth_time: Timestamp,
}

/// How a subject is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A person of the users file or of `htpasswd`.
    User,
    /// A service that an administrator added.
    Service,
    /// A user or a service that an identity provider vouches for.
    Federated,
    /// Someone that another gate vouches for.
    Peer,
    /// Nobody in particular.
    Anonymous,
}

impl Kind {
    /// The word in tokens and in the audit trail.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.credential().as_str()
    }

    /// What rules may depend on.
    #[must_use]
    pub fn credential(self) -> Credential {
        match self {
            Self::User => Credential::User,
            Self::Service => Credential::Service,
            Self::Federated => Credential::Federated,
            Self::Peer => Credential::Peer,
            Self::Anonymous => Credential::Anonymous,
        }
    }

    /// Whether a subject can be known in this way.
    #[must_use]
    pub fn fits(self, subject: &Subject) -> bool {
        match self {
            Self::User => matches!(subject, Subject::User(_)),
            Self::Service => matches!(subject, Subject::Service(_)),
            Self::Federated => matches!(subject, Subject::User(_) | Subject::Service(_)),
            Self::Peer => matches!(subject, Subject::Peer { .. }),
            Self::Anonymous => matches!(subject, Subject::Anonymous),
        }
    }
}

impl Grant {
    /// The caller that it stands for. When and from where it asks is added to each question.
    pub(crate) fn caller(&self, groups: Vec<String>) -> Caller {
        Caller {
            granting: self.groups.clone(),
            bounds: self.bounds.clone(),
            circumstances: Circumstances {
                credential: Some(self.kind.credential()),
                ..Circumstances::default()
            },
            ..Caller::new(self.subject.clone(), groups)
        }
    }

    /// One without limits, for a credential that was shown at `auth_time` and that nobody else
    /// vouches for.
    #[must_use]
    pub fn unlimited(subject: Subject, kind: Kind, auth_time: Timestamp) -> Self {
        Self {
            subject,
            kind,
            via: None,
            asserted: Vec::new(),
            groups: None,
            bounds: None,
            auth_time,
        }
    }
}
