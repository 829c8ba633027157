//! The server asked to end, and a second one where the first still is.

use end_to_end::api::Api;
use end_to_end::program::{self, Server};

use crate::load::Load;
use crate::world::{DRAINED, SOON, World};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_loses_nothing_and_repeats_nothing() {
    let World { folder, mut server } = World::new().await;
    let data = folder.path().join("data");
    let mut load = Load::new(Api(server.address())).await;
    load.begin(server.address());
    for _ in 0..3 {
        load.more(50).await;
        load.server_is(None);
        let (status, said) = server.terminate(DRAINED).await.unwrap();
        assert_eq!(status.code(), Some(0), "{said}");
        server = Server::start(&data, &[]).await.unwrap();
        load.server_is(Some(server.address()));
    }
    let summary = load.end(Api(server.address())).await;
    assert_eq!(summary.repeats, 0, "{summary:?}\n{}", server.said());
}

#[tokio::test]
async fn a_second_server_is_refused_by_name() {
    let world = World::new().await;
    let mut second = program::command(&world.data(), &[]).unwrap();
    let ended = tokio::time::timeout(SOON, second.output())
        .await
        .unwrap()
        .unwrap();
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!(ended.status.code(), Some(1), "{said}");
    assert!(said.contains("postrider serve"), "{said}");
    world.api().get("/api/v1/accounting").await.unwrap();
}
