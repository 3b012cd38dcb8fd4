//! The query language that selects requests, in every command and in the terminal UI.
//!
//! ```text
//! flow:report status:5xx took>10ms slot.Claims.sub=ann (is:failed or method:POST) not path:/health since:10m
//! ```
//!
//! Terms that follow each other must all hold; `or` and parentheses make alternatives, and `not` or `!` negates. A term
//! is a field, an operator and one or more values separated by commas, of which one must fit. A word without a field is
//! looked for in the path and the flow. Values with spaces, commas or parentheses stand in double quotes.
//!
//! | operator | meaning |
//! |---|---|
//! | `:` `~` | text: contains, ignoring case; numbers and statuses: equals |
//! | `=` `!=` | equals, or does not |
//! | `>` `>=` `<` `<=` | compares numbers, durations and times |
//!
//! A [`RequestQuery`] answers from a [`Summary`] where it can, and needs the [`Trace`] only for the rest. A value that
//! is secret never matches, so that it cannot be guessed.

mod completion;
mod condition;
mod field;
mod lexer;
mod parser;
mod query_error;
mod summary_match;
#[cfg(test)]
mod tests;
mod time_point;
mod trace_match;
mod value;

use std::cell::Cell;

use zerver_trace::{Query, SourceError, Trace, TraceView};

pub use completion::complete_query;
pub use field::field_names;
pub use jiff::tz::TimeZone;
pub use query_error::QueryError;
pub use summary_match::RequestFields;
pub use time_point::QueryClock;

use condition::Condition;
use trace_match::TraceFields;

/// A parsed query.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RequestQuery {
    condition: Condition,
}

impl RequestQuery {
    /// Parses a query. An empty one admits every request.
    ///
    /// # Errors
    /// A message with the place of the mistake, and the name that the user probably meant.
    pub fn parse(text: &str, clock: &QueryClock) -> Result<Self, QueryError> {
        parser::parse(text, clock).map(|condition| Self { condition })
    }

    /// Returns a query that holds where both hold.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self { condition: Condition::all([self.condition, other.condition]) }
    }

    /// Returns true if the query admits every request.
    pub fn is_empty(&self) -> bool {
        self.condition == Condition::default()
    }

    /// Returns true if some requests can only be judged by their traces.
    pub fn needs_traces(&self) -> bool {
        self.condition.any_field(&|field| !field.is_in_summary())
    }

    /// Returns whether the request matches, or `None` if only its trace can tell.
    pub fn matches_summary(&self, request: &dyn RequestFields) -> Option<bool> {
        self.condition.holds(&|term| summary_match::matches(term, request))
    }

    /// Returns true if this query obviously selects only requests that `other` selects, such as after another letter
    /// or term was typed.
    pub fn narrows(&self, other: &Self) -> bool {
        self.condition.narrows(&other.condition)
    }

    /// Returns the words without a field that a selected request contains, for highlighting.
    pub fn words(&self) -> Vec<&str> {
        let mut words = Vec::new();
        self.condition.collect_words(&mut words);
        words
    }

    /// Returns true if the request matches.
    pub fn matches(&self, trace: &Trace) -> bool {
        self.matches_view(trace).unwrap_or(false)
    }

    /// Returns true if the request matches. Reads no more of its trace than the query asks for.
    ///
    /// # Errors
    /// If the trace cannot be read.
    pub fn matches_view(&self, request: &dyn TraceView) -> Result<bool, SourceError> {
        let summary = request.summary();
        if let Some(is_match) = self.matches_summary(&*summary) {
            return Ok(is_match);
        }
        let (fields, failed) = (TraceFields::new(request), Cell::new(None));
        let holds = |term: &condition::Term| {
            summary_match::matches(term, &*summary).or_else(|| match fields.matches(term) {
                Ok(is_match) => Some(is_match),
                Err(error) => {
                    failed.set(Some(error));
                    None
                }
            })
        };
        let holds = self.condition.holds(&holds);
        failed.into_inner().map_or(Ok(holds.unwrap_or(false)), Err)
    }

    /// Returns conditions that hold for every request that matches this query and `stored`, for a store that can look
    /// them up. The limit is that of `stored` only if every request that these conditions select matches.
    #[must_use]
    pub fn narrowed(&self, stored: &Query) -> Query {
        let necessary = self.condition.necessary();
        let mut stored = stored.clone();
        stored.slots.extend(necessary.slots);
        Query {
            flow: stored.flow.or(necessary.flow),
            since_unix_ns: stored.since_unix_ns.max(necessary.since_unix_ns),
            until_unix_ns: [stored.until_unix_ns, necessary.until_unix_ns].into_iter().flatten().min(),
            limit: if self.is_empty() { stored.limit } else { None },
            ..stored
        }
    }
}
