//! A server with a data directory of its own.

use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use end_to_end::api::Api;
use end_to_end::program::Server;
use tempfile::TempDir;

/// How long anything may take that takes well under a second on an idle machine: these share theirs.
pub(crate) const SOON: Duration = Duration::from_secs(30);

/// `--drain-seconds`, and some.
pub(crate) const DRAINED: Duration = Duration::from_secs(40);

pub(crate) struct World {
    pub(crate) folder: TempDir,
    pub(crate) server: Server,
}

impl World {
    pub(crate) async fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let server = Server::start(&folder.path().join("data"), &[])
            .await
            .unwrap();
        server.ready().await.unwrap();
        Self { folder, server }
    }

    pub(crate) fn api(&self) -> Api {
        Api(self.server.address())
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }
}

/// One of GitHub's own payloads.
pub(crate) fn github(name: &str) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/github");
    std::fs::read_to_string(format!("{folder}/{name}.json")).unwrap()
}

/// Says something even when the test is good: what is captured then, nobody sees.
pub(crate) fn say(text: &str) {
    let mut uncaptured = std::io::stderr();
    writeln!(uncaptured, "{text}").unwrap();
}
