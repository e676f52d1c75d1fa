use std::time::Duration;

use super::*;
use crate::clock::Clock;
use crate::policy_folder::Sources;
use crate::state::sample;

fn loaded(text: &str) -> LoadedPolicy {
    let file = SourceFile { path: "policies/a.yaml".to_owned(), text: text.to_owned() };
    LoadedPolicy::compile(Sources::new(vec![file]), Timestamp::UNIX_EPOCH).unwrap()
}

fn is_kept(metrics: &Metrics) -> bool {
    metrics.encode().contains("\nportcullis_policy_kept 1\n")
}

#[tokio::test]
async fn the_latest_policy_is_kept_and_its_files_are_let_go() {
    let (state, _folder) = sample::kept(Arc::new(Clock::start()));
    let metrics = Arc::new(Metrics::new());
    let keeper = Arc::new(Keeper::new(Arc::clone(&state), Arc::clone(&metrics)));
    let (one, two) = (loaded("rules: []"), loaded("rules: [] # two"));
    keeper.keep(&one);
    keeper.keep(&two);
    assert!(two.take_files().is_empty());
    assert!(!is_kept(&metrics));
    let (end, ended) = watch::channel(false);
    let keeping = tokio::spawn(Arc::clone(&keeper).run(ended));
    while !is_kept(&metrics) {
        sleep(Duration::from_millis(5)).await;
    }
    let kept = async || state.ask(|store| async move { store.kept_policy().await }).await;
    assert_eq!(kept().await.unwrap().unwrap().sha256, *two.sha256.as_bytes());
    // What comes at the very end is kept, too.
    keeper.keep(&loaded("rules: [] # three"));
    end.send(true).unwrap();
    keeping.await.unwrap();
    let restored = super::super::restore(&kept().await.unwrap().unwrap()).unwrap();
    assert_eq!(restored.sha256, loaded("rules: [] # three").sha256);
    assert!(is_kept(&metrics));
}

#[tokio::test]
async fn without_a_state_the_alarm_stays_and_the_end_comes_all_the_same() {
    let metrics = Arc::new(Metrics::new());
    metrics.policy_kept(true);
    let keeper = Arc::new(Keeper::new(sample::absent(), Arc::clone(&metrics)));
    keeper.keep(&loaded("rules: []"));
    let (end, ended) = watch::channel(false);
    let keeping = tokio::spawn(Arc::clone(&keeper).run(ended));
    assert!(!is_kept(&metrics));
    end.send(true).unwrap();
    keeping.await.unwrap();
    assert!(!is_kept(&metrics));
}
