//! `/api/v1/policy`: what is in force, as it is written, and what became of changes.

mod cases;
mod texts;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use jiff::Timestamp;
use policy::Policy;
use serde::{Deserialize, Serialize};

use super::Api;
use super::input::Asked;
use super::problem::Problem;
use super::requester::Requester;
use crate::reloads::{Reload, Remarks};
pub(crate) use cases::Tested;
use texts::{sha256, texts};

/// How many members of a group are told.
const MEMBERS: usize = 50;

/// The policy in force.
#[derive(Debug, Serialize)]
pub(crate) struct InForce {
    /// Of all files together.
    pub(crate) sha256: String,
    pub(crate) loaded_at: Timestamp,
    /// The folder holds something else, which is wrong.
    pub(crate) is_stale: bool,
    pub(crate) rules: usize,
    pub(crate) files: Vec<PolicyFile>,
    pub(crate) warnings: Remarks,
    pub(crate) administrators: Vec<String>,
    pub(crate) groups: Vec<PolicyGroup>,
    pub(crate) flags: Vec<PolicyFlag>,
    pub(crate) gates: Vec<PolicyGate>,
    pub(crate) delegations: Vec<PolicyDelegation>,
    pub(crate) tests: Tested,
}

/// A file of it.
#[derive(Debug, Default, Serialize)]
pub(crate) struct PolicyFile {
    pub(crate) file: String,
    /// These three only where the text is to be had.
    pub(crate) sha256: Option<String>,
    pub(crate) lines: Option<usize>,
    pub(crate) bytes: Option<usize>,
    pub(crate) rules: usize,
    pub(crate) gates: usize,
    pub(crate) exceptions: usize,
}

#[derive(Debug, Serialize)]
pub(crate) struct PolicyGroup {
    pub(crate) group: String,
    /// Identity sources say who is in it.
    pub(crate) external: bool,
    pub(crate) members: Vec<String>,
    /// How many members are not told.
    pub(crate) more: usize,
}

#[derive(Debug, Serialize)]
pub(crate) struct PolicyFlag {
    pub(crate) flag: String,
    /// In seconds.
    pub(crate) expires_after: Option<i64>,
    pub(crate) carries: Vec<String>,
}

#[derive(Debug, Serialize)]
pub(crate) struct PolicyGate {
    pub(crate) gate: String,
    pub(crate) mode: &'static str,
    pub(crate) file: String,
    pub(crate) line: usize,
}

#[derive(Debug, Serialize)]
pub(crate) struct PolicyDelegation {
    pub(crate) files: String,
    pub(crate) images: Vec<String>,
    pub(crate) groups: Vec<String>,
}

pub(crate) async fn show(
    State(api): State<Arc<Api>>,
    who: Requester,
) -> Result<Json<InForce>, Problem> {
    who.administrator()?;
    let loaded = Arc::clone(&api.policies.current());
    let policy = &loaded.policy;
    let mut files = counts(policy);
    for text in texts(&api, &loaded).await.into_iter().flatten() {
        let file = files.entry(text.path.clone()).or_default();
        file.sha256 = Some(sha256(&text.text));
        file.lines = Some(text.text.lines().count());
        file.bytes = Some(text.text.len());
    }
    let files = files.into_iter().map(|(name, file)| PolicyFile { file: name, ..file }).collect();
    let folder = api.policies.source().0.clone();
    let tests = cases::run(folder, Arc::clone(policy), api.now()).await;
    Ok(Json(InForce {
        sha256: loaded.sha256.to_string(),
        loaded_at: loaded.loaded_at,
        is_stale: api.policies.is_stale(),
        rules: policy.rule_count(),
        files,
        warnings: loaded.warnings.clone(),
        administrators: policy.administrators(),
        groups: groups(policy),
        flags: flags(policy),
        gates: gates(policy),
        delegations: delegations(policy),
        tests,
    }))
}

/// What stands in which file. One with nothing of it is not there.
fn counts(policy: &Policy) -> BTreeMap<String, PolicyFile> {
    let mut files: BTreeMap<String, PolicyFile> = BTreeMap::new();
    for rule in policy.rules() {
        files.entry(rule.file.to_owned()).or_default().rules += 1;
    }
    for gate in policy.gates() {
        files.entry(gate.place().file.to_owned()).or_default().gates += 1;
    }
    for exception in policy.exceptions() {
        files.entry(exception.place().0.to_owned()).or_default().exceptions += 1;
    }
    files
}

fn groups(policy: &Policy) -> Vec<PolicyGroup> {
    let shown = |group: policy::Group| {
        let external = group.members.is_none();
        let (members, more) = match group.members {
            Some(members) => {
                let more = members.count - members.first.len();
                (members.first, more)
            }
            None => (Vec::new(), 0),
        };
        PolicyGroup { group: group.name, external, members, more }
    };
    policy.groups(MEMBERS).into_iter().map(shown).collect()
}

fn flags(policy: &Policy) -> Vec<PolicyFlag> {
    let flag = |flag: &policy::gate::Flag| PolicyFlag {
        flag: flag.name().to_string(),
        expires_after: flag.expires_after().map(|after| after.as_secs()),
        carries: flag.carries().collect(),
    };
    policy.flags().map(flag).collect()
}

fn gates(policy: &Policy) -> Vec<PolicyGate> {
    let gate = |gate: &Arc<policy::gate::Gate>| PolicyGate {
        gate: gate.name().to_owned(),
        mode: super::gate::mode(gate),
        file: gate.place().file.to_owned(),
        line: gate.place().line,
    };
    policy.gates().map(gate).collect()
}

fn delegations(policy: &Policy) -> Vec<PolicyDelegation> {
    let delegation = |it: &policy::Delegation| PolicyDelegation {
        files: it.files.clone(),
        images: it.images.clone(),
        groups: it.groups.clone(),
    };
    policy.delegations().map(delegation).collect()
}

/// What became of changes.
#[derive(Debug, Serialize)]
pub(crate) struct History {
    /// From when on they were noticed: the start of this gate.
    pub(crate) since: Timestamp,
    /// The latest first.
    pub(crate) reloads: Vec<Reload>,
}

pub(crate) async fn reloads(
    State(api): State<Arc<Api>>,
    who: Requester,
) -> Result<Json<History>, Problem> {
    who.administrator()?;
    let reloads = &api.status.reloads;
    Ok(Json(History { since: reloads.began(), reloads: reloads.list() }))
}

/// Which file of the policy.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WhichFile {
    pub(crate) name: String,
}

/// One of its files, as it is in force.
#[derive(Debug, Serialize)]
pub(crate) struct FileText {
    pub(crate) file: String,
    pub(crate) sha256: String,
    pub(crate) text: String,
}

/// The file of that name among those in force, and no other: the name is looked up, and is no path.
pub(crate) async fn file(
    State(api): State<Arc<Api>>,
    who: Requester,
    Asked(WhichFile { name }): Asked<WhichFile>,
) -> Result<Json<FileText>, Problem> {
    who.administrator()?;
    let loaded = Arc::clone(&api.policies.current());
    let Some(files) = texts(&api, &loaded).await else {
        let text = "the text of what is in force is not to be had: the folder holds something else \
                    by now, and so does the state";
        return Err(Problem::new(StatusCode::CONFLICT, text));
    };
    let found = files.into_iter().find(|file| file.path == name);
    let file = found.ok_or_else(|| {
        let text =
            "there is no such file in the policy in force; names begin with that of its folder";
        Problem::new(StatusCode::NOT_FOUND, text)
    })?;
    Ok(Json(FileText { file: file.path, sha256: sha256(&file.text), text: file.text }))
}
