//! Which of librdkafka's settings an operator may set.

use crate::error::ConnectError;

/// Whole families: transport security and authentication.
const FAMILIES: [&str; 3] = ["ssl.", "sasl.", "https."];

/// Single ones that break no promise and bound no queue.
const SINGLE: [&str; 15] = [
    "broker.address.family",
    "broker.address.ttl",
    "client.dns.lookup",
    "client.rack",
    "compression.codec",
    "compression.level",
    "compression.type",
    "connections.max.idle.ms",
    "debug",
    "enable.ssl.certificate.verification",
    "linger.ms",
    "metadata.max.age.ms",
    "security.protocol",
    "socket.receive.buffer.bytes",
    "socket.send.buffer.bytes",
];

/// Whether a setting is passed through.
///
/// A list of what is allowed, not of what is not: `acks`, `enable.idempotence` and
/// `auto.offset.reset` would each break a promise, and a newer librdkafka may bring another that
/// does.
pub(crate) fn check(key: &str) -> Result<(), ConnectError> {
    if FAMILIES.iter().any(|family| key.starts_with(family)) || SINGLE.contains(&key) {
        Ok(())
    } else {
        Err(ConnectError::Refused(key.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn security_passes_and_promises_do_not() {
        for good in [
            "security.protocol",
            "ssl.ca.location",
            "sasl.password",
            "compression.type",
        ] {
            assert!(check(good).is_ok(), "{good}");
        }
        for bad in [
            "acks",
            "request.required.acks",
            "enable.idempotence",
            "enable.gapless.guarantee",
            "auto.offset.reset",
            "enable.auto.commit",
            "group.id",
            "isolation.level",
            "message.timeout.ms",
            "transactional.id",
            "bootstrap.servers",
            "plugin.library.paths",
            "no.such.setting",
        ] {
            assert!(
                matches!(check(bad), Err(ConnectError::Refused(key)) if key == bad),
                "{bad}"
            );
        }
    }
}
