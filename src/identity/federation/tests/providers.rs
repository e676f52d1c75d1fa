//! The providers of the examples: what they sign, and what the documented configuration makes of it.

use policy::Subject;

use super::*;

const EXAMPLE: &str = include_str!("../../../../examples/ci/federation.yaml");

/// The entry of the example that has this name.
fn example(name: &str) -> Scene {
    let folder = tempfile::tempdir().unwrap();
    let keys = crate::sample_provider::jwks(&[Key::es256("any")]);
    fs::write(folder.path().join("cluster-keys.json"), keys.to_string()).unwrap();
    let mut all = configured(folder.path(), EXAMPLE);
    let place = all.iter().position(|settings| settings.name == name).unwrap();
    let mut scene = Scene::of(all.remove(place));
    scene.key = Key::rs256("key-1");
    scene.server.rotate(std::slice::from_ref(&scene.key));
    scene
}

#[test]
fn the_jobs_of_the_examples_ask_for_tokens_of_the_documented_providers() {
    let folder = tempfile::tempdir().unwrap();
    let keys = crate::sample_provider::jwks(&[Key::es256("any")]);
    fs::write(folder.path().join("cluster-keys.json"), keys.to_string()).unwrap();
    let providers = configured(folder.path(), EXAMPLE);
    for (name, job) in [
        ("github", include_str!("../../../../examples/ci/github-actions.yml")),
        ("gitlab", include_str!("../../../../examples/ci/gitlab-ci.yml")),
        ("cluster", include_str!("../../../../examples/ci/kubernetes.yaml")),
    ] {
        let mut problems = document::Problems::default();
        let parsed = document::parse(&JOB, 0, job, &mut problems);
        assert!(parsed.is_some() && problems.is_empty(), "{name} is no YAML");
        let provider = providers.iter().find(|provider| provider.name == name).unwrap();
        assert!(job.contains(&format!("--username oidc:{name} --password-stdin")), "{name}");
        let audience = &provider.audience;
        let asked = [
            format!("aud: {audience}"),
            format!("audience: {audience}"),
            format!("GATE: {audience}"),
        ];
        assert!(asked.iter().any(|asked| job.contains(asked)), "{name}");
    }
}

const JOB: document::Kind = document::Kind {
    name: "the job",
    max_mib: 1,
    too_large: "",
    second_document: "",
    instead_of_anchors: "",
    secret_keys: &[],
};

/// A job of a workflow.
fn github() -> Value {
    json!({
        "jti": "6f6f1b0e-2d0c-4b7e-8a57-0d0c7d6a3c11", "iss": "https://token.actions.githubusercontent.com",
        "sub": "repo:widgets/app:environment:production", "aud": "gate.example",
        "ref": "refs/heads/main", "ref_type": "branch", "ref_protected": "true",
        "sha": "0123456789abcdef0123456789abcdef01234567", "repository": "widgets/app",
        "repository_id": "7654321", "repository_owner": "widgets", "repository_owner_id": "1234567",
        "repository_visibility": "private", "run_id": "991", "run_number": "10", "run_attempt": "1",
        "actor": "eve", "actor_id": "31337", "workflow": "image", "head_ref": "", "base_ref": "",
        "event_name": "push", "environment": "production", "runner_environment": "github-hosted",
        "job_workflow_ref": "widgets/app/.github/workflows/image.yml@refs/heads/main",
        "nbf": NOW - 605, "iat": NOW - 5, "exp": NOW + 295,
    })
}

/// A job of a pipeline.
fn gitlab() -> Value {
    json!({
        "namespace_id": "72", "namespace_path": "widgets", "project_id": "20",
        "project_path": "widgets/app", "user_id": "1", "user_login": "eve",
        "user_email": "eve@corp.example", "user_access_level": "owner", "pipeline_id": "574",
        "pipeline_source": "push", "job_id": "302", "ref": "main", "ref_type": "branch",
        "ref_path": "refs/heads/main", "ref_protected": "true", "groups_direct": ["widgets"],
        "runner_id": 1, "runner_environment": "self-hosted", "project_visibility": "private",
        "sha": "0123456789abcdef0123456789abcdef01234567",
        "ci_config_ref_uri": "gitlab.example/widgets/app//.gitlab-ci.yml@refs/heads/main",
        "jti": "235b3a54-b797-45c7-ae9a-f72d7bc6ef5b", "iss": "https://gitlab.example",
        "iat": NOW - 5, "nbf": NOW - 10, "exp": NOW + 3595,
        "sub": "project_path:widgets/app:ref_type:branch:ref:main", "aud": "gate.example",
    })
}

/// A service account with a token that a pod was given.
fn kubernetes() -> Value {
    json!({
        "aud": ["gate.example"], "iat": NOW - 5, "nbf": NOW - 5, "exp": NOW + 595,
        "iss": "https://kubernetes.default.svc.cluster.local",
        "jti": "a3a6a5bc-35c7-4c1c-8c9a-0d3b0f9b7c43",
        "kubernetes.io": {
            "namespace": "ci",
            "node": {"name": "node-1", "uid": "5f1c0d6e-1c1d-4b1e-9d5f-0a6c2d11f3b1"},
            "pod": {"name": "build", "uid": "9d355c1f-0a6c-4d11-8e0c-7b7e4a53f3b1"},
            "serviceaccount": {"name": "builder", "uid": "4a539d35-5c1f-4a6c-9d11-f3b1c7e05b7e"},
        },
        "sub": "system:serviceaccount:ci:builder",
    })
}

fn changed(mut claims: Value, name: &str, value: Value) -> Value {
    claims[name] = value;
    claims
}

#[tokio::test]
async fn a_job_of_github_logs_in_without_a_secret() {
    let scene = example("github");
    // The header has the fingerprint of a certificate too.
    let header = json!({"typ": "JWT", "alg": "RS256", "x5t": "c29tZQ", "kid": "key-1"});
    let login = scene.show(&scene.key.sign_as(&header, &github())).await.unwrap();
    assert_eq!(login.grant.subject, Subject::Service("gh/7654321".to_owned()));
    assert_eq!(login.grant.kind, crate::token::Kind::Federated);
    assert_eq!(login.grant.via.as_deref(), Some("github"));
    assert_eq!(login.grant.asserted, ["release"]);
    assert_eq!((login.grant.groups, login.grant.bounds), (None, None));
    assert_eq!(login.grant.auth_time, at(0));
    assert_eq!(login.ends, at(12 * 3600));
    let elsewhere = changed(github(), "environment", json!("staging"));
    assert!(scene.login(&elsewhere).await.unwrap().grant.asserted.is_empty());
}

/// What names say is worth nothing: a repository that was made again under the old name, an owner
/// whose name looks like the number of ours, a token for whatever service asks.
#[tokio::test]
async fn a_lookalike_on_github_does_not_log_in() {
    let scene = example("github");
    for (name, value, label) in [
        ("repository_id", json!("7654399"), "id_token_required_claim"),
        ("repository_owner_id", json!("12345678"), "id_token_required_claim"),
        ("repository_owner_id", json!("org-1234567"), "id_token_required_claim"),
        ("aud", json!("https://github.com/widgets"), "id_token_audience"),
        ("iss", json!("https://token.actions.githubusercontent.com/widgets"), "id_token_issuer"),
    ] {
        let claims = changed(github(), name, value);
        assert_eq!(scene.login(&claims).await.unwrap_err().label(), label, "{name}");
    }
}

#[tokio::test]
async fn a_job_of_gitlab_logs_in_without_a_secret() {
    let scene = example("gitlab");
    let login = scene.login(&gitlab()).await.unwrap();
    assert_eq!(login.grant.subject, Subject::Service("gl/20".to_owned()));
    assert_eq!(login.grant.asserted, ["release"]);
    let unprotected = changed(gitlab(), "ref_protected", json!("false"));
    assert!(scene.login(&unprotected).await.unwrap().grant.asserted.is_empty());
    let another = changed(gitlab(), "namespace_id", json!("73"));
    assert_eq!(scene.login(&another).await.unwrap_err().label(), "id_token_required_claim");
}

#[tokio::test]
async fn a_service_account_of_kubernetes_logs_in_without_a_secret() {
    let scene = example("cluster");
    // These headers have no type.
    let header = json!({"alg": "RS256", "kid": "key-1"});
    let login = scene.show(&scene.key.sign_as(&header, &kubernetes())).await.unwrap();
    assert_eq!(login.grant.subject, Subject::Service("k8s/ci/builder".to_owned()));
    assert_eq!(login.ends, at(3600));
    let mut another = kubernetes();
    another["kubernetes.io"]["namespace"] = json!("default");
    assert_eq!(scene.login(&another).await.unwrap_err().label(), "id_token_required_claim");
    // One that the pod has for the cluster itself.
    let own = json!(["https://kubernetes.default.svc.cluster.local"]);
    let error = scene.login(&changed(kubernetes(), "aud", own)).await.unwrap_err();
    assert_eq!(error.label(), "id_token_audience");
}

#[tokio::test]
async fn a_person_logs_in_with_a_token_of_each_algorithm() {
    let mut scene = Scene::new();
    for key in [Key::rs256("r"), Key::es256("e"), Key::eddsa("d")] {
        scene.server.rotate(std::slice::from_ref(&key));
        scene.key = key;
        let login = scene.login(&claims()).await.unwrap();
        assert_eq!(login.grant.subject, Subject::User("eve".to_owned()));
        assert_eq!(login.grant.asserted, ["release", "staff"]);
        assert_eq!(login.ends, at(8 * 3600));
    }
}

#[tokio::test]
async fn discovery_finds_the_keys_of_a_provider_too() {
    let mut scene = Scene::new();
    let issuer = scene.server.issuer();
    scene.settings.issuer = HttpsUrl::new(&issuer).unwrap();
    scene.settings.jwks = JwksLocation::Discovery(scene.settings.issuer.clone());
    scene.login(&with(json!({"iss": issuer}))).await.unwrap();
    assert_eq!(scene.server.asked(), ["/.well-known/openid-configuration", "/keys"]);
}
