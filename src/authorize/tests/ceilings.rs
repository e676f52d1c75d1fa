//! What a token does not cover its holder may not do with it, and is told to get another only where
//! another would help.

use super::*;

const PUSH: [Action; 3] = [Action::Create, Action::Overwrite, Action::Attach];

/// What each caller is told who has a token for these actions, and with a token for nothing.
async fn with_tokens(actions: &[Action], requests: &[&str]) -> String {
    let world = World::new().await;
    let mut told = Vec::new();
    for request in requests {
        let mut outcomes = Vec::new();
        for who in ["a-whole", "b-tags", "d-push", "z-none"] {
            outcomes.push((who, world.ask(&token(who, actions), request).await));
        }
        told.push(together(request, &outcomes));
    }
    told.join("\n")
}

#[tokio::test]
async fn a_token_for_nothing_here_does_nothing_here() {
    let told = with_tokens(
        &[],
        &[
            "GET team/app/manifests/v2",
            "HEAD team/app/manifests/v2",
            "GET team/app/manifests/TWO",
            "GET team/app/blobs/BASE-LAYER",
            "HEAD team/app/blobs/BASE-LAYER",
            "GET team/app/manifests/DEV",
            "GET team/app/referrers/TWO",
            "GET team/app/tags/list",
            "GET _catalog",
            "POST team/app/blobs/uploads/",
            "DELETE team/app/manifests/v2",
            "DELETE team/app/manifests/TWO",
            "DELETE team/app/blobs/BASE-LAYER",
        ],
    )
    .await;
    insta::assert_snapshot!(told, @r#"
    GET team/app/manifests/v2
      a-whole b-tags: 401 UNAUTHORIZED: the token does not cover this: ask for one with the scope of the challenge [scope="repository:team/app:pull",error="insufficient_scope"]
      d-push z-none: 403 DENIED: pull of team/app:v2 is denied: no rule allows user:CALLER to pull team/app:v2
    HEAD team/app/manifests/v2
      a-whole b-tags: 401 UNAUTHORIZED: the token does not cover this: ask for one with the scope of the challenge [scope="repository:team/app:pull",error="insufficient_scope"]
      d-push z-none: 403 DENIED: pull of team/app:v2 is denied: no rule allows user:CALLER to pull team/app:v2
    GET team/app/manifests/TWO
      a-whole b-tags d-push: 401 UNAUTHORIZED: the token does not cover this: ask for one with the scope of the challenge [scope="repository:team/app:pull",error="insufficient_scope"]
      z-none: 403 DENIED: pull of team/app is denied: no rule allows user:CALLER to pull team/app as a whole
    GET team/app/blobs/BASE-LAYER
      a-whole b-tags d-push: 401 UNAUTHORIZED: the token does not cover this: ask for one with the scope of the challenge [scope="repository:team/app:pull",error="insufficient_scope"]
      z-none: 403 DENIED: pull of team/app is denied: no rule allows user:CALLER to pull team/app as a whole
    HEAD team/app/blobs/BASE-LAYER
      a-whole b-tags d-push: 401 UNAUTHORIZED: the token does not cover this: ask for one with the scope of the challenge [scope="repository:team/app:pull",error="insufficient_scope"]
      z-none: 404 BLOB_UNKNOWN: blob unknown to registry
    GET team/app/manifests/DEV
      a-whole b-tags d-push: 401 UNAUTHORIZED: the token does not cover this: ask for one with the scope of the challenge [scope="repository:team/app:pull",error="insufficient_scope"]
      z-none: 403 DENIED: pull of team/app is denied: no rule allows user:CALLER to pull team/app as a whole
    GET team/app/referrers/TWO
      a-whole b-tags d-push: 401 UNAUTHORIZED: the token does not cover this: ask for one with the scope of the challenge [scope="repository:team/app:pull",error="insufficient_scope"]
      z-none: 403 DENIED: pull of team/app is denied: no rule allows user:CALLER to pull team/app as a whole
    GET team/app/tags/list
      a-whole b-tags d-push: 401 UNAUTHORIZED: the token does not cover this: ask for one with the scope of the challenge [scope="repository:team/app:pull",error="insufficient_scope"]
      z-none: 403 DENIED: pull of team/app is denied: no rule allows user:CALLER to pull team/app as a whole
    GET _catalog
      a-whole b-tags d-push z-none: 401 UNAUTHORIZED: the token does not cover this: ask for one with the scope of the challenge [scope="registry:catalog:*",error="insufficient_scope"]
    POST team/app/blobs/uploads/
      a-whole b-tags d-push: 401 UNAUTHORIZED: the token does not cover this: ask for one with the scope of the challenge [scope="repository:team/app:pull,push",error="insufficient_scope"]
      z-none: 403 DENIED: create of team/app is denied: no rule allows user:CALLER to create team/app as a whole
    DELETE team/app/manifests/v2
      a-whole b-tags: 401 UNAUTHORIZED: the token does not cover this: ask for one with the scope of the challenge [scope="repository:team/app:pull,delete",error="insufficient_scope"]
      d-push z-none: 403 DENIED: delete of team/app:v2 is denied: no rule allows user:CALLER to delete team/app:v2
    DELETE team/app/manifests/TWO
      a-whole b-tags: 401 UNAUTHORIZED: the token does not cover this: ask for one with the scope of the challenge [scope="repository:team/app:pull,delete",error="insufficient_scope"]
      d-push z-none: 403 DENIED: delete of team/app is denied: no rule allows user:CALLER to delete team/app as a whole
    DELETE team/app/blobs/BASE-LAYER
      a-whole: 401 UNAUTHORIZED: the token does not cover this: ask for one with the scope of the challenge [scope="repository:team/app:pull,delete",error="insufficient_scope"]
      b-tags d-push z-none: 403 DENIED: delete of team/app is denied: no rule allows user:CALLER to delete team/app as a whole
    "#);
}

#[tokio::test]
async fn a_token_to_pull_does_not_write() {
    let told = with_tokens(
        &[Action::Pull],
        &[
            "GET team/app/manifests/TWO",
            "POST team/app/blobs/uploads/",
            "DELETE team/app/manifests/v2",
        ],
    )
    .await;
    insta::assert_snapshot!(told, @r#"
    GET team/app/manifests/TWO
      a-whole b-tags: plain
      d-push: 401 UNAUTHORIZED: the token does not cover this: ask for one with the scope of the challenge [scope="repository:team/app:pull",error="insufficient_scope"]
      z-none: 403 DENIED: pull of team/app is denied: no rule allows user:CALLER to pull team/app as a whole
    POST team/app/blobs/uploads/
      a-whole b-tags d-push: 401 UNAUTHORIZED: the token does not cover this: ask for one with the scope of the challenge [scope="repository:team/app:pull,push",error="insufficient_scope"]
      z-none: 403 DENIED: create of team/app is denied: no rule allows user:CALLER to create team/app as a whole
    DELETE team/app/manifests/v2
      a-whole b-tags: 401 UNAUTHORIZED: the token does not cover this: ask for one with the scope of the challenge [scope="repository:team/app:pull,delete",error="insufficient_scope"]
      d-push z-none: 403 DENIED: delete of team/app:v2 is denied: no rule allows user:CALLER to delete team/app:v2
    "#);
}

#[tokio::test]
async fn a_token_to_push_does_not_read_but_what_pushing_needs() {
    let told = with_tokens(
        &PUSH,
        &[
            "GET team/app/manifests/v2",
            "HEAD team/app/manifests/v2",
            "HEAD team/app/manifests/dev",
            "HEAD team/app/blobs/BASE-LAYER",
            "POST team/app/blobs/uploads/?mount=BASE-LAYER&from=team/other",
            "GET team/app/tags/list",
        ],
    )
    .await;
    insta::assert_snapshot!(told, @r#"
    GET team/app/manifests/v2
      a-whole b-tags: 401 UNAUTHORIZED: the token does not cover this: ask for one with the scope of the challenge [scope="repository:team/app:pull",error="insufficient_scope"]
      d-push z-none: 403 DENIED: pull of team/app:v2 is denied: no rule allows user:CALLER to pull team/app:v2
    HEAD team/app/manifests/v2
      a-whole b-tags d-push: plain
      z-none: 403 DENIED: pull of team/app:v2 is denied: no rule allows user:CALLER to pull team/app:v2
    HEAD team/app/manifests/dev
      a-whole d-push: plain
      b-tags: 404 MANIFEST_UNKNOWN: manifest unknown
      z-none: 403 DENIED: pull of team/app:dev is denied: no rule allows user:CALLER to pull team/app:dev
    HEAD team/app/blobs/BASE-LAYER
      a-whole b-tags d-push z-none: 404 BLOB_UNKNOWN: blob unknown to registry
    POST team/app/blobs/uploads/?mount=BASE-LAYER&from=team/other
      a-whole b-tags d-push: plain, as /v2/team/app/blobs/uploads/
      z-none: 403 DENIED: create of team/app is denied: no rule allows user:CALLER to create team/app as a whole
    GET team/app/tags/list
      a-whole b-tags d-push: 404 NAME_UNKNOWN: repository name not known to registry
      z-none: 403 DENIED: pull of team/app is denied: no rule allows user:CALLER to pull team/app as a whole
    "#);
}

#[tokio::test]
async fn a_manifest_is_stored_only_as_far_as_the_token_covers() {
    let world = World::new().await;
    let content = image("own config", &["base"]);
    for name in ["own config", "base"] {
        for who in CALLERS {
            let subject = user(who).caller.subject;
            world.inventory.saw_push(&repository("team/app"), &subject, &blob(name), world.now);
        }
    }
    let mut told = Vec::new();
    for (name, actions) in [
        ("pull", &[Action::Pull][..]),
        ("create", &[Action::Create]),
        ("overwrite", &[Action::Overwrite]),
        ("push", &PUSH),
    ] {
        for request in ["PUT team/app/manifests/v2", "PUT team/app/manifests/v99"] {
            let outcome = world.put(&token("a-whole", actions), request, &content).await;
            told.push(format!("{name}: {request}: {outcome}"));
        }
    }
    insta::assert_snapshot!(told.join("\n"), @r#"
    pull: PUT team/app/manifests/v2: 401 UNAUTHORIZED: the token does not cover this: ask for one with the scope of the challenge [scope="repository:team/app:pull,push",error="insufficient_scope"]
    pull: PUT team/app/manifests/v99: 401 UNAUTHORIZED: the token does not cover this: ask for one with the scope of the challenge [scope="repository:team/app:pull,push",error="insufficient_scope"]
    create: PUT team/app/manifests/v2: 401 UNAUTHORIZED: the token does not cover this: ask for one with the scope of the challenge [scope="repository:team/app:pull,push",error="insufficient_scope"]
    create: PUT team/app/manifests/v99: manifest, lock alone, by CALLER
    overwrite: PUT team/app/manifests/v2: manifest, lock alone, by CALLER
    overwrite: PUT team/app/manifests/v99: 401 UNAUTHORIZED: the token does not cover this: ask for one with the scope of the challenge [scope="repository:team/app:pull,push",error="insufficient_scope"]
    push: PUT team/app/manifests/v2: manifest, lock shared, by CALLER
    push: PUT team/app/manifests/v99: manifest, lock shared, by CALLER
    "#);
}

#[tokio::test]
async fn a_token_of_another_repository_is_none_here() {
    let world = World::new().await;
    let other =
        Access::Repository { name: repository("team/other"), actions: Action::ALL.to_vec() };
    let catalog = Principal { ceiling: Ceiling::Access(vec![Access::Catalog]), ..user("a-whole") };
    let other = Principal { ceiling: Ceiling::Access(vec![other]), ..user("a-whole") };
    for request in ["GET team/app/manifests/v2", "POST team/app/blobs/uploads/"] {
        for principal in [&catalog, &other] {
            let told = world.ask(principal, request).await;
            assert!(told.starts_with("401 UNAUTHORIZED"), "{told}");
        }
    }
    assert_eq!(world.ask(&catalog, "GET _catalog").await, "plain");
    assert!(world.ask(&other, "GET _catalog").await.starts_with("401 UNAUTHORIZED"));
    assert_eq!(world.ask(&other, "GET team/other/manifests/v1").await, "plain, by others");
}
