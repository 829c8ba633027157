//! Text that a terminal may be shown.

/// Whether a terminal or a reader's eye could be led astray by it: control characters (with them the
/// C1 ones, of which U+009B begins a terminal's command), and what turns or hides text (Unicode TR 36).
pub(crate) fn misleads(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        )
}

/// Bytes as text: what misleads is escaped, what is no UTF-8 is shown as `\xff`.
pub(crate) fn safe(bytes: &[u8]) -> String {
    let mut shown = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        push(&mut shown, chunk.valid());
        for byte in chunk.invalid() {
            shown.push_str(&format!("\\x{byte:02x}"));
        }
    }
    shown
}

/// As [`safe`], of text.
pub(crate) fn safe_text(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    push(&mut shown, text);
    shown
}

fn push(shown: &mut String, text: &str) {
    for c in text.chars() {
        if misleads(c) {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_misleads_is_escaped() {
        assert_eq!(safe(b"\x1b[2Jhi\n"), "\\u{1b}[2Jhi\\n");
        assert_eq!(safe("a\u{9b}31m".as_bytes()), "a\\u{9b}31m");
        assert_eq!(safe("\u{202e}evil".as_bytes()), "\\u{202e}evil");
        assert_eq!(safe(b"caf\xc3\xa9 \xff\x00"), "café \\xff\\u{0}");
        assert_eq!(safe_text("{\"a\": \"b\\n\"}"), "{\"a\": \"b\\n\"}");
    }
}
