//! `/api/v1/image/access`: who may do what to an image.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use policy::question::{Target, target};
use policy::{Action, Caller, Condition, Credential, Involved, Party, Policy, Subject};
use serde::{Deserialize, Serialize};
use tokio::task::yield_now;

use super::super::Api;
use super::super::decide::{Meant, caller, somebody, wrong};
use super::super::input::Asked;
use super::super::problem::Problem;
use super::super::requester::Requester;
use super::list::Cursor;
use super::named::{Named, Need};
use crate::answer::Answer;

/// How many subjects are on a page, where nothing else is said.
const PAGE: usize = 100;

/// The most of them.
const MAX_PAGE: usize = 500;

/// Which image, and which of its subjects.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Question {
    pub(crate) r#ref: String,
    pub(crate) limit: Option<usize>,
    pub(crate) cursor: Option<String>,
}

/// Who may do what.
#[derive(Serialize)]
pub(crate) struct AccessTo {
    pub(crate) repository: String,
    pub(crate) reference: String,
    /// Those that each subject is told with, in this order.
    pub(crate) actions: Vec<String>,
    pub(crate) subjects: Vec<Row>,
    pub(crate) cursor: Option<String>,
}

/// What one subject may do.
#[derive(Serialize)]
pub(crate) struct Row {
    pub(crate) subject: String,
    /// What kind of subject it is.
    pub(crate) party: &'static str,
    /// Of a group: how many users and services that are known here are in it.
    pub(crate) members: Option<usize>,
    /// They cannot sign in at the moment.
    pub(crate) disabled: bool,
    pub(crate) permissions: Vec<Cell>,
}

/// Whether a subject may do one thing.
#[derive(Serialize)]
pub(crate) struct Cell {
    pub(crate) action: String,
    /// `allowed`, `denied` or `conditional`.
    pub(crate) access: &'static str,
    /// What is decided now, from an address that is not known.
    pub(crate) decision: &'static str,
    pub(crate) rule: Option<String>,
    pub(crate) file: Option<String>,
    pub(crate) line: Option<usize>,
    pub(crate) reason: String,
    pub(crate) conditions: Vec<ShownCondition>,
}

/// A rule that holds only sometimes.
#[derive(Serialize)]
pub(crate) struct ShownCondition {
    /// `allow` or `deny`.
    pub(crate) decision: &'static str,
    pub(crate) rule: String,
    pub(crate) file: String,
    pub(crate) line: usize,
    pub(crate) when: String,
}

/// Somebody whose row is told.
struct Asker {
    involved: Involved,
    disabled: bool,
}

pub(crate) async fn show(
    State(api): State<Arc<Api>>,
    who: Requester,
    Asked(question): Asked<Question>,
) -> Result<Json<AccessTo>, Problem> {
    let limit = question.limit.unwrap_or(PAGE);
    if !(1..=MAX_PAGE).contains(&limit) {
        return Err(Problem::wrong(format!("`limit` has to be 1 to {MAX_PAGE}")));
    }
    let after = match api.open_cursor(question.cursor.as_deref())? {
        None => None,
        Some(Cursor::Subject(party, subject)) => Some((party, subject)),
        Some(_) => return Err(Problem::wrong("`cursor` has to be the one of the last page")),
    };
    let policy = api.policy();
    let target = target(&question.r#ref).map_err(|mistake| wrong("ref", &mistake))?;
    if target.tag.is_none() {
        return Err(Problem::wrong("`ref`: name one image: `REPOSITORY:TAG`"));
    }
    let mut askers = match who.maker().is_administrator() {
        // Policies speak of names: whoever keeps them may ask before an image is there.
        true => everybody(&api, &policy, &target),
        false => {
            let image = ("ref", question.r#ref.as_str());
            Named::find(&api, &who, &policy, image, Need::Know).await?;
            vec![oneself(&api, &policy, &who)?]
        }
    };
    let place = |asker: &Asker| (asker.involved.party as u8, asker.involved.subject.clone());
    let members = members(&policy, &askers);
    askers.retain(|asker| after.as_ref().is_none_or(|after| place(asker) > *after));
    let goes_on = askers.len() > limit;
    askers.truncate(limit);
    let last = askers.last().filter(|_| goes_on).map(place);
    let cursor =
        last.and_then(|(party, subject)| api.seal_cursor(&Cursor::Subject(party, subject)));
    let actions: Vec<Action> = Action::ALL
        .into_iter()
        .chain(policy.flags().map(|flag| Action::Flag(flag.name())))
        .collect();
    let mut subjects = Vec::with_capacity(askers.len());
    for Asker { involved, disabled } in askers {
        // Many rows are not to keep others waiting.
        yield_now().await;
        let cells =
            actions.iter().map(|action| cell(&policy, &involved, *action, &target, api.now()));
        subjects.push(Row {
            members: match involved.party {
                Party::Group => Some(members.get(&involved.subject).copied().unwrap_or_default()),
                _ => None,
            },
            party: involved.party.as_str(),
            disabled,
            permissions: cells.collect(),
            subject: involved.subject,
        });
    }
    Ok(Json(AccessTo {
        repository: target.repository.to_string(),
        reference: target.tag.map(|tag| tag.to_string()).unwrap_or_default(),
        actions: actions.iter().map(ToString::to_string).collect(),
        subjects,
        cursor,
    }))
}

/// Whoever asks, as they ask. Who else may do what is not for them to know.
fn oneself(api: &Api, policy: &Policy, who: &Requester) -> Result<Asker, Problem> {
    let meant = Meant { subject: None, groups: None, at: None, address: None };
    let caller = caller(api, policy, who, meant)?;
    let subject = caller.subject.to_string();
    let involved = Involved { party: party(&caller.subject), subject, caller };
    Ok(Asker { involved, disabled: false })
}

fn party(subject: &Subject) -> Party {
    match subject {
        Subject::User(_) => Party::User,
        Subject::Service(_) => Party::Service,
        Subject::Peer { .. } => Party::Peer,
        Subject::Anonymous => Party::Anyone,
    }
}

/// Those of whom rules about the image speak, and whoever is known here; in order.
fn everybody(api: &Api, policy: &Policy, target: &Target) -> Vec<Asker> {
    let mut disabled = HashMap::new();
    let known = known(api).into_iter().map(|(subject, is_disabled)| {
        let involved = Involved {
            subject: subject.to_string(),
            party: party(&subject),
            caller: somebody(api, subject),
        };
        disabled.insert(involved.subject.clone(), is_disabled);
        involved
    });
    let mut all: Vec<Involved> = known.collect();
    let is_one = |party| matches!(party, Party::User | Party::Service | Party::Peer);
    all.extend(policy.involved(target.image()).into_iter().map(|involved| Involved {
        // With the groups that are known of them.
        caller: match is_one(involved.party) {
            true => somebody(api, involved.caller.subject.clone()),
            false => involved.caller.clone(),
        },
        ..involved
    }));
    for involved in &mut all {
        // Users may come by an identity provider as well.
        involved.caller.circumstances.credential = None;
    }
    all.sort_by(|one, other| (one.party, &one.subject).cmp(&(other.party, &other.subject)));
    all.dedup_by(|one, other| one.subject == other.subject);
    let asker = |involved: Involved| Asker {
        disabled: disabled.get(&involved.subject).copied().unwrap_or_default(),
        involved,
    };
    all.into_iter().map(asker).collect()
}

/// Users and services of this gate, and which of them are disabled.
fn known(api: &Api) -> Vec<(Subject, bool)> {
    let users = api.users.load();
    let users = users.iter().map(|(name, user)| (Subject::User(name.to_owned()), user.disabled));
    let services = api.issue.state.services().into_iter();
    let services = services.map(|service| (Subject::Service(service.name), service.disabled));
    users.chain(services).collect()
}

/// How many of these are in each group. Whoever is in a group of which a rule speaks is among them,
/// if they are known here or the policy names them.
fn members(policy: &Policy, askers: &[Asker]) -> HashMap<String, usize> {
    let mut members = HashMap::new();
    for Asker { involved, .. } in askers {
        if !matches!(involved.party, Party::User | Party::Service | Party::Peer) {
            continue;
        }
        for group in policy.groups_of(&involved.caller) {
            *members.entry(format!("group:{group}")).or_default() += 1;
        }
    }
    members
}

fn cell(
    policy: &Policy,
    involved: &Involved,
    action: Action,
    target: &Target,
    now: Timestamp,
) -> Cell {
    let permission = policy.access(&involved.caller, action, target.image(), now);
    let usual = Credential::usual(&involved.caller.subject);
    let mut asks: Caller = involved.caller.clone();
    asks.circumstances.at = Some(now);
    asks.circumstances.credential.get_or_insert(usual);
    let decided = policy.decide(&asks, action, target.image());
    let answer = Answer::of(&[decided]);
    let shown = |condition: Condition<'_>| ShownCondition {
        decision: if condition.allows { "allow" } else { "deny" },
        rule: condition.rule.name.to_owned(),
        file: condition.rule.file.to_owned(),
        line: condition.rule.line,
        when: condition.when,
    };
    Cell {
        action: action.to_string(),
        access: permission.access.as_str(),
        decision: answer.decision,
        rule: answer.rule.map(str::to_owned),
        file: answer.file.map(str::to_owned),
        line: answer.line,
        reason: involved.told(&answer.reason),
        conditions: permission.conditions.into_iter().map(shown).collect(),
    }
}
