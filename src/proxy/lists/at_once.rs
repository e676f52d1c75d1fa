//! Several questions to the upstream at the same time.

use std::pin::Pin;
use std::task::Poll;

/// What all of these give, in their order. They run at the same time.
pub(super) async fn all<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    enum Part<F: Future> {
        Running(Pin<Box<F>>),
        Done(Option<F::Output>),
    }
    let mut parts: Vec<_> = futures.into_iter().map(|it| Part::Running(Box::pin(it))).collect();
    std::future::poll_fn(|cx| {
        let mut are_done = true;
        for part in &mut parts {
            let Part::Running(future) = part else { continue };
            match future.as_mut().poll(cx) {
                Poll::Ready(output) => *part = Part::Done(Some(output)),
                Poll::Pending => are_done = false,
            }
        }
        if !are_done {
            return Poll::Pending;
        }
        let outputs = parts.iter_mut().filter_map(|part| match part {
            Part::Done(output) => output.take(),
            Part::Running(_) => None,
        });
        Poll::Ready(outputs.collect())
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::{Instant, sleep};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn parts_run_at_the_same_time_and_keep_their_order() {
        let started = Instant::now();
        let part = |number: u64| async move {
            sleep(Duration::from_secs(10 - number)).await;
            number
        };
        assert_eq!(all((0..8).map(part)).await, (0..8).collect::<Vec<_>>());
        assert_eq!(started.elapsed(), Duration::from_secs(10));
        assert_eq!(all((0..0).map(part)).await, Vec::<u64>::new());
    }
}
