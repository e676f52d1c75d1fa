//! `/ui/image`: all that is known of one image.

mod activity;
mod attached;
mod contents;
mod delete;
mod findings;
mod looked;
mod raw;

use std::sync::Arc;

use askama::Template;
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect, Response};
use http::StatusCode;
use oci::Reference;
use policy::Action;
use serde::Deserialize;

use super::Web;
use super::address::{
    access_page, delete_page, image_file, image_page, policy_line, repository_page,
};
use super::form::Sent;
use super::frame::{Frame, Place, rendered};
use super::problem::{Mistake, Trouble};
use super::query::Query;
use super::session::SignedIn;
use super::shown::{Moment, short_text, size, span};
use super::verdict::Verdict;
use crate::service::api::Problem;
use crate::service::api::gate::verdict::ShownVerdict;
use crate::service::api::image::flags::{self, Setting, ShownFlag, Which, WhichFlag};
use crate::service::api::image::handled::may_look_inside;
use crate::service::api::image::named::{Named, Need};
use crate::service::api::image::report::ShownReport;
use crate::service::api::image::show::{self, Image, Platform};
use crate::service::api::input::{Asked, Body};
use activity::{Event, activity};
use attached::Attached;
use contents::Contents;
pub(super) use delete::{confirm, delete};
use findings::{Column, Findings, KnownPart, View};
pub(super) use findings::{bar, export};
use looked::Looked;
pub(super) use raw::raw;

/// Which image, and how its findings are to be shown.
#[derive(Deserialize)]
pub(super) struct Asking {
    r#ref: String,
    #[serde(flatten)]
    view: View,
}

#[derive(Template)]
#[template(path = "image.html")]
struct Page<'a> {
    frame: Frame<'a>,
    image: &'a Image,
    /// As it was named, for people.
    title: &'a str,
    /// The same in full.
    title_ref: String,
    /// As clients name it, by its digest.
    pinned: String,
    repository_page: String,
    verdict: Verdict,
    contents: Option<Contents>,
    /// Whether whoever reads may look inside.
    may_look_inside: bool,
    attached: Option<Attached>,
    findings: Findings<'a>,
    parts: &'a [KnownPart],
    looked: Vec<Looked>,
    scanning: Scanning,
    activity: Vec<Event>,
    /// The declared flags that whoever reads may set here.
    settable: Vec<String>,
    may_delete: bool,
    now: jiff::Timestamp,
    /// What stands in the form for a flag, and what is wrong with that.
    filled: &'a Filled,
    mistake: Option<&'a str>,
}

/// What whoever reads may do about reports.
struct Scanning {
    /// There is a scanner to ask.
    has_scanner: bool,
    may_scan: bool,
    may_report: bool,
}

/// A flag as somebody filled it in.
#[derive(Default)]
struct Filled {
    flag: String,
    reason: String,
    link: String,
    expires_in: String,
}

impl Page<'_> {
    fn moment(&self, at: &jiff::Timestamp) -> Moment {
        Moment::of(*at)
    }

    /// Between then and now.
    fn age(&self, at: &jiff::Timestamp) -> String {
        span(self.now.duration_since(*at))
    }

    fn short(&self, digest: &str) -> String {
        short_text(digest)
    }

    fn size(&self, bytes: &u64) -> String {
        size(*bytes)
    }

    fn of_digest(&self, digest: &str) -> String {
        image_page(&format!("{}@{digest}", self.image.image.repository))
    }

    fn of_tag(&self, tag: &str) -> String {
        image_page(&format!("{}:{tag}", self.image.image.repository))
    }

    /// As its index says, or else its configuration.
    fn platform(&self, platform: &Platform) -> String {
        let configured = self.contents.as_ref().map(|contents| contents.config.platform());
        let said = platform.platform.clone().or(configured);
        said.unwrap_or_else(|| "not said".to_owned())
    }

    fn access(&self) -> String {
        access_page(&self.title_ref, "")
    }

    fn delete(&self) -> String {
        delete_page(&self.title_ref)
    }

    fn is_tag(&self) -> bool {
        self.image.image.reference != self.image.image.digest
    }

    /// As clients name it by its tag, if it was named by one.
    fn tagged(&self) -> Option<String> {
        let (gate, _) = self.pinned.split_once('/')?;
        self.is_tag().then(|| format!("{gate}/{}", self.title_ref))
    }

    fn raw(&self) -> String {
        image_file("/ui/image/raw", &self.title_ref, None)
    }

    fn raw_config(&self) -> String {
        image_file("/ui/image/raw", &self.title_ref, Some(("of", "config")))
    }

    fn export(&self, format: &str) -> String {
        self.findings.view.export(&self.title_ref, format)
    }

    fn all_findings(&self) -> String {
        self.findings.view.whole(&self.title_ref)
    }

    fn columns(&self) -> Vec<Column> {
        self.findings.view.columns(&self.title_ref, self.findings.has_platforms)
    }

    /// The platform that a report is about, where there are several.
    fn platform_of(&self, report: &ShownReport) -> Option<&str> {
        let is_it = |part: &&KnownPart| part.digest.to_string() == report.digest;
        let part = self.parts.iter().filter(|_| self.findings.has_platforms).find(is_it);
        part.and_then(|part| part.platform.as_deref())
    }

    /// Whether scanners looked at all there is, and found nothing.
    fn is_clean(&self) -> bool {
        self.findings.rows.is_empty()
            && !self.looked.is_empty()
            && self.looked.iter().all(Looked::is_reported)
    }

    /// Whether there is more to say than which reports count.
    fn tells_of_parts(&self) -> bool {
        self.looked.iter().any(Looked::is_told)
    }

    fn lacks_reports(&self) -> bool {
        !self.looked.iter().all(Looked::is_reported)
    }

    /// Whether somebody would have to ask for a scan, and can.
    fn needs_scan(&self) -> bool {
        self.scanning.has_scanner && self.looked.iter().any(Looked::needs_scan)
    }

    fn may_unset(&self, flag: &ShownFlag) -> bool {
        !flag.is_carried && self.settable.contains(&flag.flag)
    }

    /// Where the policy says so, for those who may look there.
    fn place(&self, verdict: &ShownVerdict) -> Option<String> {
        let reader = self.frame.reader.as_ref().filter(|reader| reader.is_administrator);
        reader.map(|_| policy_line(&verdict.file, verdict.line))
    }

    fn gate_class(&self, verdict: &ShownVerdict) -> &'static str {
        match verdict.verdict {
            "passed" => "passed",
            "held" => "held",
            _ => "warned",
        }
    }
}

pub(super) async fn show(
    State(web): State<Arc<Web>>,
    signed_in: SignedIn,
    Query(asking): Query<Asking>,
) -> Result<Response, Trouble> {
    page(&web, &signed_in, &asking, &Filled::default(), None).await
}

async fn page(
    web: &Web,
    signed_in: &SignedIn,
    asking: &Asking,
    filled: &Filled,
    mistake: Option<&Mistake>,
) -> Result<Response, Trouble> {
    let (api, who) = (&web.api, &signed_in.who);
    let which = Asked(Which { r#ref: asking.r#ref.clone() });
    let Json(image) = show::show(State(Arc::clone(api)), who.clone(), which).await?;
    let policy = api.policy();
    let named = Named::find(api, who, &policy, ("ref", &asking.r#ref), Need::Know).await?;
    let place = (&named.repository, &named.reference);
    let mut settable = Vec::new();
    for flag in policy.flags() {
        if who.may(api, &policy, place, Action::Flag(flag.name())).await? {
            settable.push(flag.name().to_string());
        }
    }
    let (contents, attached) = match may_look_inside(api, who, &policy, &named).await? {
        true => (
            Contents::of(api, &named, &image).await?,
            Some(Attached::of(api, who, &policy, &named).await?),
        ),
        false => (None, None),
    };
    let known = findings::known(api, &image).await?;
    let title = match &named.reference {
        Reference::Tag(_) => named.text(),
        Reference::Digest(digest) => {
            format!("{}@{}", named.repository, super::shown::short(digest))
        }
    };
    let gate = api.issue.authenticator.issuer().service();
    let page = rendered(&Page {
        frame: Frame::around(signed_in, Place::Search, &title),
        pinned: format!("{gate}/{}@{}", named.repository, named.digest),
        repository_page: repository_page(named.repository.as_str()),
        verdict: Verdict::of(&image.verdicts),
        findings: Findings::of(&known, &image, &policy, &asking.view),
        looked: Looked::into_parts(&known, &named.repository, &policy, api.now()),
        parts: &known,
        scanning: Scanning {
            has_scanner: api.images.has_scanner,
            may_scan: who.may(api, &policy, place, Action::Scan).await?,
            may_report: who.may(api, &policy, place, Action::Report).await?,
        },
        activity: activity(&image, api.now()),
        now: api.now(),
        may_delete: who.may(api, &policy, place, Action::Delete).await?,
        contents,
        may_look_inside: attached.is_some(),
        attached,
        settable,
        image: &image,
        title: &title,
        title_ref: named.text(),
        filled,
        mistake: mistake.map(|mistake| &*mistake.text),
    });
    let status = mistake.map_or(StatusCode::OK, |mistake| mistake.status);
    Ok((status, page).into_response())
}

/// Sets a flag or takes it away, and shows the image again.
pub(super) async fn change_flag(
    State(web): State<Arc<Web>>,
    Sent { signed_in, form }: Sent,
) -> Result<Response, Trouble> {
    form.only(&["ref", "flag", "reason", "link", "expires_in", "do"])?;
    let (api, who) = (State(Arc::clone(&web.api)), signed_in.who.clone());
    let text = |name: &str| form.text(name).trim().to_owned();
    let (image, flag) = (text("ref"), text("flag"));
    match form.text("do") {
        "set" => {
            let filled = Filled {
                flag: flag.clone(),
                reason: text("reason"),
                link: text("link"),
                expires_in: text("expires_in"),
            };
            let some = |text: &str| Some(text.to_owned()).filter(|it| !it.is_empty());
            let setting = Setting {
                flag,
                reason: some(&filled.reason),
                link: some(&filled.link),
                expires_at: None,
                expires_in: some(&filled.expires_in),
            };
            let which = Asked(Which { r#ref: image.clone() });
            if let Err(problem) = flags::set(api, who, which, Body(setting)).await {
                let mistake = Trouble::mistake(problem)?;
                let asking = Asking { r#ref: image, view: View::default() };
                return page(&web, &signed_in, &asking, &filled, Some(&mistake)).await;
            }
        }
        "remove" => {
            let which = Asked(WhichFlag { r#ref: image.clone(), flag });
            let _ = flags::remove(api, who, which).await?;
        }
        _ => return Err(Problem::wrong("the form does not say what to do with the flag").into()),
    }
    Ok(Redirect::to(&format!("{}#flags", image_page(&image))).into_response())
}
