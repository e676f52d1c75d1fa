//! `/api/v1/images`: which images there are, and which of them have what.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use oci::{Digest, Reference, RepositoryName};
use policy::Policy;
use reports::Severity;
use serde::{Deserialize, Serialize};

use super::super::Api;
use super::super::input::Asked;
use super::super::problem::Problem;
use super::super::requester::Requester;
use super::flags::{ShownFlag, shown as shown_flags};
use crate::authorize::Effort;
use crate::proxy::seal::Purpose;
use crate::release::{Known, counts};
use crate::store::{FindingKey, FindingQuery, Place, Tagged};

/// On a page, unless the client says how many.
const PAGE: u32 = 100;
const MAX_PAGE: u32 = 1000;

/// How many tags, or findings, are looked at for one page, whatever of them is on it.
const LOOKED_AT: u32 = 2000;

/// What is looked for. Everything that is named has to hold.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(crate) struct Query {
    pub(crate) q: Option<String>,
    pub(crate) repository: Option<String>,
    pub(crate) tag: Option<String>,
    pub(crate) flag: Option<String>,
    pub(crate) severity: Option<String>,
    pub(crate) cve: Option<String>,
    pub(crate) package: Option<String>,
    pub(crate) limit: Option<u32>,
    pub(crate) cursor: Option<String>,
}

/// An image in a list.
#[derive(Serialize)]
pub(crate) struct Entry {
    pub(crate) repository: String,
    pub(crate) tag: Option<String>,
    pub(crate) digest: String,
    /// In force.
    pub(crate) flags: Vec<String>,
    /// By severity; none where no report counts.
    pub(crate) findings: Option<BTreeMap<String, usize>>,
    pub(crate) reported_at: Option<Timestamp>,
    /// Why it was found, where a finding was looked for.
    pub(crate) finding: Option<ShownFinding>,
}

/// A finding, in short.
#[derive(Serialize)]
pub(crate) struct ShownFinding {
    pub(crate) id: String,
    pub(crate) severity: String,
    pub(crate) package: String,
    pub(crate) version: String,
    pub(crate) fixed_in: Option<String>,
    pub(crate) scanner: String,
    pub(crate) made_at: Timestamp,
}

/// A page. It may be empty, and yet not the last.
#[derive(Serialize)]
pub(crate) struct Page {
    pub(crate) images: Vec<Entry>,
    pub(crate) cursor: Option<String>,
}

/// Where the next page begins.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub(crate) enum Cursor {
    /// After this tag.
    Tag(String, String),
    /// After this finding.
    Finding(Severity, i64, u32),
}

impl Api {
    /// Sealed, as the last that was looked at need not be one that the client may know of.
    pub(crate) fn seal_cursor(&self, cursor: &Cursor) -> Option<String> {
        let written = serde_json::to_vec(cursor).ok()?;
        Some(self.images.seal.seal(Purpose::Images, &written))
    }

    pub(crate) fn open_cursor(&self, text: Option<&str>) -> Result<Option<Cursor>, Problem> {
        let Some(text) = text else { return Ok(None) };
        let opened = self.images.seal.open(Purpose::Images, text);
        let read = opened.and_then(|written| serde_json::from_slice(&written).ok());
        read.map(Some).ok_or_else(wrong_cursor)
    }
}

fn wrong_cursor() -> Problem {
    Problem::wrong("`cursor` has to be the one that came with the last page")
}

/// One list that is being made.
struct Listing<'a> {
    api: &'a Api,
    who: &'a Requester,
    policy: Arc<Policy>,
    now: Timestamp,
    query: &'a Query,
    severity: Option<Severity>,
    /// In lower case; all of them have to be in the name.
    words: Vec<String>,
}

pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    who: Requester,
    Asked(query): Asked<Query>,
) -> Result<Json<Page>, Problem> {
    let limit = query.limit.unwrap_or(PAGE);
    if !(1..=MAX_PAGE).contains(&limit) {
        return Err(Problem::wrong(format!("`limit` has to be 1 to {MAX_PAGE}")));
    }
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let severity = query.severity.as_deref().map(str::parse::<Severity>).transpose();
    let severity = severity.map_err(|error| Problem::wrong(format!("`severity`: {error}")))?;
    let words = query.q.as_deref().unwrap_or_default().to_lowercase();
    let listing = Listing {
        api: &api,
        who: &who,
        policy: api.policy(),
        now: api.now(),
        query: &query,
        severity,
        words: words.split_whitespace().map(str::to_owned).collect(),
    };
    let cursor = api.open_cursor(query.cursor.as_deref())?;
    let key = match (&query.cve, &query.package) {
        (Some(cve), _) => Some(FindingKey::Vulnerability(cve.clone())),
        (None, Some(package)) => Some(FindingKey::Package(package.clone())),
        (None, None) => None,
    };
    let page = match (key, cursor) {
        (Some(key), None) => listing.by_finding(key, None, limit).await?,
        (Some(key), Some(Cursor::Finding(severity, report, index))) => {
            listing.by_finding(key, Some(Place { severity, report, index }), limit).await?
        }
        (None, None) => listing.by_name(None, limit).await?,
        (None, Some(Cursor::Tag(repository, tag))) => {
            let repository = repository.parse().map_err(|_| wrong_cursor())?;
            listing.by_name(Some((repository, tag)), limit).await?
        }
        _ => return Err(wrong_cursor()),
    };
    Ok(Json(page))
}

impl Listing<'_> {
    async fn by_name(
        &self,
        after: Option<(RepositoryName, String)>,
        limit: usize,
    ) -> Result<Page, Problem> {
        let within = self.within()?;
        // No tag is empty, so all of the repository come after it.
        let start = || within.clone().map(|repository| (repository, String::new()));
        let after = after.or_else(start);
        let tags = self
            .api
            .issue
            .state
            .ask(move |store| async move { store.tags_after(after.as_ref(), LOOKED_AT).await });
        let tags = tags.await?;
        let mut images = Vec::new();
        let mut next = None;
        let is_whole = tags.len() == usize::try_from(LOOKED_AT).unwrap_or(usize::MAX);
        let count = tags.len();
        for (at, tagged) in tags.into_iter().enumerate() {
            if within.as_ref().is_some_and(|within| *within != tagged.repository) {
                next = None;
                break;
            }
            let place = Cursor::Tag(tagged.repository.to_string(), tagged.tag.to_string());
            images.extend(self.tagged(tagged).await?);
            let is_last = at + 1 == count;
            next = (!is_last || is_whole).then_some(place);
            if images.len() == limit {
                break;
            }
        }
        Ok(Page { images, cursor: next.and_then(|next| self.api.seal_cursor(&next)) })
    }

    fn within(&self) -> Result<Option<RepositoryName>, Problem> {
        let within = self.query.repository.as_deref().map(RepositoryName::new).transpose();
        within.map_err(|error| Problem::wrong(format!("`repository`: {error}")))
    }

    async fn tagged(&self, tagged: Tagged) -> Result<Option<Entry>, Problem> {
        let Tagged { repository, tag, digest } = tagged;
        let is_meant = self.query.tag.as_ref().is_none_or(|wanted| *wanted == tag.as_str())
            && self.is_called(&format!("{repository}:{tag}"));
        let reference = Reference::Tag(tag.clone());
        if !is_meant || !self.knows(&repository, &reference).await? {
            return Ok(None);
        }
        self.entry(&repository, Some(tag.to_string()), &digest, None).await
    }

    async fn by_finding(
        &self,
        by: FindingKey,
        after: Option<Place>,
        limit: usize,
    ) -> Result<Page, Problem> {
        let within = self.within()?;
        let query = FindingQuery { by, after, limit: LOOKED_AT };
        let found =
            self.api.issue.state.ask(|store| async move { store.find_findings(&query).await });
        let found = found.await?;
        let is_whole = found.len() == usize::try_from(LOOKED_AT).unwrap_or(usize::MAX);
        let (mut images, mut next, count) = (Vec::new(), None, found.len());
        for (at, found) in found.into_iter().enumerate() {
            let Place { severity, report, index } = found.place.clone();
            let is_last = at + 1 == count;
            let place = Cursor::Finding(severity, report, index);
            next = (!is_last || is_whole).then_some(place);
            let package = self.query.package.as_ref();
            let is_meant = package.is_none_or(|package| *package == found.package)
                && self.severity.is_none_or(|least| severity >= least)
                && within.as_ref().is_none_or(|within| *within == found.repository)
                && self.is_called(found.repository.as_str());
            let reference = Reference::Digest(found.digest.clone());
            if !is_meant || !self.knows(&found.repository, &reference).await? {
                continue;
            }
            let shown = ShownFinding {
                id: found.id,
                severity: severity.to_string(),
                package: found.package,
                version: found.version,
                fixed_in: found.fixed_in,
                scanner: found.scanner,
                made_at: found.made_at,
            };
            images.extend(self.entry(&found.repository, None, &found.digest, Some(shown)).await?);
            if images.len() == limit {
                break;
            }
        }
        Ok(Page { images, cursor: next.and_then(|next| self.api.seal_cursor(&next)) })
    }

    async fn knows(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
    ) -> Result<bool, Problem> {
        let image = (repository, reference);
        self.who.knows(self.api, &self.policy, image, Effort::Known).await
    }

    fn is_called(&self, name: &str) -> bool {
        let name = name.to_lowercase();
        self.words.iter().all(|word| name.contains(word.as_str()))
    }

    /// What is shown of it; none where it is not what is looked for.
    async fn entry(
        &self,
        repository: &RepositoryName,
        tag: Option<String>,
        digest: &Digest,
        finding: Option<ShownFinding>,
    ) -> Result<Option<Entry>, Problem> {
        let known = self.api.images.release.known(digest).await?;
        let flags = shown_flags(&known.kept.flags, &self.policy, repository, self.now);
        let flags: Vec<_> =
            flags.iter().filter(|flag| flag.is_in_force()).map(ShownFlag::name).collect();
        if self.query.flag.as_ref().is_some_and(|wanted| !flags.contains(wanted)) {
            return Ok(None);
        }
        let (findings, reported_at) = self.reported(&known, repository);
        if finding.is_none()
            && let Some(least) = self.severity
            && !findings.iter().flatten().any(|(severity, _)| *severity >= least)
        {
            return Ok(None);
        }
        let named = |findings: BTreeMap<Severity, usize>| {
            findings.into_iter().map(|(severity, count)| (severity.to_string(), count)).collect()
        };
        Ok(Some(Entry {
            repository: repository.to_string(),
            tag,
            digest: digest.to_string(),
            flags,
            findings: findings.map(named),
            reported_at,
            finding,
        }))
    }

    /// The findings of the newest report that counts here, and when that was made.
    fn reported(
        &self,
        known: &Known,
        here: &RepositoryName,
    ) -> (Option<BTreeMap<Severity, usize>>, Option<Timestamp>) {
        let counting = known.kept.reports.iter().filter(|it| counts(it, here, &self.policy));
        let Some(newest) = counting.max_by_key(|report| report.made_at) else {
            return (None, None);
        };
        let mut findings = BTreeMap::new();
        for kept in &newest.findings {
            *findings.entry(kept.finding.severity).or_default() += 1;
        }
        (Some(findings), Some(newest.made_at))
    }
}
