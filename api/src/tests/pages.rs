//! Pages: every row once, there and back, while rows arrive.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::seeds::Seed;
use super::world::World;

fn ids(page: &Value) -> Vec<String> {
    let rows = page["data"].as_array().unwrap().iter();
    rows.map(|row| row["id"].as_str().unwrap().to_owned())
        .collect()
}

impl World {
    /// Walks a list from its beginning to its end and back, and says what it saw on either way.
    async fn walk(&self, list: &str, query: &str) -> (Vec<String>, Vec<String>) {
        let at = |cursor: &str| match cursor {
            "" => format!("/api/v1/{list}?{query}"),
            cursor => format!("/api/v1/{list}?{query}&cursor={cursor}"),
        };
        let mut page = self.got(&at("")).await;
        assert_eq!(page["prev_cursor"], json!(null));
        let mut there = ids(&page);
        while let Some(next) = page["next_cursor"].as_str() {
            assert_eq!(page["has_more"], true);
            page = self.got(&at(next)).await;
            there.extend(ids(&page));
        }
        assert_eq!(page["has_more"], false);
        let mut back = ids(&page);
        while let Some(previous) = page["prev_cursor"].as_str() {
            page = self.got(&at(previous)).await;
            back.splice(0..0, ids(&page));
        }
        (there, back)
    }

    async fn event_to(&self, number: usize, endpoint: &str) {
        let id = format!("order-{number}");
        let seed = Seed {
            id: &id,
            to: &[endpoint],
            ..Seed::default()
        };
        self.seed(&seed).await;
    }
}

fn run<T>(test: impl Future<Output = T>) -> T {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_time().start_paused(true).build().unwrap();
    runtime.block_on(test)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn pages_of_any_limit_walk_every_row_once(
        gaps in proptest::collection::vec(0_u64..3, 0..24),
        limit in 1_usize..9,
        is_up in any::<bool>(),
    ) {
        run(async {
            let world = World::new().await;
            let (one, two) = (world.endpoint().await, world.endpoint().await);
            for (number, gap) in gaps.iter().enumerate() {
                world.advance(*gap);
                world.event_to(number, if number % 3 == 0 { &one } else { &two }).await;
            }
            let order = if is_up { "asc" } else { "desc" };
            let lists = ["events", "deliveries"].map(str::to_owned);
            for list in lists {
                for of in [String::new(), format!("&endpoint_id={one}")] {
                    let all = format!("/api/v1/{list}?limit=250&order={order}{of}");
                    let all = ids(&world.got(&all).await);
                    let (there, back) = world.walk(&list, &format!("limit={limit}&order={order}{of}")).await;
                    assert_eq!(there, all);
                    assert_eq!(back, all);
                    let expected = if of.is_empty() { gaps.len() } else { gaps.len().div_ceil(3) };
                    assert_eq!(all.len(), expected);
                }
            }
        });
    }

    #[test]
    fn so_do_pages_of_endpoints(count in 0_usize..12, limit in 1_usize..5, is_up in any::<bool>()) {
        run(async {
            let world = World::new().await;
            let mut made = Vec::new();
            for _ in 0..count {
                made.push(world.endpoint().await);
                world.advance(1);
            }
            if !is_up {
                made.reverse();
            }
            let order = if is_up { "asc" } else { "desc" };
            let (there, back) = world.walk("endpoints", &format!("limit={limit}&order={order}")).await;
            assert_eq!(there, made);
            assert_eq!(back, made);
        });
    }
}

#[tokio::test(start_paused = true)]
async fn pages_stay_where_they_are_while_rows_arrive() {
    let world = World::new().await;
    let one = world.endpoint().await;
    for number in 0..6 {
        world.advance(1);
        world.event_to(number, &one).await;
    }
    let page = world.got("/api/v1/events?limit=2").await;
    assert_eq!(ids(&page), ["order-5", "order-4"]);
    let next = page["next_cursor"].as_str().unwrap().to_owned();
    world.advance(1);
    world.event_to(6, &one).await;
    let page = world
        .got(&format!("/api/v1/events?limit=2&cursor={next}"))
        .await;
    assert_eq!(ids(&page), ["order-3", "order-2"]);
    let back = page["prev_cursor"].as_str().unwrap();
    let back = world
        .got(&format!("/api/v1/events?limit=2&cursor={back}"))
        .await;
    assert_eq!(ids(&back), ["order-5", "order-4"]);
    let new = back["prev_cursor"].as_str().unwrap();
    let new = world
        .got(&format!("/api/v1/events?limit=2&cursor={new}"))
        .await;
    assert_eq!(ids(&new), ["order-6"], "what arrived is in front");
    // A page may have another size than the one that gave its cursor.
    let rest = world
        .got(&format!("/api/v1/events?limit=9&cursor={next}"))
        .await;
    assert_eq!(ids(&rest), ["order-3", "order-2", "order-1", "order-0"]);
}

#[tokio::test(start_paused = true)]
async fn a_cursor_whose_row_is_gone_still_tells_the_place() {
    let world = World::new().await;
    let mut made = Vec::new();
    for _ in 0..4 {
        made.push(world.endpoint().await);
        world.advance(1);
    }
    let page = world.got("/api/v1/endpoints?limit=2&order=asc").await;
    let path = format!("/api/v1/endpoints/{}", made[1]);
    world.ask("DELETE", &path, "").await;
    let next = page["next_cursor"].as_str().unwrap();
    let page = world
        .got(&format!(
            "/api/v1/endpoints?limit=2&order=asc&cursor={next}"
        ))
        .await;
    assert_eq!(ids(&page), made[2..]);
}

#[tokio::test(start_paused = true)]
async fn a_cursor_is_good_for_its_own_list_only() {
    let world = World::new().await;
    let one = world.endpoint().await;
    for number in 0..3 {
        world.event_to(number, &one).await;
    }
    let page = world.got("/api/v1/events?limit=1").await;
    let cursor = page["next_cursor"].as_str().unwrap();
    for path in [
        format!("deliveries?cursor={cursor}"),
        format!("events?order=asc&cursor={cursor}"),
        format!("events?event_type=order.paid&cursor={cursor}"),
        format!("events?endpoint_id={one}&cursor={cursor}"),
        format!("events/order-1/attempts?cursor={cursor}"),
        format!("endpoints?cursor={cursor}"),
        format!("events?cursor=A{cursor}"),
        "events?cursor=".to_owned(),
        "dlq?cursor=%00".to_owned(),
    ] {
        let reply = world.get(&format!("/api/v1/{path}")).await;
        assert_eq!(
            (reply.status.as_u16(), reply.code(), reply.pointers()),
            (400, "invalid_parameters", vec!["?cursor"]),
            "{path}"
        );
    }
    let of_another = world
        .ask_as(
            "other",
            "GET",
            &format!("/api/v1/events?cursor={cursor}"),
            "",
            &[],
        )
        .await;
    assert_eq!(of_another.code(), "invalid_parameters");
}
