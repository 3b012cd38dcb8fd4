//! Queries that select requests, as words on the command line.

use clap::Args;
use clap_complete::engine::ArgValueCompleter;
use zerver_analysis::{QueryClock, RequestQuery};

use crate::args::Filter;
use crate::candidates::query_words;
use crate::clock::local_clock;
use crate::error::CommandError;

#[derive(Debug, Clone, Default, PartialEq, Args)]
pub(crate) struct RequestArgs {
    /// Query that selects the requests, such as `flow:report status:5xx 'took>10ms'`
    #[arg(value_name = "QUERY", add = ArgValueCompleter::new(query_words))]
    pub(crate) query: Vec<String>,
    #[command(flatten)]
    pub(crate) filter: Filter,
}

impl RequestArgs {
    /// Parses the query.
    pub(crate) fn parse(&self) -> Result<RequestQuery, CommandError> {
        parse_query(&self.query, &local_clock())
    }
}

/// Parses the words of a query.
pub(crate) fn parse_query(words: &[String], clock: &QueryClock) -> Result<RequestQuery, CommandError> {
    let text = words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ");
    RequestQuery::parse(&text, clock).map_err(|error| {
        let range = error.range();
        let place = match text.get(range) {
            Some("") | None => String::new(),
            Some(part) => format!(" at {part:?}"),
        };
        CommandError::new(format!("the query is not understood{place}: {error}"))
            .with_hint("docs/reference/queries.md lists fields and operators")
    })
}

/// Quotes the value of a term whose quotes the shell has removed: `effect.sql~"from todos"` arrives as one word with
/// a space.
fn quoted(word: &str) -> String {
    let is_operator = |c: char| matches!(c, ':' | '~' | '=' | '>' | '<');
    let (Some(first), Some(last)) = (word.find(is_operator), word.rfind(is_operator)) else {
        return word.to_owned();
    };
    let is_one_term =
        last <= first + 1 && !word[..first].contains(char::is_whitespace) && !word.contains(['"', '(']);
    let value = &word[last + 1..];
    if !is_one_term || !value.trim_end().contains(char::is_whitespace) {
        return word.to_owned();
    }
    format!("{}\"{}\"", &word[..=last], value.replace('\\', "\\\\"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_that_the_shell_removed_come_back() {
        for (word, wanted) in [
            ("flow:report", "flow:report"),
            ("effect.sql~from todos", "effect.sql~\"from todos\""),
            ("path!=/a b", "path!=\"/a b\""),
            ("took>=1 ms", "took>=\"1 ms\""),
            ("flow:report took>1ms", "flow:report took>1ms"),
            ("(flow:a or flow:b)", "(flow:a or flow:b)"),
            ("body~\"a b\"", "body~\"a b\""),
            ("buy milk", "buy milk"),
        ] {
            assert_eq!(quoted(word), wanted);
        }
    }

    #[test]
    fn errors_name_the_part_that_is_wrong() {
        let clock = QueryClock::utc(0);
        let error = parse_query(&["statsu:500".to_owned()], &clock).unwrap_err().message;
        assert!(error.contains("at \"statsu\"") && error.contains("did you mean status?"), "{error}");
    }
}
