//! Finds the name that the user probably meant.

/// Number of characters compared; longer names are compared by their start.
const COMPARED: usize = 64;

/// Returns the name nearest to `given`, if one is near. Case is ignored.
pub fn nearest_name<'n>(given: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let distances = names.into_iter().map(|name| (distance(given, name), name));
    let (distance, name) = distances.min_by_key(|(distance, _)| *distance)?;
    let longest = given.chars().count().max(name.chars().count()).min(COMPARED);
    (distance * 2 <= longest.max(2)).then_some(name)
}

/// Returns the edit distance of two names (Levenshtein, 1965).
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
    fn the_nearest_name_is_found() {
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
