//! Summaries of SQL statements, of low cardinality: the operation and the tables, `SELECT todos users`.

/// Words after which a table is named.
const BEFORE_TABLE: [&str; 5] = ["FROM", "INTO", "UPDATE", "JOIN", "TABLE"];
/// Words that begin an operation.
const OPERATIONS: [&str; 16] = [
    "SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "REPLACE", "CREATE", "ALTER", "DROP", "TRUNCATE",
    "CALL", "BEGIN", "COMMIT", "ROLLBACK", "EXPLAIN", "COPY",
];
/// Words between such a word and the table.
const BEFORE_NAME: [&str; 5] = ["ONLY", "IF", "NOT", "EXISTS", "LATERAL"];

/// Returns the operation of a statement and the tables that it names, in order, without what its texts and numbers say.
/// Empty if the statement is not recognized.
pub(super) fn summary(statement: &str) -> String {
    let words = words(statement);
    let is_operation = |word: &&str| OPERATIONS.iter().any(|known| word.eq_ignore_ascii_case(known));
    // A statement with common table expressions begins with them.
    let Some(operation) = words.iter().copied().find(is_operation) else { return String::new() };
    let mut tables: Vec<&str> = Vec::new();
    let mut is_next = false;
    for word in words {
        let is = |list: &[&str]| list.iter().any(|known| word.eq_ignore_ascii_case(known));
        if is(&BEFORE_TABLE) {
            is_next = true;
        } else if is_next && !is(&BEFORE_NAME) {
            is_next = false;
            if word != "(" && !word.eq_ignore_ascii_case("SELECT") && !tables.contains(&word) {
                tables.push(word);
            }
        }
    }
    std::iter::once(operation.to_ascii_uppercase().as_str()).chain(tables).collect::<Vec<_>>().join(" ")
}

/// Returns the words of a statement and its opening parentheses, without literals, comments and quotes around names.
fn words(statement: &str) -> Vec<&str> {
    let (mut words, mut rest) = (Vec::new(), statement);
    while let Some(c) = rest.chars().next() {
        let len = if rest.starts_with("--") {
            rest.find('\n').map_or(rest.len(), |at| at + 1)
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |at| at + 2)
        } else if c == '\'' {
            rest[1..].find('\'').map_or(rest.len(), |at| at + 2)
        } else if matches!(c, '"' | '`') {
            let end = rest[1..].find(c).map_or(rest.len(), |at| at + 1);
            words.push(&rest[1..end]);
            (end + 1).min(rest.len())
        } else if c.is_alphabetic() || c == '_' {
            let end = rest.find(|c: char| !c.is_alphanumeric() && !matches!(c, '_' | '.' | '$'));
            let end = end.unwrap_or(rest.len());
            words.push(&rest[..end]);
            end
        } else {
            if c == '(' {
                words.push(&rest[..1]);
            }
            c.len_utf8()
        };
        rest = &rest[len..];
    }
    words
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_statement_is_summarized_by_its_operation_and_its_tables() {
        for (statement, expected) in [
            ("select id from todos where title = 'from x'", "SELECT todos"),
            ("SELECT * FROM a JOIN b ON a.id = b.id LEFT JOIN \"c d\" ON true", "SELECT a b c d"),
            ("insert into todos (title) values ($1) returning id", "INSERT todos"),
            ("update todos set done = true", "UPDATE todos"),
            ("/* from x */ delete from only todos -- from y", "DELETE todos"),
            ("create table if not exists s.todos (id int)", "CREATE s.todos"),
            ("with t as (select * from a) select * from t, b", "SELECT a t"),
            ("select * from (select 1) x", "SELECT"),
            ("select count(*) from todos t join todos u on true", "SELECT todos"),
            ("begin", "BEGIN"),
            ("", ""),
            ("pragma x", ""),
            ("select 'unended from x", "SELECT"),
        ] {
            assert_eq!(summary(statement), expected, "{statement}");
        }
    }

    proptest! {
        #[test]
        fn any_text_has_a_summary(text in "(select|from|'|\"|`|--|/\\*|\\*/|\\(|\n|é| |x){0,20}") {
            let _ = summary(&text);
        }
    }
}
