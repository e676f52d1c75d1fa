use std::sync::Mutex;

use oci::{Digest, RepositoryName, Tag};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::*;
use crate::audit;
use crate::content::samples::{Sample, elsewhere, image, index, signature};
use crate::identity::Credentials;
use crate::identity::federation::Federation;
use crate::identity::users::Users;
use crate::inventory::{self, Forgetful};
use crate::issue::sample::Scene;
use crate::release::{Kept, Release};
use crate::sample_scanner::{Mood, Scanner, Step};
use crate::scanner::{AdapterUrl, Settings};
use crate::secret::Secret;
use crate::upstream::fake::{Fake, Shelf};

const POLICY: &str = r#"
rules:
  - {name: s, subjects: ["service:portcullis-scanner"], images: ["team/**", "other"], allow: [pull, inspect]}
"#;

const PACE: Pace = Pace {
    idle: Duration::from_millis(20),
    lease: Duration::from_secs(60),
    back_off: Duration::from_millis(300),
    longest: Duration::from_secs(3600),
    give_up: Duration::from_secs(24 * 3600),
    old: Duration::from_secs(3600),
};

const WEEK: Duration = Duration::from_secs(7 * 86_400);

/// A registry, a scanner, and all that stands between them.
struct World {
    issue: Scene,
    fake: Fake,
    scanner: Scanner,
    folder: TempDir,
    clock: Arc<Clock>,
    metrics: Arc<Metrics>,
    audit: Arc<Audit>,
    inventory: Inventory,
    /// What the scanner was handed.
    handed: Arc<Mutex<Vec<serde_json::Value>>>,
}

/// Scans until this is dropped or stopped.
struct Running {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Running {
    async fn stop(self) {
        self.stop.send(true).unwrap();
        self.task.await.unwrap();
    }
}

fn repository() -> RepositoryName {
    RepositoryName::new("team/api").unwrap()
}

impl World {
    async fn new(kind: &str, samples: &[&Sample]) -> Self {
        let shelf = ["team/api", "closed"].into_iter().fold(Shelf::default(), |shelf, name| {
            samples.iter().fold(shelf, |shelf, sample| shelf.untagged(name, sample))
        });
        let fake = Fake::start(move |asked| shelf.answer(asked)).await;
        let scanner = Scanner::start(kind, "");
        let handed = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&handed);
        scanner.on_scan(Arc::new(move |body| {
            seen.lock().unwrap().push(body.clone());
            Ok(())
        }));
        let folder = tempfile::tempdir().unwrap();
        let audit = audit::Settings::new(folder.path().join("audit.jsonl"));
        Self {
            issue: Scene::new(POLICY, Users::default(), Federation::default()),
            fake,
            scanner,
            clock: Arc::new(Clock::start()),
            metrics: Arc::new(Metrics::new()),
            audit: Arc::new(Audit::open(&audit).unwrap()),
            inventory: Inventory::new(inventory::Settings::default(), Arc::new(Forgetful)),
            folder,
            handed,
        }
    }

    fn state(&self) -> &Arc<State> {
        &self.issue.issue.state
    }

    fn scanning(&self, pace: Pace) -> Scanning {
        let url = AdapterUrl::new(&self.scanner.url()).unwrap();
        let issue = Arc::clone(&self.issue.issue);
        Scanning {
            state: Arc::clone(self.state()),
            adapter: Adapter::new(&Settings { url, authorization_file: None, ca: None }).unwrap(),
            upstream: Arc::new(self.fake.upstream()),
            inventory: self.inventory.clone(),
            authenticator: Arc::clone(&issue.authenticator),
            policy: Box::new(move || (issue.policy)()),
            clock: Arc::clone(&self.clock),
            metrics: Arc::clone(&self.metrics),
            audit: Arc::clone(&self.audit),
            rescan_after: WEEK,
            pace,
            health: Arc::new(Health::new("scanner.example".to_owned(), WEEK)),
        }
    }

    fn run(&self, name: &str, pace: Pace) -> Running {
        let (stop, stopped) = watch::channel(false);
        let holders = [format!("{name}-1"), format!("{name}-2")];
        Running { stop, task: tokio::spawn(self.scanning(pace).run(holders, stopped)) }
    }

    async fn request(&self, repository: &RepositoryName, digest: &Digest) {
        let (repository, digest, now) = (repository.clone(), digest.clone(), self.clock.now());
        let request = move |store: Arc<dyn crate::store::Store>| async move {
            store.request_scan(&repository, &digest, Cause::Demand, now).await
        };
        self.state().ask(request).await.unwrap();
    }

    async fn kept(&self, digest: &Digest) -> Kept {
        let digest = digest.clone();
        self.state().ask(move |store| async move { store.kept_of(&digest).await }).await.unwrap()
    }

    async fn until(&self, digest: &Digest, enough: impl Fn(&Kept) -> bool) -> Kept {
        let end = Instant::now() + Duration::from_secs(60);
        loop {
            let kept = self.kept(digest).await;
            if enough(&kept) {
                return kept;
            }
            assert!(Instant::now() < end, "{kept:?}");
            sleep(Duration::from_millis(20)).await;
        }
    }

    async fn recorded(&self) -> String {
        self.audit.close().await;
        std::fs::read_to_string(self.folder.path().join("audit.jsonl")).unwrap()
    }
}

fn is_done(kept: &Kept) -> bool {
    kept.scans.iter().any(|scan| matches!(scan.progress, Progress::Done(_)))
}

fn failing(kept: &Kept) -> Option<String> {
    kept.scans.iter().find_map(|scan| match &scan.progress {
        Progress::Waiting { failing: Some((_, reason)), .. } | Progress::Failed { reason, .. } => {
            Some(reason.clone())
        }
        _ => None,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_is_kept_and_the_scanner_is_handed_a_token_for_one_repository() {
    use base64::Engine as _;
    for kind in ["Basic", "Bearer"] {
        let one = image("one", &["layer"]);
        let world = World::new(kind, &[&one]).await;
        let running = world.run("a", PACE);
        let tag = |name: &str, digest: &Digest| {
            let (tag, now) = (Tag::new(name).unwrap(), world.clock.now());
            world.inventory.checked_tag(&repository(), &tag, Some(digest), now);
        };
        let fallback = format!("{}.sig", one.digest.to_string().replace(':', "-"));
        for name in ["v2", "v1", &fallback, "moved"] {
            tag(name, &one.digest);
        }
        tag("moved", &image("other", &[]).digest);
        world.request(&repository(), &one.digest).await;
        let kept = world.until(&one.digest, is_done).await;
        let [report] = kept.reports.as_slice() else { panic!("{kept:?}") };
        assert_eq!((&report.uploader, &report.repository), (&scanner(), &repository()));
        assert_eq!((report.scanner.name.as_str(), report.findings.len()), ("Sample", 1));
        assert!(report.scanner.database.is_some() && report.uploader_groups.is_empty());

        let body = world.handed.lock().unwrap()[0].clone();
        assert_eq!(body["artifact"]["tag"], "v1");
        assert_eq!(body["registry"]["url"], "https://gate.example");
        let header = body["registry"]["authorization"].as_str().unwrap().to_owned();
        let (scheme, text) = header.split_once(' ').unwrap();
        assert_eq!(scheme, kind);
        let token = match kind {
            "Bearer" => text.to_owned(),
            _ => {
                let pair = base64::prelude::BASE64_STANDARD.decode(text).unwrap();
                let pair = String::from_utf8(pair).unwrap();
                assert_eq!(pair.matches(':').count(), 1);
                pair.strip_prefix("portcullis-scanner:").unwrap().to_owned()
            }
        };
        // The gate takes it, as the scanner and for this repository alone.
        let (token, now) = (Credentials::Bearer(Secret::new(token)), world.clock.now());
        let known = world.issue.issue.authenticator.check(&token, [127, 0, 0, 1].into(), now);
        let known = known.await.unwrap();
        assert_eq!(known.principal.caller.subject, scanner());
        let left = known.expires.unwrap().duration_since(now);
        assert!(left.unsigned_abs() > crate::scanner::LONGEST, "{left}");
        use policy::Action;
        let other = RepositoryName::new("other").unwrap();
        for (action, name, expected) in [
            (Action::Pull, &repository(), true),
            (Action::Inspect, &repository(), true),
            (Action::Create, &repository(), false),
            (Action::Delete, &repository(), false),
            (Action::Pull, &other, false),
        ] {
            assert_eq!(known.principal.ceiling.covers(action, name), expected, "{action} {name}");
        }
        assert!(!known.principal.ceiling.covers_catalog());
        running.stop().await;
        let recorded = world.recorded().await;
        let started = recorded.find("\"event\":\"scan.started\"").unwrap();
        assert!(recorded.contains("Sample, because of demand, try 1"), "{recorded}");
        assert!(started < recorded.find("\"event\":\"scan.finished\"").unwrap(), "{recorded}");
        assert!(recorded.contains("Sample 1.2.3: 1 finding\""), "{recorded}");
        assert!(world.metrics.encode().contains("portcullis_scans_total{result=\"done\"} 1"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_is_its_children_and_what_is_no_image_is_not_scanned() {
    let (amd, arm) = (image("amd", &["amd-layer"]), image("arm", &["arm-layer"]));
    let attestation = signature("attestation", None);
    let multi = index(&[&amd, &arm, &attestation]);
    let world = World::new("Basic", &[&amd, &arm, &attestation, &multi]).await;
    let running = world.run("a", PACE);
    world.request(&repository(), &multi.digest).await;
    for (sample, reports) in [(&amd, 1), (&arm, 1), (&attestation, 0), (&multi, 0)] {
        let kept = world.until(&sample.digest, is_done).await;
        assert_eq!(kept.reports.len(), reports);
    }
    assert_eq!(world.handed.lock().unwrap().len(), 2);
    running.stop().await;
}

/// Row W8 of the threats: no image and no report says where credentials go. The scanner is that of the
/// configuration, and is told to pull from this gate.
#[tokio::test(flavor = "multi_thread")]
async fn w8_no_credential_goes_to_a_host_that_an_image_or_an_adapter_names() {
    let trap = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    trap.set_nonblocking(true).unwrap();
    let address = trap.local_addr().unwrap();
    let hostile = elsewhere(&format!("http://{address}/layer"));
    let world = World::new("Basic", &[&hostile]).await;
    let running = world.run("a", PACE);
    // Where the adapter redirects to, nobody goes either.
    world
        .scanner
        .be(Step::Metadata, Mood::Redirects(302, format!("http://{address}/api/v1/metadata")));
    world.request(&repository(), &hostile.digest).await;
    let kept = world.until(&hostile.digest, |kept| failing(kept).is_some()).await;
    assert!(failing(&kept).unwrap().contains("redirects"), "{kept:?}");
    world.scanner.be(Step::Metadata, Mood::Well);
    world.until(&hostile.digest, is_done).await;
    running.stop().await;
    let handed = world.handed.lock().unwrap();
    assert!(!handed.is_empty());
    for body in handed.iter() {
        assert_eq!(body["registry"]["url"], "https://gate.example");
        assert!(!body.to_string().contains(&address.to_string()), "{body}");
    }
    assert!(trap.accept().is_err(), "somebody came");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scanner_that_is_away_is_asked_again_later_and_the_scan_says_so() {
    let one = image("one", &["layer"]);
    let world = World::new("Basic", &[&one]).await;
    world.scanner.be(Step::Metadata, Mood::Fails(503));
    let running = world.run("a", PACE);
    world.request(&repository(), &one.digest).await;
    let kept = world.until(&one.digest, |kept| failing(kept).is_some()).await;
    assert!(failing(&kept).unwrap().contains("503"), "{kept:?}");
    let kept = world.until(&one.digest, |kept| kept.scans[0].attempts > 2).await;
    assert!(kept.reports.is_empty());
    world.scanner.be(Step::Metadata, Mood::Well);
    world.until(&one.digest, is_done).await;
    running.stop().await;
    assert!(world.recorded().await.contains("; tried again at "));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_fails_waits_twice_as_long_each_time_and_is_given_up_in_the_end() {
    let world = World::new("Basic", &[]).await;
    let scanning = world.scanning(Pace::default());
    let now = world.clock.now();
    let failed = Err(Failure::Disabled);
    let scan = |attempts, failing: Option<u64>| Scan {
        repository: repository(),
        digest: Digest::Sha256([1; 32]),
        cause: Cause::Push,
        requested_at: now,
        attempts,
        progress: Progress::Running {
            until: now,
            failing: failing.map(|hours| (now - Duration::from_secs(hours * 3600), "x".into())),
        },
    };
    for (attempts, minutes) in [(1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (99, 60)] {
        let ScanEnd::Retry { at, next_at, .. } =
            scanning.end_of(&scan(attempts, Some(23)), &failed)
        else {
            panic!("{attempts}")
        };
        assert_eq!(next_at.duration_since(at).as_mins(), minutes, "{attempts}");
    }
    assert!(matches!(scanning.end_of(&scan(30, Some(24)), &failed), ScanEnd::Failed { .. }));
    let denied = Err(Failure::Denied(repository()));
    assert!(matches!(scanning.end_of(&scan(1, None), &denied), ScanEnd::Failed { .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_scanner_may_not_pull_is_not_scanned_and_says_why() {
    let one = image("one", &["layer"]);
    let world = World::new("Basic", &[&one]).await;
    let running = world.run("a", PACE);
    world.request(&RepositoryName::new("closed").unwrap(), &one.digest).await;
    let kept = world.until(&one.digest, |kept| failing(kept).is_some()).await;
    assert!(failing(&kept).unwrap().starts_with("the policy does not let "), "{kept:?}");
    assert!(matches!(kept.scans[0].progress, Progress::Failed { .. }));
    // Nor is anything while the service is disabled.
    world.state().set_service_disabled(SCANNER, true).await.unwrap();
    let two = repository();
    world.request(&two, &one.digest).await;
    let is_disabled = |kept: &Kept| {
        kept.scans.iter().any(|scan| {
            scan.repository == two
                && matches!(&scan.progress, Progress::Waiting { failing: Some((_, why)), .. }
                    if why.contains("is disabled"))
        })
    };
    world.until(&one.digest, is_disabled).await;
    assert!(world.scanner.asked().is_empty() && world.handed.lock().unwrap().is_empty());
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_stops_in_the_middle_leaves_the_scan_to_the_next_one() {
    let one = image("one", &["layer"]);
    let world = World::new("Basic", &[&one]).await;
    world.scanner.be(Step::Report, Mood::NeverReady);
    let running = world.run("a", PACE);
    world.request(&repository(), &one.digest).await;
    let is_running = |kept: &Kept| matches!(kept.scans[0].progress, Progress::Running { .. });
    world.until(&one.digest, is_running).await;
    while world.handed.lock().unwrap().is_empty() {
        sleep(Duration::from_millis(20)).await;
    }
    running.stop().await;
    world.scanner.be(Step::Report, Mood::Well);
    // Far sooner than the lease would have been over.
    let next = world.run("b", PACE);
    let kept = world.until(&one.digest, is_done).await;
    assert_eq!((kept.scans[0].attempts, kept.reports.len()), (2, 1));
    next.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_pushed_is_scanned_once_and_only_if_it_is_an_image_and_there_is_a_scanner() {
    let (one, other) = (image("one", &["layer"]), signature("other", None));
    let world = World::new("Basic", &[&one, &other]).await;
    let now = world.clock.now();
    let without = Release::sample(Arc::clone(world.state()));
    let with = Release::sample(Arc::clone(world.state())).scanning(WEEK);
    let push = |release: &Release, sample: &Sample, now| {
        let manifest = oci::Manifest::parse(&sample.bytes, None).unwrap();
        release.pushed(&repository(), &sample.digest, &manifest, now);
    };
    push(&without, &one, now);
    push(&with, &other, now);
    push(&with, &one, now + Duration::from_secs(1));
    let kept = world.until(&one.digest, |kept| !kept.scans.is_empty()).await;
    assert_eq!(kept.scans[0].requested_at, now + Duration::from_secs(1));
    assert!(world.kept(&other.digest).await.scans.is_empty());
    let running = world.run("a", PACE);
    let done = world.until(&one.digest, is_done).await.scans;
    // Under another tag, and a week later.
    push(&with, &one, now + Duration::from_secs(60));
    sleep(Duration::from_millis(300)).await;
    assert_eq!(world.kept(&one.digest).await.scans, done);
    push(&with, &one, now + WEEK + Duration::from_secs(600));
    world.until(&one.digest, |kept| kept.scans != done).await;
    running.stop().await;
}
