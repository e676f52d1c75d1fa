//! The files of the policy in force. They are not kept in memory, as they may be large.

use std::fmt::Write as _;
use std::sync::Arc;

use aws_lc_rs::digest;
use policy::SourceFile;
use tokio::task::spawn_blocking;

use crate::last_good;
use crate::policy_folder;
use crate::reload::LoadedPolicy;
use crate::service::api::Api;
use crate::watch::Fingerprint;

/// From the folder, if it holds them unchanged, or else from the state; none where neither does.
pub(super) async fn texts(api: &Api, loaded: &Arc<LoadedPolicy>) -> Option<Vec<SourceFile>> {
    let folder = api.policies.source().0.clone();
    let read = spawn_blocking(move || policy_folder::read(&folder)).await;
    if let Ok(Ok(sources)) = read
        && sources.fingerprint == loaded.sha256
    {
        return Some(sources.files);
    }
    let kept = api.issue.state.ask(|store| async move { store.kept_policy().await }).await;
    let kept = kept.ok().flatten()?;
    // Replicas share one, which may be another one's.
    if Fingerprint::from(kept.sha256) != loaded.sha256 {
        return None;
    }
    let unpacked = spawn_blocking(move || last_good::files(&kept)).await;
    Some(unpacked.ok()?.ok()?.files)
}

/// As `sha256sum` writes it.
pub(super) fn sha256(text: &str) -> String {
    let sum = digest::digest(&digest::SHA256, text.as_bytes());
    let mut written = String::new();
    for byte in sum.as_ref() {
        // Writing into a text does not fail.
        let _ = write!(written, "{byte:02x}");
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_is_that_of_other_tools() {
        assert_eq!(
            sha256("abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
