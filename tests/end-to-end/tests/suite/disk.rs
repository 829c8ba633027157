//! A disk that is full: refused cleanly, and recovered from without anybody's help.

use std::path::Path;
use std::process::Command;

use end_to_end::api::Api;
use end_to_end::program::{Server, other_log};
use end_to_end::until::until;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::load::Load;
use crate::world::{SOON, say};

/// A file system of its own in memory, gone when dropped.
struct Small(TempDir);

impl Small {
    /// `None`: this user may not mount one.
    fn mount(mebibytes: u32) -> Option<Self> {
        let folder = TempDir::new().unwrap();
        let size = format!("size={mebibytes}m");
        let mut mount = Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
            .arg(folder.path());
        let mounted = mount.output().is_ok_and(|ended| ended.status.success());
        mounted.then_some(Self(folder))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Takes all the room that is left.
    fn fill(&self) {
        let to = format!("of={}", self.path().join("ballast").display());
        let filled = Command::new("dd")
            .args(["if=/dev/zero", &to, "bs=64k"])
            .output()
            .unwrap();
        assert!(!filled.status.success(), "there was no end of room");
    }

    fn free(&self) {
        std::fs::remove_file(self.path().join("ballast")).unwrap();
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let unmounted = Command::new("umount")
            .arg("--lazy")
            .arg(self.path())
            .status();
        if !unmounted.is_ok_and(|status| status.success()) {
            eprintln!("{} is still mounted", self.path().display());
        }
    }
}

async fn answer(api: Api, event: &Value, wanted: u16) {
    let answered = until("the answer", SOON, async || {
        let reply = api.post(event.to_string(), &[]).await?;
        let status = reply.status.as_u16();
        if status == 503 {
            anyhow::ensure!(reply.headers.contains_key("retry-after"), "{reply:?}");
        }
        Ok(if status == wanted {
            Ok(())
        } else {
            Err(format!("{reply:?}"))
        })
    });
    answered.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_a_503_and_passes() {
    if other_log().is_some() {
        say("!! NOT TESTED: a full disk: it would be the brokers'.");
        return;
    }
    let Some(disk) = Small::mount(512) else {
        say("!! NOT TESTED: a full disk. Mounting a small file system takes root.");
        return;
    };
    let server = Server::start(&disk.path().join("data"), &[]).await.unwrap();
    let api = Api(server.address());
    let mut load = Load::new(api).await;
    load.begin(server.address());
    load.more(20).await;
    disk.fill();
    let event = json!({"event_type": "load.0", "payload": "x".repeat(100_000)});
    answer(api, &event, 503).await;
    disk.free();
    answer(api, &event, 202).await;
    load.more(20).await;
    say(&format!(
        "{} answers of 503 while the disk was full",
        load.unavailable()
    ));
    let summary = load.end(api).await;
    say(&summary.to_string());
}
