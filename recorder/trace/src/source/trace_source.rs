//! Where traces come from.

use std::fmt;
use std::str::FromStr;

use crate::{RequestId, Summary, Trace};

/// Which traces are wanted, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    /// Only this flow.
    pub flow: Option<String>,
    /// Only this status, or class of status.
    pub status: Option<StatusFilter>,
    /// Only failed ones.
    pub only_failed: bool,
    /// Only those that took longer, in nanoseconds.
    pub slower_than_ns: Option<u64>,
    /// Only those that began after this, in nanoseconds since the Unix epoch.
    pub since_unix_ns: Option<u64>,
    /// Only those that began before this, in nanoseconds since the Unix epoch.
    pub until_unix_ns: Option<u64>,
    /// Only those whose connection was on this worker.
    pub worker: Option<u16>,
    /// At most so many; none means all.
    pub limit: Option<usize>,
}

impl Query {
    /// Whether a trace is wanted, [`Query::limit`] aside.
    pub fn matches(&self, summary: &Summary) -> bool {
        self.flow.as_ref().is_none_or(|flow| *flow == summary.flow)
            && self.status.is_none_or(|status| status.matches(summary.status))
            && (!self.only_failed || summary.is_failed)
            && self.slower_than_ns.is_none_or(|ns| summary.duration_ns > ns)
            && self.since_unix_ns.is_none_or(|ns| summary.started_unix_ns >= ns)
            && self.until_unix_ns.is_none_or(|ns| summary.started_unix_ns < ns)
            && self.worker.is_none_or(|worker| summary.worker == Some(worker))
    }
}

/// A status, or a class of them: `404`, `5xx`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusFilter {
    /// Just this one.
    Code(u16),
    /// All with this first digit.
    Class(u16),
}

impl StatusFilter {
    /// Whether it takes in `status`.
    pub const fn matches(self, status: u16) -> bool {
        match self {
            Self::Code(code) => code == status,
            Self::Class(digit) => status / 100 == digit,
        }
    }
}

impl FromStr for StatusFilter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no status; write one like 404, or a class like 5xx");
        let status = match text.strip_suffix("xx").or_else(|| text.strip_suffix("XX")) {
            Some(digit) => Self::Class(digit.parse().map_err(|_| wrong())?),
            None => Self::Code(text.parse().map_err(|_| wrong())?),
        };
        match status {
            Self::Code(100..=599) | Self::Class(1..=5) => Ok(status),
            _ => Err(wrong()),
        }
    }
}

/// How a trace is named on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TraceSelector {
    /// By its id or a unique prefix of it.
    Id(crate::IdPrefix),
    /// `@last`: the newest, of a flow or of all.
    Last(Option<String>),
    /// `@slowest`.
    Slowest(Option<String>),
    /// `@fastest`.
    Fastest(Option<String>),
    /// `@failed`: the newest that failed.
    Failed(Option<String>),
}

impl FromStr for TraceSelector {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some(word) = text.strip_prefix('@') else {
            return text.parse().map(Self::Id).map_err(|error| format!("{text:?} is no request id: {error}"));
        };
        let (word, flow) = match word.split_once(':') {
            Some((word, flow)) => (word, Some(flow.to_owned())),
            None => (word, None),
        };
        match word {
            "last" => Ok(Self::Last(flow)),
            "slowest" => Ok(Self::Slowest(flow)),
            "fastest" => Ok(Self::Fastest(flow)),
            "failed" => Ok(Self::Failed(flow)),
            _ => Err(format!(
                "no @{word}; there are @last, @slowest, @fastest and @failed, each also as @last:FLOW"
            )),
        }
    }
}

impl fmt::Display for TraceSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, flow) = match self {
            Self::Id(prefix) => return fmt::Display::fmt(prefix, f),
            Self::Last(flow) => ("@last", flow),
            Self::Slowest(flow) => ("@slowest", flow),
            Self::Fastest(flow) => ("@fastest", flow),
            Self::Failed(flow) => ("@failed", flow),
        };
        f.write_str(word)?;
        flow.as_ref().map_or(Ok(()), |flow| write!(f, ":{flow}"))
    }
}

/// Why a source could not answer: lower-case text with what failed and why, and what to do about it.
pub type SourceError = Box<dyn std::error::Error + Send + Sync>;

/// How far somebody has read in a source. What its numbers mean is the source's own; later is greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    /// Which group of traces.
    pub block: u64,
    /// How many of that group have been seen.
    pub seen: u32,
}

/// A place to read traces from, by several threads.
pub trait TraceSource: Send + Sync {
    /// The traces that a query wants, newest first.
    ///
    /// # Errors
    /// When the source cannot be read.
    fn list(&self, query: &Query) -> Result<Vec<Summary>, SourceError>;

    /// The trace with this id; none if it is not there.
    ///
    /// # Errors
    /// When the source cannot be read, or the trace is damaged.
    fn load(&self, id: RequestId) -> Result<Option<Trace>, SourceError>;

    /// The end of what is there now.
    ///
    /// # Errors
    /// When the source cannot be read.
    fn end(&self) -> Result<Cursor, SourceError>;

    /// What lies before a cursor, newest first: `limit` of it or a little more; and where the rest ends, none if there is
    /// none. A source may pass over what it cannot read, if it says so ([`TraceSource::damage`]).
    ///
    /// # Errors
    /// When the source cannot be read.
    fn list_before(
        &self,
        cursor: Cursor,
        limit: usize,
    ) -> Result<(Vec<Summary>, Option<Cursor>), SourceError>;

    /// What has come since, oldest first: `limit` of it or a little more; and how far that is. What was removed
    /// meanwhile is passed over.
    ///
    /// # Errors
    /// When the source cannot be read.
    fn list_since(&self, cursor: Cursor, limit: usize) -> Result<(Vec<Summary>, Cursor), SourceError>;

    /// Why some traces were passed over by [`TraceSource::list_before`] and [`TraceSource::list_since`], if they were, and what to do
    /// about it.
    fn damage(&self) -> Option<String> {
        None
    }
}
