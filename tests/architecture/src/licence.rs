//! Whether a dependency's licence lets this project be handed on under Apache-2.0.

/// Licences that do, by their SPDX names.
const COMPATIBLE: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-1-Clause",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Whether an SPDX expression leaves a choice that is compatible. `AND` binds closer than `OR`, as the
/// specification (annex D) has it; a slash is the older way to write `OR`.
#[must_use]
pub fn is_compatible(expression: &str) -> bool {
    let expression = expression.replace('/', " OR ");
    let expression = expression.trim();
    if let Some((left, right)) = split(expression, " OR ") {
        return is_compatible(left) || is_compatible(right);
    }
    if let Some((left, right)) = split(expression, " AND ") {
        return is_compatible(left) && is_compatible(right);
    }
    match expression
        .strip_prefix('(')
        .and_then(|inner| inner.strip_suffix(')'))
    {
        Some(inner) => is_compatible(inner),
        None => COMPATIBLE.contains(&expression),
    }
}

/// Splits at the first `operator` that stands outside of parentheses.
fn split<'a>(expression: &'a str, operator: &str) -> Option<(&'a str, &'a str)> {
    let mut depth = 0_i32;
    for (at, letter) in expression.char_indices() {
        match letter {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth == 0 && expression[at..].starts_with(operator) {
            return Some((&expression[..at], &expression[at + operator.len()..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::is_compatible;

    #[test]
    fn expressions() {
        for good in [
            "MIT",
            "MIT/Apache-2.0",
            "GPL-3.0 OR MIT",
            "(MIT OR Apache-2.0) AND Unicode-3.0",
            "Apache-2.0 WITH LLVM-exception OR GPL-2.0",
        ] {
            assert!(is_compatible(good), "{good}");
        }
        for bad in [
            "",
            "GPL-3.0",
            "MIT AND GPL-3.0",
            "(MIT OR ISC) AND AGPL-3.0",
            "BUSL-1.1",
        ] {
            assert!(!is_compatible(bad), "{bad}");
        }
    }
}
