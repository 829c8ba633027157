//! Which views.

use std::str::FromStr;

use crate::log::is_address;

/// What `--views` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// The store in the data directory.
    Embedded,
    /// ScyllaDB or Apache Cassandra.
    Cql {
        /// `host:port` of some nodes.
        nodes: Vec<String>,
        /// The keyspace.
        keyspace: String,
    },
}

const CQL: &str = "cql://";

/// The keyspace where none is named.
const KEYSPACE: &str = "postrider";

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "embedded" {
            return Ok(Self::Embedded);
        }
        let Some(rest) = text.strip_prefix(CQL) else {
            return Err("views are `embedded`, or `cql://host:port,…/keyspace`".to_owned());
        };
        let (nodes, keyspace) = rest.split_once('/').unwrap_or((rest, KEYSPACE));
        if let Some(node) = nodes.split(',').find(|node| !is_address(node)) {
            return Err(format!("{node:?} is not host:port"));
        }
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let begins = keyspace.starts_with(|first: char| first.is_ascii_alphabetic());
        if !begins || keyspace.len() > 48 || !keyspace.bytes().all(is_word) {
            return Err(format!(
                "{keyspace:?} can't be a keyspace: letters, digits and _, at most 48, a letter first"
            ));
        }
        Ok(Self::Cql {
            nodes: nodes.split(',').map(str::to_owned).collect(),
            keyspace: keyspace.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_kinds_and_nothing_else() {
        assert_eq!("embedded".parse(), Ok(Target::Embedded));
        let cql = |nodes: &[&str], keyspace: &str| Target::Cql {
            nodes: nodes.iter().map(|node| (*node).to_owned()).collect(),
            keyspace: keyspace.to_owned(),
        };
        for (text, wanted) in [
            ("cql://a:9042", cql(&["a:9042"], "postrider")),
            (
                "cql://a:9042,[::1]:9043/p_1",
                cql(&["a:9042", "[::1]:9043"], "p_1"),
            ),
        ] {
            assert_eq!(text.parse(), Ok(wanted));
        }
        for bad in [
            "",
            "cql",
            "cql://",
            "cql://a",
            "cql://a:9042/",
            "cql://a:9042/1a",
            "cql://a:9042/a b",
            "cql://a:9042/a;drop",
            "cql://user:password@a:9042/x",
            "postgres://a:1",
        ] {
            assert!(bad.parse::<Target>().is_err(), "{bad}");
        }
    }
}
