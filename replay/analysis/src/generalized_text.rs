//! Removes from text what differs from one request to the next.

/// Replaces each word that is a number or looks like part of an id by `*`, so that texts that differ for one reason
/// become equal.
pub fn generalize(text: &str) -> String {
    let is_id = |word: &str| {
        let is_number = !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit());
        let is_hex = word.len() >= 8 && word.bytes().all(|b| b.is_ascii_hexdigit());
        is_number || (is_hex && word.bytes().any(|b| b.is_ascii_digit()))
    };
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        out.push_str(if is_id(word) { "*" } else { word });
        let mut chars = after.chars();
        out.extend(chars.next());
        rest = chars.as_str();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_ids_become_wildcards() {
        for (text, wanted) in [
            ("kv get todo:17", "kv get todo:*"),
            ("response.body.3.title", "response.body.*.title"),
            (
                "http GET a/v1/users/019aa4c2-1f3b-7abc-8def-0123456789ab",
                "http GET a/v1/users/*-1f3b-7abc-8def-*",
            ),
            ("Slot1.deadbeef.漢字9", "Slot1.deadbeef.漢字9"),
            ("", ""),
        ] {
            assert_eq!(generalize(text), wanted);
        }
    }
}
