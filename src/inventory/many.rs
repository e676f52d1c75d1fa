//! Doing the same for many, several at a time.

use std::panic::resume_unwind;

use tokio::task::{JoinError, JoinSet};

/// How many requests one search has under way at once.
pub(super) const AT_ONCE: usize = 8;

/// Does it for each, so many at a time and in this order, until something fails or there is enough;
/// whether there was enough. What is still under way then comes to its end by itself.
pub(super) async fn many<T, R, E, F>(
    items: impl IntoIterator<Item = T>,
    at_once: usize,
    act: impl Fn(T) -> F,
    mut is_enough: impl FnMut(R) -> Result<bool, E>,
) -> Result<bool, E>
where
    F: Future<Output = Result<R, E>> + Send + 'static,
    R: Send + 'static,
    E: Send + 'static,
{
    let mut items = items.into_iter();
    let mut tasks = JoinSet::new();
    loop {
        while tasks.len() < at_once
            && let Some(item) = items.next()
        {
            tasks.spawn(act(item));
        }
        let Some(done) = tasks.join_next().await else { return Ok(false) };
        let enough = match done {
            Ok(done) => done.and_then(&mut is_enough),
            Err(error) => rethrown(error),
        };
        match enough {
            Ok(false) => {}
            // A connection in the middle of an answer would be lost.
            enough => {
                tasks.detach_all();
                return enough;
            }
        }
    }
}

/// Nobody cancels these tasks, but for a runtime that ends, and then nobody waits for them.
fn rethrown(error: JoinError) -> ! {
    match error.try_into_panic() {
        Ok(panic) => resume_unwind(panic),
        Err(error) => resume_unwind(Box::new(error.to_string())),
    }
}
