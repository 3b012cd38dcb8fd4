//! Which of the names there are was probably meant.

/// Longer names are compared by their beginning.
const COMPARED: usize = 64;

/// The name that is nearest to the one that was given, if one is near at all. Upper and lower case are the same here.
pub fn nearest_name<'n>(given: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let distances = names.into_iter().map(|name| (distance(given, name), name));
    let (distance, name) = distances.min_by_key(|(distance, _)| *distance)?;
    let longest = given.chars().count().max(name.chars().count()).min(COMPARED);
    (distance * 2 <= longest.max(2)).then_some(name)
}

/// How many letters must be put in, taken out or replaced (Levenshtein, 1965).
fn distance(a: &str, b: &str) -> usize {
    let letters = |text: &str| text.to_lowercase().chars().take(COMPARED).collect::<Vec<_>>();
    let (a, b) = (letters(a), letters(b));
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_that_was_probably_meant() {
        let names = ["AuthHeader", "Claims", "Todo", "TodoId"];
        let check = |given, wanted| assert_eq!(nearest_name(given, names), wanted, "{given}");
        check("Claim", Some("Claims"));
        check("todo", Some("Todo"));
        check("TodoID", Some("TodoId"));
        check("Authheader", Some("AuthHeader"));
        check("Visits", None);
        assert_eq!(nearest_name("x", []), None);
        assert_eq!((distance("kitten", "sitting"), distance("", "abc"), distance("abc", "")), (3, 3, 3));
    }
}
