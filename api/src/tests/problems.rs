//! What goes wrong: a problem document each, with its code.

use axum::body::Body;
use eventlog_port::memory::Faults;
use http::StatusCode;
use serde_json::json;

use super::world::{Reply, World};

fn check(reply: &Reply, status: u16, code: &str) {
    let what = &reply.text;
    assert_eq!(
        (reply.status.as_u16(), reply.code()),
        (status, code),
        "{what}"
    );
    assert_eq!(reply.header("content-type"), "application/problem+json");
    assert_eq!(reply.body["status"], status);
    assert_eq!(reply.body["type"], format!("urn:postrider:problem:{code}"));
    for member in ["title", "detail"] {
        assert!(reply.body[member].is_string(), "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn unknown_paths_and_methods() {
    let world = World::new().await;
    for path in [
        "/",
        "/nothing",
        "/api/v1",
        "/api/v1/nothing",
        "/api/v1/endpoints/",
        "/api/v1/endpoints/ep_1/nothing",
        "/api/v1/endpoints/%FF",
        "/api/v1/endpoints/nonsense",
        "/api/v1/endpoints/ep_01234567-89ab-7000-8000-000000000007",
        "/api/v1/endpoints/dlv_01234567-89ab-8000-8000-000000000007",
        "/api/v1/events/a%20b",
        "/api/v1/deliveries/nonsense",
        "/api/v1/dlq/nonsense",
    ] {
        check(&world.get(path).await, 404, "not_found");
    }
    for (method, path, allow) in [
        ("PUT", "/api/v1/endpoints", "GET,HEAD,POST"),
        ("POST", "/api/v1/endpoints/ep_1", "DELETE,GET,HEAD,PATCH"),
        ("GET", "/api/v1/endpoints/ep_1/pause", "POST"),
        ("DELETE", "/api/v1/events/evt_1", "GET,HEAD"),
        ("POST", "/api/v1/stats", "GET,HEAD"),
    ] {
        let reply = world.ask(method, path, "").await;
        check(&reply, 405, "method_not_allowed");
        let mut allowed: Vec<_> = reply.header("allow").split(',').collect();
        allowed.sort_unstable();
        assert_eq!(allowed.join(","), allow, "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn bodies_that_cannot_be_read() {
    let world = World::new().await;
    let path = format!("/api/v1/endpoints/{}", world.endpoint().await);
    let deep = format!("{{\"a\":{}1{}}}", "[".repeat(64), "]".repeat(64));
    for (method, path) in [("POST", "/api/v1/endpoints"), ("PATCH", &path)] {
        for (body, code) in [
            ("", "invalid_json"),
            ("nonsense", "invalid_json"),
            ("[]", "invalid_json"),
            ("null", "invalid_json"),
            ("{\"a\":1} {}", "invalid_json"),
            ("{\"a\":\"\\ud800\"}", "invalid_json"),
            (&deep, "json_too_deep"),
        ] {
            check(&world.ask(method, path, body).await, 400, code);
        }
        let large = Body::from(" ".repeat((1 << 20) + 1));
        let reply = world.ask_as("default", method, path, large, &[]).await;
        check(&reply, 413, "payload_too_large");
        for kind in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "json",
            "",
        ] {
            let headers = [("content-type", kind)];
            let reply = world.ask_as("default", method, path, "{}", &headers).await;
            check(&reply, 415, "unsupported_media_type");
        }
    }
    let broken = futures_util::stream::iter([Ok("{"), Err(std::io::Error::other("cut"))]);
    let reply = world
        .ask_as(
            "default",
            "POST",
            "/api/v1/endpoints",
            Body::from_stream(broken),
            &[],
        )
        .await;
    check(&reply, 400, "body_incomplete");
    let kind = [("content-type", "Application/JSON; charset=utf-8")];
    let body = r#"{"url":"https://example.com/"}"#;
    let reply = world
        .ask_as("default", "POST", "/api/v1/endpoints", body, &kind)
        .await;
    assert_eq!(reply.status, StatusCode::CREATED);
}

#[tokio::test(start_paused = true)]
async fn parameters_that_are_wrong_are_told_of_all_at_once() {
    let world = World::new().await;
    let one = world.endpoint().await;
    let stats = format!("/api/v1/endpoints/{one}/stats?hours=1");
    for (path, pointers) in [
        ("/api/v1/endpoints?limit=0", &["?limit"][..]),
        ("/api/v1/endpoints?limit=251", &["?limit"]),
        ("/api/v1/endpoints?limit=", &["?limit"]),
        ("/api/v1/endpoints?limit=1&limit=2", &["?limit"]),
        ("/api/v1/endpoints?is_active=yes&q=", &["?is_active", "?q"]),
        ("/api/v1/endpoints?status=delivered", &["?status"]),
        (
            "/api/v1/events?order=up&limit=x&colour=blue",
            &["?colour", "?limit", "?order"],
        ),
        (
            "/api/v1/events?after=noon&before=1767323045",
            &["?after", "?before"],
        ),
        ("/api/v1/events?status=done", &["?status"]),
        (
            "/api/v1/events?tag=a,b&source=&event_type=a%20b",
            &["?event_type", "?source", "?tag"],
        ),
        (
            "/api/v1/deliveries?endpoint_id=x&status_code=20",
            &["?endpoint_id", "?status_code"],
        ),
        (
            "/api/v1/dlq?reason=bored&status=delivered",
            &["?reason", "?status"],
        ),
        ("/api/v1/events/none/attempts?limit=x", &["?limit"]),
        ("/api/v1/accounting?endpoint_id=x", &["?endpoint_id"]),
        ("/api/v1/stats?endpoint_id=x", &["?endpoint_id"]),
        (&stats, &["?hours"]),
    ] {
        let reply = world.get(path).await;
        check(&reply, 400, "invalid_parameters");
        let mut found = reply.pointers();
        found.sort_unstable();
        assert_eq!(found, pointers, "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_built_says_so() {
    let world = World::new().await;
    for (method, path, status) in [
        ("POST", "/api/v1/endpoints/ep_1/rotate-secret", 422),
        ("GET", "/api/v1/endpoints/ep_1/secret", 404),
        ("POST", "/api/v1/endpoints/ep_1/test", 422),
        ("POST", "/api/v1/endpoints/ep_1/circuit/reset", 422),
        ("POST", "/api/v1/events/evt_1/replay", 422),
        ("POST", "/api/v1/deliveries/dlv_1/cancel", 422),
        ("POST", "/api/v1/deliveries/dlv_1/retry", 422),
        ("DELETE", "/api/v1/dlq/dlv_1", 422),
        ("POST", "/api/v1/dlq/dlv_1/replay", 422),
        ("POST", "/api/v1/dlq/replay/bulk", 422),
        ("POST", "/api/v1/replays", 422),
        ("GET", "/api/v1/replays", 404),
        ("GET", "/api/v1/replays/rpl_1", 404),
        ("POST", "/api/v1/replays/rpl_1/pause", 422),
        ("POST", "/api/v1/replays/rpl_1/resume", 422),
        ("POST", "/api/v1/replays/rpl_1/cancel", 422),
        ("GET", "/api/v1/event-types", 404),
        ("PUT", "/api/v1/event-types/a", 422),
        ("GET", "/api/v1/event-types/a", 404),
        ("DELETE", "/api/v1/event-types/a", 404),
        ("POST", "/api/v1/filters/test", 422),
        ("POST", "/api/v1/inbound/verify", 422),
        ("POST", "/api/v1/keys", 422),
        ("GET", "/api/v1/keys", 404),
        ("DELETE", "/api/v1/keys/key_1", 404),
        ("GET", "/openapi.json", 404),
        ("GET", "/docs", 404),
        ("POST", "/events", 422),
        ("POST", "/webhooks/send", 422),
        ("GET", "/webhooks", 404),
        ("GET", "/webhooks/1", 404),
    ] {
        let reply = world.ask(method, path, "").await;
        check(&reply, status, "not_supported_yet");
    }
    let key = [("idempotency-key", "k")];
    let body = r#"{"url":"https://example.com/"}"#;
    let reply = world
        .ask_as("default", "POST", "/api/v1/endpoints", body, &key)
        .await;
    check(&reply, 422, "not_supported_yet");
    assert_eq!(world.got("/api/v1/endpoints").await["data"], json!([]));
}

#[tokio::test(start_paused = true)]
async fn without_the_log_nothing_is_promised() {
    let world = World::new().await;
    let path = format!("/api/v1/endpoints/{}", world.endpoint().await);
    world.log.set_faults(Faults {
        refuse_one_in: 1,
        ..Faults::default()
    });
    let body = r#"{"url":"https://example.com/"}"#;
    for (method, path) in [
        ("POST", "/api/v1/endpoints"),
        ("PATCH", &path),
        ("DELETE", &path),
    ] {
        let reply = world
            .ask(method, path, if method == "DELETE" { "" } else { body })
            .await;
        check(&reply, 503, "log_unavailable");
        assert_eq!(reply.header("retry-after"), "1");
    }
    world.log.set_faults(Faults::default());
    assert_eq!(world.got(&path).await["version"], 0);
}
