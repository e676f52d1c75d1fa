use std::sync::Mutex;

use tokio::time::sleep;

use super::source::Source;
use super::*;

const PATIENT: Pace = Pace { idle: Duration::from_secs(60), minimum_rate: 0 };

/// What was told of the ends of bodies.
type Ends = Arc<Mutex<Vec<End>>>;

fn transfer(source: Incoming, pace: Pace) -> (Transfer, Ends) {
    let ends = Ends::default();
    let told = Arc::clone(&ends);
    let on_end = move |end| told.lock().unwrap().push(end);
    (Transfer::new(source, pace, Arc::default(), on_end), ends)
}

fn told(ends: &Ends) -> Vec<End> {
    ends.lock().unwrap().clone()
}

/// The bytes of the next piece, `None` at a clean end.
async fn piece(body: &mut (impl HttpBody<Data = Bytes, Error = BodyError> + Unpin)) -> Piece {
    match body.frame().await {
        None => Ok(None),
        Some(Ok(frame)) => Ok(Some(frame.into_data().unwrap())),
        Some(Err(error)) => Err(error.to_string()),
    }
}

type Piece = Result<Option<Bytes>, String>;

fn bytes(text: &'static str) -> Piece {
    Ok(Some(Bytes::from_static(text.as_bytes())))
}

#[tokio::test]
async fn a_body_passes_in_pieces_and_ends_as_its_source_does() {
    let (mut source, incoming) = Source::of_length(6).await;
    let (mut transfer, ends) = transfer(incoming, PATIENT);
    assert_eq!(transfer.size_hint().exact(), Some(6));
    source.send(b"abc").await;
    assert_eq!(piece(&mut transfer).await, bytes("abc"));
    assert_eq!(transfer.progress().bytes(), 3);
    source.send(b"def").await;
    assert_eq!(piece(&mut transfer).await, bytes("def"));
    assert_eq!(piece(&mut transfer).await, Ok(None));
    assert_eq!(told(&ends), [End::Complete]);
    drop(transfer);
    assert_eq!(told(&ends), [End::Complete]);
}

#[tokio::test]
async fn what_breaks_off_is_never_a_clean_end() {
    for chunked in [false, true] {
        let (mut source, incoming) =
            if chunked { Source::chunked().await } else { Source::of_length(6).await };
        let (mut transfer, ends) = transfer(incoming, PATIENT);
        if chunked {
            source.chunk(b"abc").await;
        } else {
            source.send(b"abc").await;
        }
        assert_eq!(piece(&mut transfer).await, bytes("abc"));
        assert!(!transfer.progress().is_broken());
        drop(source);
        assert_eq!(piece(&mut transfer).await, Err("the connection broke off".to_owned()));
        assert!(transfer.progress().is_broken());
        drop(transfer);
        assert_eq!(told(&ends), [End::Broken]);
    }
}

#[tokio::test]
async fn a_body_that_is_dropped_on_its_way_is_broken() {
    let (mut source, incoming) = Source::of_length(6).await;
    let (mut transfer, ends) = transfer(incoming, PATIENT);
    source.send(b"abc").await;
    assert_eq!(piece(&mut transfer).await, bytes("abc"));
    let progress = Arc::clone(transfer.progress());
    drop(transfer);
    assert_eq!(told(&ends), [End::Broken]);
    assert!(!progress.is_broken(), "its source did nothing wrong");
}

#[tokio::test]
async fn a_body_is_complete_with_its_last_byte_or_without_any() {
    let (mut source, incoming) = Source::of_length(3).await;
    let (mut whole, whole_ends) = transfer(incoming, PATIENT);
    source.send(b"abc").await;
    assert_eq!(piece(&mut whole).await, bytes("abc"));
    assert!(whole.is_end_stream());
    drop(whole);
    assert_eq!(told(&whole_ends), [End::Complete], "nobody polls for the end of a known length");
    let (_source, incoming) = Source::of_length(0).await;
    let (empty, empty_ends) = transfer(incoming, PATIENT);
    drop(empty);
    assert_eq!(told(&empty_ends), [End::Complete]);
}

#[tokio::test]
async fn everybody_who_waits_for_the_end_is_told_once_in_order() {
    let (_source, incoming) = Source::of_length(3).await;
    let (mut transfer, ends) = transfer(incoming, PATIENT);
    let later = Arc::clone(&ends);
    transfer.then(move |end| {
        assert_eq!(told(&later), [End::Broken], "the first one was told before");
        later.lock().unwrap().push(end);
    });
    drop(transfer);
    assert_eq!(told(&ends), [End::Broken, End::Broken]);
}

#[tokio::test]
async fn trailers_are_not_passed_on() {
    let (mut source, incoming) = Source::chunked().await;
    let (mut transfer, ends) = transfer(incoming, PATIENT);
    source.chunk(b"abc").await;
    source.send(b"0\r\nx-evil: 1\r\n\r\n").await;
    assert_eq!(piece(&mut transfer).await, bytes("abc"));
    assert_eq!(piece(&mut transfer).await, Ok(None));
    assert_eq!(told(&ends), [End::Complete]);
}

#[tokio::test(start_paused = true)]
async fn a_sender_that_falls_silent_is_given_up() {
    let (mut source, incoming) = Source::of_length(6).await;
    let (mut transfer, ends) = transfer(incoming, PATIENT);
    for _ in 0..2 {
        sleep(Duration::from_secs(59)).await;
        source.send(b"a").await;
        assert_eq!(piece(&mut transfer).await, bytes("a"));
    }
    let began = Instant::now();
    assert_eq!(piece(&mut transfer).await, Err("no data for 60 seconds".to_owned()));
    // The clock of the test moves only where all wait.
    assert_eq!(began.elapsed().as_secs(), 60);
    assert_eq!(told(&ends), [End::Broken]);
}

#[tokio::test(start_paused = true)]
async fn a_wait_begins_anew_with_each_piece() {
    let (mut source, incoming) = Source::of_length(4).await;
    let (mut transfer, _ends) = transfer(incoming, PATIENT);
    let taken = tokio::spawn(async move {
        for _ in 0..4 {
            assert_eq!(piece(&mut transfer).await, bytes("a"));
        }
        piece(&mut transfer).await
    });
    for _ in 0..4 {
        sleep(Duration::from_secs(59)).await;
        source.send(b"a").await;
    }
    assert_eq!(taken.await.unwrap(), Ok(None));
}

#[tokio::test(start_paused = true)]
async fn a_slow_taker_is_not_the_senders_fault() {
    let (mut source, incoming) = Source::of_length(6).await;
    let pace = Pace { minimum_rate: 100, ..PATIENT };
    let (mut transfer, _ends) = transfer(incoming, pace);
    for _ in 0..6 {
        source.send(b"a").await;
        sleep(Duration::from_secs(600)).await;
        assert_eq!(piece(&mut transfer).await, bytes("a"));
    }
    assert_eq!(piece(&mut transfer).await, Ok(None));
}

/// Sends pieces of these sizes, one each 30 s, to a taker that always waits.
async fn at_half_minutes(sizes: &[usize], minimum_rate: u64) -> (usize, Result<(), String>) {
    let (mut source, incoming) = Source::chunked().await;
    let (mut transfer, _ends) = transfer(incoming, Pace { minimum_rate, ..PATIENT });
    let taken = tokio::spawn(async move {
        let mut pieces = 0;
        loop {
            match piece(&mut transfer).await {
                Ok(Some(_)) => pieces += 1,
                Ok(None) => return (pieces, Ok(())),
                Err(error) => return (pieces, Err(error)),
            }
        }
    });
    for size in sizes {
        sleep(Duration::from_secs(30)).await;
        source.chunk(&vec![0; *size]).await;
    }
    source.chunk(b"").await;
    taken.await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_sender_below_the_minimum_rate_is_given_up_after_a_minute() {
    let slow = || Err("less than 100 bytes a second".to_owned());
    assert_eq!(at_half_minutes(&[1; 8], 100).await, (1, slow()));
    assert_eq!(at_half_minutes(&[2900; 8], 100).await, (1, slow()));
    assert_eq!(at_half_minutes(&[3100; 8], 100).await, (8, Ok(())));
    assert_eq!(at_half_minutes(&[1; 8], 0).await, (8, Ok(())), "0 asks for nothing");
    // A good minute does not pay for the next.
    assert_eq!(at_half_minutes(&[7000, 1, 1, 1, 1], 100).await, (3, slow()));
}

#[tokio::test]
async fn only_what_fits_is_held() {
    let collect = async |framing: Option<usize>, pieces: &[&[u8]], limit| {
        let (mut source, incoming) = match framing {
            Some(length) => Source::of_length(length).await,
            None => Source::chunked().await,
        };
        for piece in pieces {
            if framing.is_some() { source.send(piece).await } else { source.chunk(piece).await }
        }
        drop(source);
        let (mut transfer, ends) = transfer(incoming, PATIENT);
        let held = Transfer::collect(&mut transfer, limit).await.map_err(|error| error.to_string());
        drop(transfer);
        (held, told(&ends))
    };
    let too_large = || (Err("larger than 4 bytes".to_owned()), vec![End::Broken]);
    let whole = || (Ok(Bytes::from_static(b"abcd")), vec![End::Complete]);
    assert_eq!(collect(Some(4), &[b"ab", b"cd"], 4).await, whole());
    assert_eq!(collect(None, &[b"ab", b"cd", b""], 4).await, whole());
    assert_eq!(collect(None, &[b"abc", b"de", b""], 4).await, too_large());
    // Said to be too large: nothing of it has to come.
    assert_eq!(collect(Some(5), &[], 4).await, too_large());
    let broken = (Err("the connection broke off".to_owned()), vec![End::Broken]);
    assert_eq!(collect(Some(4), &[b"abc"], 4).await, broken);
}

#[tokio::test]
async fn what_nobody_wants_is_read_up_to_a_bound() {
    for (limit, outcome, end) in [(4, Ok(()), End::Complete), (3, Err(()), End::Broken)] {
        let (mut source, incoming) = Source::of_length(4).await;
        source.send(b"abcd").await;
        let (mut transfer, ends) = transfer(incoming, PATIENT);
        assert_eq!(Transfer::discard(&mut transfer, limit).await.map_err(|_| ()), outcome);
        if outcome.is_ok() {
            assert_eq!(told(&ends), [end]);
        }
    }
}

#[tokio::test]
async fn bytes_that_are_known_are_one_piece() {
    let mut full = Body::full("abc");
    assert_eq!(full.size_hint().exact(), Some(3));
    assert_eq!(piece(&mut full).await, bytes("abc"));
    assert!(full.is_end_stream());
    assert_eq!(piece(&mut full).await, Ok(None));
    let mut none = Body::full("");
    assert!(matches!(none, Body::Empty) && none.is_end_stream());
    assert_eq!(piece(&mut none).await, Ok(None));
    let mut service = Body::Service(axum::body::Body::from("abc"));
    assert_eq!(piece(&mut service).await, bytes("abc"));
}
