//! What the gate counts and measures, for Prometheus.
//!
//! A label's value is a word of the program, never anything that a client sends: the type
//! `&'static str` sees to it. So the number of series is bounded by the source.

mod gates;

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use policy::gate::Judgement;
use prometheus::core::Collector;
use prometheus::proto::{Metric, MetricFamily};
use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry, TextEncoder,
};
use rustls::{HandshakeKind, ProtocolVersion, ServerConnection};

use crate::audit::{Audit, Decision};
use crate::shadow::Verdict;
use crate::store::{Extent, ScanCounts};

/// Seconds that a request may take.
const REQUEST_BUCKETS: &[f64] = &[
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
    60.0,
];

/// Seconds that a decision may take.
const DECISION_BUCKETS: &[f64] = &[1e-6, 2.5e-6, 5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 1e-3, 1e-2];

/// Everything that `/metrics` shows. Every worker counts into the same one.
pub struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    request_duration: HistogramVec,
    upstream_duration: HistogramVec,
    body_bytes_in: IntCounter,
    body_bytes_out: IntCounter,
    transfers: IntGauge,
    handshaking: IntGauge,
    open: IntGauge,
    handshakes: IntCounterVec,
    decisions: IntCounterVec,
    policy_evaluation: Histogram,
    policy_reloads: IntCounterVec,
    policy_loaded: IntGauge,
    policy_info: IntGaugeVec,
    policy_stale: IntGauge,
    policy_kept: IntGauge,
    shadow_decisions: IntCounterVec,
    shadow_reloads: IntCounterVec,
    shadow_loaded: IntGauge,
    shadow_info: IntGaugeVec,
    tokens_issued: IntCounterVec,
    token_checks: IntCounterVec,
    revocations: IntGauge,
    login_failures: IntCounterVec,
    inventory_lookups: IntCounterVec,
    inventory_repositories: IntGauge,
    inventory_tags: IntGauge,
    inventory_manifests: IntGauge,
    inventory_crawled: IntGauge,
    inventory_queue_length: IntGauge,
    inventory_lost: IntCounter,
    gates: gates::Gates,
    scans: IntCounterVec,
    scan_queue: IntGaugeVec,
    audit_queue_length: IntGauge,
    /// Locked, as two scrapes at once must not add the same losses twice.
    audit_lost: Mutex<IntCounter>,
    upstream_errors: IntCounterVec,
    certificate_expiry: IntGauge,
}

/// Counts something as being there for as long as this lives.
#[derive(Debug)]
#[must_use = "it is counted for as long as this lives"]
pub struct Held(IntGauge);

impl Held {
    fn new(gauge: &IntGauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Metrics {
    /// All at zero.
    #[must_use]
    pub fn new() -> Self {
        let make = Make(Registry::new());
        let info = make.gauges("build_info", "Which build this is; always 1.", &["version"]);
        info.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        let body_bytes = make.counters(
            "body_bytes_total",
            "Bytes of bodies, from clients (in) and to clients (out).",
            &["direction"],
        );
        let connections =
            make.gauges("connections", "Client connections: handshaking or open.", &["state"]);
        #[cfg(target_os = "linux")]
        make.register(prometheus::process_collector::ProcessCollector::for_self());
        Self {
            requests: make.counters(
                "requests_total",
                "Requests by operation, decision and status.",
                &["operation", "decision", "code"],
            ),
            request_duration: make.histograms(
                "request_duration_seconds",
                "From a request's head to the head of its answer.",
                &["operation"],
            ),
            upstream_duration: make.histograms(
                "upstream_duration_seconds",
                "From a request's head sent upstream to the head of the answer.",
                &["operation"],
            ),
            body_bytes_in: body_bytes.with_label_values(&["in"]),
            body_bytes_out: body_bytes.with_label_values(&["out"]),
            transfers: make.gauge("transfers_in_flight", "Bodies that are under way."),
            handshaking: connections.with_label_values(&["handshaking"]),
            open: connections.with_label_values(&["open"]),
            handshakes: make.counters(
                "tls_handshakes_total",
                "TLS handshakes by version, whether a session was resumed, and result.",
                &["version", "resumed", "result"],
            ),
            decisions: make.counters(
                "decisions_total",
                "Decisions by outcome and reason.",
                &["decision", "reason"],
            ),
            policy_evaluation: make.histogram(
                "policy_evaluation_seconds",
                "The time that policy took to decide.",
                DECISION_BUCKETS,
            ),
            policy_reloads: make.counters(
                "policy_reloads_total",
                "Policies that were loaded (ok), refused (failed), or taken from the state at a start \
                 (restored).",
                &["result"],
            ),
            policy_loaded: make
                .gauge("policy_loaded_timestamp_seconds", "When the policy in force was loaded."),
            policy_info: make.gauges(
                "policy_info",
                "The policy in force by its content; always 1.",
                &["sha256"],
            ),
            policy_stale: make.gauge(
                "policy_stale",
                "1 while the policy in force is not that of the policy folder.",
            ),
            policy_kept: make.gauge(
                "policy_kept",
                "1 while the state keeps the policy in force as the last good one.",
            ),
            shadow_decisions: make.counters(
                "shadow_decisions_total",
                "Requests by what was decided and what the shadow policy would have decided.",
                &["decision", "shadow"],
            ),
            shadow_reloads: make.counters(
                "shadow_policy_reloads_total",
                "Shadow policies that were loaded (ok) or refused (failed).",
                &["result"],
            ),
            shadow_loaded: make.gauge(
                "shadow_policy_loaded_timestamp_seconds",
                "When the shadow policy was loaded.",
            ),
            shadow_info: make.gauges(
                "shadow_policy_info",
                "The shadow policy by its content; always 1.",
                &["sha256"],
            ),
            tokens_issued: make.counters(
                "tokens_issued_total",
                "Tokens that were issued, by what they were issued for.",
                &["grant"],
            ),
            token_checks: make.counters(
                "token_checks_total",
                "Tokens that were checked, by result.",
                &["result"],
            ),
            revocations: make
                .gauge("revocations", "Revocations that each request is checked against."),
            login_failures: make.counters(
                "login_failures_total",
                "Logins that failed, by reason.",
                &["reason"],
            ),
            inventory_lookups: make.counters(
                "inventory_lookups_total",
                "Searches for a tag that vouches for a digest, by result.",
                &["result"],
            ),
            gates: gates::Gates::new(&make),
            scans: make.counters(
                "scans_total",
                "Scans that ended: with a report (done), to be tried again (failed), or not (given_up).",
                &["result"],
            ),
            scan_queue: make.gauges(
                "scan_queue",
                "Scans that wait, run, or were given up, at all replicas together.",
                &["state"],
            ),
            inventory_repositories: make
                .gauge("inventory_repositories", "Repositories that the inventory knows of."),
            inventory_tags: make.gauge("inventory_tags", "Tags that the inventory knows of."),
            inventory_manifests: make
                .gauge("inventory_manifests", "Manifests that the inventory knows of."),
            inventory_crawled: make.gauge(
                "inventory_crawled_timestamp_seconds",
                "When all repositories had been looked at last.",
            ),
            inventory_queue_length: make.gauge(
                "inventory_queue_length",
                "What was learned of the upstream and waits to be written down.",
            ),
            inventory_lost: make.counter(
                "inventory_lost_total",
                "Sightings that were never written down, as too much waited.",
            ),
            audit_queue_length: make
                .gauge("audit_queue_length", "Audit records that wait to be written."),
            audit_lost: Mutex::new(
                make.counter("audit_lost_total", "Audit records that were never written."),
            ),
            upstream_errors: make.counters(
                "upstream_errors_total",
                "Requests that the upstream did not answer as it should, by kind.",
                &["kind"],
            ),
            certificate_expiry: make.gauge(
                "certificate_expiry_timestamp_seconds",
                "When the server's certificate ends.",
            ),
            registry: make.0,
        }
    }

    /// A request was answered; `duration` is the time to the head of its answer.
    pub fn request(
        &self,
        operation: &'static str,
        decision: Decision,
        status: u16,
        duration: Duration,
    ) {
        self.requests.with_label_values(&[operation, decision.as_str(), code(status)]).inc();
        self.request_duration.with_label_values(&[operation]).observe(duration.as_secs_f64());
    }

    /// The upstream answered; `duration` is the time to the head of its answer.
    pub fn upstream(&self, operation: &'static str, duration: Duration) {
        self.upstream_duration.with_label_values(&[operation]).observe(duration.as_secs_f64());
    }

    /// The upstream did not answer as it should.
    pub fn upstream_error(&self, kind: &'static str) {
        self.upstream_errors.with_label_values(&[kind]).inc();
    }

    /// Body bytes came from a client.
    pub fn bytes_in(&self, count: u64) {
        self.body_bytes_in.inc_by(count);
    }

    /// Body bytes went to a client.
    pub fn bytes_out(&self, count: u64) {
        self.body_bytes_out.inc_by(count);
    }

    /// A body is under way.
    pub fn transfer(&self) -> Held {
        Held::new(&self.transfers)
    }

    /// A connection was accepted and is not yet ready for requests.
    pub fn handshaking(&self) -> Held {
        Held::new(&self.handshaking)
    }

    /// A connection is ready for requests.
    pub fn open(&self) -> Held {
        Held::new(&self.open)
    }

    /// A handshake succeeded.
    pub fn handshake(&self, connection: &ServerConnection) {
        let version = match connection.protocol_version() {
            Some(ProtocolVersion::TLSv1_3) => "1.3",
            Some(ProtocolVersion::TLSv1_2) => "1.2",
            _ => "other",
        };
        let resumed = match connection.handshake_kind() {
            Some(HandshakeKind::Resumed) => "true",
            _ => "false",
        };
        self.handshakes.with_label_values(&[version, resumed, "ok"]).inc();
    }

    /// A handshake failed, for a reason such as `timeout`.
    pub fn handshake_failed(&self, reason: &'static str) {
        self.handshakes.with_label_values(&["none", "false", reason]).inc();
    }

    /// Something was decided, for a reason such as `rule`.
    pub fn decision(&self, decision: Decision, reason: &'static str) {
        self.decisions.with_label_values(&[decision.as_str(), reason]).inc();
    }

    /// Policy was asked.
    pub fn policy_evaluated(&self, duration: Duration) {
        self.policy_evaluation.observe(duration.as_secs_f64());
    }

    /// A policy is in force from now on, loaded at that time; `sha256` stands for its content.
    pub fn policy_loaded(&self, sha256: impl fmt::Display, loaded_at: Timestamp) {
        self.policy_reloads.with_label_values(&["ok"]).inc();
        self.policy_in_force(sha256, loaded_at);
    }

    /// The policy in force is the last good one, which was loaded at that time.
    pub fn policy_restored(&self, sha256: impl fmt::Display, loaded_at: Timestamp) {
        self.policy_reloads.with_label_values(&["restored"]).inc();
        self.policy_in_force(sha256, loaded_at);
    }

    fn policy_in_force(&self, sha256: impl fmt::Display, loaded_at: Timestamp) {
        self.policy_loaded.set(loaded_at.as_second());
        inform(&self.policy_info, &sha256.to_string());
    }

    /// Whether the policy in force is another one than that of the folder.
    pub fn policy_stale(&self, stale: bool) {
        self.policy_stale.set(stale.into());
    }

    /// Whether the state keeps the policy in force.
    pub fn policy_kept(&self, kept: bool) {
        self.policy_kept.set(kept.into());
    }

    /// A policy was refused, and the last good one stays in force.
    pub fn policy_refused(&self) {
        self.policy_reloads.with_label_values(&["failed"]).inc();
    }

    /// A request was decided, and would have been decided so by the shadow policy.
    pub fn shadow_decision(&self, decision: Decision, shadow: Verdict) {
        self.shadow_decisions.with_label_values(&[decision.as_str(), shadow.as_str()]).inc();
    }

    /// A shadow policy is in use from now on, loaded at that time; `sha256` stands for its content.
    pub fn shadow_loaded(&self, sha256: impl fmt::Display, loaded_at: Timestamp) {
        self.shadow_reloads.with_label_values(&["ok"]).inc();
        self.shadow_loaded.set(loaded_at.as_second());
        inform(&self.shadow_info, &sha256.to_string());
    }

    /// A shadow policy was refused; the last good one stays in use, if there is one.
    pub fn shadow_refused(&self) {
        self.shadow_reloads.with_label_values(&["failed"]).inc();
    }

    /// A token was issued, for a grant such as `password`.
    pub fn token_issued(&self, grant: &'static str) {
        self.tokens_issued.with_label_values(&[grant]).inc();
    }

    /// A token was checked, with a result such as `expired`.
    pub fn token_checked(&self, result: &'static str) {
        self.token_checks.with_label_values(&[result]).inc();
    }

    /// How many revocations there are.
    pub fn revocations(&self, count: usize) {
        self.revocations.set(count.try_into().unwrap_or(i64::MAX));
    }

    /// A login failed, for a reason such as `password`.
    pub fn login_failed(&self, reason: &'static str) {
        self.login_failures.with_label_values(&[reason]).inc();
    }

    /// It was looked for a tag that vouches for a digest, with a result such as `found`.
    pub fn inventory_lookup(&self, result: &'static str) {
        self.inventory_lookups.with_label_values(&[result]).inc();
    }

    /// How much the state knows of the upstream, and when all of it had been looked at last.
    pub fn inventory_extent(&self, extent: &Extent, crawled: Option<Timestamp>) {
        for (gauge, count) in [
            (&self.inventory_repositories, extent.repositories),
            (&self.inventory_tags, extent.tags),
            (&self.inventory_manifests, extent.manifests),
        ] {
            gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
        }
        self.inventory_crawled.set(crawled.map_or(0, Timestamp::as_second));
    }

    /// So many lessons wait to be written down.
    pub fn inventory_queue_length(&self, lessons: usize) {
        self.inventory_queue_length.set(i64::try_from(lessons).unwrap_or(i64::MAX));
    }

    /// So many sightings are never written down.
    pub fn inventory_lost(&self, sightings: u64) {
        self.inventory_lost.inc_by(sightings);
    }

    /// Release gates judged an image.
    pub fn gate_verdict(&self, judgement: &Judgement) {
        self.gates.judged(judgement);
    }

    /// The glass of a release gate was broken.
    pub fn gate_exception(&self) {
        self.gates.broken();
    }

    /// So many images are in grace, by gate, in the order of their names.
    pub fn gate_grace<'g>(&self, counts: impl Iterator<Item = (&'g str, usize)>) {
        self.gates.in_grace(counts);
    }

    /// A scan ended, with a result such as `done`.
    pub fn scan(&self, result: &'static str) {
        self.scans.with_label_values(&[result]).inc();
    }

    /// So many scans wait, run, and were given up.
    pub fn scan_queue(&self, counts: &ScanCounts) {
        for (state, count) in
            [("waiting", counts.waiting), ("running", counts.running), ("failed", counts.failed)]
        {
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            self.scan_queue.with_label_values(&[state]).set(count);
        }
    }

    /// A certificate is in use until `expires_at`.
    pub fn certificate(&self, expires_at: Timestamp) {
        self.certificate_expiry.set(expires_at.as_second());
    }

    /// Until when the certificate in use holds, where there is one.
    #[must_use]
    pub fn certificate_expires_at(&self) -> Option<Timestamp> {
        let second = Some(self.certificate_expiry.get()).filter(|second| *second != 0);
        second.and_then(|second| Timestamp::from_second(second).ok())
    }

    /// How much was known of the upstream when it was counted last; all 0 before.
    #[must_use]
    pub fn inventory_counted(&self) -> Extent {
        let count = |gauge: &IntGauge| u64::try_from(gauge.get()).unwrap_or_default();
        Extent {
            repositories: count(&self.inventory_repositories),
            tags: count(&self.inventory_tags),
            manifests: count(&self.inventory_manifests),
        }
    }

    /// Takes over how the audit trail stands. To be called before [`Self::encode`].
    pub fn audit(&self, audit: &Audit) {
        self.audit_queue_length.set(audit.queue_length().try_into().unwrap_or(i64::MAX));
        let lost = self.audit_lost.lock().unwrap_or_else(PoisonError::into_inner);
        lost.inc_by(audit.lost().saturating_sub(lost.get()));
    }

    /// Everything in Prometheus' text format.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut text = String::new();
        if let Err(error) = TextEncoder::new().encode_utf8(&self.registry.gather(), &mut text) {
            tracing::error!(%error, "cannot write all metrics");
        }
        text
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

/// Makes metrics and registers them. Names and labels stand above as constants, so what could fail
/// fails at the first start, and in the test.
struct Make(Registry);

impl Make {
    #[expect(clippy::expect_used, reason = "each is registered once, under a name of its own")]
    fn register(&self, collector: impl Collector + 'static) {
        self.0.register(Box::new(collector)).expect("no name is used twice");
    }

    #[expect(clippy::expect_used, reason = "names and labels are constants")]
    fn add<C: Collector + Clone + 'static>(&self, made: prometheus::Result<C>) -> C {
        let metric = made.expect("names and labels are well-formed");
        self.register(metric.clone());
        metric
    }

    fn counter(&self, name: &str, help: &str) -> IntCounter {
        self.add(IntCounter::with_opts(opts(name, help)))
    }

    fn counters(&self, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
        self.add(IntCounterVec::new(opts(name, help), labels))
    }

    fn gauge(&self, name: &str, help: &str) -> IntGauge {
        self.add(IntGauge::with_opts(opts(name, help)))
    }

    fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
        self.add(IntGaugeVec::new(opts(name, help), labels))
    }

    fn histogram(&self, name: &str, help: &str, buckets: &[f64]) -> Histogram {
        self.add(Histogram::with_opts(
            HistogramOpts::from(opts(name, help)).buckets(buckets.to_vec()),
        ))
    }

    fn histograms(&self, name: &str, help: &str, labels: &[&str]) -> HistogramVec {
        let opts = HistogramOpts::from(opts(name, help)).buckets(REQUEST_BUCKETS.to_vec());
        self.add(HistogramVec::new(opts, labels))
    }
}

/// Sets the one series of a gauge that tells by its label. At no time there is none.
fn inform(gauges: &IntGaugeVec, told: &str) {
    gauges.with_label_values(&[told]).set(1);
    let families = gauges.collect();
    let series = families.iter().flat_map(MetricFamily::get_metric);
    for label in series.flat_map(Metric::get_label) {
        if label.value() != told {
            // It was listed a moment ago.
            let _ = gauges.remove_label_values(&[label.value()]);
        }
    }
}

fn opts(name: &str, help: &str) -> Opts {
    Opts::new(name, help).namespace("portcullis")
}

/// The label for a status. The upstream chooses some of them, so only those that mean something
/// here have their own.
fn code(status: u16) -> &'static str {
    match status {
        200 => "200",
        201 => "201",
        202 => "202",
        204 => "204",
        206 => "206",
        301 => "301",
        302 => "302",
        303 => "303",
        304 => "304",
        307 => "307",
        308 => "308",
        400 => "400",
        401 => "401",
        403 => "403",
        404 => "404",
        405 => "405",
        408 => "408",
        409 => "409",
        411 => "411",
        412 => "412",
        413 => "413",
        414 => "414",
        415 => "415",
        416 => "416",
        429 => "429",
        431 => "431",
        500 => "500",
        502 => "502",
        503 => "503",
        504 => "504",
        _ => "other",
    }
}

#[cfg(test)]
mod tests;
