//! Endpoints: made, read, listed, deleted.

use http::StatusCode;
use serde_json::{Value, json};

use super::world::World;

#[tokio::test(start_paused = true)]
async fn of_an_endpoint_only_its_url_has_to_be_said() {
    let world = World::new().await;
    let made = world
        .endpoint_of("default", r#"{"url":"https://example.com/hook"}"#)
        .await;
    let id = made.id();
    assert!(id.starts_with("ep_"), "{id}");
    assert_eq!(
        made.header("location"),
        format!("/api/v1/endpoints/{id}").as_str()
    );
    assert_eq!(made.header("etag"), "\"0\"");
    assert_eq!(made.header("cache-control"), "no-store");
    let mut expected = made.body.clone();
    let secret = expected["secret"].take();
    assert!(secret.as_str().unwrap().starts_with("whsec_"), "{secret}");
    let key = expected["signing_keys"][0]["id"].take();
    assert!(key.as_str().unwrap().starts_with("sec_"), "{key}");
    assert_eq!(
        expected,
        json!({
            "id": id, "name": null, "url": "https://example.com/hook", "is_active": true,
            "state": "active", "disabled_reason": null, "paused": false, "event_types": [],
            "filter": null, "ordering": "none", "ordering_key": null, "on_dead_letter": "continue",
            "max_in_flight": 20, "rate_limit": null, "timeout_seconds": 30,
            "connect_timeout_seconds": 10,
            "retry": {
                "schedule": [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400],
                "jitter": 0.1, "retry_on": "transient",
            },
            "circuit": {"failures": 5, "window_seconds": 60, "open_seconds": 300},
            "signing": "both", "algorithm": "hmac-sha256", "signing_keys": [{"id": null}],
            "custom_headers": {}, "metadata": {}, "partition": 0, "version": 0,
            "created_at": "2026-01-02T03:04:05.678Z", "secret": null,
        })
    );
    let mut read = made.body.clone();
    read.as_object_mut().unwrap().remove("secret");
    for path in [id.as_str(), &id[3..]] {
        let reply = world.get(&format!("/api/v1/endpoints/{path}")).await;
        assert_eq!(
            (reply.status, reply.header("etag")),
            (StatusCode::OK, "\"0\"")
        );
        assert_eq!(reply.body, read);
    }
}

#[tokio::test(start_paused = true)]
async fn everything_that_is_said_is_kept() {
    let world = World::new().await;
    let said = json!({
        "name": "Books", "url": "http://example.com:80/a?b=c", "event_types": ["order.*", "user.made"],
        "ordering": "none", "on_dead_letter": "continue", "max_in_flight": 1_000,
        "timeout_seconds": 120, "connect_timeout_seconds": 120,
        "retry": {"initial": 0.5, "factor": 3.0, "max": 60.0, "max_attempts": 7, "jitter": 1.0, "retry_on": "any_failure"},
        "circuit": null, "signing": "stripe", "algorithm": "hmac-sha256",
        "metadata": {"team": "books"},
    });
    let mut body = said.clone();
    body["secret"] = json!("any text of the client's own");
    body["custom_headers"] = json!({"X-Api-Key": "a credential"});
    let made = world.endpoint_of("default", &body.to_string()).await;
    for (member, value) in said.as_object().unwrap() {
        assert_eq!(made.body[member], *value, "{member}");
    }
    assert_eq!(made.body["secret"], "any text of the client's own");
    assert_eq!(made.body["custom_headers"], json!({"x-api-key": "***"}));
}

#[tokio::test(start_paused = true)]
async fn every_member_that_is_wrong_is_told_of_and_nothing_is_made() {
    let world = World::new().await;
    let url = json!("https://example.com/");
    let long = "n".repeat(257);
    for (member, value, code) in [
        ("url", json!(null), "validation_failed"),
        ("url", json!(7), "validation_failed"),
        ("url", json!("nonsense"), "validation_failed"),
        (
            "url",
            json!("https://a:b@example.com/"),
            "validation_failed",
        ),
        ("url", json!("ftp://example.com/"), "url_forbidden"),
        ("url", json!("https://127.0.0.1/"), "url_forbidden"),
        ("url", json!("https://0x7f.1/"), "url_forbidden"),
        ("url", json!("https://[::ffff:10.0.0.1]/"), "url_forbidden"),
        ("url", json!("https://localhost/"), "url_forbidden"),
        ("url", json!("https://example.com:22/"), "url_forbidden"),
        ("name", json!(""), "validation_failed"),
        ("name", json!("a\nb"), "validation_failed"),
        ("name", json!(long), "validation_failed"),
        ("event_types", json!("order.paid"), "validation_failed"),
        ("event_types", json!({}), "validation_failed"),
        ("filter", json!("x"), "validation_failed"),
        ("filter", json!({"a": 1}), "not_supported_yet"),
        ("ordering", json!("ordered"), "not_supported_yet"),
        ("ordering", json!("strict"), "not_supported_yet"),
        ("ordering", json!("sorted"), "validation_failed"),
        ("ordering_key", json!("/a"), "not_supported_yet"),
        ("on_dead_letter", json!("block"), "not_supported_yet"),
        ("rate_limit", json!(5), "not_supported_yet"),
        ("rate_limit", json!("5"), "validation_failed"),
        ("algorithm", json!("ed25519"), "not_supported_yet"),
        ("max_in_flight", json!(0), "validation_failed"),
        ("max_in_flight", json!(1_001), "validation_failed"),
        ("max_in_flight", json!(1.5), "validation_failed"),
        ("timeout_seconds", json!(0), "validation_failed"),
        ("timeout_seconds", json!(121), "validation_failed"),
        ("connect_timeout_seconds", json!(31), "validation_failed"),
        ("retry", json!([]), "validation_failed"),
        ("circuit", json!(true), "validation_failed"),
        ("signing", json!("none"), "validation_failed"),
        ("custom_headers", json!([]), "validation_failed"),
        ("metadata", json!({"a": 1}), "validation_failed"),
        ("secret", json!("not standard"), "validation_failed"),
        ("secret", json!(7), "validation_failed"),
        ("colour", json!("blue"), "validation_failed"),
        ("id", json!("ep_1"), "validation_failed"),
    ] {
        let mut body = json!({ "url": url });
        body[member] = value.clone();
        let reply = world
            .ask("POST", "/api/v1/endpoints", &body.to_string())
            .await;
        assert_eq!(reply.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
        assert_eq!(reply.code(), code, "{body}: {}", reply.text);
        let pointers = reply.pointers();
        assert!(
            pointers
                .iter()
                .all(|at| at.starts_with(&format!("/{member}")))
                && !pointers.is_empty(),
            "{body}: {pointers:?}"
        );
    }
    let all = world.got("/api/v1/endpoints").await;
    assert_eq!(all["data"], json!([]));
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_deep_inside_is_pointed_at() {
    let world = World::new().await;
    let body = json!({
        "event_types": ["order.paid", "a b", 7, "order.*.x"],
        "retry": {"schedule": [5, -1, 1e99], "jitter": 2, "retry_on": "never", "tempo": 1},
        "circuit": {"failures": 0, "window_seconds": 86_401, "half": 1},
        "custom_headers": {"webhook-id": "x", "bad name": "x", "X-A": "a\nb", "X-B": 7, "X-C": "***"},
        "metadata": {"": "x", "a/b~": 7},
        "a/b": 1,
    });
    let reply = world
        .ask("POST", "/api/v1/endpoints", &body.to_string())
        .await;
    assert_eq!(reply.code(), "validation_failed");
    let mut pointers = reply.pointers();
    pointers.sort_unstable();
    assert_eq!(
        pointers,
        [
            "/a~1b",
            "/circuit/failures",
            "/circuit/half",
            "/circuit/window_seconds",
            "/custom_headers/X-A",
            "/custom_headers/X-B",
            "/custom_headers/X-C",
            "/custom_headers/bad name",
            "/custom_headers/webhook-id",
            "/event_types/1",
            "/event_types/2",
            "/event_types/3",
            "/metadata/",
            "/metadata/a~1b~0",
            "/retry/jitter",
            "/retry/retry_on",
            "/retry/schedule/1",
            "/retry/schedule/2",
            "/retry/tempo",
            "/url",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_schedule_has_one_form_and_ends_while_events_are_kept() {
    let world = World::new().await;
    for (retry, pointer) in [
        (json!({"schedule": [1], "max": 5}), "/retry/schedule"),
        (json!({"schedule": "daily"}), "/retry/schedule"),
        (json!({"schedule": vec![1; 100]}), "/retry/schedule"),
        (json!({"initial": 10, "max": 5}), "/retry/initial"),
        (json!({"factor": 0.5}), "/retry/factor"),
        (json!({"max_attempts": 101}), "/retry/max_attempts"),
        (json!({"schedule": [2_592_000, 1]}), "/retry"),
    ] {
        let body = json!({"url": "https://example.com/", "retry": retry}).to_string();
        let reply = world.ask("POST", "/api/v1/endpoints", &body).await;
        assert_eq!(reply.pointers(), [pointer], "{retry}: {}", reply.text);
    }
    let body = r#"{"url":"https://example.com/","retry":{"schedule":[]}}"#;
    let once = world.endpoint_of("default", body).await;
    assert_eq!(once.body["retry"]["schedule"], json!([]));
}

#[tokio::test(start_paused = true)]
async fn a_deleted_endpoint_is_gone_and_deleting_again_says_so() {
    let world = World::new().await;
    let path = format!("/api/v1/endpoints/{}", world.endpoint().await);
    let deleted = world.ask("DELETE", &path, "").await;
    assert_eq!(
        (deleted.status, deleted.text.as_str()),
        (StatusCode::NO_CONTENT, "")
    );
    for (method, body) in [("GET", ""), ("DELETE", ""), ("PATCH", "{}")] {
        let reply = world.ask(method, &path, body).await;
        assert_eq!(
            (reply.status, reply.code()),
            (StatusCode::NOT_FOUND, "not_found")
        );
    }
    assert_eq!(
        world.got("/api/v1/endpoints").await["data"],
        json!([]),
        "deleted ones are listed"
    );
}

#[tokio::test(start_paused = true)]
async fn lists_are_filtered() {
    let world = World::new().await;
    let mut ids = Vec::new();
    for body in [
        r#"{"url":"https://one.example/","name":"Étude","event_types":["order.*"]}"#,
        r#"{"url":"https://two.example/","event_types":["user.made"]}"#,
        r#"{"url":"https://three.example/"}"#,
    ] {
        ids.push(world.endpoint_of("default", body).await.id());
        world.advance(1);
    }
    let path = format!("/api/v1/endpoints/{}/disable", ids[1]);
    assert_eq!(world.ask("POST", &path, "").await.status, StatusCode::OK);
    for (query, found) in [
        ("", &[2, 1, 0][..]),
        ("?order=asc", &[0, 1, 2]),
        ("?is_active=true", &[2, 0]),
        ("?is_active=false", &[1]),
        ("?event_type=order.line.added", &[2, 0]),
        ("?event_type=user.made", &[2, 1]),
        ("?q=%C3%89TUDE", &[0]),
        ("?q=two.ex", &[1]),
        ("?q=nobody", &[]),
        ("?after=2026-01-02T03:04:05.678Z", &[2, 1]),
        ("?before=2026-01-02T03:04:06.678Z", &[0]),
        (
            "?after=2026-01-02T04:04:05.678%2B01:00&before=2026-01-02T03:04:07.678Z",
            &[1],
        ),
    ] {
        let list = world.got(&format!("/api/v1/endpoints{query}")).await;
        let listed: Vec<&Value> = list["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|e| &e["id"])
            .collect();
        let expected: Vec<&String> = found.iter().map(|n| &ids[*n]).collect();
        assert_eq!(listed, expected, "{query}");
    }
    let circuit = world.get("/api/v1/endpoints?circuit_state=open").await;
    assert_eq!(circuit.code(), "not_supported_yet");
}

#[tokio::test(start_paused = true)]
async fn nobody_sees_or_changes_what_is_another_tenants() {
    let world = World::new().await;
    let path = format!("/api/v1/endpoints/{}", world.endpoint().await);
    for (method, at) in [
        ("GET", ""),
        ("PATCH", ""),
        ("DELETE", ""),
        ("POST", "/pause"),
        ("POST", "/disable"),
        ("GET", "/stats"),
    ] {
        let body = if method == "PATCH" { "{}" } else { "" };
        let reply = world
            .ask_as("other", method, &format!("{path}{at}"), body, &[])
            .await;
        assert_eq!(reply.code(), "not_found", "{method} {at}");
    }
    let list = world
        .ask_as("other", "GET", "/api/v1/endpoints", "", &[])
        .await;
    assert_eq!(list.body["data"], json!([]));
    assert_eq!(world.got(&path).await["is_active"], true);
}
