//! The holders of the thread of a queued request.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};
use zerver_trace::{RequestId, Thread, duration};

/// The queue time of a request, divided among what held its thread.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct QueueHolders {
    /// Queue time, in nanoseconds: [`crate::Totals::queue_ns`].
    pub queue_ns: u64,
    /// Its parts, the longest first. They add up to it.
    pub holders: Vec<QueueHolder>,
    /// True if only a share of the requests was recorded, so that holders may be missing.
    #[serde(rename = "sampled")]
    pub is_sampled: bool,
}

/// A part of the queue time of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct QueueHolder {
    /// Kind of holder.
    #[serde(flatten)]
    pub kind: HolderKind,
    /// Thread in whose queue the request waited; `None` if unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thread: Option<Thread>,
    /// Time, in nanoseconds.
    pub time_ns: u64,
}

/// Kind of holder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum HolderKind {
    /// A step of another request.
    Step {
        /// The other request.
        #[serde(serialize_with = "id")]
        request: RequestId,
        /// Its flow.
        flow: String,
        /// Name of the step.
        step: String,
    },
    /// No recorded step, and only a share of the requests was recorded.
    NotRecorded,
    /// No step, although every request was recorded: the thread switched between requests, read and wrote, or slept.
    NoStep,
    /// The trace does not say on which thread the request waited.
    UnknownThread,
}

fn id<S: Serializer>(id: &RequestId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(id)
}

/// Holders that are the same step of requests of one flow, or the same kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HolderGroup {
    /// The longest of them.
    pub longest: QueueHolder,
    /// Number of them.
    pub requests: usize,
    /// Their time together, in nanoseconds.
    pub time_ns: u64,
}

impl QueueHolders {
    /// Returns the holders in groups, the longest first.
    pub fn groups(&self) -> Vec<HolderGroup> {
        let mut groups = BTreeMap::new();
        for holder in &self.holders {
            let key = match &holder.kind {
                HolderKind::Step { flow, step, .. } => (Some((flow.as_str(), step.as_str())), 0),
                HolderKind::NotRecorded => (None, 1),
                HolderKind::NoStep => (None, 2),
                HolderKind::UnknownThread => (None, 3),
            };
            // The longest comes first.
            let group = groups.entry(key).or_insert_with(|| HolderGroup {
                longest: holder.clone(),
                requests: 0,
                time_ns: 0,
            });
            group.requests += 1;
            group.time_ns = group.time_ns.saturating_add(holder.time_ns);
        }
        let mut groups: Vec<HolderGroup> = groups.into_values().collect();
        groups.sort_by_key(|group| std::cmp::Reverse(group.time_ns));
        groups
    }

    /// Returns each group in words, the longest first: `180 ms of 240 ms behind render of report (019aa4c2)`, given the
    /// number of digits of an id to show.
    pub fn lines(&self, digits: usize) -> Vec<String> {
        self.groups().iter().map(|group| group.line(self.queue_ns, digits)).collect()
    }
}

impl HolderGroup {
    fn line(&self, queue_ns: u64, digits: usize) -> String {
        let time = format!("{} of {}", duration::show(self.time_ns), duration::show(queue_ns));
        match &self.longest.kind {
            HolderKind::Step { request, flow, step } => {
                let of = if flow.is_empty() { String::new() } else { format!(" of {flow}") };
                let which = match self.requests {
                    1 => request.short(digits),
                    requests => format!("{requests} requests, longest {}", request.short(digits)),
                };
                format!("{time} behind {step}{of} ({which})")
            }
            HolderKind::NotRecorded => {
                format!("{time} behind requests that were not recorded, or none: only a share is recorded")
            }
            HolderKind::NoStep => {
                format!("{time} while no step ran: switching between requests, sockets, or waking up")
            }
            HolderKind::UnknownThread => format!("{time} on a thread that is not recorded"),
        }
    }
}
