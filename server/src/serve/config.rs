//! What the command line says, checked.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use eventlog_port::TopicSpec;

use super::http::Hosts;
use crate::cli::ServeArgs;
use crate::exit::WrongUse;
use crate::log::{Target, wanted_topics};

/// What a server is made from.
pub(super) struct Config {
    pub(super) data: PathBuf,
    pub(super) listen: SocketAddr,
    pub(super) hosts: Hosts,
    pub(super) key_file: PathBuf,
    /// Whether the operator named the key file: one that isn't there is a slip then.
    pub(super) key_is_named: bool,
    pub(super) topics: Vec<TopicSpec>,
    pub(super) drain: Duration,
    pub(super) dev: bool,
}

impl Config {
    /// What `args` say.
    ///
    /// # Errors
    /// [`WrongUse`] for what may not be, or can't be yet.
    pub(super) fn new(args: ServeArgs) -> Result<Self> {
        if args.log != Target::Embedded {
            let said = "--log kafka:// is not supported yet by `serve`; the embedded log is";
            return Err(WrongUse(said.to_owned()).into());
        }
        let is_local = args.listen.ip().is_loopback();
        if !is_local && !args.insecure_no_auth {
            return Err(WrongUse(format!(
                "--listen {}: others reach this address, and no key would be asked for; keys are \
                 not supported yet. Listen on 127.0.0.1, or say --insecure-no-auth",
                args.listen
            ))
            .into());
        }
        let named = args.secret_key_file;
        Ok(Self {
            topics: wanted_topics(&args.topics, &args.log)?,
            listen: args.listen,
            hosts: if is_local {
                Hosts::Loopback
            } else {
                Hosts::Any
            },
            key_is_named: named.is_some(),
            key_file: named.unwrap_or_else(|| args.data.join("secret.key")),
            data: args.data,
            drain: Duration::from_secs(args.drain_seconds),
            dev: args.dev,
        })
    }
}
