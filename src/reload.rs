//! The files that take effect when they change: policies, users, the upstream's password. (The server certificate is
//! reloaded by `proxy::tls`.)

use std::path::PathBuf;
use std::sync::Arc;

use policy::Policy;

use crate::identity::users::{self, Users};
use crate::policy_folder::{self, LoadError, Sources};
use crate::secret::Secret;
use crate::upstream::{PasswordError, read_password};
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

/// The file with the gate's password for the upstream.
#[derive(Debug)]
pub struct UpstreamPassword(pub PathBuf);

impl Source for UpstreamPassword {
    type Content = Secret;
    type Value = Secret;
    type Error = PasswordError;

    fn name(&self) -> &'static str {
        "the password for the upstream"
    }

    fn read(&self) -> Result<Secret, PasswordError> {
        read_password(&self.0)
    }

    fn fingerprint(content: &Secret) -> Fingerprint {
        Fingerprint::of([content.expose().as_bytes()])
    }

    fn load(&self, content: Secret) -> Result<Secret, PasswordError> {
        Ok(content)
    }

    fn help(error: &PasswordError) -> Option<String> {
        error.help().map(str::to_owned)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::watch::Reloaded;

    #[test]
    fn a_password_file_that_changes_takes_effect_and_a_wrong_one_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        fs::write(&file, "one\n").unwrap();
        let password = Reloaded::start(UpstreamPassword(file.clone())).unwrap();
        assert_eq!(password.current().expose(), "one");
        fs::write(&file, "").unwrap();
        assert!(matches!(password.poll(), Err(PasswordError::None(_))));
        assert_eq!(password.current().expose(), "one");
        fs::write(&file, "two").unwrap();
        assert!(password.poll().unwrap());
        assert_eq!(password.current().expose(), "two");
    }
}
