//! The filter of the request list: a [query](zerver_analysis::RequestQuery), in which words without a field match path
//! and flow fuzzily.

use std::sync::Arc;

use zerver_analysis::{QueryClock, RequestFields, RequestQuery};
use zerver_trace::{Class, RequestId};

use super::request_index::{RequestIndex, RequestRow};
use super::sequence_number::Seq;

/// Parsed filter.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Filter {
    query: Arc<RequestQuery>,
}

impl Filter {
    /// Parses a filter. What is not complete at the end is left out, because it is being typed.
    ///
    /// # Errors
    /// A message for the user.
    pub(crate) fn parse(text: &str, clock: &QueryClock) -> Result<Self, String> {
        let mut rest = text;
        loop {
            match RequestQuery::parse(rest, clock) {
                Ok(query) => return Ok(Self { query: Arc::new(query) }),
                Err(error) if error.is_incomplete(rest) => {
                    rest = rest.trim_end();
                    rest = &rest[..rest.rfind(char::is_whitespace).unwrap_or(0)];
                }
                Err(error) => return Err(error.to_string()),
            }
        }
    }

    /// Returns the query.
    pub(crate) const fn query(&self) -> &Arc<RequestQuery> {
        &self.query
    }

    /// Returns true if the filter admits everything.
    pub(crate) fn is_empty(&self) -> bool {
        self.query.is_empty()
    }

    /// Returns true if this filter obviously admits only requests that `other` admits, and no trace has to be read to
    /// find them.
    pub(crate) fn narrows(&self, other: &Self) -> bool {
        !self.query.needs_traces() && !other.query.needs_traces() && self.query.narrows(&other.query)
    }

    /// Returns the character positions in `text` that the words of the filter match.
    pub(crate) fn matched_positions(&self, text: &str) -> Vec<usize> {
        let chars: Vec<char> = text.chars().collect();
        let words = self.query.words();
        words
            .iter()
            .flat_map(|word| matched_positions(&chars, &word.to_lowercase().chars().collect::<Vec<_>>()))
            .collect()
    }

    /// Returns whether the filter admits a request of the index, or `None` if its trace has to be read.
    pub(crate) fn admits(&self, seq: Seq, index: &RequestIndex) -> Option<bool> {
        index.row(seq).map_or(Some(false), |row| self.query.matches_summary(&row))
    }
}

impl RequestFields for RequestRow<'_> {
    fn flow(&self) -> &str {
        self.flow
    }
    fn method(&self) -> &str {
        self.method
    }
    fn path(&self) -> &str {
        self.path
    }
    fn host(&self) -> Option<&str> {
        None
    }
    fn outcome(&self) -> &str {
        self.outcome
    }
    fn status(&self) -> u16 {
        self.status
    }
    fn class(&self) -> Class {
        self.class
    }
    fn worker(&self) -> Option<u16> {
        self.worker
    }
    fn id(&self) -> RequestId {
        self.id
    }
    fn duration_ns(&self) -> u64 {
        self.duration_ns
    }
    fn started_unix_ns(&self) -> u64 {
        self.started_unix_ns
    }
    fn is_failed(&self) -> bool {
        self.failed
    }
    fn fits_word(&self, word: &str) -> bool {
        is_fuzzy(self.path, word) || is_fuzzy(self.flow, word)
    }
}

/// Returns true if the characters of `word` occur in the text in the same order, ignoring case.
fn is_fuzzy(text: &str, word: &str) -> bool {
    if word.is_ascii() {
        let mut rest = text.bytes();
        return word.bytes().all(|wanted| rest.any(|byte| byte.eq_ignore_ascii_case(&wanted)));
    }
    let mut rest = text.chars();
    word.chars()
        .flat_map(char::to_lowercase)
        .all(|wanted| rest.any(|c| c == wanted || c.to_lowercase().eq([wanted])))
}

/// Returns the positions of a fuzzy match: contiguous if possible, else the match that ends first, as tight as
/// possible.
fn matched_positions(text: &[char], word: &[char]) -> Vec<usize> {
    if word.is_empty() {
        return Vec::new();
    }
    let is = |c: char, wanted: char| c == wanted || c.to_lowercase().eq([wanted]);
    let is_here = |part: &[char]| part.iter().zip(word).all(|(c, wanted)| is(*c, *wanted));
    if let Some(at) = text.windows(word.len()).position(is_here) {
        return (at..at + word.len()).collect();
    }
    let mut rest = (0..text.len()).filter_map(|at| text.get(at).map(|c| (at, *c)));
    let ends = word.iter().map(|wanted| rest.find(|(_, c)| is(*c, *wanted)).map(|(at, _)| at));
    let Some(Some(end)) = ends.collect::<Option<Vec<_>>>().map(|positions| positions.last().copied()) else {
        return Vec::new();
    };
    let mut back = (0..=end).rev();
    word.iter().rev().filter_map(|wanted| back.find(|at| is(text[*at], *wanted))).collect()
}

#[cfg(test)]
mod tests {
    use zerver_testkit::sample;
    use zerver_trace::Trace;

    use super::*;

    fn parse(text: &str) -> Filter {
        Filter::parse(text, &QueryClock::utc(0)).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    fn check(text: &str, trace: &Trace) -> bool {
        let filter = parse(text);
        let mut index = RequestIndex::default();
        index.push_newer(&[trace.summary()]);
        filter.admits(0, &index).unwrap_or_else(|| filter.query().matches(trace))
    }

    #[test]
    fn filters_admit_matching_requests() {
        let (slow, failed) = (Trace { worker: Some(1), ..sample::slow() }, sample::failed());
        for (text, is_slow, is_failed) in [
            ("", true, true),
            ("status:2xx", true, false),
            ("!status:2xx", false, true),
            ("status:404 flow:TODOS", false, true),
            ("flow:items", false, false),
            ("slower:1ms", true, false),
            ("took<1ms", false, true),
            ("is:failed", false, true),
            ("outcome:fail", false, true),
            ("class:interactive method:get", true, true),
            ("worker:1", true, false),
            ("worker:11", false, false),
            ("!worker:1", false, true),
            ("id:019AA4C2-1f3b", true, true),
            ("id:019b", false, false),
            ("vtd456", true, true),
            ("VTD456", true, true),
            ("/V1/", true, true),
            ("todosx", false, false),
            ("!456", false, false),
            ("slot.Claims.sub=user-123", true, true),
            ("!slot.Todo.id=456", false, true),
            ("slot.Todo.done=false or status:404", true, true),
            ("host:example", false, false),
        ] {
            assert_eq!((check(text, &slow), check(text, &failed)), (is_slow, is_failed), "{text}");
        }
    }

    #[test]
    fn fuzzy_matches_are_as_tight_as_possible() {
        for (filter, text, marked) in [
            ("todo", "/v1/todos/7", "____****___"),
            ("td7", "/v1/todos/7", "____*_*___*"),
            ("vt /7", "/v1/todos/7", "_*__*____**"),
            ("TODO status:2xx", "/TODO", "_****"),
            ("!todo", "/todos", "______"),
            ("", "/todos", "______"),
            ("xyz", "/todos", "______"),
            ("字", "/漢字", "__*"),
        ] {
            let matched_positions = parse(filter).matched_positions(text);
            let drawn =
                (0..text.chars().count()).map(|at| if matched_positions.contains(&at) { '*' } else { '_' });
            assert_eq!(drawn.collect::<String>(), marked, "{filter} in {text}");
        }
    }

    #[test]
    fn what_is_being_typed_is_no_error() {
        for (text, complete) in [
            ("status:", ""),
            ("!", ""),
            ("is:failed not ", "is:failed"),
            ("a took>", "a"),
            ("status:404,", ""),
            ("a or ", "a"),
            ("a or slot.A.b=", "a"),
        ] {
            assert_eq!(parse(text), parse(complete), "{text}");
        }
        for text in ["status:9xx", "slower:fast", "nothing:1", "is:slow", "worker:a"] {
            assert!(Filter::parse(text, &QueryClock::utc(0)).is_err(), "{text}");
        }
    }
}
