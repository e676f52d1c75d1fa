//! What people and scanners said of images.

mod briefs;
mod changes;
mod descriptions;
mod exceptions;
mod findings;
mod flags;
mod hash;
mod kept;
mod packed;
mod passed;
mod reports;
mod scans;
mod statements;
mod times;

use std::borrow::Cow;
use std::collections::HashMap;

use async_trait::async_trait;
use jiff::Timestamp;
use oci::{Digest, RepositoryName};
use policy::Subject;

use super::super::release::{
    FindingKey, FindingQuery, Found, Released, Releases, ScanCounts, ScanEnd, ScanPlace,
    Undescribed,
};
use super::super::{Sequence, StoreError};
use super::Sql;
use super::work::Work;
use crate::release::{
    Brief, Cause, Description, Exception, ExceptionId, Flag, Kept, KeptReport, KeptStatements, Scan,
};

pub(super) use changes::{first_seen, last};

#[async_trait]
impl Releases for Sql {
    async fn kept_of(&self, digest: &Digest) -> Result<Kept, StoreError> {
        kept::of(&mut self.read("look up what is said of an image").await?, digest).await
    }

    async fn briefs_of(&self, digests: &[Digest]) -> Result<HashMap<Digest, Brief>, StoreError> {
        briefs::of(&mut self.read("list what is said of images").await?, digests).await
    }

    async fn describe(&self, descriptions: &[(Digest, Description)]) -> Result<(), StoreError> {
        let mut work = self.write("keep what images say of themselves").await?;
        descriptions::keep(&mut work, descriptions).await?;
        work.commit().await
    }

    async fn undescribed(&self, limit: u32) -> Result<Vec<Undescribed>, StoreError> {
        let mut work = self.read("ask which images to look into").await?;
        descriptions::missing(&mut work, limit).await
    }

    async fn released_since(&self, since: Sequence, limit: u32) -> Result<Released, StoreError> {
        let mut work = self.read("ask of which images something is said").await?;
        changes::since(&mut work, since, limit).await
    }

    async fn set_flag(&self, flag: &Flag) -> Result<(), StoreError> {
        let mut work = self.write("set a flag").await?;
        flags::set(&mut work, flag).await?;
        work.commit().await
    }

    async fn remove_flag(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        name: &str,
    ) -> Result<Option<Flag>, StoreError> {
        let mut work = self.write("remove a flag").await?;
        let removed = flags::remove(&mut work, repository, digest, name).await?;
        work.commit().await?;
        Ok(removed)
    }

    async fn keep_report(&self, report: &KeptReport) -> Result<bool, StoreError> {
        let mut work = self.write("keep a report").await?;
        let is_kept = reports::keep(&mut work, report).await?;
        work.commit().await?;
        Ok(is_kept)
    }

    async fn keep_statements(&self, statements: &KeptStatements) -> Result<(), StoreError> {
        let mut work = self.write("keep what is said of vulnerabilities").await?;
        statements::keep(&mut work, statements).await?;
        work.commit().await
    }

    async fn find_findings(&self, query: &FindingQuery) -> Result<Vec<Found>, StoreError> {
        findings::find(&mut self.read("look for findings").await?, query).await
    }

    async fn reports_with(&self, key: &FindingKey) -> Result<Vec<i64>, StoreError> {
        findings::reports(&mut self.read("look for reports").await?, key).await
    }

    async fn find_pulled_findings(
        &self,
        by: &FindingKey,
        group: &str,
        limit: u32,
    ) -> Result<Vec<Found>, StoreError> {
        let mut work = self.read("look for findings in what a group pulled").await?;
        findings::find_pulled(&mut work, by, group, limit).await
    }

    async fn add_exception(&self, exception: &Exception) -> Result<(), StoreError> {
        let mut work = self.write("add an exception").await?;
        exceptions::add(&mut work, exception).await?;
        work.commit().await
    }

    async fn remove_exception(
        &self,
        id: &ExceptionId,
        at: Timestamp,
        by: &Subject,
    ) -> Result<Option<Exception>, StoreError> {
        let mut work = self.write("take back an exception").await?;
        let removed = exceptions::remove(&mut work, id, at, by).await?;
        work.commit().await?;
        Ok(removed)
    }

    async fn exceptions(
        &self,
        holding_at: Option<Timestamp>,
    ) -> Result<Vec<Exception>, StoreError> {
        exceptions::list(&mut self.read("list exceptions").await?, holding_at).await
    }

    async fn note_seen(&self, digest: &Digest, at: Timestamp) -> Result<(), StoreError> {
        let mut work = self.write("note that an image was seen").await?;
        first_seen(&mut work, [digest].into(), at).await?;
        work.commit().await
    }

    async fn note_passed(&self, passed: &[(String, Digest, Timestamp)]) -> Result<(), StoreError> {
        let mut work = self.write("note which images passed").await?;
        passed::note(&mut work, passed).await?;
        work.commit().await
    }

    async fn passed_gate(&self, gate: &str, limit: u32) -> Result<Vec<Digest>, StoreError> {
        passed::gate(&mut self.read("ask which images passed").await?, gate, limit).await
    }

    async fn request_scan(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        cause: Cause,
        now: Timestamp,
    ) -> Result<Scan, StoreError> {
        let mut work = self.write("ask for a scan").await?;
        let scan = scans::request(&mut work, repository, digest, cause, now).await?;
        work.commit().await?;
        Ok(scan)
    }

    async fn take_scan(
        &self,
        holder: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Option<Scan>, StoreError> {
        let mut work = self.write("take a scan").await?;
        let taken = scans::take(&mut work, holder, now, until).await?;
        work.commit().await?;
        Ok(taken)
    }

    async fn hold_scan(
        &self,
        holder: &str,
        repository: &RepositoryName,
        digest: &Digest,
        until: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut work = self.write("hold a scan").await?;
        let is_held = scans::hold(&mut work, holder, repository, digest, until).await?;
        work.commit().await?;
        Ok(is_held)
    }

    async fn end_scan(
        &self,
        holder: &str,
        repository: &RepositoryName,
        digest: &Digest,
        end: &ScanEnd,
    ) -> Result<bool, StoreError> {
        let mut work = self.write("note the end of a scan").await?;
        let was_held = scans::end(&mut work, holder, repository, digest, end).await?;
        work.commit().await?;
        Ok(was_held)
    }

    async fn scan_counts(&self) -> Result<ScanCounts, StoreError> {
        scans::count(&mut self.read("count scans").await?).await
    }

    async fn scans_in(&self, place: ScanPlace, limit: u32) -> Result<Vec<Scan>, StoreError> {
        scans::list(&mut self.read("list scans").await?, place, limit).await
    }

    async fn old_reports(
        &self,
        uploader: &Subject,
        before: Timestamp,
        limit: u32,
    ) -> Result<Vec<(RepositoryName, Digest)>, StoreError> {
        reports::old(&mut self.read("ask for old reports").await?, uploader, before, limit).await
    }
}

/// How many reports are written anew at once.
const AT_ONCE: i64 = 1;

impl Sql {
    /// Writes what reports are found by, where an earlier version wrote less of it. It goes on where it
    /// was stopped, and several replicas may do it.
    pub(in crate::store) async fn rekey(&self) -> Result<(), StoreError> {
        const WHAT: &str = "write anew what reports are found by";
        let is_any = async || reports::is_any_unkeyed(&mut self.read(WHAT).await?).await;
        if !is_any().await? {
            return Ok(());
        }
        tracing::info!("writing anew what the findings of all reports are found by");
        while is_any().await? {
            let mut work = self.write(WHAT).await?;
            reports::rekey(&mut work, AT_ONCE).await?;
            work.commit().await?;
        }
        tracing::info!("the findings of all reports are found by it");
        Ok(())
    }
}

/// Forgets exceptions that were over at `before`, and scans that had ended, and tells how many.
pub(super) async fn purge(work: &mut Work, before: Timestamp) -> Result<u64, StoreError> {
    Ok(exceptions::purge(work, before).await? + scans::purge(work, before).await?)
}

/// A text as both databases take it: PostgreSQL keeps none with a NUL in it, which a stranger may
/// well write.
fn plain(text: &str) -> Cow<'_, str> {
    match text.contains('\0') {
        true => text.replace('\0', "\u{fffd}").into(),
        false => text.into(),
    }
}
