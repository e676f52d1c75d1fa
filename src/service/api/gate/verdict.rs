//! `/api/v1/image/gates`: what the gates before an image say to it, and why.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use policy::gate::{
    Clearance, Cleared, Evidence, Gate, Gates, InGrace, Judgement, Occasion, Reason, Verdict,
};
use policy::{Caller, Policy};
use serde::{Deserialize, Serialize};

use super::super::Api;
use super::super::decide::{Meant, caller};
use super::super::image::{Named, Need, Shown, platform_text};
use super::super::input::Asked;
use super::super::problem::Problem;
use super::super::requester::Requester;
use super::list::{mode, on};
use super::whom::{Whom, tag};

/// The word for what a gate that is enforced does not let pass.
const HELD: &str = "held";

/// Which image, and for whom; for anyone, if nobody is named.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Question {
    pub(crate) r#ref: String,
    pub(crate) subject: Option<String>,
    /// Separated by commas.
    pub(crate) groups: Option<String>,
}

/// What the gates say.
#[derive(Serialize)]
pub(crate) struct Verdicts {
    #[serde(flatten)]
    pub(crate) image: Shown,
    /// Whether a pull is held: the gates at pulls that are enforced let it pass, or need not.
    pub(crate) held: bool,
    /// Whoever is asked about may inspect it, or delete it and so read its manifest: to them gates do
    /// not apply.
    pub(crate) exempt: bool,
    /// A tag leads to the digest that they may read and that no gate stands before of those that hold
    /// it, so that it may be pulled by its digest.
    pub(crate) open_by_tag: bool,
    pub(crate) gates: Vec<ShownVerdict>,
}

/// What one gate says.
#[derive(Serialize)]
pub(crate) struct ShownVerdict {
    pub(crate) gate: String,
    pub(crate) mode: &'static str,
    pub(crate) on: Vec<&'static str>,
    pub(crate) file: String,
    pub(crate) line: usize,
    pub(crate) verdict: &'static str,
    pub(crate) reasons: Vec<ShownReason>,
    pub(crate) in_grace: Vec<ShownReason>,
    pub(crate) warnings: Vec<ShownReason>,
    pub(crate) cleared: Vec<ShownCleared>,
    pub(crate) glass_broken_until: Option<Timestamp>,
    /// What would hold it if the glass were whole; the pages tell.
    #[serde(skip)]
    pub(crate) behind_glass: Vec<ShownReason>,
    pub(crate) is_artifact: bool,
    /// Until when this does not change by the time alone.
    pub(crate) valid_until: Option<Timestamp>,
}

/// Something that is missing, or too much.
#[derive(Serialize)]
pub(crate) struct ShownReason {
    pub(crate) reason: &'static str,
    pub(crate) text: String,
    pub(crate) digest: Option<String>,
    pub(crate) platform: Option<String>,
    /// From when on it holds the image, if that is later.
    pub(crate) until: Option<Timestamp>,
}

/// A finding that does not count.
#[derive(Serialize)]
pub(crate) struct ShownCleared {
    pub(crate) vulnerability: String,
    pub(crate) package: String,
    pub(crate) by: String,
    pub(crate) reason: String,
    pub(crate) expires_at: Option<Timestamp>,
}

impl ShownReason {
    fn of(reason: &Reason) -> Self {
        let of = reason.of.as_ref();
        Self {
            reason: reason.why.word(),
            text: reason.why.to_string(),
            digest: of.map(|of| of.digest.to_string()),
            platform: of.and_then(|of| of.platform.as_ref()).and_then(platform_text),
            until: None,
        }
    }

    fn in_grace(grace: &InGrace) -> Self {
        Self { until: Some(grace.until), ..Self::of(&grace.reason) }
    }
}

impl ShownCleared {
    fn of(cleared: &Cleared) -> Self {
        let (by, reason, expires_at) = match &cleared.by {
            Clearance::Exception { by, reason, expires } => {
                (by.to_string(), reason.to_string(), Some(*expires))
            }
            Clearance::Vex { by, status } => (by.clone(), (*status).to_owned(), None),
        };
        let package = cleared.package.clone();
        Self { vulnerability: cleared.vulnerability.to_string(), package, by, reason, expires_at }
    }
}

impl ShownVerdict {
    fn is_held_at(&self, occasion: Occasion) -> bool {
        self.verdict == HELD && self.on.contains(&occasion.as_str())
    }

    fn of(gate: &Gate, judgement: &Judgement) -> Self {
        let held = match &judgement.verdict {
            Verdict::Held(held) => Some(held),
            Verdict::Passed(_) => judgement.audited.first(),
        };
        let verdict = match held {
            None => "passed",
            Some(_) if gate.is_enforced() => HELD,
            Some(_) => "would be held",
        };
        let evidence: Option<&Evidence> = match &judgement.verdict {
            Verdict::Passed(passed) => passed.evidence().first(),
            Verdict::Held(_) => None,
        };
        let reasons = held.map(|held| held.reasons.iter().map(ShownReason::of).collect());
        let of = |list: Option<&[Reason]>| -> Vec<ShownReason> {
            list.unwrap_or_default().iter().map(ShownReason::of).collect()
        };
        let grace = evidence.map(|it| it.in_grace.as_slice()).unwrap_or_default();
        let cleared = evidence.map(|it| it.cleared.as_slice()).unwrap_or_default();
        Self {
            gate: gate.name().to_owned(),
            mode: mode(gate),
            on: on(gate),
            file: gate.place().file.to_owned(),
            line: gate.place().line,
            verdict,
            reasons: reasons.unwrap_or_default(),
            in_grace: grace.iter().map(ShownReason::in_grace).collect(),
            warnings: of(evidence.map(|it| it.warnings.as_slice())),
            cleared: cleared.iter().map(ShownCleared::of).collect(),
            glass_broken_until: evidence.and_then(|it| it.broken_until),
            behind_glass: Vec::new(),
            is_artifact: evidence.is_some_and(|it| it.is_artifact),
            valid_until: judgement.valid_until,
        }
    }
}

/// The gates before an image, for a caller or for whomever; each once, those at pulls first.
pub(super) fn before<'p>(policy: &'p Policy, image: &Named, caller: Option<&Caller>) -> Gates<'p> {
    let whom = Whom { policy, caller, repository: &image.repository };
    let mut gates = Gates::new();
    for occasion in Occasion::ALL {
        for gate in whom.gates(occasion, tag(image)) {
            if !gates.iter().any(|known| known.name() == gate.name()) {
                gates.push(gate);
            }
        }
    }
    gates
}

/// What they say. Nothing is counted by that, and nothing has passed.
pub(crate) async fn verdicts(
    api: &Api,
    policy: &Policy,
    image: &Named,
    caller: Option<&Caller>,
) -> Result<Verdicts, Problem> {
    api.images.inventory.recall(&image.repository, api.now()).await;
    recalled_verdicts(api, policy, image, caller).await
}

/// The same where the repository was recalled just now, as for all that stand in one list.
pub(crate) async fn recalled_verdicts(
    api: &Api,
    policy: &Policy,
    image: &Named,
    caller: Option<&Caller>,
) -> Result<Verdicts, Problem> {
    let (release, now, budget) = (&api.images.release, api.now(), api.budget());
    let gates = before(policy, image, caller);
    let holders = api.images.inventory.indexes(&image.repository, &image.digest);
    let asking = api.asking(&image.repository, &budget);
    let gathered = release.gather(asking, policy, &gates, &image.digest, &holders, now).await?;
    let mut shown = Vec::new();
    for &gate in &gates {
        if let Some(gathered) = &gathered {
            let judgement = gathered.judge(policy, &image.repository, &[gate], now);
            let mut verdict = ShownVerdict::of(gate, &judgement);
            if verdict.glass_broken_until.is_some() {
                let whole = gathered.with_whole_glass();
                let judgement = whole.judge(policy, &image.repository, &[gate], now);
                verdict.behind_glass = ShownVerdict::of(gate, &judgement).reasons;
            }
            shown.push(verdict);
        }
    }
    let whom = Whom { policy, caller, repository: &image.repository };
    let holding = shown.iter().filter(|it| it.is_held_at(Occasion::Pull));
    let holding: BTreeSet<&str> = holding.map(|shown| shown.gate.as_str()).collect();
    let exempt = whom.is_exempt(tag(image));
    let is_open = !holding.is_empty() && !exempt && tag(image).is_none();
    let open_by_tag = is_open && whom.is_open_by_tag(api, &image.digest, &holding).await?;
    let held = !holding.is_empty() && !exempt && !open_by_tag;
    Ok(Verdicts { image: image.shown(), held, exempt, open_by_tag, gates: shown })
}

pub(crate) async fn show(
    State(api): State<Arc<Api>>,
    who: Requester,
    Asked(question): Asked<Question>,
) -> Result<Json<Verdicts>, Problem> {
    let policy = api.policy();
    let image = Named::find(&api, &who, &policy, ("ref", &question.r#ref), Need::Know).await?;
    let groups: Option<Vec<String>> = question
        .groups
        .map(|groups| groups.split(',').filter(|it| !it.is_empty()).map(str::to_owned).collect());
    let subject = question.subject.as_deref();
    if subject.is_none() && groups.is_some() {
        return Err(Problem::wrong("`groups`: name the `subject` that is in them"));
    }
    let meant = Meant { subject, groups: groups.as_deref(), at: None, address: None };
    let caller = match subject {
        Some(_) => Some(caller(&api, &policy, &who, meant)?),
        None => None,
    };
    Ok(Json(verdicts(&api, &policy, &image, caller.as_ref()).await?))
}
