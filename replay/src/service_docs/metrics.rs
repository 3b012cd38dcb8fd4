//! What a service measures while it runs, as `/metrics` tells it to `zerver top`. All counts and times are since the start.

use serde::{Deserialize, Serialize};

/// All of it, at one moment.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ServiceMetrics {
    /// How long the service has run, in nanoseconds.
    pub uptime_ns: u64,
    /// Requests that moved to low priority on their way.
    pub reclassified: u64,
    /// Flows that came to run at low priority, since their steps overran often.
    pub flow_demotions: u64,
    /// Flows that came back from there.
    pub flow_promotions: u64,
    /// RecordedAnswers of effects for which nobody waited any more.
    pub late_completions: u64,
    /// What arrived and was no request: HTTP/1 that could not be read, or with too large a head.
    pub malformed: u64,
    /// The classes, the most urgent first.
    pub classes: Vec<ClassMetrics>,
    /// The threads that run requests.
    pub workers: Vec<WorkerMetrics>,
    /// The steps of all flows.
    pub steps: Vec<StepMetrics>,
    /// The kinds of effect.
    pub effects: Vec<EffectMetrics>,
    /// None where nothing is recorded.
    pub recorder: Option<RecorderMetrics>,
}

/// One class.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ClassMetrics {
    /// Its name.
    pub name: String,
    /// Requests that began in it.
    pub requests: u64,
    /// How many wait for a turn now.
    pub waiting: u64,
    /// How often one had to wait for a turn, and got it.
    pub waits: u64,
    /// How long they waited, all together, in nanoseconds.
    pub waited_ns: u64,
    /// Turns before a more urgent class, so as not to starve.
    pub aged: u64,
    /// Refused a place, because the queue was full.
    pub full: u64,
    /// Refused a turn, because they had waited too long.
    pub overdue: u64,
    /// Gone while they waited.
    pub left: u64,
    /// Answered with 503 or 429: refused, and not taken in as batch.
    pub shed: u64,
}

/// One thread.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct WorkerMetrics {
    /// Its name.
    pub name: String,
    /// How long it was awake, in nanoseconds.
    pub busy_ns: u64,
    /// Whether it hangs in a step.
    pub stuck: bool,
    /// Requests that it ran for another.
    pub steals: u64,
    /// Connections that are open on it.
    pub connections: u64,
    /// RecordedAnswers of effects that lay ready while it was busy.
    #[serde(default)]
    pub delayed_answers: u64,
    /// How long they lay ready, all together, in nanoseconds.
    #[serde(default)]
    pub answer_delay_ns: u64,
    /// Requests whose head was read right after a long step.
    #[serde(default)]
    pub delayed_heads: u64,
    /// How long these heads lay unread at most, all together, in nanoseconds.
    #[serde(default)]
    pub head_delay_ns: u64,
}

/// One step of one flow.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct StepMetrics {
    /// Its flow.
    pub flow: String,
    /// Its name.
    pub name: String,
    /// How often it ran.
    pub runs: u64,
    /// How long requests waited until they could run it, in nanoseconds.
    pub queued_ns: u64,
    /// How long it ran, in nanoseconds.
    pub executing_ns: u64,
    /// How long requests waited for the effects it had asked for, in nanoseconds.
    pub waiting_ns: u64,
    /// How often it was run again, since it had yielded.
    pub yields: u64,
    /// How often it ran for longer than the quantum of its class.
    pub overruns: u64,
    /// How often a call that it had asked for was tried again.
    pub retries: u64,
}

/// One kind of effect.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct EffectMetrics {
    /// Its name.
    pub kind: String,
    /// How many are in flight now. Those that are answered at once never are.
    pub in_flight: u64,
    /// How many wait now, since as many as may be ask the same target.
    pub waiting: u64,
    /// How often one had to wait for that, and began then.
    pub waits: u64,
    /// How long they waited, all together, in nanoseconds.
    pub waited_ns: u64,
    /// GivenValue up while they waited: by the deadline of their request, or since its client had gone.
    pub left: u64,
}

/// The recorder.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RecorderMetrics {
    /// Requests that wait to be written now.
    pub backlog: u64,
    /// Requests that were written.
    pub recorded: u64,
    /// Requests that the policy did not keep.
    pub not_kept: u64,
    /// Requests that were dropped, because too many waited.
    pub dropped: u64,
    /// Requests that could not be written.
    pub lost: u64,
    /// What the store takes up on the disk, in bytes.
    pub bytes_on_disk: u64,
    /// Whether recording is paused.
    pub paused: bool,
    /// How often the store was removed or replaced while it was written to.
    #[serde(default)]
    pub store_replaced: u64,
}
