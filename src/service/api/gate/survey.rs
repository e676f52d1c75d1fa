//! What all gates together hold: counted in the background, as far as that can be told without
//! keeping anybody waiting.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use oci::Reference;
use policy::Policy;
use policy::gate::{Gates, Occasion, Verdict};
use tokio::sync::watch;
use tokio::time::{Instant, timeout, timeout_at};

use super::super::Api;
use super::super::image::Named;
use super::forecast::ahead;
use crate::inventory::Budget;
use crate::release::{Content, counts};
use crate::store::{Sequence, StoreError, Tagged};

/// How many tags are looked at.
const MOST_TAGS: usize = 20_000;

/// At once.
const PAGE: u32 = 200;

/// How many images are named of each kind; the others are counted.
const EXAMPLES: usize = 20;

/// What was counted so long ago is counted again when somebody looks.
const FRESH: SignedDuration = SignedDuration::from_secs(60);

/// Not more often than that, whatever changes meanwhile.
const BETWEEN: SignedDuration = SignedDuration::from_secs(5);

/// A count is made anew after as much time as this many of them would take, where that is more: in a
/// large registry somebody who looks again and again would otherwise have it counted without a pause.
const PAUSES: i32 = 5;

/// From here on a count asks the registry for nothing more, however much it still may: one that is slow
/// or hangs is not waited for at each image.
const ASKING: Duration = Duration::from_secs(30);

/// How long whoever looks first waits.
const PATIENCE: Duration = Duration::from_secs(2);

const WEEK: SignedDuration = SignedDuration::from_hours(7 * 24);
const MONTH: SignedDuration = SignedDuration::from_hours(30 * 24);

/// An image that is counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Example {
    /// `REPOSITORY:TAG`.
    pub(crate) image: String,
    /// From when on, or until when.
    pub(crate) at: Option<Timestamp>,
    pub(crate) why: String,
}

/// Images of a kind: how many, and some of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Kind {
    pub(crate) count: usize,
    pub(crate) examples: Vec<Example>,
}

/// What one gate says to all images.
#[derive(Debug, Clone, Default)]
pub(crate) struct OfGate {
    /// Held now; of a gate in `mode: audit`, what it would hold.
    pub(crate) held: Kind,
    /// Will be within 7 days, if nothing is done.
    pub(crate) week: Kind,
    /// Between 7 and 30 days from now.
    pub(crate) month: Kind,
    /// Pass for now, although something is missing.
    pub(crate) in_grace: Kind,
}

/// What was counted.
#[derive(Debug, Default)]
pub(crate) struct Counted {
    pub(crate) began: Timestamp,
    /// Tags that were looked at.
    pub(crate) tags: usize,
    /// There are more tags than are looked at.
    pub(crate) goes_on: bool,
    /// Of those behind gates, the ones that could not be judged.
    pub(crate) unknown: usize,
    /// By the name of the gate.
    pub(crate) gates: BTreeMap<String, OfGate>,
    /// Images of which no report counts.
    pub(crate) unreported: Kind,
    /// Tags of which it could not be told whether a report counts.
    pub(crate) unlooked: usize,
    took: SignedDuration,
    policy: Option<Arc<Policy>>,
    release: Sequence,
}

/// The last count, which is made anew when somebody looks at an old one.
pub(crate) struct Survey {
    last: watch::Sender<Option<Arc<Counted>>>,
    is_running: Arc<AtomicBool>,
    /// For how long a count may ask the registry.
    asking: Duration,
    /// How often somebody wanted all to be counted anew. What was begun before that is of no use.
    wanted: Arc<AtomicU64>,
}

/// What one count may ask of the registry.
struct Asks {
    /// One for all of it: what is not in memory may be asked for, and not for ever.
    budget: Arc<Budget>,
    until: Instant,
    /// For what is asked later.
    nothing: Arc<Budget>,
}

impl Asks {
    /// What comes of `asking`, and where that takes too long, of `remembering` alone.
    async fn bounded<T>(
        &self,
        asking: impl Future<Output = T>,
        remembering: impl Future<Output = T>,
    ) -> T {
        if Instant::now() < self.until
            && let Ok(done) = timeout_at(self.until, asking).await
        {
            return done;
        }
        remembering.await
    }
}

/// Says that a count is over, however it ended.
struct Running(Arc<AtomicBool>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.store(false, Ordering::SeqCst);
    }
}

impl Kind {
    fn add(&mut self, image: &str, at: Option<Timestamp>, why: impl FnOnce() -> String) {
        self.count += 1;
        if self.examples.len() < EXAMPLES {
            self.examples.push(Example { image: image.to_owned(), at, why: why() });
        }
    }

    /// How many are not named.
    pub(crate) fn more(&self) -> usize {
        self.count - self.examples.len()
    }
}

impl Survey {
    /// Nothing was counted yet.
    pub(crate) fn new() -> Self {
        Self::asking_for(ASKING)
    }

    /// The same, where a count may ask the registry for so long.
    pub(crate) fn asking_for(asking: Duration) -> Self {
        let last = watch::Sender::new(None);
        Self { last, is_running: Arc::default(), asking, wanted: Arc::default() }
    }

    /// What was counted last. An old count is made anew in the background; who looks waits for it a
    /// moment, and none comes where that is too short for the first one.
    pub(crate) async fn look(&self, api: &Arc<Api>) -> Option<Arc<Counted>> {
        let now = api.now();
        if self.last.borrow().as_ref().is_some_and(|last| last.is_fresh(api, now)) {
            return self.last.borrow().clone();
        }
        let mut counts = self.last.subscribe();
        counts.mark_unchanged();
        if !self.is_running.swap(true, Ordering::SeqCst) {
            let (api, last, wanted) =
                (Arc::clone(api), self.last.clone(), Arc::clone(&self.wanted));
            let (running, asking) = (Running(Arc::clone(&self.is_running)), self.asking);
            tokio::spawn(async move {
                loop {
                    let begun = wanted.load(Ordering::SeqCst);
                    let counted = match Counted::now(&api, asking).await {
                        Ok(counted) => Arc::new(counted),
                        Err(error) => {
                            tracing::warn!(
                                error = %crate::log::Causes(&error),
                                "what gates hold was not counted"
                            );
                            break;
                        }
                    };
                    let is_of_use = last.send_if_modified(|last| {
                        let is_of_use = wanted.load(Ordering::SeqCst) == begun;
                        if is_of_use {
                            *last = Some(counted);
                        }
                        is_of_use
                    });
                    if is_of_use {
                        break;
                    }
                }
                drop(running);
            });
        }
        // Not to be there in time is no error: the one before is shown, with its time.
        let _ = timeout(PATIENCE, counts.changed()).await;
        self.last.borrow().clone()
    }

    /// The next who looks sees a new count: something was just changed.
    pub(crate) fn forget(&self) {
        self.wanted.fetch_add(1, Ordering::SeqCst);
        self.last.send_replace(None);
    }
}

impl Counted {
    fn is_fresh(&self, api: &Api, now: Timestamp) -> bool {
        let age = now.duration_since(self.began).abs();
        let is_of_now = self.policy.as_ref().is_some_and(|it| Arc::ptr_eq(it, &api.policy()))
            && self.release == *api.issue.state.last_release().borrow();
        let pause = if is_of_now { FRESH } else { BETWEEN };
        age < pause.max(self.took.saturating_mul(PAUSES))
    }

    async fn now(api: &Arc<Api>, asking: Duration) -> Result<Self, StoreError> {
        let (policy, now, started) = (api.policy(), api.now(), Instant::now());
        let release = *api.issue.state.last_release().borrow();
        let mut counted = Self { began: now, release, ..Self::default() };
        for gate in policy.gates() {
            counted.gates.insert(gate.name().to_owned(), OfGate::default());
        }
        let (budget, nothing) = (api.budget(), Arc::new(Budget::new(0)));
        let asks = Asks { budget, until: started + asking, nothing };
        let (mut after, mut recalled) = (None, None);
        loop {
            let place = after.take();
            let state = &api.issue.state;
            let page =
                state.ask(|store| async move { store.tags_after(place.as_ref(), PAGE).await });
            let page: Vec<Tagged> = page.await?;
            let is_last = page.len() < usize::try_from(PAGE).unwrap_or(usize::MAX);
            after = page.last().map(|last| (last.repository.clone(), last.tag.to_string()));
            for tagged in page {
                if counted.tags == MOST_TAGS {
                    counted.goes_on = true;
                    break;
                }
                counted.tags += 1;
                // They come in the order of their repositories.
                if recalled.as_ref() != Some(&tagged.repository) {
                    api.images.inventory.recall(&tagged.repository, now).await;
                    recalled = Some(tagged.repository.clone());
                }
                counted.add(api, &policy, &asks, &tagged).await;
                // Requests on the same thread go first.
                tokio::task::yield_now().await;
            }
            if is_last || counted.goes_on {
                break;
            }
        }
        counted.policy = Some(policy);
        counted.took = SignedDuration::try_from(started.elapsed()).unwrap_or(SignedDuration::MAX);
        Ok(counted)
    }

    async fn add(&mut self, api: &Api, policy: &Arc<Policy>, asks: &Asks, tagged: &Tagged) {
        let image = Named {
            repository: tagged.repository.clone(),
            reference: Reference::Tag(tagged.tag.clone()),
            digest: tagged.digest.clone(),
        };
        let name = format!("{}:{}", tagged.repository, tagged.tag);
        let reported = |budget| reported(api, policy, budget, &image);
        match asks.bounded(reported(&asks.budget), reported(&asks.nothing)).await {
            Reported::Yes | Reported::Needless => {}
            Reported::No => {
                self.unreported.add(&name, None, || "no report counts for it".to_owned());
            }
            Reported::Unknown => self.unlooked += 1,
        }
        let gates = policy.gates_before(Occasion::Pull, &image.repository, Some(&tagged.tag));
        if !gates.is_empty() && !self.judge(api, policy, &gates, asks, &image, &name).await {
            self.unknown += 1;
        }
    }

    /// False: it cannot be told.
    async fn judge(
        &mut self,
        api: &Api,
        policy: &Policy,
        gates: &Gates<'_>,
        asks: &Asks,
        image: &Named,
        name: &str,
    ) -> bool {
        let now = self.began;
        let holders = api.images.inventory.indexes(&image.repository, &image.digest);
        let (release, digest) = (&api.images.release, &image.digest);
        let gather = |budget| {
            let asking = api.asking(&image.repository, budget);
            release.gather(asking, policy, gates, digest, &holders, now)
        };
        let gathered = asks.bounded(gather(&asks.budget), gather(&asks.nothing)).await;
        let gathered = match gathered {
            Ok(Some(gathered)) => gathered,
            // It is gone.
            Ok(None) => return true,
            Err(_) => return false,
        };
        for (at, held) in ahead(&gathered, policy, gates, image, (now, now + MONTH)) {
            let Some(of_gate) = self.gates.get_mut(held.gate.name()) else { continue };
            let kind = match at.duration_since(now) {
                SignedDuration::ZERO => &mut of_gate.held,
                later if later <= WEEK => &mut of_gate.week,
                _ => &mut of_gate.month,
            };
            kind.add(name, Some(at), || held.summary());
        }
        let judgement = gathered.judge(policy, &image.repository, gates, now);
        if let Verdict::Passed(passed) = &judgement.verdict {
            for evidence in passed.evidence() {
                let Some(first) = evidence.in_grace.iter().min_by_key(|grace| grace.until) else {
                    continue;
                };
                if let Some(of_gate) = self.gates.get_mut(evidence.gate.name()) {
                    let why = || first.reason.why.to_string();
                    of_gate.in_grace.add(name, Some(first.until), why);
                }
            }
        }
        true
    }
}

/// Whether a report counts for an image.
enum Reported {
    Yes,
    No,
    /// It is nothing that scanners understand, or is gone.
    Needless,
    /// That cannot be told.
    Unknown,
}

/// Of an index, whether one counts for all that it holds.
async fn reported(
    api: &Api,
    policy: &Arc<Policy>,
    budget: &Arc<Budget>,
    image: &Named,
) -> Reported {
    let release = &api.images.release;
    let asking = api.asking(&image.repository, budget);
    let digests = match release.content(asking, &image.digest).await {
        Err(_) => return Reported::Unknown,
        Ok(content) => match content.as_deref() {
            Some(Content::Image { .. }) => vec![image.digest.clone()],
            Some(Content::Index(children)) => {
                children.iter().map(|(_, child)| child.clone()).collect()
            }
            _ => return Reported::Needless,
        },
    };
    let mut found = Reported::Needless;
    for digest in digests {
        match release.content(asking, &digest).await {
            Err(_) => return Reported::Unknown,
            Ok(content) if !matches!(content.as_deref(), Some(Content::Image { .. })) => continue,
            Ok(_) => {}
        }
        let Ok(known) = release.known(&digest).await else { return Reported::Unknown };
        let reports = &known.kept.reports;
        if !reports.iter().any(|report| counts(report, &image.repository, policy)) {
            return Reported::No;
        }
        found = Reported::Yes;
    }
    found
}
