//! Client commands: the API from a terminal, tables for people and the server's own JSON for
//! programs.

mod connection;
mod deliveries;
mod dlq;
mod endpoints;
mod events;
mod fields;
mod list;
mod problem;
mod raw;
mod send;
mod tls;

use anyhow::Result;

use crate::cli::{DeliveriesCommand, DlqCommand, EndpointsCommand, EventsCommand, SendArgs};
use crate::output::Output;

pub(crate) use tls::client_config;

/// A bare client: HTTP/1.1, no proxy, no redirects.
///
/// # Errors
/// When it can't be built.
pub(crate) fn http() -> Result<reqwest::Client> {
    let builder = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .use_preconfigured_tls(client_config("http")?)
        .no_proxy();
    Ok(builder.build()?)
}

/// `postrider send`
pub(crate) async fn send(args: SendArgs, output: &mut Output) -> Result<()> {
    send::run(args, output).await
}

/// `postrider endpoints …`
pub(crate) async fn endpoints(command: EndpointsCommand, output: &mut Output) -> Result<()> {
    endpoints::run(command, output).await
}

/// `postrider events …`
pub(crate) async fn events(command: EventsCommand, output: &mut Output) -> Result<()> {
    events::run(command, output).await
}

/// `postrider deliveries …`
pub(crate) async fn deliveries(command: DeliveriesCommand, output: &mut Output) -> Result<()> {
    deliveries::run(command, output).await
}

/// `postrider dlq …`
pub(crate) async fn dlq(command: DlqCommand, output: &mut Output) -> Result<()> {
    dlq::run(command, output).await
}
