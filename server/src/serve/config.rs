//! What the command line says, checked.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use domain::target::Rules;
use eventlog_port::TopicSpec;

use super::http::Hosts;
use crate::cli::{DeliveryArgs, RoleName, ServeArgs, WhichLog, WhichViews};
use crate::exit::WrongUse;
use crate::log::wanted_topics;
use crate::views::Target;

/// What a server is made from.
pub(super) struct Config {
    pub(super) data: PathBuf,
    pub(super) listen: SocketAddr,
    pub(super) hosts: Hosts,
    pub(super) key_file: PathBuf,
    /// Whether the operator named the key file: one that isn't there is a slip then.
    pub(super) key_is_named: bool,
    pub(super) log: WhichLog,
    pub(super) views: WhichViews,
    pub(super) topics: Vec<TopicSpec>,
    /// What this process does.
    pub(super) roles: BTreeSet<RoleName>,
    /// Its name among others.
    pub(super) instance: String,
    /// What may be dialled.
    pub(super) rules: Rules,
    /// Requests on the wire at once.
    pub(super) concurrency: usize,
    /// How long events are kept.
    pub(super) events_retention: Duration,
    pub(super) drain: Duration,
    pub(super) dev: bool,
}

impl Config {
    /// What `args` say.
    ///
    /// # Errors
    /// [`WrongUse`] for what may not be, or can't be yet.
    pub(super) fn new(args: ServeArgs) -> Result<Self> {
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
            roles: roles(&args.role, &args.views.views)?,
            instance: args.instance,
            rules: rules(&args.delivery, args.dev),
            concurrency: usize::try_from(args.delivery.concurrency.get())?,
            events_retention: args.topics.retention_events,
            topics: wanted_topics(&args.topics, &args.log.log)?,
            log: args.log,
            views: args.views,
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

/// What the process does: everything, unless somebody says otherwise.
fn roles(said: &[RoleName], views: &Target) -> Result<BTreeSet<RoleName>, WrongUse> {
    if said.is_empty() {
        return Ok(RoleName::ALL.into());
    }
    let roles: BTreeSet<_> = said.iter().copied().collect();
    let is_alone = roles.contains(&RoleName::Api) && !roles.contains(&RoleName::Projections);
    if is_alone && *views == Target::Embedded {
        let said = "--role api needs --role projections in the same process: the embedded views \
                    belong to one process, and nobody else would fill them. --views cql://… are shared";
        return Err(WrongUse(said.to_owned()));
    }
    Ok(roles)
}

fn rules(args: &DeliveryArgs, dev: bool) -> Rules {
    let mut rules = match dev {
        true => Rules::development(),
        false => Rules::default(),
    };
    rules.allowed.extend(&args.allow_network);
    if let Some(ports) = &mut rules.ports {
        ports.extend(&args.allow_port);
    }
    rules.https_only = args.https_only;
    rules
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_api_without_views_to_read_is_refused() {
        assert_eq!(
            roles(&[], &Target::Embedded).unwrap().len(),
            RoleName::ALL.len()
        );
        let embedded = |said: &[RoleName]| roles(said, &Target::Embedded).is_ok();
        assert!(!embedded(&[RoleName::Api]));
        assert!(embedded(&[RoleName::Api, RoleName::Projections]));
        assert!(embedded(&[RoleName::Ingest, RoleName::Dispatcher]));
        let shared = "cql://a:9042/x".parse().unwrap();
        assert!(roles(&[RoleName::Api], &shared).is_ok());
    }

    #[test]
    fn what_may_be_dialled_is_what_was_allowed() {
        let args = DeliveryArgs {
            concurrency: 1.try_into().unwrap(),
            allow_network: vec!["10.20.0.0/16".parse().unwrap()],
            allow_port: vec![8443],
            https_only: true,
        };
        let strict = rules(&args, false);
        assert_eq!(strict.ports, Some(BTreeSet::from([80, 443, 8443])));
        assert!(strict.permits([10, 20, 1, 1].into()));
        assert!(!strict.permits([10, 21, 1, 1].into()));
        assert!(!strict.permits([127, 0, 0, 1].into()));
        assert!(strict.https_only);
        let dev = rules(&args, true);
        assert!(dev.permits([127, 0, 0, 1].into()));
        assert_eq!(dev.ports, None);
    }
}
