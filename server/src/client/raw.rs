//! JSON on one line, otherwise as the server wrote it: numbers keep their digits, objects every key.

use crate::output::misleads;

/// Takes the white space between tokens out, and writes what would mislead a terminal as `\u`
/// escapes, which say the same. The text must be JSON.
pub(super) fn one_line(json: &str) -> String {
    let mut line = String::with_capacity(json.len());
    let (mut in_string, mut escaped) = (false, false);
    for c in json.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => in_string = !in_string,
            ' ' | '\n' | '\r' | '\t' if !in_string => continue,
            _ => {}
        }
        if misleads(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                line.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            line.push(c);
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_keys_stay_as_they_are() {
        let json = "{\n \"a\" : 99.90, \"a\":9007199254740993,\t\"b\": \"x \\\" y\u{202e}\"}\n";
        let line = "{\"a\":99.90,\"a\":9007199254740993,\"b\":\"x \\\" y\\u202e\"}";
        assert_eq!(one_line(json), line);
    }
}
