//! Which headers an operator may add to an endpoint's requests.

/// The most of an endpoint.
pub const MAX: usize = 32;

/// The longest name, in bytes.
pub const MAX_NAME: usize = 128;

/// The longest value, in bytes.
pub const MAX_VALUE: usize = 4_096;

/// Names that are ours, or the connection's: RFC 9110, section 7.6.1 and what HTTP/1.1 frames
/// messages with.
const RESERVED: &[&str] = &[
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "idempotency-key",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "traceparent",
    "tracestate",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
];

/// A header that can't be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadHeader {
    /// No name of a header.
    #[error("is no name of a header, or longer than 128 bytes")]
    Name,
    /// A name that can't be replaced.
    #[error("is set by Postrider or by the connection")]
    Reserved,
    /// A value that a header can't have.
    #[error("has a value with control characters, or longer than 4096 bytes")]
    Value,
}

/// Whether `name` may be added with `value`. Names are compared without case.
///
/// # Errors
/// When not.
pub fn check(name: &str, value: &str) -> Result<(), BadHeader> {
    // RFC 9110, section 5.6.2: a token.
    let is_token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    if !(1..=MAX_NAME).contains(&name.len()) || !name.bytes().all(is_token) {
        return Err(BadHeader::Name);
    }
    if is_reserved(name) {
        return Err(BadHeader::Reserved);
    }
    let is_text = |b: u8| b == b'\t' || (b >= b' ' && b != 0x7f);
    if value.len() > MAX_VALUE || !value.bytes().all(is_text) || value.trim() != value {
        return Err(BadHeader::Value);
    }
    Ok(())
}

/// Whether `name`, in whatever case, is one that a custom header can't replace.
#[must_use]
pub fn is_reserved(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let ours = |prefix: &str| name.starts_with(prefix);
    RESERVED.contains(&name.as_str()) || ours("webhook-") || ours("x-webhook-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_added() {
        let long = "x".repeat(MAX_VALUE + 1);
        for (name, value, expected) in [
            ("authorization", "Bearer x", Ok(())),
            ("X-Api-Key", "", Ok(())),
            ("x-api-key", "é\tü", Ok(())),
            ("", "x", Err(BadHeader::Name)),
            ("a b", "x", Err(BadHeader::Name)),
            ("a:b", "x", Err(BadHeader::Name)),
            ("é", "x", Err(BadHeader::Name)),
            (&long[..MAX_NAME + 1], "x", Err(BadHeader::Name)),
            ("Host", "x", Err(BadHeader::Reserved)),
            ("content-LENGTH", "x", Err(BadHeader::Reserved)),
            ("Transfer-Encoding", "x", Err(BadHeader::Reserved)),
            ("webhook-id", "x", Err(BadHeader::Reserved)),
            ("Webhook-Anything", "x", Err(BadHeader::Reserved)),
            ("X-Webhook-Signature", "x", Err(BadHeader::Reserved)),
            ("User-Agent", "x", Err(BadHeader::Reserved)),
            ("idempotency-key", "x", Err(BadHeader::Reserved)),
            ("x", "a\r\nb: c", Err(BadHeader::Value)),
            ("x", "a\0", Err(BadHeader::Value)),
            ("x", " a", Err(BadHeader::Value)),
            ("x", long.as_str(), Err(BadHeader::Value)),
        ] {
            assert_eq!(check(name, value), expected, "{name}: {value}");
        }
    }
}
