//! Lists, searches and verdicts over a state with many images: that they are right, and what they
//! take.
//!
//! There are few images, unless `PORTCULLIS_FIGURES` says how many. Then each of them has a hundred
//! findings, and what was measured is printed, a JSON object a line (docs/performance.md).

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use oci::{RepositoryName, Tag};
use policy::gate::{Gate, Verdict};
use policy::{Policy, SourceFile, Subject};
use reports::{Finding, Format, Package, Scanner, Severity, Status, VulnerabilityId};
use serde_json::{Value, json};

use super::scene::{As, Scene};
use crate::clock::Clock;
use crate::content::samples::{Sample, image};
use crate::inventory::{Budget, Facts, Forgetful, Inventory, Lesson, Settings};
use crate::release::{Asking, KeptFinding, KeptReport, Release};
use crate::state::{State, sample};
use crate::store::tests::postgres_server::Postgres;
use crate::store::{FindingKey, StoreUrl};
use crate::upstream::fake::Fake;

const POLICY: &str = r#"
rules:
  - {name: half, subjects: ["user:alice"], images: ["even/**"], allow: [pull]}
gates:
  - name: production
    images: ["**"]
    require: {vulnerabilities: {max_severity: high, max_report_age: 3000d}}
"#;

/// In each image; no other finding is as bad.
const EVERYWHERE: &str = "CVE-2021-44228";

const ROUNDS: usize = 9;

struct Size {
    images: usize,
    findings: usize,
    /// Whether it is for the figures.
    is_measured: bool,
}

impl Size {
    fn asked_for() -> Self {
        let images = std::env::var("PORTCULLIS_FIGURES").ok().and_then(|text| text.parse().ok());
        match images {
            Some(images) => Self { images, findings: 100, is_measured: true },
            None => Self { images: 24, findings: 7, is_measured: false },
        }
    }
}

/// Of every second image in a repository that alice may read.
fn place(number: usize) -> (RepositoryName, Tag) {
    let half = if number.is_multiple_of(2) { "even" } else { "odd" };
    let name = format!("{half}/team-{:03}/app", number / 20);
    (RepositoryName::new(&name).unwrap(), Tag::new(&format!("v{number:05}")).unwrap())
}

/// One of them is in one image alone, most are in several, one is everywhere.
fn findings(number: usize, size: &Size, now: Timestamp) -> Vec<KeptFinding> {
    let finding = |index: usize| {
        let (name, severity) = match index {
            0 => (EVERYWHERE.to_owned(), Severity::High),
            1 => (format!("CVE-2026-1{number:05}"), Severity::Low),
            _ => (format!("CVE-2025-{}", (number * 7 + index * 13) % 5000), Severity::Medium),
        };
        Finding {
            id: VulnerabilityId::new(&name).unwrap(),
            aliases: vec![VulnerabilityId::new(&format!("GHSA-{name}")).unwrap()],
            package: Package {
                name: format!("package-{index}"),
                version: "1.2.3-4+deb12u1".to_owned(),
                purl: Some(format!("pkg:deb/debian/package-{index}@1.2.3-4%2Bdeb12u1?arch=amd64")),
                kind: Some("debian".to_owned()),
                ..Package::default()
            },
            layer: None,
            severity,
            severity_source: Some("nvd".to_owned()),
            cvss: Vec::new(),
            fixed_in: vec!["1.2.4".to_owned()],
            status: Status::Fixed,
            title: Some(format!("{name}: something may be written past its end")),
            description: Some("Something is written past its end. ".repeat(12)),
            links: vec![format!("https://advisories.example/{name}")],
            weaknesses: vec!["CWE-787".to_owned()],
            published: None,
        }
    };
    (0..size.findings)
        .map(|index| KeptFinding { finding: finding(index), first_seen: now })
        .collect()
}

/// The images, with a tag and a report each.
async fn fill(state: &State, size: &Size, now: Timestamp) -> Vec<Sample> {
    let samples: Vec<_> =
        (0..size.images).map(|number| image(&number.to_string(), &["a"])).collect();
    let lessons: Vec<_> = samples
        .iter()
        .enumerate()
        .flat_map(|(number, sample)| {
            let (repository, tag) = place(number);
            let (digest, facts) = (sample.digest.clone(), Arc::new(Facts::from(&sample.manifest)));
            let tag = Lesson::Tag { tag, digest: digest.clone(), at: now };
            [tag, Lesson::Manifest { digest, facts }].map(|lesson| (repository.clone(), lesson))
        })
        .collect();
    state.ask(|store| async move { store.learn(&lessons, now).await }).await.unwrap();
    for (number, sample) in samples.iter().enumerate() {
        let report = KeptReport {
            repository: place(number).0,
            digest: sample.digest.clone(),
            uploader: Subject::Service("ci/scan".to_owned()),
            uploader_groups: vec!["scanners".to_owned()],
            format: Format::Trivy,
            scanner: Scanner { name: "Trivy".to_owned(), version: None, database: None },
            made_at: now,
            received_at: now,
            recognized: true,
            findings: findings(number, size, now),
        };
        assert!(state.ask(|store| async move { store.keep_report(&report).await }).await.unwrap());
    }
    state.look().await.unwrap();
    samples
}

/// The median of several times, the first left out, each of so many in a row.
async fn median<F: Future<Output = ()>>(count: u32, mut once: impl FnMut() -> F) -> Duration {
    once().await;
    let mut times = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let start = Instant::now();
        for _ in 0..count {
            once().await;
        }
        times.push(start.elapsed() / count);
    }
    times.sort();
    times[ROUNDS / 2]
}

struct Measuring<'a> {
    engine: &'a str,
    size: &'a Size,
    scene: &'a Scene,
}

impl Measuring<'_> {
    fn tell(&self, what: &str, took: Duration) {
        let (engine, images) = (self.engine, self.size.images);
        let milliseconds = took.as_secs_f64() * 1000.0;
        println!(
            "{}",
            json!({"engine": engine, "images": images, "what": what, "ms": milliseconds})
        );
    }

    /// All that a list tells, page by page; measured is the first page.
    async fn list(&self, what: &str, who: As<'_>, query: &str) -> Vec<Value> {
        let (mut images, mut cursor) = (Vec::new(), String::new());
        loop {
            let page =
                self.scene.get(who.clone(), &format!("/images?{query}{cursor}")).await.json();
            images.extend(page["images"].as_array().unwrap().iter().cloned());
            match page["cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        if self.size.is_measured {
            let path = format!("/images?{query}");
            let once = || async { drop(self.scene.get(who.clone(), &path).await) };
            self.tell(what, median(1, once).await);
        }
        images
    }

    /// What a search for names and a vulnerability asks the state.
    async fn reports_with(&self, state: &State) {
        let by = || FindingKey::Vulnerability(EVERYWHERE.to_owned());
        let once = || async {
            let by = by();
            let found = state.ask(|store| async move { store.reports_with(&by).await }).await;
            assert_eq!(found.unwrap().len(), self.size.images);
        };
        once().await;
        if self.size.is_measured {
            self.tell("the reports with a CVE, all images", median(1, once).await);
        }
    }

    async fn verdict(&self, state: &Arc<State>, samples: &[Sample], now: Timestamp) {
        let file = SourceFile { path: "policy.yaml".to_owned(), text: POLICY.to_owned() };
        let policy = Policy::compile(&[file]).unwrap().policy;
        let gates: Vec<&Arc<Gate>> = policy.gates().collect();
        let release = Release::sample(Arc::clone(state));
        let registry = Fake::start(|asked| panic!("{} was asked for", asked.target)).await;
        let upstream = Arc::new(registry.upstream());
        let (repository, budget) = (place(0).0, Arc::new(Budget::new(0)));
        let inventory = &Inventory::new(Settings::default(), Arc::new(Forgetful));
        let (upstream, repository, budget) = (&upstream, &repository, &budget);
        let asking = Asking { upstream, repository, budget, inventory };
        let digest = &samples[0].digest;
        release.learn(digest, Some(&samples[0].manifest));
        let once = || async {
            let judged = release.judge(asking, &policy, &gates, digest, &[], now).await;
            assert!(matches!(judged.unwrap().unwrap().verdict, Verdict::Passed(_)));
        };
        once().await;
        if self.size.is_measured {
            self.tell("a warm verdict", median(1000, once).await);
        }
    }
}

async fn over(engine: &str, state: Arc<State>, folder: tempfile::TempDir) {
    let size = Size::asked_for();
    let now = Timestamp::from_second(1_800_000_000).unwrap();
    let samples = fill(&state, &size, now).await;
    let scene = Scene::on((Arc::clone(&state), folder), POLICY, false).await;
    let measuring = Measuring { engine, size: &size, scene: &scene };
    let names = |images: &[Value]| -> Vec<String> {
        images
            .iter()
            .map(|it| format!("{}:{}", it["repository"], it["tag"]).replace('"', ""))
            .collect()
    };
    let mut all: Vec<_> =
        (0..size.images).map(place).map(|(name, tag)| format!("{name}:{tag}")).collect();
    all.sort();
    let counts = json!({"high": 1, "low": 1, "medium": size.findings - 2});

    let listed = measuring.list("a list, 100 of all", As::Local, "limit=100").await;
    assert_eq!(names(&listed), all);
    assert!(listed.iter().all(|image| image["findings"] == counts), "{}", listed[0]);
    let listed = measuring.list("a list, 1000 of all", As::Local, "limit=1000").await;
    assert_eq!(names(&listed), all);
    // In small pages, in which pages of the state end at other places.
    if !size.is_measured {
        for limit in [1, 5, 7] {
            let pages = measuring.list("", As::Local, &format!("limit={limit}")).await;
            assert_eq!(names(&pages), all, "{limit}");
        }
    }
    let listed =
        measuring.list("a list, 100 of what one may see", As::User("alice"), "limit=100").await;
    let even: Vec<_> = all.iter().filter(|name| name.starts_with("even/")).cloned().collect();
    assert_eq!(names(&listed), even);
    let listed =
        measuring.list("a list, by severity", As::Local, "limit=100&severity=critical").await;
    assert_eq!(names(&listed), [""; 0]);

    let found = measuring.list("by CVE, in one image", As::Local, "cve=CVE-2026-100003").await;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["digest"], samples[3].digest.to_string());
    let query = format!("cve={EVERYWHERE}&limit=");
    for limit in [100, 1000] {
        let what = format!("by CVE, {limit} of all images");
        let found = measuring.list(&what, As::Local, &format!("{query}{limit}")).await;
        assert_eq!(found.len(), size.images);
        assert!(
            found.iter().all(|it| it["finding"]["severity"] == "high" && it["findings"] == counts)
        );
    }
    let what = "by CVE, 100 of what one may see";
    let found = measuring.list(what, As::User("alice"), &format!("{query}100")).await;
    assert_eq!(found.len(), size.images.div_ceil(2));
    let found = measuring
        .list("by package, 100 of all images", As::Local, "package=package-3&limit=100")
        .await;
    assert_eq!(found.len(), size.images);
    let purl = "package=pkg:deb/debian/package-3@1.2.3-4%252Bdeb12u1&limit=100";
    let found = measuring.list("by package URL, 100 of all images", As::Local, purl).await;
    assert_eq!(found.len(), size.images);
    measuring.reports_with(&state).await;
    let none = measuring.list("by CVE, in no image", As::Local, "cve=CVE-1999-1").await;
    assert_eq!(none.len(), 0);

    measuring.verdict(&state, &samples, now).await;
}

#[tokio::test]
async fn what_lists_tell_is_what_is_there_in_sqlite() {
    let (state, folder) = sample::kept(Arc::new(Clock::start()));
    over("SQLite", state, folder).await;
}

#[tokio::test]
async fn what_lists_tell_is_what_is_there_in_postgresql() {
    let server = Postgres::start();
    let url: StoreUrl = server.url().parse().unwrap();
    let state = sample::kept_at(url, Arc::new(Clock::start()));
    over("PostgreSQL", state, tempfile::tempdir().unwrap()).await;
}
