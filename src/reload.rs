//! The files that take effect when they change: policies, users, the upstream's password. (The server certificate is
//! reloaded by `proxy::tls`.)

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use policy::{Policy, SourceFile};

use crate::identity::users::{self, Users};
use crate::policy_folder::{self, LoadError, Sources};
use crate::reloads::Remarks;
use crate::secret::Secret;
use crate::upstream::{PasswordError, read_password};
use crate::watch::{Fingerprint, Source};

/// For how long a changed folder must stay the same: whoever copies files into it, one by one and
/// over a network, makes longer pauses than a program that writes one file.
const POLICY_SETTLE: Duration = Duration::from_millis(500);

/// How many warnings of a policy are remembered; `portcullis policy check` prints all of them.
const WARNINGS: usize = 200;

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
    /// How many files it has.
    pub file_count: usize,
    /// When it was loaded from its folder, by this process or by the one that kept it.
    pub loaded_at: Timestamp,
    /// What is odd about it.
    pub warnings: Remarks,
    /// Only until they are kept, as they may be large.
    files: Mutex<Vec<SourceFile>>,
}

impl LoadedPolicy {
    /// Makes a policy of files that were loaded at that time.
    ///
    /// # Errors
    /// They have mistakes.
    pub fn compile(sources: Sources, loaded_at: Timestamp) -> Result<Self, LoadError> {
        let compiled = Policy::compile_at(&sources.files, loaded_at)?;
        if !compiled.warnings.is_empty() {
            tracing::warn!("the policies have warnings; `portcullis policy check` shows them");
        }
        Ok(Self {
            policy: Arc::new(compiled.policy),
            sha256: sources.fingerprint,
            file_count: sources.files.len(),
            loaded_at,
            warnings: Remarks::first_of(&compiled.warnings, WARNINGS),
            files: Mutex::new(sources.files),
        })
    }

    /// Takes the files away, for whoever keeps them. They are there once.
    #[must_use]
    pub fn take_files(&self) -> Vec<SourceFile> {
        std::mem::take(&mut self.files.lock().unwrap_or_else(PoisonError::into_inner))
    }
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
        LoadedPolicy::compile(content, Timestamp::now())
    }

    fn settle(&self) -> Duration {
        POLICY_SETTLE
    }

    fn help(error: &LoadError) -> Option<String> {
        match error {
            LoadError::Folder(error) => error.help().map(str::to_owned),
            LoadError::Policy(_) => None,
        }
    }
}

/// The users file and the htpasswd file.
#[derive(Debug)]
pub struct UserFiles {
    files: users::Files,
    /// A users file that was there once has to stay: without it, whom it disabled could sign in by
    /// the other one.
    had_users: AtomicBool,
}

impl UserFiles {
    /// These.
    #[must_use]
    pub fn new(files: users::Files) -> Self {
        Self { files, had_users: AtomicBool::new(false) }
    }
}

impl Source for UserFiles {
    type Content = users::Texts;
    type Value = Users;
    type Error = users::Error;

    fn name(&self) -> &'static str {
        match self.files.htpasswd {
            None => "the users file",
            Some(_) => "the users file or the htpasswd file",
        }
    }

    fn read(&self) -> Result<users::Texts, users::Error> {
        let may_be_absent =
            self.files.users_may_be_absent && !self.had_users.load(Ordering::Relaxed);
        let files = users::Files { users_may_be_absent: may_be_absent, ..self.files.clone() };
        files.read()
    }

    fn fingerprint(texts: &users::Texts) -> Fingerprint {
        // What is absent has another fingerprint than what is empty.
        let there = [u8::from(texts.users.is_some()), u8::from(texts.htpasswd.is_some())];
        let [users, htpasswd] =
            [&texts.users, &texts.htpasswd].map(|text| text.as_deref().unwrap_or_default());
        Fingerprint::of([&there[..], users.as_bytes(), htpasswd.as_bytes()])
    }

    fn load(&self, texts: users::Texts) -> Result<Users, users::Error> {
        let users = self.files.parse(&texts)?;
        if texts.users.is_some() {
            self.had_users.store(true, Ordering::Relaxed);
        }
        if !users.in_both().is_empty() {
            tracing::warn!(
                names = users.in_both().join(", "),
                "the htpasswd file names users whom the users file names, too; the users file counts"
            );
        }
        Ok(users)
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

    /// A gate's folder with these files.
    fn users(users: Option<&str>, htpasswd: &str) -> (tempfile::TempDir, users::Files) {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("htpasswd"), htpasswd).unwrap();
        if let Some(text) = users {
            fs::write(at("users.yaml"), text).unwrap();
        }
        let htpasswd = Some(at("htpasswd"));
        let files = users::Files { users: at("users.yaml"), users_may_be_absent: true, htpasswd };
        (folder, files)
    }

    const ALICE: &str = "alice:$2y$05$abcdefghijklmnopqrstuuHNbAKRhpaujgo33bRWs.NLUTJO3lOy2\n";

    #[test]
    fn either_file_of_users_takes_effect_when_it_changes() {
        let (_folder, files) = users(None, ALICE);
        let users = Reloaded::start(UserFiles::new(files.clone())).unwrap();
        let names =
            || -> Vec<String> { users.current().iter().map(|(name, _)| name.to_owned()).collect() };
        assert!(!users.poll().unwrap());
        let htpasswd = files.htpasswd.as_ref().unwrap();
        fs::write(htpasswd, format!("{ALICE}{}", ALICE.replace("alice", "bob"))).unwrap();
        assert!(users.poll().unwrap());
        assert_eq!(names(), ["alice", "bob"]);
        fs::write(htpasswd, "alice:{SHA}x\n").unwrap();
        assert!(users.poll().is_err());
        assert_eq!(names(), ["alice", "bob"], "the last good one stays");
        fs::write(htpasswd, ALICE).unwrap();
        fs::write(&files.users, "users: {}").unwrap();
        assert!(users.poll().unwrap());
        assert_eq!(names(), ["alice"]);
    }

    #[test]
    fn a_users_file_that_goes_away_lets_nobody_in_by_the_other_one() {
        let hash = "$argon2id$v=19$m=8,t=1,p=1$cG9ydGN1bGxpcy1ub25l$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        let disabled = format!("users: {{alice: {{password: '{hash}', disabled: true}}}}");
        let (_folder, files) = users(Some(&disabled), ALICE);
        let users = Reloaded::start(UserFiles::new(files.clone())).unwrap();
        assert!(users.current().get("alice").unwrap().disabled);
        fs::remove_file(&files.users).unwrap();
        assert!(users.poll().is_err());
        assert!(users.current().get("alice").unwrap().disabled);
    }

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
