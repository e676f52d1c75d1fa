use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::log::Causes;

fn mode(path: &std::path::Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn the_state_outlives_the_process_that_made_it() {
    let folder = tempfile::tempdir().unwrap();
    let server = Postgres::start();
    for settings in [sqlite(&folder), postgres(&server)] {
        let family = family();
        let store = open(&settings).await.unwrap();
        add(&store, &family).await;
        drop(store);
        let store = open(&settings).await.unwrap();
        assert_eq!(store.family(&family.id).await.unwrap(), Some(family));
    }
}

#[tokio::test]
async fn nobody_else_can_read_the_files() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let store = open(&sqlite(&folder)).await.unwrap();
    add(&store, &family()).await;
    assert_eq!(mode(&state), 0o700);
    let mut names = Vec::new();
    for entry in fs::read_dir(&state).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
        names.push(path.file_name().unwrap().to_str().unwrap().to_owned());
    }
    names.sort();
    let files = ["portcullis.db", "portcullis.db-shm", "portcullis.db-wal", "portcullis.lock"];
    assert_eq!(names, files);
    drop(store);
    let file = state.join("portcullis.db");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let _store = open(&sqlite(&folder)).await.unwrap();
    assert_eq!(mode(&file), 0o600);
}

#[tokio::test]
async fn a_second_gate_does_not_get_the_file_of_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let first = open(&sqlite(&folder)).await.unwrap();
    let error = open(&sqlite(&folder)).await.err().unwrap();
    let told = error.to_string().replace(folder.path().to_str().unwrap(), "GATE");
    let told = told.replace(&std::process::id().to_string(), "PID");
    insta::assert_snapshot!(told, @"the state folder GATE/state is in use by process PID; stop that one, or give this gate a folder of its own with `state.url` (several gates can share a PostgreSQL database)");
    drop(first);
    open(&sqlite(&folder)).await.unwrap();
}

#[tokio::test]
async fn replicas_share_a_database_and_may_start_together() {
    let server = Postgres::start();
    let settings = postgres(&server);
    let open = || {
        tokio::spawn({
            let settings = settings.clone();
            async move { open(&settings).await.unwrap() }
        })
    };
    let (one, two, three) = (open(), open(), open());
    let (one, two, three) = (one.await.unwrap(), two.await.unwrap(), three.await.unwrap());
    let family = family();
    add(&one, &family).await;
    assert_eq!(two.revoke(&revocation(&family.id), at(1)).await.unwrap(), 1);
    assert_eq!(three.changes(Sequence(0)).await.unwrap().revoked, ended(&[&family]));
}

#[tokio::test]
async fn a_state_that_is_newer_than_the_program_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let server = Postgres::start();
    let newer = "UPDATE schema_version SET version = 1000";
    for settings in [sqlite(&folder), postgres(&server)] {
        drop(open(&settings).await.unwrap());
        run(&settings, &server, newer).await;
        for error in [open(&settings).await.err(), check(&settings).await.err()] {
            let error = error.unwrap();
            assert!(matches!(error, OpenError::Newer { found: 1000, .. }), "{error:?}");
        }
    }
}

#[tokio::test]
async fn a_check_changes_nothing_and_needs_no_lock() {
    let folder = tempfile::tempdir().unwrap();
    let server = Postgres::start();
    let settings = sqlite(&folder);
    assert_eq!(check(&settings).await.unwrap(), Checked::Missing);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    assert_eq!(check(&postgres(&server)).await.unwrap(), Checked::Missing);
    for settings in [settings, postgres(&server)] {
        let store = open(&settings).await.unwrap();
        assert_eq!(check(&settings).await.unwrap(), Checked::Usable);
        add(&store, &family()).await;
        drop(store);
        assert_eq!(check(&settings).await.unwrap(), Checked::Usable);
    }
}

#[tokio::test]
async fn tables_of_the_first_version_get_what_came_later_and_keep_what_they_hold() {
    let folder = tempfile::tempdir().unwrap();
    let server = Postgres::start();
    for settings in [sqlite(&folder), postgres(&server)] {
        let store = open(&settings).await.unwrap();
        let family = family();
        add(&store, &family).await;
        drop(store);
        back_to(&settings, &server, 1).await;
        assert_eq!(check(&settings).await.unwrap(), Checked::Usable);
        assert_eq!(kept_policy(&settings).await.unwrap(), None);
        let store = open(&settings).await.unwrap();
        assert_eq!(store.family(&family.id).await.unwrap(), Some(family));
        let kept = KeptPolicy { sha256: [1; 32], loaded_at: at(0), files: vec![1] };
        store.keep_policy(&kept).await.unwrap();
        // Also beside a gate that runs.
        assert_eq!(kept_policy(&settings).await.unwrap(), Some(kept));
    }
}

#[tokio::test]
async fn a_policy_that_is_damaged_is_told_and_not_taken_for_none() {
    let folder = tempfile::tempdir().unwrap();
    let server = Postgres::start();
    for settings in [sqlite(&folder), postgres(&server)] {
        let store = open(&settings).await.unwrap();
        assert_eq!(kept_policy(&settings).await.unwrap(), None);
        let kept = KeptPolicy { sha256: [1; 32], loaded_at: at(0), files: vec![1] };
        store.keep_policy(&kept).await.unwrap();
        run(&settings, &server, "UPDATE policy SET sha256 = files").await;
        let error = store.kept_policy().await.unwrap_err();
        assert!(matches!(&error, StoreError::Damaged(told) if told.contains("sha256")));
        let error = kept_policy(&settings).await.unwrap_err();
        let told = Causes(&error).to_string();
        assert!(told.contains("`sha256`: it is not 32 bytes long"), "{told}");
    }
}

/// Takes away what the versions of the tables after this one brought.
pub(super) async fn back_to(settings: &Settings, server: &Postgres, version: u8) {
    let brought: [(u8, &[&'static str]); 6] = [
        (2, &["DROP TABLE policy"]),
        (
            3,
            &[
                "DROP TABLE inventory",
                "DROP TABLE repositories",
                "DROP TABLE pointers",
                "DROP TABLE gone_tags",
                "DROP TABLE gone_manifests",
                "DROP TABLE manifests",
                "DROP TABLE pushes",
                "DROP TABLE leases",
            ],
        ),
        (
            4,
            &[
                "DROP TABLE releases",
                "DROP TABLE release_changes",
                "DROP TABLE flags",
                "DROP TABLE exception_digests",
                "DROP TABLE exceptions",
                "DROP TABLE passed_gates",
                "DROP TABLE reports",
                "DROP TABLE finding_keys",
                "DROP TABLE findings",
                "DROP TABLE finding_times",
                "DROP TABLE statements",
                "DROP TABLE scans",
            ],
        ),
        (
            5,
            &[
                "DROP TABLE pulls",
                "DROP TABLE group_pulls",
                "DROP TABLE stored_manifests",
                "DROP TABLE tag_moves",
                "DROP TABLE removed_flags",
            ],
        ),
        (6, &["DROP TABLE descriptions", "DROP INDEX IF EXISTS manifests_digest"]),
        (7, &["DROP TABLE unkeyed_reports", "DROP INDEX families_ends_at"]),
    ];
    for (_, statements) in brought.iter().filter(|(brought_by, _)| *brought_by > version) {
        for statement in *statements {
            run(settings, server, statement).await;
        }
    }
    let set: [&'static str; 6] = [
        "UPDATE schema_version SET version = 1",
        "UPDATE schema_version SET version = 2",
        "UPDATE schema_version SET version = 3",
        "UPDATE schema_version SET version = 4",
        "UPDATE schema_version SET version = 5",
        "UPDATE schema_version SET version = 6",
    ];
    run(settings, server, set[usize::from(version) - 1]).await;
}

/// Runs a statement beside the gate.
pub(super) async fn run(settings: &Settings, server: &Postgres, statement: &'static str) {
    match &settings.url {
        StoreUrl::Postgres(_) => server.psql(statement),
        StoreUrl::Sqlite(file) => {
            let file = sqlx::sqlite::SqliteConnectOptions::new().filename(file);
            let pool = sqlx::SqlitePool::connect_with(file).await.unwrap();
            sqlx::query(statement).execute(&pool).await.unwrap();
            pool.close().await;
        }
    }
}

#[tokio::test]
async fn what_is_no_database_is_refused_without_the_password() {
    let folder = tempfile::tempdir().unwrap();
    let settings = sqlite(&folder);
    fs::create_dir(folder.path().join("state")).unwrap();
    fs::write(folder.path().join("state/portcullis.db"), "a text".repeat(1000)).unwrap();
    assert!(matches!(open(&settings).await.err(), Some(OpenError::Database { .. })));
    assert!(matches!(check(&settings).await, Err(OpenError::Database { .. })));
    let nobody = self::settings("postgres://gate:CANARY@127.0.0.1:1/gate".parse().unwrap());
    for error in [open(&nobody).await.err(), check(&nobody).await.err()] {
        let error = error.unwrap();
        let told = format!("{error:?} {}", Causes(&error));
        assert!(told.contains("127.0.0.1:1/gate") && !told.contains("CANARY"), "{told}");
    }
}

#[tokio::test]
async fn another_replica_is_told_of_a_change() {
    let server = Postgres::start();
    let (one, two) =
        (open(&postgres(&server)).await.unwrap(), open(&postgres(&server)).await.unwrap());
    // The first answer is that it listens from now on.
    two.changed().await.unwrap();
    let told = tokio::spawn(async move { two.changed().await });
    one.revoke(&revocation(&id()), at(0)).await.unwrap();
    told.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_replica_that_was_cut_off_asks_again() {
    let server = Postgres::start();
    let store = open(&postgres(&server)).await.unwrap();
    store.changed().await.unwrap();
    server.psql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
        WHERE pid <> pg_backend_pid() AND datname = current_database()",
    );
    store.changed().await.unwrap();
    assert_eq!(store.changes(Sequence(0)).await.unwrap(), Changes::default());
    let told = {
        let store = Arc::clone(&store);
        tokio::spawn(async move { store.changed().await })
    };
    while !told.is_finished() {
        store.revoke(&revocation(&id()), at(0)).await.unwrap();
    }
    told.await.unwrap().unwrap();
}

#[tokio::test]
async fn damage_is_told_and_not_taken_for_something_else() {
    let server = Postgres::start();
    let store = open(&postgres(&server)).await.unwrap();
    for (column, value) in [
        ("kind", "'other'"),
        ("subject", "'nobody'"),
        ("subject_kind", "''"),
        ("asserted", "'{'"),
        ("carried", "'null'"),
        ("bounds", "'null'"),
        ("bounds", "'{\"images\": [], \"actions\": []}'"),
        ("parent", "'x'"),
        ("auth_time", "9223372036854775807"),
        ("access_ttl", "-1"),
    ] {
        let family = family();
        add(&store, &family).await;
        server.psql(&format!("UPDATE families SET {column} = {value} WHERE id = '{}'", family.id));
        let error = store.family(&family.id).await.unwrap_err();
        assert!(matches!(&error, StoreError::Damaged(told) if told.contains(column)), "{error:?}");
    }
}
