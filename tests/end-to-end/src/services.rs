//! The real servers that `scripts/services` has started.

use std::path::Path;

use anyhow::ensure;
use tokio::process::Command;

/// Runs `scripts/services` with these arguments, and waits until it has done what they say.
///
/// # Errors
/// When it fails; what it said is on standard error.
pub async fn services(arguments: &[&str]) -> anyhow::Result<()> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/services");
    let status = Command::new(script).args(arguments).status().await?;
    ensure!(status.success(), "scripts/services {arguments:?}: {status}");
    Ok(())
}
