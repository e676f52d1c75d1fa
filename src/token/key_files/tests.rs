use std::fs::Permissions;

use super::*;

fn now() -> Timestamp {
    "2026-01-02T03:04:05.9Z".parse().unwrap()
}

fn later(seconds: u64) -> Timestamp {
    now().checked_add(Duration::from_secs(seconds)).unwrap()
}

fn name(file: &KeyFile) -> &str {
    file.path.file_name().unwrap().to_str().unwrap()
}

const HOUR: Duration = Duration::from_secs(3600);

fn states(folder: &Path, now: Timestamp) -> Vec<(String, KeyState)> {
    let files = list(folder, HOUR, now).unwrap();
    files.iter().map(|file| (name(file).to_owned(), file.state)).collect()
}

#[test]
fn a_key_verifies_until_what_it_signed_has_expired_and_then_retires() {
    let folder = tempfile::tempdir().unwrap();
    for seconds in [0, 60, 120] {
        make(folder.path(), KeyAlgorithm::Ed25519, later(seconds)).unwrap();
    }
    let until = |text: &str| KeyState::Verifying(Some(text.parse().unwrap()));
    let all = |first, second, third| {
        [
            ("signing-20260102T030405Z.pem".to_owned(), first),
            ("signing-20260102T030505Z.pem".to_owned(), second),
            ("signing-20260102T030605Z.pem".to_owned(), third),
        ]
    };
    let (first, second) = (until("2026-01-02T04:05:05Z"), until("2026-01-02T04:06:05Z"));
    let path = folder.path();
    assert_eq!(states(path, later(120)), all(first, second, KeyState::Signing));
    // A moment before, and then at the time.
    assert_eq!(states(path, later(3659)), all(first, second, KeyState::Signing));
    assert_eq!(states(path, later(3660)), all(KeyState::Retired, second, KeyState::Signing));
    let retired = all(KeyState::Retired, KeyState::Retired, KeyState::Signing);
    assert_eq!(states(path, later(1 << 30)), retired);
}

#[test]
fn a_key_of_another_name_never_retires_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    make(folder.path(), KeyAlgorithm::Ed25519, now()).unwrap();
    let made = folder.path().join("signing-20260102T030405Z.pem");
    for other in ["mine.pem", "signing-2026.pem", "signing-20260102T030405Z-old.pem"] {
        fs::copy(&made, folder.path().join(other)).unwrap();
    }
    // Hidden, and of another kind.
    fs::copy(&made, folder.path().join(".hidden.pem")).unwrap();
    fs::copy(&made, folder.path().join("mine.txt")).unwrap();
    let file = |name: &str, state| (name.to_owned(), state);
    assert_eq!(
        states(folder.path(), later(1 << 30)),
        [
            file("mine.pem", KeyState::Verifying(None)),
            file("signing-2026.pem", KeyState::Verifying(None)),
            file("signing-20260102T030405Z-old.pem", KeyState::Verifying(None)),
            file("signing-20260102T030405Z.pem", KeyState::Signing),
        ]
    );
}

#[test]
fn a_new_key_is_the_newest_whatever_the_clock_says() {
    let folder = tempfile::tempdir().unwrap();
    let mut made = Vec::new();
    // Three in one second, and one by a clock that was put back by a day.
    let yesterday = now().checked_sub(Duration::from_secs(86_400)).unwrap();
    for time in [now(), now(), now(), yesterday] {
        made.push(make(folder.path(), KeyAlgorithm::Ed25519, time).unwrap());
    }
    let files = list(folder.path(), HOUR, now()).unwrap();
    assert_eq!(
        files.iter().map(|file| &file.path).collect::<Vec<_>>(),
        made.iter().collect::<Vec<_>>()
    );
    assert_eq!(files.last().unwrap().state, KeyState::Signing);
    assert_eq!(name(files.last().unwrap()), "signing-20260102T030408Z.pem");
}

#[test]
fn parallel_rotations_overwrite_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let made: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| make(folder.path(), KeyAlgorithm::Ed25519, now()).unwrap()))
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let files = list(folder.path(), HOUR, now()).unwrap();
    assert_eq!(files.len(), made.len());
    assert!(made.iter().all(|path| files.iter().any(|file| file.path == *path)));
}

#[test]
fn a_key_that_would_not_sign_is_not_made() {
    let folder = tempfile::tempdir().unwrap();
    make(folder.path(), KeyAlgorithm::Ed25519, now()).unwrap();
    let last = folder.path().join("zz.pem");
    fs::rename(folder.path().join("signing-20260102T030405Z.pem"), &last).unwrap();
    let error = make(folder.path(), KeyAlgorithm::Ed25519, later(60)).unwrap_err();
    assert!(matches!(&error, KeyError::NotNewest(path) if *path == last), "{error}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_new_key_is_closed_whole_and_of_the_algorithm_asked_for() {
    for (algorithm, expected) in [(KeyAlgorithm::Ed25519, "EdDSA"), (KeyAlgorithm::Es256, "ES256")]
    {
        let folder = tempfile::tempdir().unwrap();
        let path = make(folder.path(), algorithm, now()).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let files = list(folder.path(), HOUR, now()).unwrap();
        let key = public_key(&files[0].der().unwrap()).unwrap();
        assert_eq!(key.algorithm_name(), expected);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}

#[test]
fn a_folder_that_others_may_write_to_is_refused_with_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    make(folder.path(), KeyAlgorithm::Ed25519, now()).unwrap();
    for (mode, closed) in [
        (0o700, true),
        (0o755, true),
        (0o1777, true),
        (0o777, false),
        (0o770, false),
        (0o702, false),
    ] {
        fs::set_permissions(folder.path(), Permissions::from_mode(mode)).unwrap();
        let listed = list(folder.path(), HOUR, now());
        assert_eq!(listed.is_ok(), closed, "{mode:o}");
        if let Err(error) = listed {
            let text = error.to_string();
            assert!(text.contains(&format!("chmod 700 {}", folder.path().display())), "{text}");
        }
    }
}

#[test]
fn the_names_of_algorithms_are_two() {
    assert_eq!("ed25519".parse(), Ok(KeyAlgorithm::Ed25519));
    assert_eq!("es256".parse(), Ok(KeyAlgorithm::Es256));
    for other in ["", "ES256", "rsa", "rs256", "hs256"] {
        assert_eq!(other.parse::<KeyAlgorithm>(), Err(UnknownAlgorithm));
    }
}
