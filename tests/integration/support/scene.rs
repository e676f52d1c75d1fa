//! The usual set-up: a registry, a recorder in front of it, and a gate that knows only the recorder.

use std::thread;
use std::time::{Duration, Instant};

use super::client::{Answer, Client};
use super::gate::{Gate, Setup};
use super::recorder::{Recorder, Seen};
use super::registry::Registry;

/// What stands on the machine during a test. Stops in this order.
pub(crate) struct Scene {
    pub(crate) gate: Gate,
    pub(crate) recorder: Recorder,
    pub(crate) registry: Registry,
}

impl Scene {
    /// `users` are names with their groups.
    pub(crate) fn new(policy: &str, users: &[(&str, &[&str])]) -> Self {
        Self::with(policy, users, |setup| setup)
    }

    /// With more settings.
    pub(crate) fn with(
        policy: &str,
        users: &[(&str, &[&str])],
        more: impl FnOnce(Setup) -> Setup,
    ) -> Self {
        let registry = Registry::start();
        let recorder = Recorder::start(registry.address());
        let mut setup = Setup::new(&recorder.url(), policy);
        for (name, groups) in users {
            setup = setup.user(name, groups);
        }
        let gate = more(setup).start();
        Self { gate, recorder, registry }
    }

    pub(crate) fn client(&self, user: &str) -> Client {
        self.gate.client(user)
    }

    /// What the registry itself holds under a name: the manifest's digest.
    pub(crate) fn stored(&self, repository: &str, reference: &str) -> Option<String> {
        let target = format!("/v2/{repository}/manifests/{reference}");
        let answer = self.registry.client().head(&target);
        answer.header("docker-content-digest").map(str::to_owned)
    }

    /// Each request that the gate sent on is one that the registry answered, and the other way
    /// round: nobody found another way in. `own` are the requests of the test to the registry.
    #[track_caller]
    pub(crate) fn nobody_went_around(&self, own: usize) {
        let through = self.recorder.seen().len();
        assert!(through > 0);
        // It logs what it answered when that is done.
        let end = Instant::now() + Duration::from_secs(30);
        while self.registry.answered() < through + own && Instant::now() < end {
            thread::sleep(Duration::from_millis(10));
        }
        assert_eq!(self.registry.answered(), through + own);
    }

    /// The gate must answer this by itself.
    #[track_caller]
    pub(crate) fn unasked(&self, act: impl FnOnce() -> Answer) -> Answer {
        let (answer, asked) = self.recorder.during(act);
        let asked: Vec<_> = asked.iter().map(Seen::line).collect();
        assert!(asked.is_empty(), "the upstream was asked: {asked:?}, for {answer:?}");
        answer
    }
}
