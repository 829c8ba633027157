//! Changes: patches, switches, and who comes first.

use futures_util::future::join_all;
use http::StatusCode;
use serde_json::json;

use super::world::{Reply, World};

impl World {
    async fn patch(&self, path: &str, body: &str, if_match: &[(&str, &str)]) -> Reply {
        self.ask_as("default", "PATCH", path, body.to_owned(), if_match)
            .await
    }
}

#[tokio::test(start_paused = true)]
async fn a_patch_changes_what_it_names() {
    let world = World::new().await;
    let body = json!({
        "url": "https://example.com/", "name": "a", "metadata": {"a": "1", "b": "2"},
        "custom_headers": {"X-A": "1", "X-B": "2"}, "max_in_flight": 5,
        "retry": {"max_attempts": 3, "initial": 1},
    });
    let made = world.endpoint_of("default", &body.to_string()).await;
    let path = format!("/api/v1/endpoints/{}", made.id());
    let patch = json!({
        "name": null, "metadata": {"a": null, "c": "3"}, "custom_headers": {"x-a": null, "X-C": "3"},
        "retry": {"jitter": 0.5}, "circuit": {"failures": 9}, "timeout_seconds": 5,
    });
    let patched = world.patch(&path, &patch.to_string(), &[]).await;
    assert_eq!(patched.status, StatusCode::OK, "{}", patched.text);
    assert_eq!(patched.header("etag"), "\"1\"");
    let after = &patched.body;
    assert_eq!(after["name"], json!(null));
    assert_eq!(after["metadata"], json!({"b": "2", "c": "3"}));
    assert_eq!(after["custom_headers"], json!({"x-b": "***", "x-c": "***"}));
    assert_eq!(after["max_in_flight"], 5);
    assert_eq!(after["retry"]["jitter"], 0.5);
    assert_eq!(after["retry"]["max_attempts"], 3);
    assert_eq!(
        after["circuit"],
        json!({"failures": 9, "window_seconds": 60, "open_seconds": 300})
    );
    assert_eq!(after["connect_timeout_seconds"], 5, "never above the whole");
    assert_eq!(after["signing_keys"], made.body["signing_keys"]);
    assert_eq!(world.got(&path).await, *after);
    // A schedule of the other form takes the place of the rule.
    let other = world
        .patch(&path, r#"{"retry":{"schedule":[1]}}"#, &[])
        .await;
    assert_eq!(
        other.body["retry"],
        json!({"schedule": [1], "jitter": 0.5, "retry_on": "transient"})
    );
    let default = world
        .patch(&path, r#"{"retry":null,"circuit":null}"#, &[])
        .await;
    assert_eq!(default.body["retry"]["jitter"], 0.1);
    assert_eq!(default.body["circuit"], json!(null));
}

#[tokio::test(start_paused = true)]
async fn a_patch_that_changes_nothing_makes_no_version() {
    let world = World::new().await;
    let path = format!("/api/v1/endpoints/{}", world.endpoint().await);
    for body in ["{}", r#"{"url":"https://example.com/hook","filter":null}"#] {
        let reply = world.patch(&path, body, &[]).await;
        assert_eq!(
            (reply.status, reply.header("etag")),
            (StatusCode::OK, "\"0\"")
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_bad_patch_changes_nothing() {
    let world = World::new().await;
    let path = format!("/api/v1/endpoints/{}", world.endpoint().await);
    for (body, status, code) in [
        (r#"{"url":null}"#, 422, "validation_failed"),
        (
            r#"{"url":"https://10.0.0.1/","name":"a"}"#,
            422,
            "url_forbidden",
        ),
        (r#"{"secret":"whsec_AAAA"}"#, 422, "not_supported_yet"),
        (
            r#"{"ordering":"strict","name":"a"}"#,
            422,
            "not_supported_yet",
        ),
        (r#"{"version":7}"#, 422, "validation_failed"),
        ("[]", 400, "invalid_json"),
        ("{", 400, "invalid_json"),
        ("", 400, "invalid_json"),
        (r#"{"name":"a","name":"b"}"#, 400, "invalid_json"),
    ] {
        let reply = world.patch(&path, body, &[]).await;
        assert_eq!(
            (reply.status.as_u16(), reply.code()),
            (status, code),
            "{body}"
        );
    }
    assert_eq!(world.got(&path).await["version"], 0);
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_cannot_sign_the_new_way_keeps_the_old() {
    let world = World::new().await;
    let body = r#"{"url":"https://example.com/","signing":"stripe","secret":"my own"}"#;
    let made = world.endpoint_of("default", body).await;
    let path = format!("/api/v1/endpoints/{}", made.id());
    for signing in ["standard", "both"] {
        let reply = world
            .patch(&path, &json!({ "signing": signing }).to_string(), &[])
            .await;
        assert_eq!(reply.pointers(), ["/signing"], "{}", reply.text);
    }
    let generated = r#"{"url":"https://example.com/","signing":"stripe"}"#;
    let made = world.endpoint_of("default", generated).await;
    let path = format!("/api/v1/endpoints/{}", made.id());
    let reply = world.patch(&path, r#"{"signing":"both"}"#, &[]).await;
    assert_eq!(reply.body["signing"], "both");
}

#[tokio::test(start_paused = true)]
async fn if_match_is_held_to() {
    let world = World::new().await;
    let path = format!("/api/v1/endpoints/{}", world.endpoint().await);
    let first = [("if-match", "\"0\"")];
    assert_eq!(
        world.patch(&path, r#"{"name":"a"}"#, &first).await.status,
        200
    );
    for method in ["PATCH", "DELETE"] {
        let body = if method == "PATCH" {
            r#"{"name":"b"}"#
        } else {
            ""
        };
        let stale = world.ask_as("default", method, &path, body, &first).await;
        assert_eq!(stale.status, StatusCode::PRECONDITION_FAILED);
        assert_eq!(stale.code(), "precondition_failed");
    }
    let pause = format!("{path}/pause");
    let stale = world.ask_as("default", "POST", &pause, "", &first).await;
    assert_eq!(stale.code(), "precondition_failed");
    assert_eq!(world.got(&path).await["name"], "a");
    for tag in ["*", "\"9\", \"1\""] {
        let reply = world.patch(&path, "{}", &[("if-match", tag)]).await;
        assert_eq!(reply.status, 200, "{tag}");
    }
    let deleted = world
        .ask_as("default", "DELETE", &path, "", &[("if-match", "\"1\"")])
        .await;
    assert_eq!(deleted.status, StatusCode::NO_CONTENT);
}

#[tokio::test(start_paused = true)]
async fn of_changes_at_once_that_name_a_version_one_is_taken() {
    let world = World::new().await;
    let path = format!("/api/v1/endpoints/{}", world.endpoint().await);
    let bodies: Vec<String> = (0..6)
        .map(|n| json!({"name": n.to_string()}).to_string())
        .collect();
    let replies = join_all(
        bodies
            .iter()
            .map(|body| world.patch(&path, body, &[("if-match", "\"0\"")])),
    )
    .await;
    let taken: Vec<_> = replies.iter().filter(|reply| reply.status == 200).collect();
    assert_eq!(taken.len(), 1);
    assert!(
        replies
            .iter()
            .all(|reply| reply.status == 200 || reply.status == 412)
    );
    assert_eq!(world.got(&path).await, taken[0].body);
}

#[tokio::test(start_paused = true)]
async fn changes_at_once_that_name_no_version_are_all_made() {
    let world = World::new().await;
    let path = format!("/api/v1/endpoints/{}", world.endpoint().await);
    let bodies: Vec<String> = (0..6)
        .map(|n| json!({"metadata": {n.to_string(): "x"}}).to_string())
        .collect();
    let replies = join_all(bodies.iter().map(|body| world.patch(&path, body, &[]))).await;
    assert!(replies.iter().all(|reply| reply.status == 200));
    let metadata = &world.got(&path).await["metadata"];
    assert_eq!(metadata.as_object().unwrap().len(), 6);
}

#[tokio::test(start_paused = true)]
async fn switches_are_thrown_once() {
    let world = World::new().await;
    let path = format!("/api/v1/endpoints/{}", world.endpoint().await);
    // An endpoint's version is the offset of its fact, and there is only one endpoint.
    for (switch, state, reason, paused, version) in [
        ("pause", "active", json!(null), true, 1),
        ("pause", "active", json!(null), true, 1),
        ("resume", "active", json!(null), false, 2),
        ("resume", "active", json!(null), false, 2),
        ("disable", "disabled", json!("operator"), false, 3),
        ("disable", "disabled", json!("operator"), false, 3),
        ("enable", "active", json!(null), false, 4),
        ("enable", "active", json!(null), false, 4),
    ] {
        let reply = world.ask("POST", &format!("{path}/{switch}"), "").await;
        assert_eq!(reply.status, StatusCode::OK, "{}", reply.text);
        assert_eq!(reply.body["state"], state);
        assert_eq!(reply.body["is_active"], state == "active");
        assert_eq!(reply.body["disabled_reason"], reason);
        assert_eq!(reply.body["paused"], paused);
        assert_eq!(reply.body["version"], version);
    }
    let said = world
        .ask("POST", &format!("{path}/pause"), r#"{"for":5}"#)
        .await;
    assert_eq!(said.code(), "validation_failed");
}
