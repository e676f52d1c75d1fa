//! What is not given, and what is said then.

use super::*;

#[tokio::test]
async fn a_wrong_credential_is_told_in_both_forms() {
    let gate = Gate::new();
    let answer = gate.get("service=svc.example", Some(("alice", "wrong"))).await;
    insta::assert_snapshot!(
        answer.text,
        @r#"{"error":"invalid_grant","error_description":"the user name, the password or the token is wrong","errors":[{"code":"UNAUTHORIZED","detail":null,"message":"the user name, the password or the token is wrong"}]}"#
    );
    insta::assert_snapshot!(
        answer.headers[WWW_AUTHENTICATE].to_str().unwrap(),
        @r#"Basic realm="https://svc.example/token", charset="UTF-8""#
    );
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    let nobody = gate.get("service=svc.example", Some(("nobody", "wrong"))).await;
    assert_eq!((nobody.status, nobody.text), (answer.status, answer.text));
    let form = FORM.replace("s3cret", "wrong");
    assert_eq!(gate.post(&form).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(
        *gate.events.lock().unwrap(),
        [
            "failed alice wrong_password",
            "failed nobody unknown_user",
            "failed alice wrong_password"
        ]
    );
}

#[tokio::test]
async fn a_token_that_ended_a_moment_ago_makes_no_other() {
    let gate = Gate::new();
    let then = now() - Duration::from_secs(70);
    let order = Order {
        grant: Grant::unlimited(Subject::User("alice".to_owned()), Kind::User, then),
        family: None,
        audience: None,
        access: None,
        lifetime: Duration::from_secs(60),
        not_after: None,
    };
    let issuer = PublicUrl::new("https://svc.example").unwrap();
    let (token, _) = mint(order, &gate.keys, &issuer, then).unwrap();
    // It still holds, as clocks may differ.
    insta::assert_snapshot!(
        gate.get("", Some(("alice", token.expose()))).await.refusal(),
        @"401 invalid_grant UNAUTHORIZED: the token has expired; log in again"
    );
}

#[tokio::test]
async fn a_refresh_that_fails_is_a_failed_login() {
    let gate = Gate::new();
    let form = format!("grant_type=refresh_token&refresh_token=pcr_{}", "A".repeat(43));
    assert_eq!(gate.post(&form).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(*gate.events.lock().unwrap(), ["failed <token> unknown_token"]);
}

#[tokio::test]
async fn an_exchange_that_fails_is_a_failed_login() {
    let gate = Gate::new();
    let form = "grant_type=urn:ietf:params:oauth:grant-type:token-exchange&subject_token=a.b.c\
                &subject_token_type=urn:ietf:params:oauth:token-type:id_token";
    assert_eq!(gate.post(form).await.status, StatusCode::UNAUTHORIZED);
    let events = gate.events.lock().unwrap().clone();
    assert!(matches!(&events[..], [one] if one.starts_with("failed oidc ")), "{events:?}");
}

#[tokio::test]
async fn a_wrong_credential_is_never_taken_for_none() {
    let gate = Gate::new();
    for value in ["Basic ", "Basic ???", "Basic YWxpY2U=", "Digest x", "Bearer x", "Bearer "] {
        let request =
            Request::get("/token?scope=repository:public/app:pull").header(AUTHORIZATION, value);
        let status = gate.send(request, "").await.status;
        assert!(status.is_client_error(), "{value}: {status}");
    }
    let twice =
        Request::get("/token").header(AUTHORIZATION, "Basic a").header(AUTHORIZATION, "Basic a");
    assert_eq!(gate.send(twice, "").await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn guessing_ends_in_a_429_that_says_when_to_come_back() {
    let gate = Gate::new();
    for _ in 0..10 {
        gate.get("service=svc.example", Some(("alice", "wrong"))).await;
    }
    let answer = gate.get("service=svc.example", Some(("alice", "wrong"))).await;
    insta::assert_snapshot!(answer.refusal(), @"429 temporarily_unavailable TOOMANYREQUESTS: too many failed logins; try again in 10 s");
    assert_eq!(answer.headers[RETRY_AFTER], "10");
}

#[tokio::test]
async fn what_cannot_be_meant_is_refused_with_the_reason() {
    let gate = Gate::new();
    let scopes = "scope=repository:a:pull&".repeat(101);
    let long = format!("repository:{}", "a".repeat(200));
    let large: String = (0..60).map(|n| format!("scope={long}/public{n}:pull&")).collect();
    let mut refusals = Vec::new();
    for query in [
        "service=other.example",
        "service=%22%0d%0aX%3a+y",
        "service=svc.example&service=svc.example",
        "account=a&account=b",
        &scopes,
        "access_token=eyJ",
        "username=alice&password=s3cret",
    ] {
        refusals.push(gate.get(query, None).await.refusal());
    }
    for form in [
        "service=svc.example",
        "grant_type=password",
        "grant_type=password&username=alice",
        "grant_type=refresh_token&refresh_token=pcr_x&service=svc.example",
        "grant_type=authorization_code&code=x",
        "grant_type=password&grant_type=password",
        "grant_type=password&username=a&username=b&password=x",
        "grant_type=password&username=a&password=x&service=other.example",
    ] {
        refusals.push(gate.post(form).await.refusal());
    }
    assert_eq!(gate.get(&large, None).await.scope(), "");
    insta::assert_snapshot!(refusals.join("\n"), @r#"
    400 invalid_request UNSUPPORTED: there is no service `other.example` here; this gate is `svc.example`
    400 invalid_request UNSUPPORTED: there is no service `"X: y` here; this gate is `svc.example`
    400 invalid_request UNSUPPORTED: `service` came more than once
    400 invalid_request UNSUPPORTED: `account` came more than once
    400 invalid_scope UNSUPPORTED: at most 100 scopes can be asked for at once
    400 invalid_request UNSUPPORTED: `access_token` does not belong in a URL; send it in the Authorization header or a form
    400 invalid_request UNSUPPORTED: `password` does not belong in a URL; send it in the Authorization header or a form
    400 invalid_request UNSUPPORTED: `grant_type` is missing
    400 invalid_request UNSUPPORTED: `username` is missing
    400 invalid_request UNSUPPORTED: `password` is missing
    401 invalid_grant UNAUTHORIZED: the user name, the password or the token is wrong
    400 unsupported_grant_type UNSUPPORTED: this gate knows the grant types `password`, `refresh_token` and `urn:ietf:params:oauth:grant-type:token-exchange`
    400 invalid_request UNSUPPORTED: `grant_type` came more than once
    400 invalid_request UNSUPPORTED: `username` came more than once
    400 invalid_request UNSUPPORTED: there is no service `other.example` here; this gate is `svc.example`
    "#);
}

#[tokio::test]
async fn unknown_parameters_are_ignored() {
    let gate = Gate::new();
    let answer = gate.alice("service=svc.example&x=1&x=2&scope=repository:team/app:pull").await;
    assert_eq!(answer.scope(), "repository:team/app:pull");
}

#[tokio::test]
async fn a_token_that_would_be_too_long_is_refused_with_a_remedy() {
    let gate = Gate::new();
    let name = "a".repeat(200);
    let scopes: String =
        (0..60).map(|n| format!("scope=repository:public/{name}{n}:pull&")).collect();
    insta::assert_snapshot!(
        gate.get(&scopes, None).await.refusal(),
        @"400 invalid_scope UNSUPPORTED: the token would be longer than 8192 bytes: ask for fewer repositories at once"
    );
}

#[tokio::test]
async fn a_body_has_a_type_and_an_end() {
    let gate = Gate::new();
    let form = format!("{FORM}&x={}", "x".repeat(64 * 1024));
    let answer = gate.post(&form).await.refusal();
    insta::assert_snapshot!(answer, @"413 invalid_request SIZE_INVALID: a token request has at most 64 KiB");
    let json = Request::post("/token").header(CONTENT_TYPE, "application/json");
    let answer = gate.send(json, "{}").await.refusal();
    insta::assert_snapshot!(answer, @"400 invalid_request UNSUPPORTED: a token request is a form of the type application/x-www-form-urlencoded");
    let secret = Request::post("/token?password=x")
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    assert_eq!(gate.send(secret, FORM).await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn other_methods_are_405() {
    let gate = Gate::new();
    for method in [Method::HEAD, Method::PUT, Method::DELETE, Method::OPTIONS, Method::TRACE] {
        let answer = gate.send(Request::builder().method(&method).uri("/token"), "").await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{method}");
        assert_eq!(answer.headers[ALLOW], "GET, POST");
    }
}
