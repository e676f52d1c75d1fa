//! Any bytes as a scanner's report, or as an OpenVEX document: refused with words, or read the same
//! each time, within bounds, and kept as it was read.

#![no_main]

use libfuzzer_sys::fuzz_target;
use reports::{Finding, Limits, Refused, Report, read, vex};

/// Small, so that inputs come to them.
const LIMITS: Limits = Limits { bytes: 8 << 10, findings: 20 };

fuzz_target!(|bytes: &[u8]| {
    match (read(bytes, LIMITS), read(bytes, LIMITS)) {
        (Ok(first), Ok(second)) => {
            assert_eq!(first, second);
            is_sound(&first);
            // With more room it says the same.
            assert_eq!(read(bytes, Limits::default()).unwrap(), first);
        }
        (Err(first), Err(second)) => {
            is_told(&first);
            assert_eq!(first.to_string(), second.to_string());
        }
        _ => panic!("the same bytes are a report and are none"),
    }
    match vex::read(bytes, LIMITS) {
        Ok(document) => {
            assert!(document.statements.len() <= LIMITS.findings);
            assert!(document.statements.iter().all(|said| !said.names.is_empty()));
            let kept = serde_json::to_string(&document).unwrap();
            assert_eq!(serde_json::from_str::<vex::Document>(&kept).unwrap(), document);
        }
        Err(refused) => is_told(&refused),
    }
});

fn is_told(refused: &Refused) {
    assert!(!refused.to_string().is_empty());
}

/// Scores may differ in the last bit, as numbers in JSON are read quickly rather than exactly.
fn without_scores(finding: &Finding) -> Finding {
    Finding { cvss: Vec::new(), ..finding.clone() }
}

fn is_sound(report: &Report) {
    assert!(report.findings.len() <= LIMITS.findings);
    assert!(!report.scanner.name.trim().is_empty());
    let mut length = 0;
    for finding in &report.findings {
        assert!(!finding.aliases.contains(&finding.id), "{finding:?}");
        // No number of gates makes anything of one that is no number.
        assert!(finding.cvss.iter().all(|cvss| (0.0..=10.0).contains(&cvss.score)));
        assert!(finding.links.iter().all(|link| link.starts_with("http")));
        let kept = serde_json::to_string(finding).unwrap();
        length += kept.len();
        assert_eq!(without_scores(&serde_json::from_str(&kept).unwrap()), without_scores(finding));
    }
    // Escapes make texts up to six times as long, and members have names.
    assert!(length <= 6 * LIMITS.bytes + 1024 * report.findings.len(), "{length} bytes");
    assert_eq!(report.counts().values().sum::<usize>(), report.findings.len());
}
