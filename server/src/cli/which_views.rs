//! Which views, for every command that opens them.

use std::path::PathBuf;

use clap::Args;

use crate::views::Target;

/// Where views are kept, and what has to be known of a CQL server.
#[derive(Clone, Debug, Args)]
pub(crate) struct WhichViews {
    /// Where views are kept: `embedded`, or `cql://host:port,…/keyspace`
    #[arg(
        long,
        global = true,
        value_name = "VIEWS",
        default_value = "embedded",
        env = "POSTRIDER_VIEWS",
        hide_env_values = true
    )]
    pub(crate) views: Target,
    /// On CQL: a file with `user:password`, where the server asks for them
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "POSTRIDER_VIEWS_LOGIN",
        hide_env_values = true
    )]
    pub(crate) views_login: Option<PathBuf>,
    /// On CQL: TLS, and a PEM file with the certificate authorities that are trusted, no others
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "POSTRIDER_VIEWS_CA",
        hide_env_values = true
    )]
    pub(crate) views_ca: Option<PathBuf>,
    /// On CQL with `--views-ca`: the name that the nodes' certificates are for, where it isn't each node's address
    #[arg(
        long,
        global = true,
        value_name = "NAME",
        requires = "views_ca",
        env = "POSTRIDER_VIEWS_TLS_NAME",
        hide_env_values = true
    )]
    pub(crate) views_tls_name: Option<String>,
    /// On CQL: on how many nodes each row of a new keyspace is kept
    #[arg(
        long,
        global = true,
        value_name = "N",
        default_value_t = 1,
        env = "POSTRIDER_VIEWS_REPLICATION",
        hide_env_values = true
    )]
    pub(crate) views_replication: u32,
}
