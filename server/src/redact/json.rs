//! Secrets in JSON, by the names of their fields.
//!
//! The text is edited where a secret stands, and stays byte for byte the same elsewhere: numbers,
//! order, spaces. It need not be whole: what is cut off or malformed is searched as far as it goes.

use super::{REDACTED, names};

/// Whether the bytes may be JSON that holds fields.
pub(super) fn may_be_json(bytes: &[u8]) -> bool {
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    matches!(first, Some(b'{' | b'['))
}

/// The text with each secret's value replaced; `None` when there was none.
pub(super) fn redacted(text: &[u8]) -> Option<Vec<u8>> {
    let mut editor = Editor {
        text,
        copied: 0,
        out: Vec::new(),
    };
    let mut at = 0;
    while let Some(found) = text[at..].iter().position(|byte| *byte == b'"') {
        let string = string_at(text, at + found);
        at = match value_after(text, &string) {
            Some(value) => editor.field(&string.unescaped(), value),
            None => editor.value_string(&string),
        };
    }
    editor.finish()
}

/// A string in the text, with its quotes.
struct JsonString<'a> {
    text: &'a [u8],
    start: usize,
    /// Past its closing quote, or the end of the text.
    end: usize,
}

impl JsonString<'_> {
    /// What it says; as it stands when it is not well formed.
    fn unescaped(&self) -> String {
        let quoted = &self.text[self.start..self.end];
        serde_json::from_slice(quoted)
            .unwrap_or_else(|_| String::from_utf8_lossy(quoted).into_owned())
    }

    fn has_escapes(&self) -> bool {
        self.text[self.start..self.end].contains(&b'\\')
    }

    fn is_empty(&self) -> bool {
        self.end - self.start <= 2
    }
}

/// The string whose opening quote is at `start`.
fn string_at(text: &[u8], start: usize) -> JsonString<'_> {
    let mut end = start + 1;
    while let Some(byte) = text.get(end) {
        end += 1;
        match byte {
            b'"' => return JsonString { text, start, end },
            b'\\' => end += 1,
            _ => {}
        }
    }
    JsonString {
        text,
        start,
        end: text.len(),
    }
}

fn skip_space(text: &[u8], at: usize) -> usize {
    at + text[at..]
        .iter()
        .take_while(|byte| byte.is_ascii_whitespace())
        .count()
}

/// Where the value begins when `string` is a field's name.
fn value_after(text: &[u8], string: &JsonString<'_>) -> Option<usize> {
    let colon = skip_space(text, string.end);
    (text.get(colon) == Some(&b':')).then(|| skip_space(text, colon + 1))
}

/// Past a number or a word.
fn scalar_end(text: &[u8], at: usize) -> usize {
    let ends = |byte: &u8| matches!(byte, b',' | b']' | b'}' | b'"') || byte.is_ascii_whitespace();
    at + text[at..].iter().take_while(|byte| !ends(byte)).count()
}

struct Editor<'a> {
    text: &'a [u8],
    copied: usize,
    out: Vec<u8>,
}

impl<'a> Editor<'a> {
    fn replace(&mut self, from: usize, to: usize, with: &str) {
        self.out.extend_from_slice(&self.text[self.copied..from]);
        self.out.extend_from_slice(with.as_bytes());
        self.copied = to;
    }

    fn hide(&mut self, from: usize, to: usize) {
        self.replace(from, to, &format!("\"{REDACTED}\""));
    }

    /// Where to go on: behind the value at `at` when it is a secret, else inside of it.
    fn field(&mut self, name: &str, at: usize) -> usize {
        if names::is_secret(name) {
            self.hide_all(at, names::is_list(name))
        } else {
            at
        }
    }

    /// Hides the value at `at`, or everything in it that could be a secret, but for what only
    /// labels one where there are `labels`. Returns where it ends.
    fn hide_all(&mut self, mut at: usize, labels: bool) -> usize {
        let text = self.text;
        let mut depth = 0_usize;
        loop {
            at = match text.get(at) {
                None => return text.len(),
                Some(b'"') => self.hidden_string(&string_at(text, at), labels),
                Some(b'{' | b'[') => {
                    depth += 1;
                    at + 1
                }
                Some(b'}' | b']') => {
                    depth = depth.saturating_sub(1);
                    at + 1
                }
                Some(b'-' | b'0'..=b'9') => {
                    let end = scalar_end(text, at);
                    self.hide(at, end);
                    end
                }
                Some(b',' | b':') => at + 1,
                Some(byte) if byte.is_ascii_whitespace() => at + 1,
                Some(_) => scalar_end(text, at).max(at + 1),
            };
            if depth == 0 {
                return at;
            }
        }
    }

    /// A string inside of a secret: a field's name stays.
    fn hidden_string(&mut self, string: &JsonString<'_>, labels: bool) -> usize {
        let Some(value) = value_after(self.text, string) else {
            if !string.is_empty() {
                self.hide(string.start, string.end);
            }
            return string.end;
        };
        match self.text.get(value) {
            Some(b'{' | b'[') | None => value,
            Some(_) if !(labels && names::is_label(&string.unescaped())) => value,
            Some(b'"') => string_at(self.text, value).end,
            Some(_) => scalar_end(self.text, value),
        }
    }

    /// A string that is a value. It may be JSON or hold a secret behind its escapes, or name the
    /// header whose value comes next: `["set-cookie", "…"]`.
    fn value_string(&mut self, string: &JsonString<'_>) -> usize {
        if let Some(value) = self.paired_value(string) {
            self.hide(value.start, value.end);
            return value.end;
        }
        if string.has_escapes()
            && let Some(inner) = super::redacted(string.unescaped().as_bytes())
        {
            let inner = String::from_utf8_lossy(&inner);
            let quoted = serde_json::Value::from(inner.as_ref()).to_string();
            self.replace(string.start, string.end, &quoted);
        }
        string.end
    }

    fn paired_value(&self, name: &JsonString<'_>) -> Option<JsonString<'a>> {
        let text = self.text;
        let before = text[..name.start].trim_ascii_end().last();
        let comma = skip_space(text, name.end);
        if before != Some(&b'[') || text.get(comma) != Some(&b',') {
            return None;
        }
        let start = skip_space(text, comma + 1);
        if text.get(start) != Some(&b'"') || !names::is_secret(&name.unescaped()) {
            return None;
        }
        let value = string_at(text, start);
        let is_pair = text.get(skip_space(text, value.end)) == Some(&b']');
        (is_pair && !value.is_empty()).then_some(value)
    }

    fn finish(mut self) -> Option<Vec<u8>> {
        if self.copied == 0 {
            return None;
        }
        self.out.extend_from_slice(&self.text[self.copied..]);
        Some(self.out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(text: &str) -> String {
        let redacted = redacted(text.as_bytes());
        redacted.map_or("unchanged".to_owned(), |redacted| {
            String::from_utf8(redacted).unwrap()
        })
    }

    #[test]
    fn the_value_goes_and_all_else_stays() {
        assert_eq!(
            after(r#"{ "n" : 1.50, "token":"a\"b" ,"n":1e400}"#),
            r#"{ "n" : 1.50, "token":"[redacted]" ,"n":1e400}"#
        );
        assert_eq!(
            after(r#"{"password":1234,"x":1}"#),
            r#"{"password":"[redacted]","x":1}"#
        );
        assert_eq!(
            after(r#"{"to\u006ben": "x"}"#),
            r#"{"to\u006ben": "[redacted]"}"#
        );
        for unchanged in [
            r#"{"a":{"b":[1,"secret"]}}"#,
            r#"{"token":null}"#,
            r#"{"secret":""}"#,
        ] {
            assert_eq!(after(unchanged), "unchanged");
        }
    }

    #[test]
    fn what_labels_a_secret_stays() {
        assert_eq!(
            after(
                r#"{"secrets":[{"id":"k1","sealed":"x","until":5},{"id":"k2","sealed":"y"}],"a":1}"#
            ),
            r#"{"secrets":[{"id":"k1","sealed":"[redacted]","until":5},{"id":"k2","sealed":"[redacted]"}],"a":1}"#
        );
        assert_eq!(
            after(r#"{"custom_headers":{"x-a":"b","id":"c","n":{"id":"d"}}}"#),
            r#"{"custom_headers":{"x-a":"[redacted]","id":"[redacted]","n":{"id":"[redacted]"}}}"#
        );
    }

    #[test]
    fn pairs_of_headers() {
        assert_eq!(
            after(r#"{"headers":[["server","x"],[ "Set-Cookie" , "sid=1" ]]}"#),
            r#"{"headers":[["server","x"],[ "Set-Cookie" , "[redacted]" ]]}"#
        );
    }

    #[test]
    fn json_within_json_and_secrets_behind_escapes() {
        assert_eq!(
            after(r#"{"body":{"utf8":"{\"client_secret\":\"x\",\"n\":1}"}}"#),
            r#"{"body":{"utf8":"{\"client_secret\":\"[redacted]\",\"n\":1}"}}"#
        );
        assert_eq!(after(r#"["whsec\u005fQUJD"]"#), r#"["whsec_[redacted]"]"#);
    }

    #[test]
    fn what_is_cut_off_hides_what_is_left() {
        for (cut, hidden) in [
            (r#"{"secret":"abc"#, r#"{"secret":"[redacted]""#),
            (
                r#"{"secret":{"a":["abc","#,
                r#"{"secret":{"a":["[redacted]","#,
            ),
            (r#"{"secret":"ab\"#, r#"{"secret":"[redacted]""#),
            (r#"{"secret":12"#, r#"{"secret":"[redacted]""#),
        ] {
            assert_eq!(after(cut), hidden);
        }
        for odd in [
            r#"{"secret":"#,
            r#"{"secret""#,
            r#"{""#,
            "{\"secret\":}",
            "[\"\\",
        ] {
            assert_eq!(after(odd), "unchanged");
        }
    }
}
