//! A scan from its request to its report.

use std::time::Duration;

use reports::{Limits, Report};
use tokio::time::{sleep, timeout};

use super::{Adapter, Answer, Error, ScanRequest};

/// The longest time that a scan may take.
pub const LONGEST: Duration = Duration::from_secs(30 * 60);

/// How often a scanner that does not say when is asked, and within which bounds it may say so.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    pub(super) first: Duration,
    pub(super) most: Duration,
}

const PACE: Pace = Pace { first: Duration::from_secs(1), most: Duration::from_secs(60) };

/// So many questions in a row may go unanswered.
const TRIES: u32 = 5;

/// Has an image scanned, and waits for the report, for `deadline` at the most, and never longer than
/// [`LONGEST`].
///
/// # Errors
/// There is no report, or none that can be used, or it is of another image.
pub async fn scan(
    adapter: &Adapter,
    request: &ScanRequest,
    deadline: Duration,
) -> Result<Report, Error> {
    scan_at(PACE, adapter, request, deadline.min(LONGEST), Limits::default()).await
}

pub(super) async fn scan_at(
    pace: Pace,
    adapter: &Adapter,
    request: &ScanRequest,
    deadline: Duration,
    limits: Limits,
) -> Result<Report, Error> {
    let scanned = timeout(deadline, fetched(pace, adapter, request, limits)).await;
    let late = |_| Error::Late { host: adapter.host(), after: deadline };
    let bytes = scanned.map_err(late)??;
    let report = reports::read(&bytes, limits)
        .map_err(|source| Error::Report { host: adapter.host(), source })?;
    let asked = request.digest();
    match report.about.manifests.iter().find(|found| *found != asked) {
        Some(found) => Err(Error::OtherImage {
            host: adapter.host(),
            asked: asked.clone(),
            found: found.clone(),
        }),
        None => Ok(report),
    }
}

async fn fetched(
    pace: Pace,
    adapter: &Adapter,
    request: &ScanRequest,
    limits: Limits,
) -> Result<Vec<u8>, Error> {
    let id = adapter.submit(request).await?;
    let (mut wait, mut failures) = (pace.first, 0);
    loop {
        let after = match adapter.report(&id, request.report, limits.bytes).await {
            Ok(Answer::Ready { bytes, .. }) => return Ok(bytes),
            Ok(Answer::Failed { reason }) => {
                return Err(Error::Failed { host: adapter.host(), reason });
            }
            Ok(Answer::NotReady { after }) => {
                failures = 0;
                after
            }
            Err(error) if error.is_passing() && failures < TRIES => {
                failures += 1;
                None
            }
            Err(error) => return Err(error),
        };
        // It grows only where the scanner does not say for itself when to ask.
        let pause = after.unwrap_or_else(|| {
            let pause = wait;
            wait = (wait * 2).min(pace.most);
            pause
        });
        sleep(pause.clamp(pace.first, pace.most)).await;
    }
}
