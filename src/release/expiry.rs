//! Tells the audit trail when broken glass is whole again.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::sleep;

use super::Exception;
use crate::audit::{Audit, Record};
use crate::clock::Clock;
use crate::log::Causes;
use crate::state::{State, told_to};
use crate::store::StoreError;

/// Between two looks. An exception ends at its time; only the trail hears of it later.
const PACE: Duration = Duration::from_secs(20);

/// What is needed to tell.
pub struct Expiries {
    /// Where exceptions are kept.
    pub state: Arc<State>,
    /// What time it is.
    pub clock: Arc<Clock>,
    /// What is told.
    pub audit: Arc<Audit>,
}

impl Expiries {
    /// Up to when the end of exceptions has been told: the latest time that the state knows, so that
    /// what ended while the gate was stopped is told, too.
    pub async fn told_until(&self) -> Timestamp {
        let latest = self.state.ask(|store| async move { store.latest_time().await }).await;
        latest.ok().flatten().unwrap_or_else(|| self.clock.now())
    }

    /// Tells of each exception that ends, until `stop` is told.
    pub async fn run(self, mut since: Timestamp, mut stop: watch::Receiver<bool>) {
        while !*stop.borrow() {
            let now = self.clock.now();
            match self.tell(since, now).await {
                Ok(()) => since = now,
                Err(error) => {
                    tracing::debug!(error = %Causes(&error), "exceptions are not to be had");
                }
            }
            tokio::select! {
                () = told_to(&mut stop) => {}
                () = sleep(PACE) => {}
            }
        }
    }

    /// Of those that have ended after `since`, and not after `now`.
    async fn tell(&self, since: Timestamp, now: Timestamp) -> Result<(), StoreError> {
        if since >= now {
            return Ok(());
        }
        let mut ended = self.state.ask(|store| async move { store.exceptions(None).await }).await?;
        ended.retain(|it| it.removed.is_none() && since < it.expires_at && it.expires_at <= now);
        ended.sort_by_key(|exception| exception.expires_at);
        for exception in ended {
            tracing::info!(gate = exception.gate, image = %exception.image, "an exception has ended");
            self.audit.queue(record(&exception));
        }
        Ok(())
    }
}

fn record(exception: &Exception) -> Record {
    let Exception { id, gate, repository, image, by, reason, .. } = exception;
    let reference = image.strip_prefix(repository.as_str()).and_then(|rest| rest.get(1..));
    Record {
        repository: Some(repository.to_string()),
        reference: reference.map(str::to_owned),
        digest: exception.digests.first().map(ToString::to_string),
        gate: Some(gate.clone()),
        reason: Some(format!("{id} of {by}: {reason}")),
        ..Record::new("exception.expired")
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use oci::RepositoryName;
    use policy::Subject;
    use serde_json::Value;

    use super::*;
    use crate::audit;
    use crate::content::samples::blob;
    use crate::release::ExceptionId;
    use crate::state::sample;

    fn exception(number: u8, expires_at: Timestamp) -> Exception {
        let root = Subject::User("root".to_owned());
        Exception {
            id: ExceptionId::of_random([number; 16]),
            gate: "production".to_owned(),
            repository: RepositoryName::new("prod/api").unwrap(),
            image: "prod/api:v1".to_owned(),
            digests: vec![blob("index"), blob("child")],
            by: root.clone(),
            at: expires_at - SignedDuration::from_hours(4),
            expires_at,
            reason: "incident 311".to_owned(),
            removed: (number == 3).then_some((expires_at, root)),
        }
    }

    #[tokio::test]
    async fn an_exception_that_ends_is_told_once_and_one_that_was_taken_back_is_not() {
        let clock = Arc::new(Clock::start());
        let (state, _folder) = sample::kept(Arc::clone(&clock));
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("audit.jsonl");
        let audit = Arc::new(Audit::open(&audit::Settings::new(file.clone())).unwrap());
        let expiries = Expiries { state: Arc::clone(&state), clock, audit: Arc::clone(&audit) };
        let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let hour = |hours| start + SignedDuration::from_hours(hours);
        for (number, ends) in [(1, 1), (2, 2), (3, 1), (4, 9)] {
            let exception = exception(number, hour(ends));
            let add = |store: Arc<dyn crate::store::Store>| async move {
                store.add_exception(&exception).await
            };
            state.ask(add).await.unwrap();
        }
        for (since, now) in [(0, 0), (0, 1), (1, 3), (3, 8)] {
            expiries.tell(hour(since), hour(now)).await.unwrap();
        }
        audit.close().await;
        let text = std::fs::read_to_string(file).unwrap();
        let lines: Vec<Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 2, "{text}");
        for (line, number) in lines.iter().zip(1..) {
            assert_eq!(line["event"], "exception.expired");
            assert_eq!(line["gate"], "production");
            assert_eq!(line["repository"], "prod/api");
            assert_eq!(line["reference"], "v1");
            assert_eq!(line["digest"], blob("index").to_string());
            let id = ExceptionId::of_random([number; 16]);
            assert_eq!(line["reason"], format!("{id} of user:root: incident 311"));
        }
    }
}
