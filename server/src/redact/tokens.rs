//! Secrets that are known by how they begin, wherever they stand.

use super::REDACTED;

/// What Standard Webhooks puts before a shared secret and a private key.
const BEGINNINGS: [&[u8]; 2] = [b"whsec_", b"whsk_"];

/// The bytes with each such secret cut down to its beginning; `None` when there was none.
pub(super) fn redacted(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut copied = 0;
    let mut at = 0;
    while let Some(found) = bytes[at..].iter().position(|byte| *byte == b'w') {
        at += found;
        let begins = BEGINNINGS
            .iter()
            .find(|begin| bytes[at..].starts_with(begin));
        let Some(begin) = begins else {
            at += 1;
            continue;
        };
        let body = at + begin.len();
        let length = bytes[body..]
            .iter()
            .take_while(|byte| continues(**byte))
            .count();
        at = body + length;
        if length > 0 {
            out.extend_from_slice(&bytes[copied..body]);
            out.extend_from_slice(REDACTED.as_bytes());
            copied = at;
        }
    }
    if copied == 0 {
        return None;
    }
    out.extend_from_slice(&bytes[copied..]);
    Some(out)
}

/// Base64 in either alphabet, and what escapes it in JSON and in URLs.
const fn continues(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'-' | b'_' | b'\\' | b'%')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_found_anywhere_and_once() {
        let text = b"\xffa whsec_C2FtZQ+/== b whsk_Zm9v,whsec_ wwhsec_eA\x00";
        let redacted_once = redacted(text).unwrap();
        assert_eq!(
            redacted_once,
            b"\xffa whsec_[redacted] b whsk_[redacted],whsec_ wwhsec_[redacted]\x00"
        );
        assert_eq!(redacted(&redacted_once), None);
        assert_eq!(redacted(b"whpk_cHVibGlj w whs"), None);
        assert_eq!(redacted(br"whsec_AB\/CD").unwrap(), b"whsec_[redacted]");
    }
}
