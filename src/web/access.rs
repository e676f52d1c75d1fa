//! `/ui/access`: who may do what with an image, and what a question to the policy would come to.

use std::net::IpAddr;
use std::sync::Arc;

use askama::Template;
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use jiff::Timestamp;
use serde::Deserialize;

use super::Web;
use super::address::{access_page, access_to, image_page, policy_line};
use super::frame::{Frame, Place, rendered};
use super::problem::Trouble;
use super::query::{Query, in_utc};
use super::session::SignedIn;
use crate::answer::{Explained, Gate};
use crate::service::api::gate::verdict::{self, ShownVerdict, Verdicts};
use crate::service::api::image::access::{self, AccessTo, Cell, Row, ShownCondition};
use crate::service::api::input::Asked;
use crate::service::api::{Api, Problem, Requester, decide};

/// Words that stand for several actions, beside the actions themselves.
const SHORT: [&str; 2] = ["push", "all"];

#[derive(Deserialize)]
pub(super) struct Asking {
    #[serde(default)]
    r#ref: String,
    /// Who would do it; whoever reads, if nobody is named.
    #[serde(default)]
    r#as: String,
    /// The groups that they would be in.
    #[serde(default)]
    group: String,
    #[serde(default)]
    action: String,
    /// When they would do it; now, if nothing is said.
    #[serde(default)]
    at: String,
    /// From where.
    #[serde(default)]
    address: String,
    cursor: Option<String>,
}

#[derive(Template)]
#[template(path = "access.html")]
struct Page<'a> {
    frame: Frame<'a>,
    asking: &'a Asking,
    is_administrator: bool,
    access: Option<AccessTo>,
    /// Why there is no table.
    trouble: Option<String>,
    actions: Vec<String>,
    /// Whom a question may be about, as suggestions.
    subjects: Vec<String>,
    groups: Vec<String>,
    answer: Option<WhatIf>,
    /// Why there is no answer.
    mistake: Option<String>,
}

/// What a question came to.
struct WhatIf {
    decision: &'static str,
    rule: Option<Named>,
    reason: String,
    /// What it depends on beside.
    conditions: Vec<String>,
    gates: Vec<Before>,
    verdicts: Option<Verdicts>,
    /// Why it is not told what the gates say.
    unjudged: Option<String>,
}

/// A rule, or a gate, and where it stands.
struct Named {
    name: String,
    file: String,
    line: usize,
}

/// A gate before the image.
struct Before {
    gate: Named,
    on: &'static str,
    mode: &'static str,
    requires: Vec<String>,
}

impl Page<'_> {
    fn place(&self, file: &str, line: &usize) -> String {
        policy_line(file, *line)
    }

    fn image_page(&self) -> String {
        image_page(&self.asking.r#ref)
    }

    fn about(&self, row: &Row) -> String {
        access_to(&self.asking.r#ref, &row.subject)
    }

    /// Nobody asks as a group or a pattern.
    fn is_one(&self, row: &Row) -> bool {
        matches!(row.party, "user" | "service" | "peer" | "anyone")
    }

    fn more(&self, cursor: &str) -> String {
        access_page(&self.asking.r#ref, cursor)
    }

    fn class(&self, cell: &Cell) -> &'static str {
        match (cell.access, &cell.rule) {
            ("allowed", _) => "chip passed",
            ("conditional", _) => "chip warned",
            (_, Some(_)) => "chip held",
            // What no rule mentions is most of a table, and nothing to look at.
            (_, None) => "muted",
        }
    }

    fn symbol(&self, cell: &Cell) -> &'static str {
        match cell.access {
            "allowed" => "✓",
            "conditional" => "◐",
            _ => "✗",
        }
    }

    fn does(&self, condition: &ShownCondition) -> &'static str {
        if condition.decision == "allow" { "allows" } else { "denies" }
    }

    fn gate_class(&self, gate: &ShownVerdict) -> &'static str {
        match gate.verdict {
            "passed" => "passed",
            "held" => "held",
            _ => "warned",
        }
    }

    fn verdict_word(&self, verdicts: &Verdicts) -> &'static str {
        match (verdicts.held, verdicts.exempt, verdicts.gates.is_empty()) {
            (true, ..) => "held",
            (false, true, _) => "exempt",
            (false, false, true) => "no gate",
            (false, false, false) => "passed",
        }
    }
}

pub(super) async fn show(
    State(web): State<Arc<Web>>,
    signed_in: SignedIn,
    Query(asking): Query<Asking>,
) -> Result<Response, Trouble> {
    let (api, who) = (&web.api, &signed_in.who);
    let asking = Asking {
        r#ref: asking.r#ref.trim().to_owned(),
        r#as: asking.r#as.trim().to_owned(),
        ..asking
    };
    let mut status = StatusCode::OK;
    let (mut access, mut trouble) = (None, None);
    if !asking.r#ref.is_empty() {
        match told(api, who, &asking).await {
            Ok(told) => access = Some(told),
            Err(problem) if is_of_the_question(&problem) => {
                status = problem.status();
                trouble = Some(problem.detail().to_owned());
            }
            Err(problem) => return Err(problem.into()),
        }
    }
    let (mut answer, mut mistake) = (None, None);
    if !asking.action.is_empty() && !asking.r#ref.is_empty() {
        match what_if(api, who, &asking).await {
            Ok(told) => answer = Some(told),
            Err(problem) if is_of_the_question(&problem) => {
                mistake = Some(problem.detail().to_owned());
            }
            // What was denied is to be recorded.
            Err(problem) => return Err(problem.into()),
        }
    }
    let policy = api.policy();
    let flags = policy.flags().map(|flag| policy::Action::Flag(flag.name()).to_string());
    let actions = policy::Action::ALL.iter().map(ToString::to_string);
    let rows = || access.iter().flat_map(|told: &AccessTo| &told.subjects);
    let groups = match who.maker().credential() {
        Some(known) if !who.maker().is_administrator() => {
            policy.groups_of(&known.principal.caller).into_iter().collect()
        }
        _ => {
            let groups = rows().filter_map(|row| row.subject.strip_prefix("group:"));
            groups.filter(|group| !group.contains('*')).map(str::to_owned).collect()
        }
    };
    let title = match asking.r#ref.is_empty() {
        true => "Who may do what".to_owned(),
        false => format!("Who may do what with {}", asking.r#ref),
    };
    let page = Page {
        frame: Frame::around(&signed_in, Place::Search, &title),
        is_administrator: who.maker().is_administrator(),
        actions: actions.chain(flags).chain(SHORT.map(str::to_owned)).collect(),
        subjects: rows()
            .filter(|row| matches!(row.party, "user" | "service" | "peer" | "anyone"))
            .map(|row| row.subject.clone())
            .collect(),
        groups,
        asking: &asking,
        access,
        trouble,
        answer,
        mistake,
    };
    Ok((status, rendered(&page)).into_response())
}

/// Something that another question mends.
fn is_of_the_question(problem: &Problem) -> bool {
    matches!(problem.status(), StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND)
}

async fn told(api: &Arc<Api>, who: &Requester, asking: &Asking) -> Result<AccessTo, Problem> {
    let question = access::Question {
        r#ref: asking.r#ref.clone(),
        limit: None,
        cursor: asking.cursor.clone(),
    };
    let Json(told) = access::show(State(Arc::clone(api)), who.clone(), Asked(question)).await?;
    Ok(told)
}

/// A time that was filled in, in UTC.
fn asked_time(text: &str) -> Result<Option<Timestamp>, Problem> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let read = in_utc(text.to_owned()).parse();
    read.map(Some).map_err(|_| {
        Problem::wrong("the time is none: write it such as `2026-01-31T14:30`, which is in UTC")
    })
}

/// An address that was filled in.
fn asked_address(text: &str) -> Result<Option<IpAddr>, Problem> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| {
        Problem::wrong("the address is none: write one alone, such as `192.0.2.1` or `2001:db8::1`")
    })
}

/// The answer of the API, and what the gates say to a pull.
async fn what_if(api: &Arc<Api>, who: &Requester, asking: &Asking) -> Result<WhatIf, Problem> {
    let words = asking.group.split([' ', ',']).filter(|word| !word.is_empty());
    let groups: Vec<String> = words.map(str::to_owned).collect();
    let some = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    let question = decide::Question {
        subject: some(&asking.r#as),
        groups: Some(groups.clone()).filter(|groups| !groups.is_empty()),
        action: asking.action.clone(),
        image: asking.r#ref.clone(),
        at: asked_time(&asking.at)?,
        address: asked_address(&asking.address)?,
    };
    let mut answer = decide::answered(api, who, &question, WhatIf::of)?;
    let pulls = answer.gates.iter().any(|gate| gate.on == "pull");
    if pulls {
        let question = verdict::Question {
            r#ref: asking.r#ref.clone(),
            subject: Some(some(&asking.r#as).unwrap_or_else(|| who.to_string())),
            groups: Some(groups.join(",")).filter(|groups| !groups.is_empty()),
        };
        let api = State(Arc::clone(api));
        match verdict::show(api, who.clone(), Asked(question)).await {
            Ok(Json(verdicts)) => answer.verdicts = Some(verdicts),
            Err(problem) => answer.unjudged = Some(problem.detail().to_owned()),
        }
    }
    Ok(answer)
}

impl WhatIf {
    fn of(explained: &Explained<'_>, conditions: Vec<String>) -> Self {
        let told = &explained.answer;
        let rule = match (told.rule, told.file, told.line) {
            (Some(name), Some(file), Some(line)) => Some(Named::new(name, file, line)),
            _ => None,
        };
        let before = |gate: &Gate<'_>| Before {
            gate: Named::new(gate.gate, gate.file, gate.line),
            on: gate.on,
            mode: gate.mode,
            requires: gate.requires.clone(),
        };
        Self {
            decision: told.decision,
            rule,
            reason: told.reason.clone(),
            conditions,
            gates: explained.gates.iter().map(before).collect(),
            verdicts: None,
            unjudged: None,
        }
    }
}

impl Named {
    fn new(name: &str, file: &str, line: usize) -> Self {
        Self { name: name.to_owned(), file: file.to_owned(), line }
    }
}
