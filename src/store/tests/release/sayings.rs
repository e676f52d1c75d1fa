//! Flags, exceptions, gates that were passed.

use super::*;
use crate::release::PassedGate;

#[tokio::test]
async fn a_flag_is_of_a_digest_in_a_repository_and_a_later_one_replaces_it() {
    each(async |store| {
        let (one, other) = (digest("one"), Digest::Sha512(Box::new([7; 64])));
        let bare = Flag {
            from: None,
            reason: None,
            link: None,
            expires_at: None,
            by: Subject::Peer { gate: "eu".to_owned(), name: "user:ü".to_owned() },
            ..flag("prod/api", &one, "qa-passed")
        };
        let flags = [
            flag("dev/api", &one, "tested"),
            bare,
            flag("prod/api", &one, "tested"),
            flag("prod/api", &other, "tested"),
        ];
        for flag in &flags {
            let (set, changed) = changed_by(&store, store.set_flag(flag)).await;
            set.unwrap();
            assert_eq!(changed, [flag.digest.clone()].into());
        }
        assert_eq!(kept(&store, &one).await.flags, flags[..3]);
        assert_eq!(kept(&store, &other).await.flags, flags[3..]);
        assert_eq!(kept(&store, &digest("third")).await.flags, []);

        let later = Flag { by: alice(), at: at(9), reason: None, ..flags[0].clone() };
        store.set_flag(&later).await.unwrap();
        assert_eq!(kept(&store, &one).await.flags[0], later);

        let remove = || store.remove_flag(&later.repository, &one, "tested");
        let (removed, changed) = changed_by(&store, remove()).await;
        assert_eq!((removed.unwrap(), changed), (Some(later.clone()), [one.clone()].into()));
        let (removed, changed) = changed_by(&store, remove()).await;
        assert_eq!((removed.unwrap(), changed), (None, [].into()));
        assert_eq!(kept(&store, &one).await.flags, flags[1..3]);
    })
    .await;
}

#[tokio::test]
async fn what_a_stranger_writes_is_kept_whatever_it_is() {
    each(async |store| {
        let written = "a\0b 'c'; -- \u{202e} {\"d\"}";
        let flag = Flag { reason: Some(written.to_owned()), ..flag("a", &digest("one"), "tested") };
        store.set_flag(&flag).await.unwrap();
        let kept = kept(&store, &flag.digest).await.flags;
        assert_eq!(kept[0].reason, Some(written.replace('\0', "\u{fffd}")));
    })
    .await;
}

#[tokio::test]
async fn an_exception_is_of_each_digest_that_it_names_until_it_is_taken_back() {
    each(async |store| {
        let (index, child) = (digest("index"), digest("child"));
        let wide = exception(1, 1, &[index.clone(), child.clone()]);
        let narrow = exception(2, 2, std::slice::from_ref(&child));
        let (added, changed) = changed_by(&store, store.add_exception(&wide)).await;
        added.unwrap();
        assert_eq!(changed, [index.clone(), child.clone()].into());
        store.add_exception(&narrow).await.unwrap();
        assert!(store.add_exception(&narrow).await.is_err(), "there is one of that name");
        assert_eq!(kept(&store, &index).await.exceptions, std::slice::from_ref(&wide));
        assert_eq!(kept(&store, &child).await.exceptions, [narrow.clone(), wide.clone()]);
        let holding = async |time| store.exceptions(time).await.unwrap();
        assert_eq!(holding(None).await, [narrow.clone(), wide.clone()]);
        assert_eq!(holding(Some(at(100))).await, [narrow.clone(), wide.clone()]);
        // At its very end it is over.
        assert_eq!(holding(Some(at(101))).await, std::slice::from_ref(&narrow));
        assert_eq!(holding(Some(at(102))).await, []);

        let remove = |id, time| {
            let store = &store;
            async move { store.remove_exception(id, at(time), &service("pager")).await.unwrap() }
        };
        let unknown = ExceptionId::of_random([9; 16]);
        assert_eq!(remove(&unknown, 50).await, None);
        let removed = Exception { removed: Some((at(50), service("pager"))), ..wide.clone() };
        let (answer, changed) = changed_by(&store, remove(&wide.id, 50)).await;
        assert_eq!(answer, Some(removed.clone()));
        assert_eq!(changed, [index.clone(), child].into());
        let (answer, changed) = changed_by(&store, remove(&wide.id, 60)).await;
        assert_eq!((answer, changed), (Some(removed.clone()), [].into()));
        assert_eq!(kept(&store, &index).await.exceptions, [removed]);
        assert_eq!(holding(Some(at(10))).await, [narrow]);
    })
    .await;
}

#[tokio::test]
async fn a_purge_forgets_exceptions_that_were_over_and_nothing_else_that_people_said() {
    each(async |store| {
        let one = digest("one");
        let over = exception(1, 0, std::slice::from_ref(&one));
        let taken_back = exception(2, 50, std::slice::from_ref(&one));
        let holds = exception(3, 60, std::slice::from_ref(&one));
        for exception in [&over, &taken_back, &holds] {
            store.add_exception(exception).await.unwrap();
        }
        store.remove_exception(&taken_back.id, at(100), &alice()).await.unwrap();
        let flag = Flag { expires_at: Some(at(2)), ..flag("a", &one, "tested") };
        store.set_flag(&flag).await.unwrap();
        assert_eq!(store.purge(at(99)).await.unwrap(), 0);
        let (purged, changed) = changed_by(&store, store.purge(at(100))).await;
        assert_eq!((purged.unwrap(), changed), (2, [one.clone()].into()));
        assert_eq!(store.exceptions(None).await.unwrap(), std::slice::from_ref(&holds));
        let kept = kept(&store, &one).await;
        assert_eq!((kept.exceptions, kept.flags), (vec![holds], vec![flag]));
    })
    .await;
}

#[tokio::test]
async fn the_first_time_that_a_digest_passed_a_gate_stays() {
    each(async |store| {
        let (one, two) = (digest("one"), digest("two"));
        let note = async |passed: &[(&str, &Digest, i64)]| {
            let passed = passed
                .iter()
                .map(|(gate, digest, time)| ((*gate).to_owned(), (*digest).clone(), at(*time)));
            store.note_passed(&passed.collect::<Vec<_>>()).await.unwrap();
        };
        note(&[]).await;
        let passed = [("prod", &one, 5), ("prod", &two, 7), ("prod", &one, 6), ("dev", &one, 9)];
        let ((), changed) = changed_by(&store, note(&passed)).await;
        assert_eq!(changed, [one.clone(), two.clone()].into());
        let ((), changed) = changed_by(&store, note(&[("prod", &one, 8)])).await;
        assert_eq!(changed, [].into());
        let gate = |gate: &str, time| PassedGate { gate: gate.to_owned(), at: at(time) };
        assert_eq!(kept(&store, &one).await.passed, [gate("dev", 9), gate("prod", 5)]);
        assert_eq!(store.passed_gate("prod", 9).await.unwrap(), [two.clone(), one.clone()]);
        // A replica that writes late may know of an earlier time.
        note(&[("prod", &two, 2)]).await;
        assert_eq!(kept(&store, &two).await.passed, [gate("prod", 2)]);
        assert_eq!(store.passed_gate("prod", 1).await.unwrap(), [one]);
        assert_eq!(store.passed_gate("none", 9).await.unwrap(), []);
    })
    .await;
}
