//! The files that take effect when they change: policies and users. (The server certificate is
//! reloaded by `proxy::tls`.)

use std::path::PathBuf;
use std::sync::Arc;

use policy::Policy;

use crate::identity::users::{self, Users};
use crate::policy_folder::{self, LoadError, Sources};
use crate::watch::{Fingerprint, Source};

/// The folder of policies.
#[derive(Debug)]
pub struct PolicyFiles(pub PathBuf);

/// A policy that is in force.
#[derive(Debug)]
pub struct LoadedPolicy {
    /// The rules, shared with the requests that they decide.
    pub policy: Arc<Policy>,
    /// Stands for the content of the files.
    pub sha256: Fingerprint,
}

impl Source for PolicyFiles {
    type Content = Sources;
    type Value = LoadedPolicy;
    type Error = LoadError;

    fn name(&self) -> &'static str {
        "the policy folder"
    }

    fn read(&self) -> Result<Sources, LoadError> {
        Ok(policy_folder::read(&self.0)?)
    }

    fn fingerprint(content: &Sources) -> Fingerprint {
        content.fingerprint
    }

    fn load(&self, content: Sources) -> Result<LoadedPolicy, LoadError> {
        let sha256 = content.fingerprint;
        let compiled = Policy::compile(&content.files)?;
        if !compiled.warnings.is_empty() {
            tracing::warn!("the policies have warnings; `portcullis policy check` shows them");
        }
        Ok(LoadedPolicy { policy: Arc::new(compiled.policy), sha256 })
    }

    fn help(error: &LoadError) -> Option<String> {
        match error {
            LoadError::Folder(error) => error.help().map(str::to_owned),
            LoadError::Policy(_) => None,
        }
    }
}

/// The users file.
#[derive(Debug)]
pub struct UsersFile(pub PathBuf);

impl Source for UsersFile {
    type Content = String;
    type Value = Users;
    type Error = users::Error;

    fn name(&self) -> &'static str {
        "the users file"
    }

    fn read(&self) -> Result<String, users::Error> {
        users::read(&self.0)
    }

    fn fingerprint(content: &String) -> Fingerprint {
        Fingerprint::of([content.as_bytes()])
    }

    fn load(&self, content: String) -> Result<Users, users::Error> {
        Ok(Users::parse(&self.0, &content)?)
    }
}
