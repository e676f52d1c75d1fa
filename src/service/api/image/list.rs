//! `/api/v1/images`: which images there are, and which of them have what.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use oci::{Digest, Reference, RepositoryName, Tag};
use policy::Policy;
use reports::Severity;
use serde::{Deserialize, Serialize};

use super::super::Api;
use super::super::input::Asked;
use super::super::problem::Problem;
use super::super::requester::Requester;
use super::around::{Around, Listed};
use super::flags::{ShownFlag, shown as shown_flags};
use super::groups::may_know;
use super::handled::ShownHandling;
use crate::authorize::Effort;
use crate::proxy::seal::Purpose;
use crate::release::{Brief, brief_counts};
use crate::store::{FindingKey, FindingQuery, Place, Store, Tagged};

/// On a page, unless the client says how many.
const PAGE: u32 = 100;
pub(crate) const MAX_PAGE: u32 = 1000;

/// How many tags, or findings, are looked at for one page, whatever of them is on it.
const LOOKED_AT: u32 = 2000;

/// How many are looked at first for the one with which the next page begins, and how often more of them.
/// A list of which nobody knows more goes on after that, so that nothing of it is lost.
const AHEAD: u32 = 50;
const MOST_LOOKS: usize = 10;

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
    /// A group: of each image it is told when one of its members pulled it last.
    pub(crate) pulled_by: Option<String>,
    /// Only what they pulled, from the last pull on, where a finding is looked for.
    #[serde(skip)]
    pub(crate) is_by_pulls: bool,
    pub(crate) limit: Option<u32>,
    pub(crate) cursor: Option<String>,
}

/// An image in a list.
#[derive(Serialize)]
pub(crate) struct Entry {
    pub(crate) repository: String,
    pub(crate) tag: Option<String>,
    pub(crate) digest: String,
    /// That lead to it, directly or by an index, as far as whoever asks may know of them.
    pub(crate) tags: Vec<String>,
    /// In force.
    pub(crate) flags: Vec<String>,
    /// By severity; none where no report counts.
    pub(crate) findings: Option<BTreeMap<String, usize>>,
    pub(crate) reported_at: Option<Timestamp>,
    #[serde(flatten)]
    pub(crate) handling: ShownHandling,
    /// When a member of the group did that which was asked about.
    pub(crate) group_pulled_at: Option<Timestamp>,
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
    /// After this subject of this kind.
    Subject(u8, String),
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
    limit: usize,
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
    if let Some(group) = &query.pulled_by {
        may_know(&api, &who, group)?;
    }
    let listing = Listing {
        api: &api,
        who: &who,
        policy: api.policy(),
        now: api.now(),
        query: &query,
        limit,
        severity,
        words: words.split_whitespace().map(str::to_owned).collect(),
    };
    let cursor = api.open_cursor(query.cursor.as_deref())?;
    let looked_at = listing.look(cursor, listing.looks_at()).await?;
    Ok(Json(listing.page(looked_at).await?))
}

/// Something that may be shown.
struct Candidate {
    repository: RepositoryName,
    /// None where it was found by what is in it.
    tag: Option<Tag>,
    digest: Digest,
    finding: Option<ShownFinding>,
    /// By its name and finding alone.
    is_meant: bool,
    /// After which the next page begins, if it is the last on this one.
    place: Cursor,
}

/// What is looked at for one page.
struct LookedAt {
    candidates: Vec<Candidate>,
    /// There may be more after these.
    goes_on: bool,
}

impl Listing<'_> {
    /// So many of what comes after a place.
    async fn look(&self, after: Option<Cursor>, limit: u32) -> Result<LookedAt, Problem> {
        let key = match (&self.query.cve, &self.query.package) {
            (Some(cve), _) => Some(FindingKey::Vulnerability(cve.clone())),
            (None, Some(package)) => Some(FindingKey::package(package)),
            (None, None) => None,
        };
        match (key, after) {
            (Some(key), None) => self.by_finding(key, None, limit).await,
            (Some(key), Some(Cursor::Finding(severity, report, index))) => {
                self.by_finding(key, Some(Place { severity, report, index }), limit).await
            }
            (None, None) => self.by_name(None, limit).await,
            (None, Some(Cursor::Tag(repository, tag))) => {
                let repository = repository.parse().map_err(|_| wrong_cursor())?;
                self.by_name(Some((repository, tag)), limit).await
            }
            _ => Err(wrong_cursor()),
        }
    }

    /// Where everything is shown that is looked at, no more of it than fits, and one more: whether
    /// there is a next page.
    fn looks_at(&self) -> u32 {
        let Query { q, tag, flag, severity, .. } = self.query;
        let is_filtered = [q, tag, flag, severity].into_iter().any(Option::is_some);
        if is_filtered { LOOKED_AT } else { u32::try_from(self.limit + 1).unwrap_or(LOOKED_AT) }
    }

    async fn by_name(
        &self,
        after: Option<(RepositoryName, String)>,
        limit: u32,
    ) -> Result<LookedAt, Problem> {
        let within = self.within()?;
        // No tag is empty, so all of the repository come after it.
        let start = || within.clone().map(|repository| (repository, String::new()));
        let after = after.or_else(start);
        let state = &self.api.issue.state;
        let tags =
            state.ask(move |store| async move { store.tags_after(after.as_ref(), limit).await });
        let tags = tags.await?;
        let is_within = |tagged: &Tagged| within.as_ref().is_none_or(|it| *it == tagged.repository);
        let goes_on = is_full(&tags, limit) && tags.last().is_some_and(is_within);
        let candidates = tags.into_iter().take_while(is_within).map(|tagged| {
            let Tagged { repository, tag, digest } = tagged;
            let is_tag = self.query.tag.as_ref().is_none_or(|wanted| *wanted == tag.as_str());
            Candidate {
                is_meant: is_tag && self.is_called(&format!("{repository}:{tag}")),
                place: Cursor::Tag(repository.to_string(), tag.to_string()),
                repository,
                tag: Some(tag),
                digest,
                finding: None,
            }
        });
        Ok(LookedAt { candidates: candidates.collect(), goes_on })
    }

    async fn by_finding(
        &self,
        by: FindingKey,
        after: Option<Place>,
        limit: u32,
    ) -> Result<LookedAt, Problem> {
        let within = self.within()?;
        let limit = if within.is_some() { LOOKED_AT } else { limit };
        // Whatever was found by its package is in it.
        let package = self.query.package.as_deref().filter(|_| self.query.cve.is_some());
        let also = package.map(FindingKey::package);
        let (state, group) = (&self.api.issue.state, self.query.pulled_by.clone());
        let found = match group.filter(|_| self.query.is_by_pulls) {
            Some(group) => {
                let ask = |store: Arc<dyn Store>| async move {
                    store.find_pulled_findings(&by, &group, limit).await
                };
                state.ask(ask).await?
            }
            None => {
                let query = FindingQuery { by, also, after, limit };
                state.ask(|store| async move { store.find_findings(&query).await }).await?
            }
        };
        let goes_on = is_full(&found, limit);
        let candidates = found.into_iter().map(|found| {
            let Place { severity, report, index } = found.place;
            let is_meant = self.severity.is_none_or(|least| severity >= least)
                && within.as_ref().is_none_or(|within| *within == found.repository)
                && self.is_called(found.repository.as_str());
            let shown = ShownFinding {
                id: found.id,
                severity: severity.to_string(),
                package: found.package,
                version: found.version,
                fixed_in: found.fixed_in,
                scanner: found.scanner,
                made_at: found.made_at,
            };
            Candidate {
                repository: found.repository,
                tag: None,
                digest: found.digest,
                finding: Some(shown),
                is_meant,
                place: Cursor::Finding(severity, report, index),
            }
        });
        Ok(LookedAt { candidates: candidates.collect(), goes_on })
    }

    /// As many as fit of those that may be shown. A cursor stands there only if there is more that whoever
    /// asks may know of: it would tell of the other images, and one by one how many there are (O19).
    async fn page(&self, LookedAt { candidates, goes_on }: LookedAt) -> Result<Page, Problem> {
        let end = candidates.last().map(|last| last.place.clone());
        let mut known = Vec::with_capacity(candidates.len());
        for candidate in candidates {
            if self.may_show(&candidate).await? {
                known.push(candidate);
            }
        }
        let (mut images, mut left, mut next) = (Vec::new(), known.into_iter(), None);
        while left.len() > 0 && images.len() < self.limit {
            let mut some =
                self.entries(left.by_ref().take(self.limit).collect()).await?.into_iter();
            while images.len() < self.limit
                && let Some((place, entry)) = some.next()
            {
                images.extend(entry);
                let is_more = some.len() > 0 || left.len() > 0;
                next = Some(place).filter(|_| is_more && images.len() == self.limit);
            }
        }
        let next = match (next, end) {
            (None, Some(end)) if goes_on => self.before_the_next(end).await?,
            (next, _) => next,
        };
        Ok(Page { images, cursor: next.and_then(|next| self.api.seal_cursor(&next)) })
    }

    /// The place before the next that may be shown, or the one after all that is looked at.
    async fn before_the_next(&self, end: Cursor) -> Result<Option<Cursor>, Problem> {
        // What a group pulled last is told at once, and not from a place on.
        if self.query.is_by_pulls {
            return Ok(None);
        }
        let mut before = end;
        for limit in [AHEAD].into_iter().chain([LOOKED_AT; MOST_LOOKS]) {
            let looked_at = self.look(Some(before.clone()), limit).await?;
            for candidate in looked_at.candidates {
                if self.may_show(&candidate).await? {
                    return Ok(Some(before));
                }
                before = candidate.place;
            }
            if !looked_at.goes_on {
                return Ok(None);
            }
        }
        Ok(Some(before))
    }

    /// What is shown of each, if it is. What is said of them is asked for at once: asking takes
    /// longer than answering.
    async fn entries(
        &self,
        candidates: Vec<Candidate>,
    ) -> Result<Vec<(Cursor, Option<Entry>)>, Problem> {
        let around = self.around(candidates.iter()).await?;
        let digests: Vec<_> = candidates.iter().map(|it| it.digest.clone()).collect();
        let state = &self.api.issue.state;
        let briefs = state.ask(move |store| async move { store.briefs_of(&digests).await }).await?;
        let entry = |candidate: Candidate| {
            let (place, brief) = (candidate.place.clone(), briefs.get(&candidate.digest));
            (place, self.entry(candidate, brief, &around))
        };
        Ok(candidates.into_iter().map(entry).collect())
    }

    async fn around(&self, shown: impl Iterator<Item = &Candidate>) -> Result<Around, Problem> {
        let (mut images, mut untagged) = (Vec::new(), Vec::new());
        for Candidate { repository, tag, digest, .. } in shown {
            let key = (repository.clone(), digest.clone());
            if tag.is_none() {
                untagged.push(key.clone());
            }
            images.push(key);
        }
        let group = self.query.pulled_by.as_deref();
        Around::of(self.api, self.who, &self.policy, group, Listed { images, untagged }).await
    }

    fn within(&self) -> Result<Option<RepositoryName>, Problem> {
        let within = self.query.repository.as_deref().map(RepositoryName::new).transpose();
        within.map_err(|error| Problem::wrong(format!("`repository`: {error}")))
    }

    /// Whether it is meant, and whoever asks may know of it.
    async fn may_show(&self, candidate: &Candidate) -> Result<bool, Problem> {
        let Candidate { repository, tag, digest, is_meant, .. } = candidate;
        if !is_meant {
            return Ok(false);
        }
        let reference = match tag {
            Some(tag) => Reference::Tag(tag.clone()),
            None => Reference::Digest(digest.clone()),
        };
        self.who.knows(self.api, &self.policy, (repository, &reference), Effort::Known).await
    }

    fn is_called(&self, name: &str) -> bool {
        let name = name.to_lowercase();
        self.words.iter().all(|word| name.contains(word.as_str()))
    }

    /// What is shown of it; none where it is not what is looked for.
    fn entry(&self, candidate: Candidate, brief: Option<&Brief>, around: &Around) -> Option<Entry> {
        let Candidate { repository, tag, digest, finding, .. } = candidate;
        let flags = brief.map(|brief| brief.flags.as_slice()).unwrap_or_default();
        let flags = shown_flags(flags, &self.policy, &repository, self.now);
        let flags: Vec<_> =
            flags.iter().filter(|flag| flag.is_in_force()).map(ShownFlag::name).collect();
        if self.query.flag.as_ref().is_some_and(|wanted| !flags.contains(wanted)) {
            return None;
        }
        // The newest report that counts here.
        let reports = brief.into_iter().flat_map(|brief| &brief.reports);
        let counting = reports.filter(|it| brief_counts(it, &repository, &self.policy));
        let newest = counting.max_by_key(|report| report.made_at);
        let counts = newest.map(|report| &report.counts);
        if finding.is_none()
            && let Some(least) = self.severity
            && !counts.into_iter().flatten().any(|(severity, _)| *severity >= least)
        {
            return None;
        }
        let named = |counts: &BTreeMap<Severity, usize>| {
            counts.iter().map(|(severity, count)| (severity.to_string(), *count)).collect()
        };
        let key = (repository, digest);
        let tags = around.tags(&key, tag.as_ref());
        let handling = around.handling(&key, self.who);
        let group_pulled_at = around.group_pulled_at(&key);
        let (repository, digest) = key;
        Some(Entry {
            tags,
            handling,
            group_pulled_at,
            repository: repository.to_string(),
            tag: tag.map(|tag| tag.to_string()),
            digest: digest.to_string(),
            flags,
            findings: counts.map(named),
            reported_at: newest.map(|report| report.made_at),
            finding,
        })
    }
}

/// Whether there may be more than was told.
fn is_full<T>(told: &[T], limit: u32) -> bool {
    u32::try_from(told.len()).is_ok_and(|told| told >= limit)
}
