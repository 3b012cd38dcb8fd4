//! Queries for traces.

use std::str::FromStr;

use crate::Summary;

/// A query for traces, whose results are ordered newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    /// Only traces of this flow.
    pub flow: Option<String>,
    /// Only traces with this status or class of status.
    pub status: Option<StatusFilter>,
    /// Only traces of failed requests.
    pub only_failed: bool,
    /// Only requests that took longer than this, in nanoseconds.
    pub slower_than_ns: Option<u64>,
    /// Only requests that started at or after this time, in nanoseconds since the Unix epoch.
    pub since_unix_ns: Option<u64>,
    /// Only requests that started before this time, in nanoseconds since the Unix epoch.
    pub until_unix_ns: Option<u64>,
    /// Only requests that were in progress at some time between these two, in nanoseconds since the Unix epoch.
    pub in_progress_unix_ns: Option<(u64, u64)>,
    /// Only requests whose connection was on this worker.
    pub worker: Option<u16>,
    /// Only traces that may meet all of these conditions. A source leaves out what its index of slots excludes, and may hand
    /// out traces that do not meet them: only a trace itself can tell.
    pub slots: Vec<SlotCondition>,
    /// Maximum number of results, or `None` for all.
    pub limit: Option<usize>,
}

impl Query {
    /// Returns true if a trace matches the query. [`Query::slots`] and [`Query::limit`] are ignored.
    pub fn matches(&self, summary: &Summary) -> bool {
        self.flow.as_ref().is_none_or(|flow| *flow == summary.flow)
            && self.status.is_none_or(|status| status.matches(summary.status))
            && (!self.only_failed || summary.is_failed)
            && self.slower_than_ns.is_none_or(|ns| summary.duration_ns > ns)
            && self.since_unix_ns.is_none_or(|ns| summary.started_unix_ns >= ns)
            && self.until_unix_ns.is_none_or(|ns| summary.started_unix_ns < ns)
            && self.in_progress_unix_ns.is_none_or(|(from_ns, until_ns)| {
                summary.started_unix_ns <= until_ns
                    && summary.started_unix_ns.saturating_add(summary.duration_ns) >= from_ns
            })
            && self.worker.is_none_or(|worker| summary.worker == Some(worker))
    }
}

/// A condition on the last value of a slot: it, or the part of it at a path, has one of these texts, or is the same number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotCondition {
    /// Name of the slot's type, or its full path.
    pub slot: String,
    /// Names of fields and positions in lists, from the outside to the inside. Empty for the whole value.
    pub path: Vec<String>,
    /// The texts, of which one is enough.
    pub values: Vec<String>,
}

/// A status, or a class of statuses: `404`, `5xx`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusFilter {
    /// Exactly this status.
    Code(u16),
    /// Every status with this first digit.
    Class(u16),
}

impl StatusFilter {
    /// Returns true if `status` matches the filter.
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
        let invalid = || format!("{text:?} is not a status; write one like 404, or a class like 5xx");
        let status = match text.strip_suffix("xx").or_else(|| text.strip_suffix("XX")) {
            Some(digit) => Self::Class(digit.parse().map_err(|_| invalid())?),
            None => Self::Code(text.parse().map_err(|_| invalid())?),
        };
        match status {
            Self::Code(100..=599) | Self::Class(1..=5) => Ok(status),
            _ => Err(invalid()),
        }
    }
}
