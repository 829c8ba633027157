//! The name that was probably meant.

/// The one of `known` nearest to `name`, when it is near enough to be a slip: a third of its length.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let near = |other: &&str| distance(name, other) <= 1 + name.chars().count() / 3;
    let known = known.into_iter().filter(near);
    known.min_by_key(|other| distance(name, other))
}

/// How many letters must be added, left out or changed (Levenshtein's distance).
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in to.iter().enumerate() {
            let changed = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_found_and_strangers_are_not() {
        let known = ["events", "inbox", "dead-letters"];
        assert_eq!(nearest("evnts", known), Some("events"));
        assert_eq!(nearest("deadletters", known), Some("dead-letters"));
        assert_eq!(nearest("orders.shipped", known), None);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
    }
}
