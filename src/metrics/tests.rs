use super::*;
use crate::audit::{Record, Settings};
use crate::store::ScanCounts;

/// The lines about a metric, without comments.
fn lines(metrics: &Metrics, name: &str) -> String {
    let text = metrics.encode();
    let about = text.lines().filter(|line| line.starts_with(&format!("portcullis_{name}")));
    about.map(|line| format!("{line}\n")).collect()
}

#[test]
fn everything_of_the_contract_is_there() {
    let metrics = Metrics::new();
    let second = Duration::from_secs(1);
    metrics.request("manifest.read", Decision::Allow, 200, second);
    metrics.upstream("manifest.read", second);
    metrics.upstream_error("connect");
    metrics.handshake_failed("timeout");
    metrics.decision(Decision::Deny, "rule");
    metrics.policy_loaded("ab", Timestamp::UNIX_EPOCH);
    metrics.shadow_loaded("cd", Timestamp::UNIX_EPOCH);
    metrics.shadow_decision(Decision::Allow, Verdict::Deny);
    metrics.token_issued("password");
    metrics.token_checked("valid");
    metrics.login_failed("password");
    metrics.inventory_lookup("found");
    metrics.gate_verdict(&no_gates());
    metrics.gate_grace([("production", 1)].into_iter());
    metrics.gate_exception();
    metrics.scan("done");
    metrics.scan_queue(&ScanCounts::default());
    let text = metrics.encode();
    let mut kinds: Vec<&str> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
    kinds.sort_unstable();
    insta::assert_snapshot!(kinds.join("\n"), @"
        portcullis_audit_lost_total counter
        portcullis_audit_queue_length gauge
        portcullis_body_bytes_total counter
        portcullis_build_info gauge
        portcullis_certificate_expiry_timestamp_seconds gauge
        portcullis_connections gauge
        portcullis_decisions_total counter
        portcullis_gate_exceptions_total counter
        portcullis_gate_grace_images gauge
        portcullis_gate_verdicts_total counter
        portcullis_inventory_crawled_timestamp_seconds gauge
        portcullis_inventory_lookups_total counter
        portcullis_inventory_lost_total counter
        portcullis_inventory_manifests gauge
        portcullis_inventory_queue_length gauge
        portcullis_inventory_repositories gauge
        portcullis_inventory_tags gauge
        portcullis_login_failures_total counter
        portcullis_policy_evaluation_seconds histogram
        portcullis_policy_info gauge
        portcullis_policy_kept gauge
        portcullis_policy_loaded_timestamp_seconds gauge
        portcullis_policy_reloads_total counter
        portcullis_policy_stale gauge
        portcullis_request_duration_seconds histogram
        portcullis_requests_total counter
        portcullis_revocations gauge
        portcullis_scan_queue gauge
        portcullis_scans_total counter
        portcullis_shadow_decisions_total counter
        portcullis_shadow_policy_info gauge
        portcullis_shadow_policy_loaded_timestamp_seconds gauge
        portcullis_shadow_policy_reloads_total counter
        portcullis_tls_handshakes_total counter
        portcullis_token_checks_total counter
        portcullis_tokens_issued_total counter
        portcullis_transfers_in_flight gauge
        portcullis_upstream_duration_seconds histogram
        portcullis_upstream_errors_total counter
        process_cpu_seconds_total counter
        process_max_fds gauge
        process_open_fds gauge
        process_resident_memory_bytes gauge
        process_start_time_seconds gauge
        process_threads gauge
        process_virtual_memory_bytes gauge
    ");
}

#[test]
fn a_request_counts_by_operation_decision_and_status() {
    let metrics = Metrics::new();
    for (decision, status) in [
        (Decision::Allow, 200),
        (Decision::Allow, 200),
        (Decision::Deny, 403),
        (Decision::Allow, 299),
    ] {
        metrics.request("blob.read", decision, status, Duration::from_millis(3));
    }
    insta::assert_snapshot!(lines(&metrics, "requests_total"), @r#"
        portcullis_requests_total{code="200",decision="allow",operation="blob.read"} 2
        portcullis_requests_total{code="403",decision="deny",operation="blob.read"} 1
        portcullis_requests_total{code="other",decision="allow",operation="blob.read"} 1
    "#);
    assert!(
        lines(&metrics, "request_duration_seconds")
            .contains(r#"seconds_bucket{operation="blob.read",le="0.005"} 4"#)
    );
    assert!(
        lines(&metrics, "request_duration_seconds")
            .contains(r#"seconds_bucket{operation="blob.read",le="0.0025"} 0"#)
    );
}

#[test]
fn what_is_there_is_counted_until_it_is_gone() {
    let metrics = Metrics::new();
    let first = metrics.open();
    let second = metrics.open();
    let _handshaking = metrics.handshaking();
    drop(first);
    insta::assert_snapshot!(lines(&metrics, "connections"), @r#"
        portcullis_connections{state="handshaking"} 1
        portcullis_connections{state="open"} 1
    "#);
    drop(second);
    assert!(lines(&metrics, "connections").contains("{state=\"open\"} 0"));
    {
        let _transfer = metrics.transfer();
        assert_eq!(lines(&metrics, "transfers"), "portcullis_transfers_in_flight 1\n");
    }
    assert_eq!(lines(&metrics, "transfers"), "portcullis_transfers_in_flight 0\n");
}

#[test]
fn body_bytes_count_in_both_directions() {
    let metrics = Metrics::new();
    metrics.bytes_in(5);
    metrics.bytes_out(1 << 40);
    metrics.bytes_out(1);
    insta::assert_snapshot!(lines(&metrics, "body_bytes_total"), @r#"
        portcullis_body_bytes_total{direction="in"} 5
        portcullis_body_bytes_total{direction="out"} 1099511627777
    "#);
}

#[test]
fn only_the_policy_in_force_is_shown() {
    let metrics = Metrics::new();
    metrics.policy_loaded("aa", Timestamp::UNIX_EPOCH);
    metrics.policy_refused();
    metrics.policy_loaded("bb", "2026-01-02T00:00:00Z".parse().unwrap());
    insta::assert_snapshot!(lines(&metrics, "policy_info"), @r#"portcullis_policy_info{sha256="bb"} 1"#);
    insta::assert_snapshot!(lines(&metrics, "policy_reloads_total"), @r#"
        portcullis_policy_reloads_total{result="failed"} 1
        portcullis_policy_reloads_total{result="ok"} 2
    "#);
    assert_eq!(metrics.policy_loaded.get(), 1_767_312_000);
    metrics.policy_restored("aa", "2026-01-01T00:00:00Z".parse().unwrap());
    insta::assert_snapshot!(lines(&metrics, "policy_info"), @r#"portcullis_policy_info{sha256="aa"} 1"#);
    assert!(lines(&metrics, "policy_reloads").contains(r#"{result="restored"} 1"#));
    assert_eq!(metrics.policy_loaded.get(), 1_767_225_600);
}

#[test]
fn the_certificates_end_is_in_seconds() {
    let metrics = Metrics::new();
    metrics.certificate("2030-01-01T00:00:00Z".parse().unwrap());
    insta::assert_snapshot!(lines(&metrics, "certificate"), @"portcullis_certificate_expiry_timestamp_seconds 1893456000");
}

#[tokio::test]
async fn the_audit_trail_is_counted_once_however_often_it_is_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    let audit = Audit::open(&Settings::new(folder.path().join("audit.jsonl"))).unwrap();
    audit.close().await;
    audit.queue(Record::new("request"));
    let metrics = Metrics::new();
    metrics.audit(&audit);
    metrics.audit(&audit);
    assert_eq!(lines(&metrics, "audit_lost_total"), "portcullis_audit_lost_total 1\n");
    assert_eq!(lines(&metrics, "audit_queue_length"), "portcullis_audit_queue_length 0\n");
}

#[test]
fn a_status_is_its_own_label_or_none() {
    for status in 0..=u16::MAX {
        let label = code(status);
        assert!(label == "other" || label == status.to_string(), "{status}");
    }
    assert_eq!(code(431), "431");
}

#[test]
#[cfg(target_os = "linux")]
fn the_process_is_measured_under_the_usual_names() {
    assert!(Metrics::new().encode().contains("\nprocess_open_fds "));
}

/// What no gates say to an image.
fn no_gates() -> Judgement {
    let policy = policy::Policy::compile(&[]).unwrap().policy;
    let repository = oci::RepositoryName::new("team/app").unwrap();
    let facts = policy::gate::Facts {
        digest: crate::content::digest(oci::Algorithm::Sha256, b"image"),
        form: policy::gate::Form::NotRunnable,
        first_seen: None,
        flags: Vec::new(),
        signers: Vec::new(),
        passed: Vec::new(),
        broken: Vec::new(),
    };
    policy::gate::judge(&[], &policy, &repository, &facts, &[], Timestamp::UNIX_EPOCH)
}

#[test]
fn every_metric_stands_in_the_documentation() {
    let documented = include_str!("../../docs/operations.md");
    let made = [include_str!("../metrics.rs"), include_str!("gates.rs")].into_iter();
    let calls = made.flat_map(|source| source.split("make").skip(1)).map(str::trim_start);
    let is_metric = |call: &&str| {
        [".counter", ".gauge", ".histogram"].iter().any(|kind| call.starts_with(kind))
    };
    let names: Vec<_> = calls.filter(is_metric).filter_map(|call| call.split('"').nth(1)).collect();
    assert!(names.len() > 30, "{names:?}");
    for name in names {
        assert!(documented.contains(&format!("`{name}`")), "{name}");
    }
}

#[test]
fn of_the_policies_that_were_in_force_the_last_one_is_told() {
    let metrics = Metrics::new();
    for sha256 in ["ab", "cd", "cd", "ab"] {
        metrics.policy_loaded(sha256, Timestamp::UNIX_EPOCH);
        let told = format!("portcullis_policy_info{{sha256=\"{sha256}\"}} 1\n");
        assert_eq!(lines(&metrics, "policy_info"), told);
    }
}
