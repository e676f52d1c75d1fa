use std::fs;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use policy::SourceFile;
use tempfile::TempDir;

use super::*;
use crate::clock::Clock;
use crate::log::Causes;
use crate::policy_folder::Sources;
use crate::state::sample;

const GOOD: &str =
    "rules:\n  - {name: a, subjects: [user:alice], images: [\"**\"], allow: [pull]}\n";

/// A state that keeps this, and an empty policy folder.
struct Scene {
    state: Arc<State>,
    _kept_in: TempDir,
    folder: TempDir,
}

impl Scene {
    async fn new(kept: Option<&KeptPolicy>) -> Self {
        let (state, kept_in) = sample::kept(Arc::new(Clock::start()));
        if let Some(kept) = kept.cloned() {
            state.ask(|store| async move { store.keep_policy(&kept).await }).await.unwrap();
        }
        Self { state, _kept_in: kept_in, folder: tempfile::tempdir().unwrap() }
    }

    fn policies(&self) -> &Path {
        self.folder.path()
    }

    async fn start(&self) -> Result<Start, NoPolicy> {
        start(PolicyFiles(self.policies().to_owned()), &self.state).await
    }
}

fn sources(text: &str) -> Sources {
    Sources::new(vec![SourceFile { path: "policies/a.yaml".to_owned(), text: text.to_owned() }])
}

fn kept(text: &str) -> KeptPolicy {
    let sources = sources(text);
    KeptPolicy {
        sha256: *sources.fingerprint.as_bytes(),
        loaded_at: Timestamp::from_second(1_700_000_000).unwrap(),
        files: packed::pack(&sources.files).unwrap(),
    }
}

#[tokio::test]
async fn a_folder_that_can_be_used_is_used_whatever_is_kept() {
    let damaged = KeptPolicy { sha256: [0; 32], ..kept(GOOD) };
    for kept in [None, Some(&kept(GOOD)), Some(&damaged)] {
        let scene = Scene::new(kept).await;
        fs::write(scene.policies().join("a.yaml"), "rules: []").unwrap();
        let started = scene.start().await.unwrap();
        assert!(started.refused.is_none());
        assert!(!started.policy.is_stale());
        assert_eq!(started.policy.current().policy.rule_count(), 0);
    }
}

#[tokio::test]
async fn the_last_good_policy_takes_the_place_of_a_broken_folder_until_it_is_mended() {
    let scene = Scene::new(Some(&kept(GOOD))).await;
    for broken in [None, Some(""), Some("rules: ["), Some("rule: []")] {
        if let Some(text) = broken {
            fs::write(scene.policies().join("a.yaml"), text).unwrap();
        }
        let Start { policy, refused } = scene.start().await.unwrap();
        assert!(refused.is_some());
        assert!(policy.is_stale());
        let restored = Arc::clone(&policy.current());
        assert_eq!(restored.sha256, sources(GOOD).fingerprint);
        assert_eq!((restored.policy.rule_count(), restored.file_count), (1, 1));
        assert_eq!(restored.loaded_at.as_second(), 1_700_000_000);
        assert!(!policy.poll().unwrap());
        fs::write(scene.policies().join("a.yaml"), "rules: []").unwrap();
        assert!(policy.poll().unwrap());
        assert!(!policy.is_stale());
        assert_eq!(policy.current().policy.rule_count(), 0);
    }
}

#[tokio::test]
async fn without_a_folder_and_a_last_good_policy_there_is_none() {
    let scene = Scene::new(None).await;
    assert!(matches!(scene.start().await, Err(NoPolicy::Folder(_))));
}

#[tokio::test]
async fn what_is_damaged_or_no_policy_of_this_version_is_refused_as_a_whole() {
    let future = "gates_of_the_future: []\nrules:\n  - {name: a, subjects: [anyone], images: [\"**\"], allow: [pull]}\n";
    for (kept, why) in [
        (KeptPolicy { sha256: [0; 32], ..kept(GOOD) }, "SHA-256"),
        (KeptPolicy { files: b"junk".to_vec(), ..kept(GOOD) }, "damaged"),
        (KeptPolicy { files: Vec::new(), ..kept(GOOD) }, "damaged"),
        (kept(future), "gates_of_the_future"),
    ] {
        let scene = Scene::new(Some(&kept)).await;
        match scene.start().await {
            Err(NoPolicy::Neither { kept, .. }) => {
                let told = Causes(&kept).to_string();
                assert!(told.contains(why), "{told}");
            }
            other => panic!("{other:?}"),
        }
    }
}
