//! The text of statements: recognizes those that only read, and shortens texts for summaries.

/// Maximum length of a summary, in characters.
const SUMMARY_CHARS: usize = 80;

/// Words that begin a statement that reads.
const READING_WORDS: [&str; 5] = ["select", "with", "values", "table", "show"];

/// Words that can change something within a statement that begins like one that reads.
const WRITING_WORDS: [&str; 22] = [
    "insert",
    "update",
    "delete",
    "merge",
    "into",
    "truncate",
    "call",
    "do",
    "create",
    "alter",
    "drop",
    "grant",
    "revoke",
    "copy",
    "lock",
    "nextval",
    "setval",
    "set_config",
    "notify",
    "dblink",
    "dblink_exec",
    "share",
];

/// Returns true if the statement is known to change nothing: it begins with SELECT, WITH, VALUES, TABLE or SHOW, and
/// contains no word that could change something. Functions of the service's own are not known here; a statement that
/// calls one with an effect should be performed by a batch, or with another beginning.
///
/// This runs for every call, so it allocates nothing.
pub(super) fn is_read(text: &str) -> bool {
    let (mut words, mut is_first) = (Words { rest: text, is_clear: true }, true);
    let reads = words.all(|word| {
        let is = |known: &&str| word.eq_ignore_ascii_case(known);
        let begins = !std::mem::take(&mut is_first) || READING_WORDS.iter().any(is);
        let is_internal = word
            .get(..3)
            .is_some_and(|start| start.eq_ignore_ascii_case("pg_") || start.eq_ignore_ascii_case("lo_"));
        begins && !is_internal && !WRITING_WORDS.iter().any(is)
    });
    reads && !is_first && words.is_clear
}

/// The words outside of comments and quotations.
struct Words<'t> {
    rest: &'t str,
    /// False once the text has turned out to contain more than one statement, a quotation that does not end, or one that
    /// is not understood. There are no more words then.
    is_clear: bool,
}

impl<'t> Iterator for Words<'t> {
    type Item = &'t str;

    fn next(&mut self) -> Option<&'t str> {
        while let Some(c) = self.rest.chars().next() {
            let rest = self.rest;
            if c.is_alphabetic() || c == '_' {
                let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
                self.rest = &rest[end..];
                return Some(&rest[..end]);
            }
            match after_other(rest, c) {
                Some(after) => self.rest = after,
                None => (self.rest, self.is_clear) = ("", false),
            }
        }
        None
    }
}

/// Returns the rest after a comment, a quotation or another character `c` with which `text` begins. Returns `None` if
/// the text is not understood any further.
fn after_other(text: &str, c: char) -> Option<&str> {
    match c {
        '\'' | '"' | '`' => after_quotation(text, c),
        // A quotation between dollar signs is not looked into, but could hide anything.
        '$' if !text[1..].starts_with(|c: char| c.is_ascii_digit()) => None,
        '-' if text.starts_with("--") => Some(text.find('\n').map_or("", |end| &text[end..])),
        '/' if text.starts_with("/*") => Some(&text[text.find("*/")? + 2..]),
        ';' if text[1..].trim().is_empty() => Some(""),
        ';' => None,
        c => Some(&text[c.len_utf8()..]),
    }
}

/// Returns the rest after a quotation, in which the quote is doubled to mean itself. A backslash could escape the quote
/// in some settings of some databases, so a quotation with one is not understood.
fn after_quotation(text: &str, quote: char) -> Option<&str> {
    let inner = &text[1..];
    let end = inner.find(quote)?;
    if inner[..end].contains('\\') {
        return None;
    }
    let rest = &inner[end + 1..];
    if rest.starts_with(quote) { after_quotation(rest, quote) } else { Some(rest) }
}

/// Returns a text on one line, shortened.
pub(super) fn one_line(text: &str) -> String {
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
        if let Some((end, _)) = line.char_indices().nth(SUMMARY_CHARS) {
            line.truncate(end);
            line.push_str("..");
            return line;
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_statements_that_plainly_read_are_reads() {
        for text in [
            "select 1",
            "  -- a comment; drop table x\n SELECT a, 'insert', \"update\" FROM t WHERE b = $1;",
            "/* first */ with a as (select 1) select * from a",
            "values (1), (2)",
            "show search_path",
            "select 'it''s' as text",
            "table todos",
        ] {
            assert!(is_read(text), "{text}");
        }
        for text in [
            "",
            "insert into t values (1)",
            "with a as (delete from t returning *) select * from a",
            "select * into b from a",
            "select nextval('s')",
            "select pg_terminate_backend(1)",
            "select * from t for update",
            "select 1; drop table t",
            "select $$ x $$",
            "select 'open",
            "select E'\\'' , f()",
            "select '\\' , insert",
            "explain analyze delete from t",
            "begin",
        ] {
            assert!(!is_read(text), "{text}");
        }
    }

    #[test]
    fn a_summary_is_one_short_line() {
        assert_eq!(one_line("select\n   a\tfrom b"), "select a from b");
        let long = one_line(&"select column ".repeat(20));
        assert!(long.ends_with("..") && long.chars().count() == SUMMARY_CHARS + 2, "{long}");
    }
}
