//! Which event types an endpoint gets.

use std::collections::{BTreeMap, BTreeSet};

/// What one entry of `event_types` means.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pattern {
    /// That type alone.
    Exact(String),
    /// `order.*`: the types that begin with `order.` and have something behind it, in one segment
    /// or more.
    Under(String),
}

/// A pattern that can't be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be an event type, or one with .* behind it")]
pub struct BadPattern;

impl Pattern {
    /// Reads an entry: 1 to 128 of letters, digits, `.`, `_`, `/` and `-`, and for all further segments
    /// `.*` at the end.
    ///
    /// # Errors
    /// When it is something else, such as a `*` elsewhere.
    pub fn parse(text: &str) -> Result<Self, BadPattern> {
        let (stem, is_exact) = match text.strip_suffix(".*") {
            Some(stem) => (stem, false),
            None => (text, true),
        };
        let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'/' | b'-');
        if !(1..=128).contains(&text.len()) || stem.is_empty() || !stem.bytes().all(fits) {
            return Err(BadPattern);
        }
        Ok(if is_exact {
            Self::Exact(stem.to_owned())
        } else {
            Self::Under(stem.to_owned())
        })
    }

    /// Whether it takes `event_type`.
    #[must_use]
    pub fn matches(&self, event_type: &str) -> bool {
        match self {
            Self::Exact(exact) => exact == event_type,
            Self::Under(stem) => event_type
                .strip_prefix(stem.as_str())
                .is_some_and(|rest| rest.len() > 1 && rest.starts_with('.')),
        }
    }
}

/// Who subscribes to what. Finding costs what is found and the length of the type, not how many
/// subscribe.
#[derive(Clone, Debug)]
pub struct Subscriptions<S> {
    to_all: BTreeSet<S>,
    to: BTreeMap<Pattern, BTreeSet<S>>,
    of: BTreeMap<S, Vec<Pattern>>,
}

impl<S> Default for Subscriptions<S> {
    fn default() -> Self {
        Self {
            to_all: BTreeSet::new(),
            to: BTreeMap::new(),
            of: BTreeMap::new(),
        }
    }
}

impl<S: Clone + Ord> Subscriptions<S> {
    /// `subscriber` gets all types, or those of `patterns`. What it subscribed to before is forgotten.
    pub fn insert(
        &mut self,
        subscriber: S,
        all: bool,
        patterns: impl IntoIterator<Item = Pattern>,
    ) {
        self.remove(&subscriber);
        if all {
            self.to_all.insert(subscriber);
            return;
        }
        let patterns: Vec<Pattern> = patterns.into_iter().collect();
        for pattern in &patterns {
            let to = self.to.entry(pattern.clone()).or_default();
            to.insert(subscriber.clone());
        }
        self.of.insert(subscriber, patterns);
    }

    /// `subscriber` gets nothing any more.
    pub fn remove(&mut self, subscriber: &S) {
        self.to_all.remove(subscriber);
        for pattern in self.of.remove(subscriber).unwrap_or_default() {
            if let Some(to) = self.to.get_mut(&pattern) {
                to.remove(subscriber);
                if to.is_empty() {
                    self.to.remove(&pattern);
                }
            }
        }
    }

    /// Who gets `event_type`, ascending, each once.
    #[must_use]
    pub fn matching(&self, event_type: &str) -> BTreeSet<S> {
        let mut found = self.to_all.clone();
        let mut add = |pattern: Pattern| {
            if let Some(to) = self.to.get(&pattern) {
                found.extend(to.iter().cloned());
            }
        };
        add(Pattern::Exact(event_type.to_owned()));
        for (dot, _) in event_type.match_indices('.') {
            // Something has to stand behind the dot.
            if dot + 1 < event_type.len() {
                add(Pattern::Under(event_type[..dot].to_owned()));
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_take_what_they_name() {
        for (pattern, takes, leaves) in [
            (
                "order.paid",
                &["order.paid"][..],
                &["order", "order.paid.now", "order.paids"][..],
            ),
            (
                "order.*",
                &["order.paid", "order.paid.now"],
                &["order", "order.", "orders.paid"],
            ),
            ("a.b.*", &["a.b.c"], &["a.b", "a.c"]),
        ] {
            let read = Pattern::parse(pattern).unwrap();
            assert!(takes.iter().all(|t| read.matches(t)), "{pattern}");
            assert!(!leaves.iter().any(|t| read.matches(t)), "{pattern}");
        }
        for bad in ["", "*", ".*", "a*", "a.*.b", "a b", "é", &"x".repeat(129)] {
            assert_eq!(Pattern::parse(bad), Err(BadPattern), "{bad}");
        }
    }

    #[test]
    fn finding_agrees_with_asking_each() {
        let wanted: [(u32, &[&str]); 5] = [
            (1, &[]),
            (2, &["order.*"]),
            (3, &["order.paid", "order.*"]),
            (4, &["order.paid.*", "user.made"]),
            (5, &["user.*"]),
        ];
        let mut all = Subscriptions::default();
        let read = |patterns: &[&str]| -> Vec<Pattern> {
            patterns
                .iter()
                .map(|p| Pattern::parse(p).unwrap())
                .collect()
        };
        for (who, patterns) in wanted {
            all.insert(who, patterns.is_empty(), read(patterns));
        }
        for event_type in ["order.paid", "order.paid.now", "user.made", "order.", "x"] {
            let each = wanted.iter().filter(|(_, patterns)| {
                patterns.is_empty() || read(patterns).iter().any(|p| p.matches(event_type))
            });
            let each: BTreeSet<u32> = each.map(|(who, _)| *who).collect();
            assert_eq!(all.matching(event_type), each, "{event_type}");
        }
        all.insert(3, false, read(&["user.made"]));
        all.remove(&1);
        assert_eq!(all.matching("order.paid"), BTreeSet::from([2]));
        assert_eq!(all.matching("user.made"), BTreeSet::from([3, 4, 5]));
    }
}
