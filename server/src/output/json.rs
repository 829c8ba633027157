//! JSON that is as safe in a terminal as it is exact for a program.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::Formatter;

use super::safe::misleads;

/// Compact JSON in which characters that mislead a terminal are written as `\u` escapes. A reader
/// gets the same strings.
struct Safe;

impl Formatter for Safe {
    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        to: &mut W,
        text: &str,
    ) -> io::Result<()> {
        let mut rest = text;
        while let Some((at, c)) = rest.char_indices().find(|(_, c)| misleads(*c)) {
            to.write_all(&rest.as_bytes()[..at])?;
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(to, "\\u{unit:04x}")?;
            }
            rest = &rest[at + c.len_utf8()..];
        }
        to.write_all(rest.as_bytes())
    }
}

pub(super) fn write(to: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    value
        .serialize(&mut Serializer::with_formatter(to, Safe))
        .map_err(io::Error::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaped_for_the_terminal_and_exact_for_a_program() {
        let text = "a\u{1b}[31m\u{9b}\u{202e}é\u{7f}\"\\\u{1f600}";
        let mut written = Vec::new();
        write(&mut written, &text).unwrap();
        let written = String::from_utf8(written).unwrap();
        assert!(!written.chars().any(misleads), "{written}");
        assert_eq!(serde_json::from_str::<String>(&written).unwrap(), text);
    }
}
