//! The identity of a statement: its text without comments and repeated blanks.

/// Returns the text of a statement without comments, and with one blank for any number of them. Quoted text stays as it
/// is.
pub(super) fn normalized(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if let Some(after) = after_comment(rest) {
            rest = after;
            blank(&mut out);
        } else if c.is_whitespace() {
            rest = rest.trim_start();
            blank(&mut out);
        } else {
            let len = if matches!(c, '\'' | '"') { quotation_len(rest, c) } else { c.len_utf8() };
            out.push_str(&rest[..len]);
            rest = &rest[len..];
        }
    }
    out.truncate(out.trim_end().len());
    out
}

fn blank(out: &mut String) {
    if !out.is_empty() && !out.ends_with(' ') {
        out.push(' ');
    }
}

/// Returns the text after the comment with which this one starts.
fn after_comment(text: &str) -> Option<&str> {
    if text.starts_with("--") {
        return Some(text.find('\n').map_or("", |end| &text[end..]));
    }
    text.starts_with("/*").then(|| text.find("*/").map_or("", |end| &text[end + 2..]))
}

/// Returns the length of the quotation with which the text starts, or of all of it if the quotation does not end.
fn quotation_len(text: &str, quote: char) -> usize {
    text[1..].find(quote).map_or(text.len(), |end| end + 2)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn comments_and_blanks_do_not_distinguish_statements() {
        let same = "select id from todos where title = 'a  -- b'";
        for text in [
            same,
            " select id\n  from todos -- all\n where title = 'a  -- b' ",
            "select/* x */id from todos /* y */ where title = 'a  -- b'",
        ] {
            assert_eq!(normalized(text), same);
        }
        assert_ne!(normalized("select 'a  b'"), normalized("select 'a b'"));
    }

    proptest! {
        #[test]
        fn any_text_has_a_normal_form(text in "[ab '\"/*\\-\n\u{e9}]{0,40}") {
            let once = normalized(&text);
            prop_assert!(once.len() <= text.len() + 1);
        }
    }
}
