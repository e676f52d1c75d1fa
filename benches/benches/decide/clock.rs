//! The time that this thread has had on a processor: what else the machine does counts little.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Since the thread was started. All contestants work in one thread.
pub(crate) fn now() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::from_secs(seconds) + Duration::from_nanos(time.tv_nsec.unsigned_abs())
}
