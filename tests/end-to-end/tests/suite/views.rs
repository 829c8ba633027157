//! Rows that are not as the log says are shown, each, and made anew by a program that is killed half-way first.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use end_to_end::api::Api;
use end_to_end::attempts::MachineClock;
use end_to_end::program::{Server, name_of, other_views, tool, tool_command};
use end_to_end::until::until;
use projections_port::{
    Batch, Cursor, DeliveryChange, DeliveryState, Order, PageRequest, Selection, ViewWriter,
};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::load::Load;
use crate::slow::SlowWay;
use crate::world::{DRAINED, SOON, say};

/// How often a server is killed whose rows are compared then.
const SERVERS_KILLED: usize = 2;

/// More rows than anybody would print one by one.
const DAMAGED: usize = 120;

/// How often a rebuild is killed, each time later.
const KILLED: u32 = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_row_that_differs_is_shown_and_a_killed_rebuild_goes_on() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    let server = Server::start(&data, &[]).await.unwrap();
    let mut load = Load::new(Api(server.address())).await;
    load.begin(server.address());
    load.more(DAMAGED + 30).await;
    load.end(Api(server.address())).await;
    let before = Api(server.address()).get("/api/v1/stats").await.unwrap();
    server.terminate(DRAINED).await.unwrap();

    let name = name_of(&data);
    let verify = ["views", "verify"];
    let (mut good, mut took) = (String::new(), Duration::MAX);
    for _ in 0..3 {
        let begun = Instant::now();
        good = tool(&name, &data, &verify).await.unwrap();
        // The quickest: what holds one up for a while says nothing of how long a rebuild takes.
        took = took.min(begun.elapsed());
        assert!(good.contains(" rows are as the log says"), "{good}");
    }

    let damaged = damage(&data, &name).await;
    let shown = tool(&name, &data, &verify).await.unwrap_err().to_string();
    are_shown(&shown, &damaged);

    let rebuild = ["views", "rebuild"];
    for later in 1..=KILLED {
        let mut command = tool_command(&name, &data, &rebuild).unwrap();
        let mut running = command.stdout(Stdio::null()).spawn().unwrap();
        // The moment is a share of the time that it takes, not a wait for anything: all of them are half of it.
        sleep(took * later / (KILLED * (KILLED + 1))).await;
        running.kill().await.unwrap();
        let ended = running.wait().await.unwrap();
        assert_eq!(ended.code(), None, "it was done before it was killed");
    }
    let shown = tool(&name, &data, &verify).await.unwrap_err().to_string();
    are_shown(&shown, &damaged);
    let anew = tool(&name, &data, &rebuild).await.unwrap();
    assert!(anew.contains("the views are made anew"), "{anew}");
    let again = tool(&name, &data, &verify).await.unwrap();
    assert_eq!(again, good);
    let server = Server::start(&data, &[]).await.unwrap();
    server.ready().await.unwrap();
    let after = Api(server.address()).get("/api/v1/stats").await.unwrap();
    assert_eq!(after, before);
    say(&format!(
        "{DAMAGED} rows shown as damaged; {KILLED} rebuilds killed, and then: {anew}"
    ));
}

/// Whatever a kill leaves of a write under way is none of what differs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rows_that_a_killed_server_leaves_are_as_the_log_says() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    let name = name_of(&data);
    let nodes = other_views();
    let node = nodes
        .as_deref()
        .and_then(|views| views.split("//").nth(1)?.split(',').next());
    let mut load = None;
    for _ in 0..SERVERS_KILLED {
        let slow = match node {
            Some(node) => Some(SlowWay::to(node).await),
            None => None,
        };
        let through = slow
            .as_ref()
            .map(|way| format!("cql://{}/{name}", way.address));
        let arguments: Vec<_> = through
            .iter()
            .flat_map(|views| ["--views", views])
            .collect();
        let server = Server::start(&data, &arguments).await.unwrap();
        if load.is_none() {
            let mut new = Load::new(Api(server.address())).await;
            new.begin(server.address());
            load = Some(new);
        }
        let load = load.as_ref().unwrap();
        load.server_is(Some(server.address()));
        // On a slow store rows are being written nearly all the time.
        slow.iter()
            .for_each(|way| way.takes(Duration::from_millis(30)));
        load.more(50).await;
        let has_rows = until("the first rows are there", SOON, async || {
            let shown = Api(server.address()).look("/api/v1/accounting").await?;
            Ok(
                shown.and_then(|shown| match shown["deliveries"]["made"].as_u64() {
                    Some(1..) => Ok(()),
                    _ => Err(shown.to_string()),
                }),
            )
        });
        has_rows.await.unwrap();
        load.server_is(None);
        server.kill().await.unwrap();
        // With all that is on its way.
        drop(slow);
        let verified = tool(&name, &data, &["views", "verify"]).await.unwrap();
        assert!(!verified.starts_with("0 rows"), "{verified}");
    }
    let server = Server::start(&data, &[]).await.unwrap();
    let load = load.unwrap();
    load.server_is(Some(server.address()));
    load.end(Api(server.address())).await;
}

/// Each row has its line. Counts may differ as well: what damages rows in CQL is none of those who fold.
fn are_shown(said: &str, damaged: &[String]) {
    let words = "differs: delivery ";
    let shown = said.lines().filter_map(|line| line.strip_prefix(words));
    let mut shown: Vec<&str> = shown.filter_map(|row| row.split(' ').next()).collect();
    let mut damaged: Vec<&str> = damaged.iter().map(String::as_str).collect();
    shown.sort_unstable();
    damaged.sort_unstable();
    assert_eq!(shown, damaged);
    assert!(said.contains(" rows are not as the log says"));
}

/// Has rows say `pending` that were delivered, while no server runs. Their ids.
async fn damage(data: &Path, name: &str) -> Vec<String> {
    let Some(shared) = other_views() else {
        let config = projections_embedded::Config::new(data.join("views"));
        let store = projections_embedded::Store::open(&config).unwrap();
        let ids = damage_rows(&*store.views()).await;
        store.close();
        return ids;
    };
    let nodes = shared.strip_prefix("cql://").unwrap().split(',');
    let nodes = nodes.map(str::to_owned).collect();
    let config = projections_scylla::Config::new(nodes, name.to_owned());
    let store = projections_scylla::Store::open(&config, Arc::new(MachineClock)).await;
    damage_rows(&*store.unwrap().views()).await
}

async fn damage_rows(views: &dyn ViewWriter) -> Vec<String> {
    let tenant = "default".parse().unwrap();
    let mut behind: Option<Cursor> = None;
    let mut changes = Vec::new();
    while changes.len() < DAMAGED {
        let page = PageRequest {
            limit: 50,
            order: Order::Descending,
            behind: behind.take(),
            before: None,
        };
        let page = views.deliveries(&tenant, &Selection::default(), page).await;
        let page = page.unwrap();
        changes.extend(page.rows.into_iter().map(|(_, mut row)| {
            let was = Some(row.state);
            row.state = DeliveryState::Pending;
            DeliveryChange { was, row }
        }));
        behind = page.next;
        assert!(behind.is_some() || changes.len() >= DAMAGED);
    }
    changes.truncate(DAMAGED);
    let ids = changes.iter().map(|change| change.row.id.to_string());
    let ids = ids.collect();
    let batch = Batch {
        deliveries: changes,
        generation: Some(views.generation()),
        ..Batch::default()
    };
    views.write(batch).await.unwrap();
    ids
}
