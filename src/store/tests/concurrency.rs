use std::collections::HashSet;

use super::*;
use crate::token::{RefreshToken, Succession};

const FAMILIES: usize = 100;
const ROUNDS: usize = 25;
const TASKS: usize = 4;

/// 10,000 refreshes: in each round, each task shows the current token of each family.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn parallel_refreshes_get_the_same_successor() {
    each(async |store| {
        let mut firsts = Vec::new();
        for _ in 0..FAMILIES {
            let (family, first) = (family(), RefreshToken::random().unwrap());
            store.add_family(&family, Some(first.hash())).await.unwrap();
            firsts.push((family.id, first));
        }
        let mut tasks = Vec::new();
        for _ in 0..TASKS {
            tasks.push(tokio::spawn(refresh_all(Arc::clone(&store), firsts.clone())));
        }
        let mut ends = HashSet::new();
        for task in tasks {
            ends.insert(task.await.unwrap());
        }
        assert_eq!(ends.len(), 1);
        for (id, first) in firsts {
            let family = store.family(&id).await.unwrap().unwrap();
            assert_eq!(family.revoked_at, None);
            assert_eq!(store.family_of(first.hash()).await.unwrap(), Some(family));
        }
    })
    .await;
}

/// The last token of each family. Every answer was that the successor is the next one.
async fn refresh_all(
    store: Arc<dyn Store>,
    mut tokens: Vec<(TokenId, RefreshToken)>,
) -> Vec<TokenHash> {
    let succession = Succession::new(&[7; 32]);
    for round in 0..ROUNDS {
        for (_, token) in &mut tokens {
            let next = succession.of(token);
            // Tasks that are behind show a token that was superseded a while ago, in a time that is
            // theirs to choose.
            let answer = store.rotate(token.hash(), next.hash(), at(0)).await.unwrap();
            assert_eq!(answer, Rotation::Rotated, "round {round}");
            *token = next;
        }
    }
    tokens.iter().map(|(_, token)| token.hash()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn parallel_reuse_revokes_once() {
    each(async |store| {
        let family = family();
        store.add_family(&family, Some(token(1))).await.unwrap();
        for step in 1..4 {
            store.rotate(token(step), token(step + 1), at(0)).await.unwrap();
        }
        let reuse = |_| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { store.rotate(token(1), token(2), at(1)).await.unwrap() })
        };
        let mut first = 0;
        for task in (0..20).map(reuse).collect::<Vec<_>>() {
            match task.await.unwrap() {
                Rotation::Reused { now } => first += u32::from(now),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(first, 1);
        assert_eq!(store.changes(Sequence(0)).await.unwrap().revoked, ended(&[&family]));
    })
    .await;
}

/// Somebody who always asks for what is new sees everything once, whoever commits when.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_poller_misses_no_change() {
    each(async |store| {
        let writers: Vec<_> = (0..4)
            .map(|_| {
                let store = Arc::clone(&store);
                tokio::spawn(async move {
                    let mut made = Vec::new();
                    for _ in 0..50 {
                        let id = id();
                        assert_eq!(store.revoke(&revocation(&id), at(0)).await.unwrap(), 0);
                        made.push(id);
                    }
                    made
                })
            })
            .collect();
        let (mut seen, mut since) = (Vec::new(), Sequence(0));
        let mut poll = async || {
            let changes = store.changes(since).await.unwrap();
            assert!(changes.sequence >= since);
            since = changes.sequence;
            seen.extend(changes.revoked.into_iter().map(|revoked| match revoked {
                Revoked::Id { id, .. } => id,
                other => panic!("{other:?}"),
            }));
        };
        while !writers.iter().all(tokio::task::JoinHandle::is_finished) {
            poll().await;
        }
        poll().await;
        let mut made = Vec::new();
        for writer in writers {
            made.extend(writer.await.unwrap());
        }
        seen.sort();
        made.sort();
        assert_eq!(seen, made);
    })
    .await;
}
