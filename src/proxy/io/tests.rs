use std::collections::VecDeque;

use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::time::{Instant, sleep, timeout};

use super::*;

/// Gives one piece at each read, and counts the reads. Pending when there are no more.
struct Pieces {
    pieces: VecDeque<Vec<u8>>,
    reads: usize,
}

impl Pieces {
    fn new(pieces: impl IntoIterator<Item = Vec<u8>>) -> Self {
        Self { pieces: pieces.into_iter().collect(), reads: 0 }
    }
}

impl AsyncRead for Pieces {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Some(piece) = self.pieces.pop_front() else { return Poll::Pending };
        self.reads += 1;
        into.put_slice(&piece);
        Poll::Ready(Ok(()))
    }
}

fn limits(idle: u64, minimum_rate: u64) -> Limits {
    Limits { idle_timeout: Duration::from_secs(idle), minimum_rate, ..Limits::default() }
}

fn free_blocks() -> usize {
    FREE.with_borrow(Vec::len)
}

#[tokio::test]
async fn small_reads_take_from_one_large_read() {
    let text: Vec<u8> = (0..BLOCK).map(|at| at as u8).collect();
    let mut guarded = Guarded::new(Pieces::new([text.clone()]), &Limits::default());
    let mut read = Vec::new();
    for _ in 0..BLOCK / 4096 {
        let mut piece = [0; 4096];
        guarded.read_exact(&mut piece).await.unwrap();
        read.extend_from_slice(&piece);
    }
    assert_eq!(guarded.get_ref().reads, 1);
    assert_eq!(read, text);
}

#[tokio::test]
async fn large_reads_are_not_copied_through_a_block() {
    let mut guarded = Guarded::new(Pieces::new([vec![7; 100]]), &Limits::default());
    let mut piece = [0; LARGE];
    assert_eq!(guarded.read(&mut piece).await.unwrap(), 100);
    assert_eq!(free_blocks(), 0);
}

#[tokio::test]
async fn a_connection_without_unread_bytes_holds_no_block_and_blocks_are_used_again() {
    let mut first = Guarded::new(Pieces::new([vec![1; 10]]), &Limits::default());
    let mut second = Guarded::new(Pieces::new([vec![2; 10]]), &Limits::default());
    let mut piece = [0; 6];

    first.read_exact(&mut piece).await.unwrap();
    assert!(first.unread.is_some());
    first.read_exact(&mut piece[..4]).await.unwrap();
    assert!(first.unread.is_none());
    assert_eq!(free_blocks(), 1);

    second.read_exact(&mut piece).await.unwrap();
    assert_eq!(free_blocks(), 0, "the second took the block of the first");
    drop(second);
    assert_eq!(free_blocks(), 1);

    assert!(timeout(Duration::ZERO, first.read(&mut piece)).await.is_err(), "nothing to read");
    assert!(first.unread.is_none());
    assert_eq!(free_blocks(), 1);
}

#[tokio::test]
async fn the_end_of_the_connection_is_seen() {
    let (mut far, near) = duplex(64);
    far.write_all(b"last words").await.unwrap();
    drop(far);
    let mut text = String::new();
    Guarded::new(near, &Limits::default()).read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "last words");
}

#[test]
fn a_worker_keeps_a_bounded_number_of_blocks() {
    let blocks: Vec<_> = (0..KEPT + 3).map(|_| Block::take()).collect();
    drop(blocks);
    assert_eq!(free_blocks(), KEPT);
}

proptest! {
    #[test]
    fn whatever_the_sizes_every_byte_arrives_in_order(
        sent in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..3000), 1..8),
        sizes in prop::collection::vec(1..12_000_usize, 1..6),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let expected = sent.concat();
        let read = runtime.block_on(async {
            let mut guarded = Guarded::new(Pieces::new(sent), &Limits::default());
            let mut read = Vec::new();
            let mut sizes = sizes.iter().cycle();
            while read.len() < expected.len() {
                let mut piece = vec![0; *sizes.next().unwrap()];
                let count = guarded.read(&mut piece).await.unwrap();
                read.extend_from_slice(&piece[..count]);
            }
            read
        });
        prop_assert_eq!(read, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_stops_taking_is_given_up() {
    let (_far, near) = duplex(10);
    let mut guarded = Guarded::new(near, &limits(30, 0));
    let began = Instant::now();
    let error = guarded.write_all(&[0; 11]).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    assert_eq!(began.elapsed().as_secs(), 30);
}

#[tokio::test(start_paused = true)]
async fn each_piece_that_is_taken_begins_the_wait_anew() {
    let (mut far, near) = duplex(10);
    let mut guarded = Guarded::new(near, &limits(30, 0));
    let reader = tokio::spawn(async move {
        let mut piece = [0; 10];
        for _ in 0..9 {
            sleep(Duration::from_secs(29)).await;
            far.read_exact(&mut piece).await.unwrap();
        }
        far
    });
    guarded.write_all(&[0; 100]).await.unwrap();
    let _far = reader.await.unwrap();
    let began = Instant::now();
    assert!(guarded.write_all(&[0; 1]).await.is_err());
    assert_eq!(began.elapsed().as_secs(), 30, "an earlier timer does not shorten the wait");
}

#[tokio::test(start_paused = true)]
async fn a_flush_that_is_ready_does_not_hide_a_write_that_waits() {
    let (_far, near) = duplex(10);
    let mut guarded = Guarded::new(near, &limits(30, 0));
    guarded.write_all(&[0; 10]).await.unwrap();
    for _ in 0..3 {
        assert!(timeout(Duration::from_secs(9), guarded.write(&[0])).await.is_err());
        guarded.flush().await.unwrap();
    }
    let error = timeout(Duration::from_secs(9), guarded.write(&[0])).await.unwrap().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
}

/// Writes while the far end takes `piece` bytes every ten seconds, for at most ten minutes.
async fn drip(piece: usize, minimum_rate: u64) -> io::Result<()> {
    let (mut far, near) = duplex(piece);
    let mut guarded = Guarded::new(near, &limits(30, minimum_rate));
    let reader = tokio::spawn(async move {
        let mut bytes = vec![0; piece];
        loop {
            sleep(Duration::from_secs(10)).await;
            far.read_exact(&mut bytes).await.unwrap();
        }
    });
    let result = guarded.write_all(&vec![0; piece * 60]).await;
    reader.abort();
    result
}

#[tokio::test(start_paused = true)]
async fn a_client_below_the_minimum_rate_is_given_up_and_one_above_it_is_not() {
    let began = Instant::now();
    let error = drip(500, 100).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    assert!(began.elapsed() <= Duration::from_secs(70));
    drip(1100, 100).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn time_in_which_nothing_waits_does_not_count() {
    let (mut far, near) = duplex(10);
    let mut guarded = Guarded::new(near, &limits(30, 100));
    for _ in 0..10 {
        guarded.write_all(&[0; 10]).await.unwrap();
        sleep(Duration::from_secs(3600)).await;
        far.read_exact(&mut [0; 10]).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_full_buffer_below_a_writer_is_flushed_under_the_same_limit() {
    let (_far, near) = duplex(10);
    let mut guarded = Guarded::new(tokio::io::BufWriter::new(near), &limits(30, 0));
    guarded.write_all(&[0; 20]).await.unwrap();
    let began = Instant::now();
    assert_eq!(guarded.flush().await.unwrap_err().kind(), io::ErrorKind::TimedOut);
    assert_eq!(began.elapsed().as_secs(), 30);
}
