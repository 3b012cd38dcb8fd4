//! The filter of the list: `status:5xx flow:todos slower:10ms slot.Claims.sub=user-1`, and words that the path matches
//! fuzzily. `!` before a term turns it around.

use std::cell::Cell;

use zerver_trace::duration::HumanDuration;
use zerver_trace::{Class, Node, StatusFilter, Trace};

use crate::index::{Index, Seq};

/// What a person typed, understood.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    terms: Vec<(bool, Term)>,
    /// Terms that only the whole trace can answer.
    pub(crate) slots: Vec<SlotTerm>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Term {
    Status(StatusFilter),
    /// In lower case: part of the name.
    Flow(String),
    Method(String),
    Outcome(String),
    Class(Class),
    Worker(u16),
    Failed,
    SlowerThan(u64),
    FasterThan(u64),
    /// In lower case, without hyphens.
    Id(String),
    /// In lower case: its characters come in this order in method, path or flow.
    Word(String),
}

/// A slot, or a part of one, has this value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotTerm {
    slot: String,
    path: Vec<String>,
    value: String,
    is_not: bool,
}

impl Filter {
    /// What the text means, or why it means nothing.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut filter = Self::default();
        for word in text.split_whitespace() {
            let (is_not, word) = match word.strip_prefix('!') {
                Some("") => continue,
                Some(rest) => (true, rest),
                None => (false, word),
            };
            if let Some(rest) = word.strip_prefix("slot.") {
                filter.slots.push(SlotTerm::parse(rest, is_not)?);
                continue;
            }
            filter.terms.extend(Term::parse(word)?.map(|term| (is_not, term)));
        }
        Ok(filter)
    }

    /// Whether it lets everything through.
    pub(crate) fn is_empty(&self) -> bool {
        self.terms.is_empty() && self.slots.is_empty()
    }

    /// Whether this lets through nothing that the other does not, as far as that is plain: a letter more, a term more.
    pub(crate) fn narrows(&self, other: &Self) -> bool {
        let implied = |(is_not, wide): &(bool, Term)| {
            self.terms.iter().any(|(not, term)| not == is_not && (term == wide || !not && term.implies(wide)))
        };
        self.slots.is_empty() && other.slots.is_empty() && other.terms.iter().all(implied)
    }

    /// The places of the characters of a text in which the words of the filter are found.
    pub(crate) fn letters(&self, text: &str) -> Vec<usize> {
        let words = self.terms.iter().filter_map(|(is_not, term)| match term {
            Term::Word(word) if !is_not => Some(word),
            _ => None,
        });
        let chars: Vec<char> = text.chars().collect();
        words.flat_map(|word| letters(&chars, &word.chars().collect::<Vec<_>>())).collect()
    }

    /// What tells of requests in an index whether it lets them through, as far as the list knows them.
    pub(crate) fn test<'a>(&'a self, index: &'a Index) -> Test<'a> {
        // Flows, methods and outcomes are few: each is looked at once.
        let words = |term: &Term| match term {
            Term::Flow(part) | Term::Method(part) | Term::Outcome(part) => {
                index.words().iter().map(|word| holds(word, part)).collect()
            }
            Term::Word(word) => index.words().iter().map(|flow| is_fuzzy(flow, word)).collect(),
            _ => Vec::new(),
        };
        let terms = self.terms.iter().map(|(is_not, term)| (*is_not, term, words(term))).collect();
        Test { index, terms, last_path: Cell::default() }
    }
}

impl Term {
    /// Whether what fits this fits the other, which is shorter.
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

    /// None while a value is still to be typed.
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
            "worker" => Self::Worker(
                value.parse().map_err(|_| format!("worker:{value}: write its number, as in worker:1"))?,
            ),
            "slower" => Self::SlowerThan(duration()?),
            "faster" => Self::FasterThan(duration()?),
            "id" => Self::Id(value.to_lowercase().replace('-', "")),
            "is" if value == "failed" => Self::Failed,
            "is" => return Err(format!("no is:{value}; there is is:failed")),
            // A path may hold a colon.
            _ if name.contains('/') => Self::Word(word.to_lowercase()),
            _ => {
                return Err(format!(
                    "no {name}: here; there are status, flow, method, class, outcome, slower, faster, worker, id, is:failed, slot."
                ));
            }
        }))
    }
}

/// A filter over an index. It reads the columns that it needs, and no others.
pub(crate) struct Test<'a> {
    index: &'a Index,
    /// Each with whether it is turned around, and which flows, methods or outcomes fit.
    terms: Vec<(bool, &'a Term, Vec<bool>)>,
    /// The path that was looked at last, and whether it fits the term at this place: many come again.
    last_path: Cell<Option<(usize, u32, bool)>>,
}

impl Test<'_> {
    /// Whether a request, which must be in the index, is let through.
    pub(crate) fn lets(&self, seq: Seq) -> bool {
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

/// Whether a text holds `part`, which is in lower case.
fn holds(text: &str, part: &str) -> bool {
    let (text, part) = (text.as_bytes(), part.as_bytes());
    part.is_empty() || text.windows(part.len()).any(|window| window.eq_ignore_ascii_case(part))
}

/// Whether the characters of `word`, which is in lower case, come in a text in their order.
fn is_fuzzy(text: &str, word: &str) -> bool {
    if word.is_ascii() {
        let mut rest = text.bytes();
        return word.bytes().all(|wanted| rest.any(|byte| byte.to_ascii_lowercase() == wanted));
    }
    let mut rest = text.chars();
    word.chars().all(|wanted| rest.any(|c| c == wanted || c.to_lowercase().eq([wanted])))
}

/// Where a word is found that [`is_fuzzy`] finds: all in one place, or else ending as early as can be, and close together.
fn letters(text: &[char], word: &[char]) -> Vec<usize> {
    let is = |c: char, wanted: char| c == wanted || c.to_lowercase().eq([wanted]);
    let is_here = |part: &[char]| part.iter().zip(word).all(|(c, wanted)| is(*c, *wanted));
    if let Some(at) = text.windows(word.len()).position(is_here) {
        return (at..at + word.len()).collect();
    }
    let mut rest = (0..text.len()).filter_map(|at| text.get(at).map(|c| (at, *c)));
    let ends = word.iter().map(|wanted| rest.find(|(_, c)| is(*c, *wanted)).map(|(at, _)| at));
    let Some(Some(end)) = ends.collect::<Option<Vec<_>>>().map(|places| places.last().copied()) else {
        return Vec::new();
    };
    let mut back = (0..=end).rev();
    word.iter().rev().filter_map(|wanted| back.find(|at| is(text[*at], *wanted))).collect()
}

impl SlotTerm {
    fn parse(text: &str, is_not: bool) -> Result<Self, String> {
        let wrong = || format!("slot.{text}: write it like slot.Claims.sub=user-1");
        let (place, value) = text.split_once('=').ok_or_else(wrong)?;
        let mut parts = place.split('.').map(str::to_owned);
        let slot = parts.next().filter(|slot| !slot.is_empty()).ok_or_else(wrong)?;
        Ok(Self { slot, path: parts.collect(), value: value.to_owned(), is_not })
    }

    /// Whether a trace has it. Secrets match nothing, so that they cannot be guessed.
    pub(crate) fn matches(&self, trace: &Trace) -> bool {
        let slots = zerver_analysis::Timeline::of(trace).slots;
        let found = slots.iter().filter(|slot| slot.name == self.slot && !slot.is_masked());
        let mut values = found.filter_map(|slot| slot.value.value());
        values.any(|value| self.is_at(&value.root())) != self.is_not
    }

    fn is_at(&self, root: &Node<'_>) -> bool {
        let mut node = root;
        for part in &self.path {
            let next = match (node, part.parse::<usize>()) {
                (Node::Seq(items), Ok(at)) => items.get(at),
                _ => node.field(part),
            };
            let Some(next) = next else { return false };
            node = next;
        }
        match node.as_str() {
            Some(text) => text == self.value,
            None => node.to_string() == self.value,
        }
    }
}

#[cfg(test)]
mod tests {
    use zerver_trace::Trace;

    use super::*;
    use crate::sample;

    fn check(text: &str, trace: &Trace) -> bool {
        let filter = Filter::parse(text).unwrap();
        let mut index = Index::default();
        index.push_newer(&[trace.summary()]);
        filter.test(&index).lets(0) && filter.slots.iter().all(|slot| slot.matches(trace))
    }

    #[test]
    fn filters_as_a_table() {
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
    fn letters_are_found_where_they_are_closest() {
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
            let letters = Filter::parse(filter).unwrap().letters(text);
            let drawn = (0..text.chars().count()).map(|at| if letters.contains(&at) { '*' } else { '_' });
            assert_eq!(drawn.collect::<String>(), marked, "{filter} in {text}");
        }
    }

    #[test]
    fn what_means_nothing_says_why() {
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
