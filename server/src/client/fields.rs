//! Members of the server's JSON as cells of a table.

use serde_json::Value;

use crate::output::{Output, Table};

/// What stands where there is nothing.
pub(super) const NOTHING: &str = "-";

/// The member at a JSON pointer as text.
pub(super) fn text(value: &Value, pointer: &str) -> String {
    match value.pointer(pointer) {
        None | Some(Value::Null) => NOTHING.to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(items)) if items.is_empty() => NOTHING.to_owned(),
        Some(Value::Array(items)) => {
            let items: Vec<String> = items.iter().map(|item| text(item, "")).collect();
            items.join(",")
        }
        Some(other) => other.to_string(),
    }
}

/// The first of these members that is there.
pub(super) fn first(value: &Value, pointers: &[&str]) -> String {
    let mut found = pointers.iter().map(|pointer| text(value, pointer));
    found
        .find(|text| text != NOTHING)
        .unwrap_or_else(|| NOTHING.to_owned())
}

/// The elements of the array at a JSON pointer.
pub(super) fn items<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value
        .pointer(pointer)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// Names and values, a line each; what has no value is left out.
pub(super) fn print(rows: Vec<(&str, String)>, output: &mut Output) -> anyhow::Result<()> {
    let mut table = Table::new(&["", ""]);
    for (name, value) in rows.into_iter().filter(|(_, value)| value != NOTHING) {
        table.row([name.to_owned(), value]);
    }
    table.print_rows(output)
}

/// How long an attempt took.
pub(super) fn duration(attempt: &Value) -> String {
    let millis = attempt.pointer("/duration_ms").and_then(Value::as_f64);
    millis.map_or(NOTHING.to_owned(), |millis| match millis < 10.0 {
        true => format!("{millis:.1} ms"),
        false => format!("{millis:.0} ms"),
    })
}
