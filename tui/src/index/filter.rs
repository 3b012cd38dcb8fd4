//! Filters of the request list: `status:5xx flow:todos slower:10ms slot.Claims.sub=user-1`, and words matched fuzzily
//! against path and flow. `!` negates a term.

use std::cell::Cell;

use zerver_trace::duration::HumanDuration;
use zerver_trace::{Class, StatusFilter};

use super::request_index::RequestIndex;
use super::sequence_number::Seq;
use super::slot_filter::SlotFilter;

/// Parsed filter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    terms: Vec<(bool, Term)>,
    /// Terms that only a whole trace can answer.
    pub(crate) slots: Vec<SlotFilter>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Term {
    Status(StatusFilter),
    /// Part of the name, in lower case.
    Flow(String),
    Method(String),
    Outcome(String),
    Class(Class),
    Worker(u16),
    Failed,
    SlowerThan(u64),
    FasterThan(u64),
    /// Prefix in lower case, without hyphens.
    Id(String),
    /// Word in lower case; its characters occur in this order in the path or the flow.
    Word(String),
}

impl Filter {
    /// Parses a filter. The error is a message for the user.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut filter = Self::default();
        for word in text.split_whitespace() {
            let (is_not, word) = match word.strip_prefix('!') {
                Some("") => continue,
                Some(rest) => (true, rest),
                None => (false, word),
            };
            if let Some(rest) = word.strip_prefix("slot.") {
                filter.slots.push(SlotFilter::parse(rest, is_not)?);
                continue;
            }
            filter.terms.extend(Term::parse(word)?.map(|term| (is_not, term)));
        }
        Ok(filter)
    }

    /// Returns true if the filter admits everything.
    pub(crate) fn is_empty(&self) -> bool {
        self.terms.is_empty() && self.slots.is_empty()
    }

    /// Returns true if this filter obviously admits only requests that `other` admits, such as after another letter or
    /// term was typed.
    pub(crate) fn narrows(&self, other: &Self) -> bool {
        let implied = |(is_not, wide): &(bool, Term)| {
            self.terms.iter().any(|(not, term)| not == is_not && (term == wide || !not && term.implies(wide)))
        };
        self.slots.is_empty() && other.slots.is_empty() && other.terms.iter().all(implied)
    }

    /// Returns the character positions in `text` that the words of the filter match.
    pub(crate) fn matched_positions(&self, text: &str) -> Vec<usize> {
        let words = self.terms.iter().filter_map(|(is_not, term)| match term {
            Term::Word(word) if !is_not => Some(word),
            _ => None,
        });
        let chars: Vec<char> = text.chars().collect();
        words.flat_map(|word| matched_positions(&chars, &word.chars().collect::<Vec<_>>())).collect()
    }

    /// Returns a matcher over an index. It ignores the slot terms.
    pub(crate) fn test<'a>(&'a self, index: &'a RequestIndex) -> FilterMatcher<'a> {
        // There are few distinct flows, methods and outcomes, so each is tested once.
        let words = |term: &Term| match term {
            Term::Flow(part) | Term::Method(part) | Term::Outcome(part) => {
                index.strings().iter().map(|word| holds(word, part)).collect()
            }
            Term::Word(word) => index.strings().iter().map(|flow| is_fuzzy(flow, word)).collect(),
            _ => Vec::new(),
        };
        let terms = self.terms.iter().map(|(is_not, term)| (*is_not, term, words(term))).collect();
        FilterMatcher { index, terms, last_path: Cell::default() }
    }
}

impl Term {
    /// Returns true if everything that matches this term matches `other`, a shorter one.
    fn implies(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Word(long), Self::Word(short)) => long.starts_with(short.as_str()),
            (Self::Flow(long), Self::Flow(short))
            | (Self::Method(long), Self::Method(short))
            | (Self::Outcome(long), Self::Outcome(short))
            | (Self::Id(long), Self::Id(short)) => long.starts_with(short.as_str()),
            _ => false,
        }
    }

    /// Parses a term. Returns `None` while its value is still missing.
    fn parse(word: &str) -> Result<Option<Self>, String> {
        let Some((name, value)) = word.split_once(':') else {
            return Ok(Some(Self::Word(word.to_lowercase())));
        };
        let duration = || value.parse::<HumanDuration>().map(|span| span.ns);
        Ok(Some(match name {
            _ if value.is_empty() => return Ok(None),
            "status" => Self::Status(value.parse()?),
            "flow" => Self::Flow(value.to_lowercase()),
            "method" => Self::Method(value.to_lowercase()),
            "outcome" => Self::Outcome(value.to_lowercase()),
            "class" => Self::Class(value.parse()?),
            "worker" => Self::Worker(value.parse().map_err(|_| "expected worker:NUMBER".to_owned())?),
            "slower" => Self::SlowerThan(duration()?),
            "faster" => Self::FasterThan(duration()?),
            "id" => Self::Id(value.to_lowercase().replace('-', "")),
            "is" if value == "failed" => Self::Failed,
            "is" => return Err("expected is:failed".to_owned()),
            // A path may contain a colon.
            _ if name.contains('/') => Self::Word(word.to_lowercase()),
            _ => {
                return Err(format!(
                    "no filter {name}:, use status flow method class outcome slower faster worker id is slot"
                ));
            }
        }))
    }
}

/// Filter applied to an index. It reads only the columns that it needs.
pub(crate) struct FilterMatcher<'a> {
    index: &'a RequestIndex,
    /// Terms, each with whether it is negated and which flows, methods or outcomes match.
    terms: Vec<(bool, &'a Term, Vec<bool>)>,
    /// Last path tested, as (term, path number, result): the same path often repeats.
    last_path: Cell<Option<(usize, u32, bool)>>,
}

impl FilterMatcher<'_> {
    /// Returns true if the filter admits a request of the index.
    pub(crate) fn admits(&self, seq: Seq) -> bool {
        let mut terms = self.terms.iter().enumerate();
        terms.all(|(at, (is_not, term, words))| self.fits(seq, at, term, words) != *is_not)
    }

    fn fits(&self, seq: Seq, at: usize, term: &Term, words: &[bool]) -> bool {
        let index = self.index;
        let word = |number: u16| words.get(usize::from(number)).copied().unwrap_or(false);
        match term {
            Term::Status(status) => status.matches(index.status(seq)),
            Term::Flow(_) => word(index.flow(seq)),
            Term::Method(_) => word(index.method(seq)),
            Term::Outcome(_) => word(index.outcome(seq)),
            Term::Class(class) => index.class_failed(seq).0 == *class,
            Term::Worker(worker) => index.worker(seq) == Some(*worker),
            Term::Failed => index.class_failed(seq).1,
            Term::SlowerThan(ns) => index.duration_ns(seq) > *ns,
            Term::FasterThan(ns) => index.duration_ns(seq) < *ns,
            Term::Id(prefix) => format!("{:032x}", index.id(seq).as_u128()).starts_with(prefix),
            Term::Word(text) => word(index.flow(seq)) || self.is_in_path(seq, at, text),
        }
    }

    fn is_in_path(&self, seq: Seq, at: usize, word: &str) -> bool {
        let (number, path) = self.index.path(seq);
        if let Some((term, last, fits)) = self.last_path.get()
            && (term, last) == (at, number)
        {
            return fits;
        }
        let fits = is_fuzzy(path, word);
        self.last_path.set(Some((at, number, fits)));
        fits
    }
}

/// Returns true if the text contains `part`, which is in lower case.
fn holds(text: &str, part: &str) -> bool {
    let (text, part) = (text.as_bytes(), part.as_bytes());
    part.is_empty() || text.windows(part.len()).any(|window| window.eq_ignore_ascii_case(part))
}

/// Returns true if the characters of `word`, which is in lower case, occur in the text in the same order.
fn is_fuzzy(text: &str, word: &str) -> bool {
    if word.is_ascii() {
        let mut rest = text.bytes();
        return word.bytes().all(|wanted| rest.any(|byte| byte.to_ascii_lowercase() == wanted));
    }
    let mut rest = text.chars();
    word.chars().all(|wanted| rest.any(|c| c == wanted || c.to_lowercase().eq([wanted])))
}

/// Returns the positions of a fuzzy match: contiguous if possible, else the match that ends first, as tight as
/// possible.
fn matched_positions(text: &[char], word: &[char]) -> Vec<usize> {
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
    use zerver_trace::Trace;

    use super::*;
    use zerver_testkit::sample;

    fn check(text: &str, trace: &Trace) -> bool {
        let filter = Filter::parse(text).unwrap();
        let mut index = RequestIndex::default();
        index.push_newer(&[trace.summary()]);
        filter.test(&index).admits(0) && filter.slots.iter().all(|slot| slot.matches(trace))
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
            ("faster:1ms", false, true),
            ("is:failed", false, true),
            ("outcome:fail", false, true),
            ("class:interactive method:get", true, true),
            ("worker:1", true, false),
            ("worker:11", false, false),
            ("!worker:1", false, true),
            ("id:019AA4C2-1f3b", true, true),
            ("id:019b", false, false),
            ("vtd456", true, true),
            ("/V1/", true, true),
            ("todosx", false, false),
            ("!456", false, false),
            ("slot.Claims.sub=user-123", true, true),
            ("slot.Claims.roles.0=admin", true, true),
            ("slot.Todo.id=456", true, false),
            ("!slot.Todo.id=456", false, true),
            ("slot.Todo.done=false status:", true, false),
            ("slot.AuthHeader=x", false, false),
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
            let matched_positions = Filter::parse(filter).unwrap().matched_positions(text);
            let drawn =
                (0..text.chars().count()).map(|at| if matched_positions.contains(&at) { '*' } else { '_' });
            assert_eq!(drawn.collect::<String>(), marked, "{filter} in {text}");
        }
    }

    #[test]
    fn invalid_filters_are_errors() {
        for text in [
            "status:9xx",
            "slower:fast",
            "nothing:1",
            "slot.Claims",
            "slot.=1",
            "is:slow",
            "class:x",
            "worker:a",
        ] {
            assert!(Filter::parse(text).is_err(), "{text}");
        }
    }
}
