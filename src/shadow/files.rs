//! The folder of the shadow policy.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::policy_folder::{LoadError, Sources};
use crate::reload::{LoadedPolicy, PolicyFiles};
use crate::watch::{Fingerprint, Source};

/// The folder of the shadow policy. There is none before the folder can be used for the first time.
#[derive(Debug)]
pub struct ShadowFiles(PolicyFiles);

impl ShadowFiles {
    /// This folder.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self(PolicyFiles(folder))
    }
}

impl Source for ShadowFiles {
    type Content = Sources;
    type Value = Option<Arc<LoadedPolicy>>;
    type Error = LoadError;

    fn name(&self) -> &'static str {
        "the folder of the shadow policy"
    }

    fn read(&self) -> Result<Sources, LoadError> {
        self.0.read()
    }

    fn fingerprint(content: &Sources) -> Fingerprint {
        PolicyFiles::fingerprint(content)
    }

    fn load(&self, content: Sources) -> Result<Self::Value, LoadError> {
        let policy = self.0.load(content)?;
        // They are kept for the policy in force alone.
        drop(policy.take_files());
        Ok(Some(Arc::new(policy)))
    }

    fn settle(&self) -> Duration {
        self.0.settle()
    }

    fn standing(&self) -> &'static str {
        "in use"
    }

    fn help(error: &LoadError) -> Option<String> {
        PolicyFiles::help(error)
    }
}
