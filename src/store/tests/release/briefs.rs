//! What lists tell of images.

use std::collections::{BTreeMap, HashMap};

use ::reports::Severity;

use super::reports::{finding, report};
use super::*;
use crate::release::{Brief, BriefReport, KeptReport};

fn brief(id: i64, report: &KeptReport, counts: &[(Severity, usize)]) -> BriefReport {
    BriefReport {
        id,
        repository: report.repository.clone(),
        uploader: report.uploader.clone(),
        uploader_groups: report.uploader_groups.clone(),
        made_at: report.made_at,
        recognized: report.recognized,
        counts: counts.iter().copied().collect::<BTreeMap<_, _>>(),
    }
}

#[tokio::test]
async fn what_lists_tell_is_what_is_kept_in_short() {
    each(async |store| {
        let api = digest("api");
        let briefs = async |digests: &[Digest]| store.briefs_of(digests).await.unwrap();
        assert_eq!(briefs(&[]).await, HashMap::new());
        assert_eq!(briefs(std::slice::from_ref(&api)).await, HashMap::new());
        let flags = [flag("dev/api", &api, "tested"), flag("prod/api", &api, "qa-passed")];
        for flag in flags.iter().rev() {
            store.set_flag(flag).await.unwrap();
        }
        let found = [("A", Severity::High), ("B", Severity::Low), ("C", Severity::High)];
        let found = found.map(|(name, severity)| finding(name, "zlib", severity));
        let trivy = report("Trivy", 10, &found);
        let other = KeptReport { repository: repository("dev/api"), ..report("Grype", 20, &[]) };
        for report in [&trivy, &other] {
            assert!(store.keep_report(report).await.unwrap());
        }
        let counts = [(Severity::High, 2), (Severity::Low, 1)];
        let reports = vec![brief(1, &trivy, &counts), brief(2, &other, &[])];
        let expected = Brief { flags: flags.to_vec(), reports, ..Brief::default() };
        // However many are asked for, and however often.
        for others in [0_usize, 3, 100] {
            let mut asked: Vec<_> = (0..others).map(|it| digest(&it.to_string())).collect();
            asked.extend([api.clone(), api.clone()]);
            assert_eq!(briefs(&asked).await, HashMap::from([(api.clone(), expected.clone())]));
        }
        // A later report of the scanner takes the place of what was counted.
        let later = report("Trivy", 30, &found[..1]);
        assert!(store.keep_report(&later).await.unwrap());
        let told = briefs(std::slice::from_ref(&api)).await.remove(&api).unwrap();
        assert_eq!(told.reports[0], brief(1, &later, &[(Severity::High, 1)]));
    })
    .await;
}
