//! Texts that come again and again, kept once. A record's texts share its bytes, payload and all:
//! a row that is held must not hold them.

use std::collections::BTreeSet;

use schemas::text::{EventType, Source, TenantId};

/// Past this many different texts of a kind they are collected anew.
const MOST: usize = 4_096;

#[derive(Default)]
pub(crate) struct Names {
    tenants: BTreeSet<TenantId>,
    types: BTreeSet<EventType>,
    sources: BTreeSet<Source>,
}

impl Names {
    pub(crate) fn tenant(&mut self, name: &TenantId) -> TenantId {
        kept(&mut self.tenants, name, TenantId::as_str)
    }

    pub(crate) fn event_type(&mut self, name: &EventType) -> EventType {
        kept(&mut self.types, name, EventType::as_str)
    }

    pub(crate) fn source(&mut self, name: &Source) -> Source {
        kept(&mut self.sources, name, Source::as_str)
    }
}

fn kept<T: Ord + Clone + std::str::FromStr>(
    names: &mut BTreeSet<T>,
    name: &T,
    text: fn(&T) -> &str,
) -> T {
    if let Some(known) = names.get(name) {
        return known.clone();
    }
    if names.len() >= MOST {
        names.clear();
    }
    let own = owned(name, text);
    names.insert(own.clone());
    own
}

/// The same text in bytes of its own.
pub(crate) fn owned<T: Clone + std::str::FromStr>(name: &T, text: fn(&T) -> &str) -> T {
    // What was parsed once is parsed again.
    text(name).parse().unwrap_or_else(|_| name.clone())
}
