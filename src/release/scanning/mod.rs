//! Has images scanned: takes scans from the queue in the state, asks the scanner, keeps its reports.
//!
//! The scanner pulls from this very gate, as the service [`SCANNER`], with a token for one repository.
//! What that service may do, policy decides as for any other. Several replicas share the queue: who
//! takes a scan has it as long as a lease is renewed, so that a restart costs a scan a minute or two
//! and never loses it.

mod attempt;
mod failure;
mod health;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use policy::{Policy, Subject};
use tokio::sync::watch;
use tokio::time::sleep;

use super::{Cause, Progress, Scan};
use crate::audit::{Audit, Record};
use crate::clock::Clock;
use crate::identity::Authenticator;
use crate::inventory::Inventory;
use crate::log::Causes;
use crate::metrics::Metrics;
use crate::scanner::Adapter;
use crate::state::{State, told_to};
use crate::store::{ScanEnd, StoreError};
use crate::upstream::Upstream;
use attempt::Outcome;
use failure::Failure;
pub use health::{Health, Known as KnownHealth};

/// The service as which scanners pull, and whose reports theirs are.
pub const SCANNER: &str = "portcullis-scanner";

/// The same as policy names it.
#[must_use]
pub fn scanner() -> Subject {
    Subject::Service(SCANNER.to_owned())
}

/// How many images whose reports are old are put into the queue at once.
const OLD_AT_ONCE: u32 = 1000;

/// How patient it is.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Between two looks at a queue in which nothing seems to happen.
    pub idle: Duration,
    /// How long others wait for whoever has taken a scan and is gone. It is renewed three times as
    /// often.
    pub lease: Duration,
    /// After the first failure of a scan; after each further one twice as long.
    pub back_off: Duration,
    /// The longest time between two tries.
    pub longest: Duration,
    /// After so long a scan that goes on to fail is given up.
    pub give_up: Duration,
    /// Between two looks for reports that are old.
    pub old: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        let hour = Duration::from_secs(3600);
        Self {
            idle: Duration::from_secs(5),
            lease: Duration::from_secs(90),
            back_off: Duration::from_secs(60),
            longest: hour,
            give_up: 24 * hour,
            old: hour,
        }
    }
}

/// What scans need.
pub struct Scanning {
    /// Where the queue is, and where reports go.
    pub state: Arc<State>,
    /// Who scans.
    pub adapter: Adapter,
    /// Where the gate looks what a manifest is before it has it scanned.
    pub upstream: Arc<Upstream>,
    /// Knows the tags of what is scanned.
    pub inventory: Inventory,
    /// Makes the tokens with which the scanner pulls, for the public address of the gate.
    pub authenticator: Arc<Authenticator>,
    /// The policy in force.
    pub policy: Box<dyn Fn() -> Arc<Policy> + Send + Sync>,
    /// What time it is.
    pub clock: Arc<Clock>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// What was done.
    pub audit: Arc<Audit>,
    /// How old a report may grow.
    pub rescan_after: Duration,
    /// How patient it is.
    pub pace: Pace,
    /// What is told of the scanner.
    pub health: Arc<Health>,
}

impl Scanning {
    /// Scans until `stop` is told, as many at a time as there are `holders`: names that nobody else
    /// has, at no replica.
    pub async fn run(self, holders: [String; 2], mut stop: watch::Receiver<bool>) {
        let [one, other] = &holders;
        let (first, second) = (self.work(one, stop.clone()), self.work(other, stop.clone()));
        let looking = async {
            tokio::select! {
                () = told_to(&mut stop) => {}
                () = self.look_for_old() => {}
                () = self.count() => {}
            }
        };
        tokio::join!(first, second, looking);
    }

    /// One scan after the other.
    async fn work(&self, holder: &str, mut stop: watch::Receiver<bool>) {
        let mut changes = self.state.last_release();
        while !*stop.borrow() {
            match self.take(holder).await {
                Ok(Some(scan)) => self.scan(holder, &scan, &mut stop).await,
                Ok(None) => tokio::select! {
                    () = told_to(&mut stop) => {}
                    () = sleep(self.pace.idle) => {}
                    // Somebody may have asked for a scan. Without a state there is no gate.
                    _ = changes.changed() => {}
                },
                Err(error) => {
                    tracing::debug!(error = %Causes(&error), "the queue of scans is not to be had");
                    tokio::select! {
                        () = told_to(&mut stop) => {}
                        () = sleep(self.pace.idle) => {}
                    }
                }
            }
        }
    }

    async fn take(&self, holder: &str) -> Result<Option<Scan>, StoreError> {
        let (holder, now) = (holder.to_owned(), self.clock.now());
        let until = now + self.pace.lease;
        self.state.ask(move |store| async move { store.take_scan(&holder, now, until).await }).await
    }

    /// Does what can be done about one scan, and writes down what came of it.
    async fn scan(&self, holder: &str, scan: &Scan, stop: &mut watch::Receiver<bool>) {
        let outcome = tokio::select! {
            outcome = self.attempt(scan) => outcome,
            () = self.hold_on(holder, scan) => {
                tracing::warn!(digest = %scan.digest, "a scan was taken over by another replica");
                return;
            }
            () = told_to(stop) => {
                // It is for whoever comes next, at once.
                let now = self.clock.now();
                if let Err(error) = self.hold_until(holder, scan, now).await {
                    tracing::debug!(error = %Causes(&error), "a scan waits until its lease is over");
                }
                return;
            }
        };
        let end = self.end_of(scan, &outcome);
        let (name, repository, digest) =
            (holder.to_owned(), scan.repository.clone(), scan.digest.clone());
        let (ended, reason) = (end.clone(), told(&outcome, &end));
        let written = self.state.ask(move |store| async move {
            store.end_scan(&name, &repository, &digest, &ended).await
        });
        match written.await {
            Ok(true) => self.tell(scan, &outcome, &end, reason),
            Ok(false) => {}
            Err(error) => {
                tracing::warn!(error = %Causes(&error), "the end of a scan is not written down");
            }
        }
        // Whoever waits for the report need not wait for the next look.
        drop(self.state.look().await);
    }

    /// Renews the lease; returns when the scan is somebody else's.
    async fn hold_on(&self, holder: &str, scan: &Scan) {
        loop {
            sleep(self.pace.lease / 3).await;
            match self.hold_until(holder, scan, self.clock.now() + self.pace.lease).await {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    tracing::debug!(error = %Causes(&error), "the lease of a scan is not renewed");
                }
            }
        }
    }

    async fn hold_until(
        &self,
        holder: &str,
        scan: &Scan,
        until: Timestamp,
    ) -> Result<bool, StoreError> {
        let (holder, repository, digest) =
            (holder.to_owned(), scan.repository.clone(), scan.digest.clone());
        self.state
            .ask(move |store| async move {
                store.hold_scan(&holder, &repository, &digest, until).await
            })
            .await
    }

    /// What is written down of it.
    fn end_of(&self, scan: &Scan, outcome: &Result<Outcome, Failure>) -> ScanEnd {
        let at = self.clock.now();
        let Err(failure) = outcome else { return ScanEnd::Done { at } };
        let reason = Causes(failure).to_string();
        let since = match &scan.progress {
            Progress::Running { failing: Some((since, _)), .. } => *since,
            _ => at,
        };
        if failure.is_final() || at.duration_since(since).unsigned_abs() >= self.pace.give_up {
            return ScanEnd::Failed { at, reason };
        }
        let doubled = self.pace.back_off.saturating_mul(1 << scan.attempts.clamp(1, 20) >> 1);
        ScanEnd::Retry { at, next_at: at + doubled.min(self.pace.longest), reason }
    }

    fn tell(
        &self,
        scan: &Scan,
        outcome: &Result<Outcome, Failure>,
        end: &ScanEnd,
        reason: Option<String>,
    ) {
        let (result, event) = match end {
            ScanEnd::Done { .. } => ("done", "scan.finished"),
            ScanEnd::Retry { .. } => ("failed", "scan.failed"),
            ScanEnd::Failed { .. } => ("given_up", "scan.failed"),
        };
        // Nothing was scanned, and nobody needs to hear of it.
        let Some(reason) = reason else { return };
        self.metrics.scan(result);
        let now = self.clock.now();
        match outcome {
            Ok(_) => self.health.reported(now),
            Err(failure) => self.health.failed(now, &reason, failure.is_of_the_scanner()),
        }
        if outcome.is_err() {
            let (repository, digest) = (&scan.repository, &scan.digest);
            tracing::warn!(%repository, %digest, %reason, "an image was not scanned");
        }
        self.audit.queue(Record { reason: Some(reason), ..record(scan, event) });
    }

    /// Puts images whose reports are old into the queue.
    async fn look_for_old(&self) {
        loop {
            let now = self.clock.now();
            let before = now - self.rescan_after;
            let asked = self.state.ask(move |store| async move {
                let old = store.old_reports(&scanner(), before, OLD_AT_ONCE).await?;
                for (repository, digest) in &old {
                    store.request_scan(repository, digest, Cause::Age, now).await?;
                }
                Ok(old.len())
            });
            match asked.await {
                Ok(0) => {}
                Ok(images) => tracing::info!(images, "reports are old: they are scanned again"),
                Err(error) => {
                    tracing::warn!(error = %Causes(&error), "old reports are not to be had");
                }
            }
            sleep(self.pace.old).await;
        }
    }

    /// Shows how long the queue is.
    async fn count(&self) {
        loop {
            if let Ok(counts) =
                self.state.ask(|store| async move { store.scan_counts().await }).await
            {
                self.metrics.scan_queue(&counts);
            }
            sleep(self.pace.idle * 6).await;
        }
    }
}

/// A record of what the scanner did about a scan.
fn record(scan: &Scan, event: &'static str) -> Record {
    Record {
        subject: Some(scanner().to_string()),
        kind: Some("service"),
        repository: Some(scan.repository.to_string()),
        digest: Some(scan.digest.to_string()),
        ..Record::new(event)
    }
}

/// What the audit trail is told; none where nothing was scanned.
fn told(outcome: &Result<Outcome, Failure>, end: &ScanEnd) -> Option<String> {
    match (outcome, end) {
        (Ok(Outcome::Reported { scanner, findings }), _) => {
            let plural = if *findings == 1 { "" } else { "s" };
            Some(format!("{scanner}: {findings} finding{plural}"))
        }
        (Ok(Outcome::Nothing), _) => None,
        (Err(failure), ScanEnd::Retry { next_at, .. }) => {
            Some(format!("{}; tried again at {next_at:.0}", Causes(failure)))
        }
        (Err(failure), _) => Some(format!("{}; given up", Causes(failure))),
    }
}
