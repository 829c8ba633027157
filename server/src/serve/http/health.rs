//! `/health`: whether the process lives, and whether what it depends on answers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use futures_util::future::join_all;
use http::StatusCode;
use serde::Serialize;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// How long a dependency may take to say that it is well.
const PATIENCE: Duration = Duration::from_secs(2);

/// Something without which the process can't do its work.
#[async_trait]
pub(crate) trait Probe: Send + Sync {
    /// What it is called.
    fn name(&self) -> &'static str;

    /// Whether it can be used now; if not, why.
    async fn check(&self) -> Result<(), String>;
}

/// What is asked.
pub(crate) struct Health {
    /// Cancelled when the process has begun to end.
    pub(crate) draining: CancellationToken,
    pub(crate) probes: Vec<Box<dyn Probe>>,
}

#[derive(Serialize)]
struct Report {
    status: &'static str,
    version: &'static str,
    dependencies: BTreeMap<&'static str, Dependency>,
}

#[derive(Serialize)]
struct Dependency {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

/// How everything is, for people. 200 also when something is wrong: this process answers.
pub(crate) async fn health(State(health): State<Arc<Health>>) -> Response {
    Json(health.report().await).into_response()
}

/// 200: the process runs. Anything else means that it should be started again.
pub(crate) async fn live() -> StatusCode {
    StatusCode::OK
}

/// 200: requests may be sent here; else 503, and the dependency that is missing.
pub(crate) async fn ready(State(health): State<Arc<Health>>) -> Response {
    let report = health.report().await;
    let status = match report.status {
        "ready" => StatusCode::OK,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    };
    (status, Json(report)).into_response()
}

impl Health {
    async fn report(&self) -> Report {
        let checks = join_all(self.probes.iter().map(|probe| checked(probe.as_ref())));
        let dependencies: BTreeMap<_, _> = checks.await.into_iter().collect();
        let is_well = dependencies
            .values()
            .all(|dependency| dependency.status == "ok");
        Report {
            status: match (self.draining.is_cancelled(), is_well) {
                (true, _) => "draining",
                (false, true) => "ready",
                (false, false) => "unavailable",
            },
            version: env!("CARGO_PKG_VERSION"),
            dependencies,
        }
    }
}

async fn checked(probe: &dyn Probe) -> (&'static str, Dependency) {
    let answer = timeout(PATIENCE, probe.check()).await;
    let detail = match answer {
        Ok(answer) => answer.err(),
        Err(_) => Some(format!("no answer within {} s", PATIENCE.as_secs())),
    };
    let status = if detail.is_none() {
        "ok"
    } else {
        "unavailable"
    };
    (probe.name(), Dependency { status, detail })
}
