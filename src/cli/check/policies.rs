//! Whether the policies can be used, and what a gate would do without them.

use std::path::Path;

use document::Mistake;

use super::super::failure::{Failure, last_good_is_unusable};
use super::super::policy;
use crate::config::Config;
use crate::last_good;
use crate::policy_folder;
use crate::store;

pub(super) fn check(config: &Config) -> Result<String, Failure> {
    read(&config.policies).map_err(|failure| match instead(config) {
        Some(text) => failure.and(&text),
        None => failure,
    })
}

/// Whether a folder can be used as a policy.
pub(super) fn read(folder: &Path) -> Result<String, Failure> {
    let compiled = policy_folder::load(folder)?;
    let summary = policy::summary(compiled.policy.rule_count(), compiled.warnings.len());
    Ok(format!("{}, {summary}", folder.display()))
}

/// What there is to say of the last good policy; nothing where there is none.
fn instead(config: &Config) -> Option<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    let kept = match runtime.block_on(store::kept_policy(&config.state)) {
        Ok(kept) => kept?,
        Err(error) => return Some(Mistake::of(&error).render(false)),
    };
    Some(match last_good::restore(&kept) {
        Ok(policy) => {
            let rules = policy::summary(policy.policy.rule_count(), 0);
            format!(
                "note: a gate that starts now serves the last good policy, with an alarm: \
                 sha256:{}, {rules}, loaded at {:.0}",
                policy.sha256, policy.loaded_at
            )
        }
        Err(error) => last_good_is_unusable(&error).render(false),
    })
}
