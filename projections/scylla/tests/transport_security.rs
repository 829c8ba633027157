//! The store behind TLS, on the server that `POSTRIDER_TEST_CQL` names.
#![allow(clippy::unwrap_used, reason = "a failed case panics")]

mod wall;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use projections_port::conformance::samples::{accepted, endpoint, tenant};
use projections_port::{ViewWriter, Views};
use projections_scylla::{Config, OpenError, Store, Tls};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::wall::Wall;

const PASSWORD: &str = "hunter2-is-not-a-password";

/// A variable of `scripts/services env`.
fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!("{name}: eval \"$(scripts/services env)\" after `scripts/services start cassandra`")
    })
}

/// Whether the server is a container, which has no TLS. Says then, even where output is captured, what has not been
/// tested.
fn left_out_on_containers() -> bool {
    let Ok(images) = std::env::var("POSTRIDER_TEST_CONTAINERS") else {
        return false;
    };
    let mut uncaptured = std::io::stderr();
    let what = "Cassandra behind TLS";
    writeln!(
        uncaptured,
        "!! NOT TESTED: {what}: not on containers ({images})"
    )
    .unwrap();
    true
}

/// A keyspace of its own, at `node`, whose certificate is for `name`.
fn config(node: &str, authorities: PathBuf, name: Option<&str>) -> Config {
    let keyspace = format!("s{}", std::process::id());
    let mut config = Config::new(vec![node.to_owned()], keyspace);
    config.login = Some(("postrider".to_owned(), PASSWORD.to_owned()));
    config.tls = Some(Tls {
        authorities,
        name: name.map(str::to_owned),
    });
    config
}

async fn open(config: &Config) -> Result<Store, OpenError> {
    Store::open(config, Arc::new(Wall)).await
}

/// What it says where it is refused.
async fn refused(config: &Config) -> String {
    let error = open(config).await.err().unwrap();
    assert!(matches!(error, OpenError::Unreachable { .. }), "{error:?}");
    let said = format!("{error} {error:?}");
    assert!(!said.contains(PASSWORD), "{said}");
    error.to_string()
}

/// The server under another address of this machine, which its certificate is not for. At the same port: the driver
/// takes every node to listen at the one that it was told. Until what comes back with it is dropped.
async fn elsewhere(server: String) -> (String, JoinSet<()>) {
    let (_, port) = server.rsplit_once(':').unwrap();
    let address = format!("127.0.0.2:{port}");
    let listener = TcpListener::bind(&address).await.unwrap();
    let mut relaying = JoinSet::new();
    relaying.spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((mut client, _)) = listener.accept().await {
            let mut server = TcpStream::connect(&server).await.unwrap();
            connections.spawn(async move {
                drop(tokio::io::copy_bidirectional(&mut client, &mut server).await);
            });
        }
    });
    (address, relaying)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_trusted_by_its_authority_and_its_name() {
    if left_out_on_containers() {
        return;
    }
    let server = variable("POSTRIDER_TEST_CQL");
    let ours = PathBuf::from(variable("POSTRIDER_TEST_CQL_CA"));
    let another = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/another-authority.pem");
    let (elsewhere, _relaying) = elsewhere(server.clone()).await;

    let store = open(&config(&server, ours.clone(), None)).await.unwrap();
    let batch = accepted(0, endpoint(1));
    let id = batch.deliveries[0].row.id;
    store.views().write(batch).await.unwrap();
    // Its certificate is for this name as well.
    for server in [&server, &elsewhere] {
        let named = config(server, ours.clone(), Some("localhost"));
        let views = open(&named).await.unwrap().views();
        let found = views.delivery(&tenant("a"), &id).await.unwrap();
        assert_eq!(found.unwrap().id, id);
    }

    for (config, why) in [
        (config(&server, another, None), "UnknownIssuer"),
        (
            config(&elsewhere, ours.clone(), None),
            "not valid for name \"127.0.0.2\"",
        ),
        (
            config(&server, ours, Some("cassandra.example")),
            "not valid for name \"cassandra.example\"",
        ),
    ] {
        let said = refused(&config).await;
        assert!(said.contains(why), "{said}");
        assert!(said.contains(&config.nodes[0]), "{said}");
    }
}
