//! Names for requests, so that one can be found in the answer, the log and the audit trail.

use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::rand;

/// Makes names: a random part for this process, and a number.
#[derive(Debug)]
pub struct RequestIds {
    process: u64,
    next: AtomicU64,
}

impl RequestIds {
    /// Starts at 1 with a new random part.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub fn new() -> Result<Self, aws_lc_rs::error::Unspecified> {
        let mut process = [0; 8];
        rand::fill(&mut process)?;
        Ok(Self { process: u64::from_be_bytes(process), next: AtomicU64::new(1) })
    }

    /// A name that no other request has.
    #[must_use]
    pub fn next(&self) -> String {
        format!("{:016x}-{}", self.process, self.next.fetch_add(1, Ordering::Relaxed))
    }

    /// Whether a text is the name of a request, of whatever process.
    #[must_use]
    pub fn is_one(text: &str) -> bool {
        let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        text.split_once('-').is_some_and(|(process, number)| {
            process.len() == 16
                && process.bytes().all(is_hex)
                && (1..=20).contains(&number.len())
                && number.bytes().all(|byte| byte.is_ascii_digit())
        })
    }
}

tokio::task_local! {
    /// The request that a task answers.
    static CURRENT: String;
}

/// Answers a request of this name, which problems and records then tell.
pub(super) async fn within<T>(name: String, answering: impl Future<Output = T>) -> T {
    CURRENT.scope(name, answering).await
}

/// The name of the request that is being answered, where one is.
pub(crate) fn current() -> Option<String> {
    CURRENT.try_with(String::clone).ok()
}

/// The same work in the name of the same request, to be done by another task.
pub(crate) fn carried<T>(work: impl Future<Output = T>) -> impl Future<Output = T> {
    let name = current();
    async move {
        match name {
            Some(name) => CURRENT.scope(name, work).await,
            None => work.await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_that_are_given_are_names_and_little_else_is() {
        let ids = RequestIds::new().unwrap();
        assert!((0..100).all(|_| RequestIds::is_one(&ids.next())));
        for text in [
            "",
            "-",
            "00c0ffee00c0ffee-",
            "00c0ffee00c0ffee",
            "00C0FFEE00C0FFEE-1",
            "00c0ffee00c0ffe-1",
            "00c0ffee00c0ffee-1x",
            "00c0ffee00c0ffee-123456789012345678901",
            " 00c0ffee00c0ffee-1",
        ] {
            assert!(!RequestIds::is_one(text), "{text}");
        }
    }

    #[tokio::test]
    async fn the_name_goes_along_to_another_task_and_ends_with_the_request() {
        let told = within("r1".to_owned(), async {
            assert_eq!(current().as_deref(), Some("r1"));
            let elsewhere = carried(async { current() });
            tokio::spawn(elsewhere).await.unwrap()
        });
        assert_eq!(told.await.as_deref(), Some("r1"));
        assert_eq!(current(), None);
        assert_eq!(tokio::spawn(carried(async { current() })).await.unwrap(), None);
    }
}
