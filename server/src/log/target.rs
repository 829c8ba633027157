//! Which log.

use std::str::FromStr;

/// What `--log` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// The log in the data directory.
    Embedded,
    /// A Kafka-compatible cluster: `host:port` of some brokers, separated by commas.
    Kafka(String),
}

const KAFKA: &str = "kafka://";

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "embedded" {
            return Ok(Self::Embedded);
        }
        let Some(brokers) = text.strip_prefix(KAFKA) else {
            return Err("a log is `embedded`, or `kafka://host:port,…`".to_owned());
        };
        match brokers.split(',').find(|broker| !is_address(broker)) {
            Some(broker) => Err(format!("{broker:?} is not host:port")),
            None => Ok(Self::Kafka(brokers.to_owned())),
        }
    }
}

/// Whether it is `host:port`.
pub(crate) fn is_address(broker: &str) -> bool {
    let fits = |(host, port): (&str, &str)| {
        !host.is_empty()
            && !host.contains(['/', '@', ' '])
            && port.parse::<u16>().is_ok_and(|p| p > 0)
    };
    broker.rsplit_once(':').is_some_and(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_kinds_and_nothing_else() {
        assert_eq!("embedded".parse(), Ok(Target::Embedded));
        let brokers = "a:9092,[::1]:9093";
        assert_eq!(
            format!("kafka://{brokers}").parse(),
            Ok(Target::Kafka(brokers.to_owned()))
        );
        for bad in [
            "",
            "Embedded",
            "kafka",
            "kafka://",
            "kafka://a",
            "kafka://a:0",
            "kafka://a:9092,",
            "kafka://a:9092/x",
            "kafka://:9092",
            "kafka://a:70000",
            "redis://a:1",
        ] {
            assert!(bad.parse::<Target>().is_err(), "{bad}");
        }
    }
}
