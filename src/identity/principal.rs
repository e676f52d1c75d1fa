//! Who is asking.

use oci::RepositoryName;
use policy::{Action, Caller};

/// A caller whose credential was verified, or an anonymous one that has a token saying so.
#[derive(Debug, Clone)]
pub struct Principal {
    /// What policy needs to know.
    pub caller: Caller,
    /// The most that the credential may do; policy decides what of it holds.
    pub ceiling: Ceiling,
    /// The `jti` of the access token, for the audit trail; none with a password.
    pub token_id: Option<String>,
}

/// The most a credential may do, whatever policy grants its holder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ceiling {
    /// A password: all that policy grants.
    Unlimited,
    /// A token of the token endpoint: what its `access` claim lists.
    Access(Vec<Access>),
}

/// One entry of the Docker access list, as the actions of policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// `repository:NAME:pull,push,delete`.
    Repository {
        /// Which repository, whole.
        name: RepositoryName,
        /// What may be done there.
        actions: Vec<Action>,
    },
    /// `registry:catalog:*`.
    Catalog,
}

impl Ceiling {
    /// Whether the credential reaches as far as `action` in `repository`.
    #[must_use]
    pub fn covers(&self, action: Action, repository: &RepositoryName) -> bool {
        match self {
            Self::Unlimited => true,
            Self::Access(list) => list.iter().any(|access| match access {
                Access::Repository { name, actions } => {
                    name == repository && actions.contains(&action)
                }
                Access::Catalog => false,
            }),
        }
    }

    /// Whether the credential may list the catalogue.
    #[must_use]
    pub fn covers_catalog(&self) -> bool {
        match self {
            Self::Unlimited => true,
            Self::Access(list) => list.contains(&Access::Catalog),
        }
    }
}
