//! Metrics of a running service, as `/metrics` returns them to `zerver top`. All counts and times are since the start
//! of the service.

use serde::{Deserialize, Serialize};

use super::slo::SloMetrics;

/// All metrics at one moment.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ServiceMetrics {
    /// Time since the start, in nanoseconds.
    pub uptime_ns: u64,
    /// Requests moved to the batch class while they ran.
    pub reclassified: u64,
    /// Flows moved to the batch class because their steps exceeded the quantum often.
    pub flow_demotions: u64,
    /// Flows moved back from the batch class.
    pub flow_promotions: u64,
    /// Answers of effects that arrived after their request had ended.
    pub late_completions: u64,
    /// HTTP/1 input that was not a valid request, or whose head was too large.
    pub malformed: u64,
    /// Classes, the most urgent first.
    pub classes: Vec<ClassMetrics>,
    /// Threads that run requests.
    pub workers: Vec<WorkerMetrics>,
    /// Steps of all flows.
    pub steps: Vec<StepMetrics>,
    /// Latencies of all flows.
    #[serde(default)]
    pub flows: Vec<FlowMetrics>,
    /// Objectives of all flows that have some.
    #[serde(default)]
    pub slos: Vec<SloMetrics>,
    /// Aliases of all flows.
    #[serde(default)]
    pub aliases: Vec<AliasMetrics>,
    /// Kinds of effect.
    pub effects: Vec<EffectMetrics>,
    /// Targets of effects.
    #[serde(default)]
    pub targets: Vec<TargetMetrics>,
    /// Rules of chaos. Empty unless a drill is going on.
    #[serde(default)]
    pub chaos: Vec<ChaosMetrics>,
    /// Recorder; `None` if nothing is recorded.
    pub recorder: Option<RecorderMetrics>,
}

/// Metrics of one alias of a flow.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct AliasMetrics {
    /// Name of the flow.
    pub flow: String,
    /// Pattern of its path.
    pub alias: String,
    /// Requests that have used it.
    pub requests: u64,
}

/// Metrics of one rule of chaos.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ChaosMetrics {
    /// Rule, as it was written.
    pub rule: String,
    /// Faults that it has injected.
    pub injected: u64,
}

/// Metrics of one class.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ClassMetrics {
    /// Name of the class.
    pub name: String,
    /// Requests that began in the class.
    pub requests: u64,
    /// Requests in the run queue now.
    pub waiting: u64,
    /// Requests that left the run queue for a turn.
    pub waits: u64,
    /// Total time in the run queue, in nanoseconds.
    pub waited_ns: u64,
    /// Turns given ahead of a more urgent class to prevent starvation.
    pub aged: u64,
    /// Requests shed because the run queue was full.
    pub full: u64,
    /// Requests shed because they had waited too long.
    pub overdue: u64,
    /// Requests whose client left while they were queued.
    pub left: u64,
    /// Requests answered with 503 or 429 instead of being run.
    pub shed: u64,
}

/// Metrics of one thread.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct WorkerMetrics {
    /// Name of the thread.
    pub name: String,
    /// Time the thread was awake, in nanoseconds.
    pub busy_ns: u64,
    /// True if the thread hangs in a step.
    pub stuck: bool,
    /// Requests taken from other workers.
    pub steals: u64,
    /// Open connections of the worker.
    pub connections: u64,
    /// Answers of effects that were ready while the thread was busy.
    #[serde(default)]
    pub delayed_answers: u64,
    /// Total time those answers waited, in nanoseconds.
    #[serde(default)]
    pub answer_delay_ns: u64,
    /// Requests whose head was read right after a long step.
    #[serde(default)]
    pub delayed_heads: u64,
    /// Upper bound of the time those heads lay unread, in nanoseconds.
    #[serde(default)]
    pub head_delay_ns: u64,
}

/// Metrics of one step of a flow.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct StepMetrics {
    /// Name of the flow.
    pub flow: String,
    /// Name of the step.
    pub name: String,
    /// Number of runs.
    pub runs: u64,
    /// Total time requests were ready for the step and not running, in nanoseconds.
    pub queued_ns: u64,
    /// Total run time, in nanoseconds.
    pub executing_ns: u64,
    /// Total time requests waited for effects of the step, in nanoseconds.
    pub waiting_ns: u64,
    /// Runs that followed a yield.
    pub yields: u64,
    /// Runs longer than the quantum of their class.
    pub overruns: u64,
    /// Retries of calls that the step made.
    pub retries: u64,
}

/// Latencies of the requests of one flow, from the arrival of the head to the response.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct FlowMetrics {
    /// Name of the flow.
    pub flow: String,
    /// Sum of the latencies, in nanoseconds.
    pub sum_ns: u64,
    /// Buckets, the shortest latencies first.
    pub buckets: Vec<LatencyBucket>,
}

/// Requests whose latency is above the bound of the bucket before, and not above the bound of this one.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LatencyBucket {
    /// Upper bound, in nanoseconds; `None` for the last bucket.
    pub bound_ns: Option<u64>,
    /// Number of requests.
    pub count: u64,
    /// Last request that is recorded; `None` if there was none.
    pub exemplar: Option<LatencyExemplar>,
}

/// A recorded request as an example of a bucket.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LatencyExemplar {
    /// Id of the request.
    pub request_id: String,
    /// Latency, in nanoseconds.
    pub duration_ns: u64,
    /// End of the request, in nanoseconds since the Unix epoch.
    pub unix_ns: u64,
}

/// Metrics of one kind of effect.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct EffectMetrics {
    /// Name of the kind.
    pub kind: String,
    /// Calls in flight now. Calls that complete inline are never counted.
    pub in_flight: u64,
    /// Calls waiting for a permit now.
    pub waiting: u64,
    /// Calls that waited for a permit and got one.
    pub waits: u64,
    /// Total time calls waited for permits, in nanoseconds.
    pub waited_ns: u64,
    /// Calls abandoned while they waited, by the request's deadline or because the client left.
    pub left: u64,
}

/// Metrics of one target of effects.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TargetMetrics {
    /// Name of the target, such as `rates.example.com:443`.
    pub target: String,
    /// State of the circuit breaker: `closed`, `open` or `half_open`.
    pub breaker: String,
    /// Calls in flight now.
    pub in_flight: u64,
    /// Maximum number of calls in flight, if the target has one of its own.
    pub places: Option<u64>,
    /// Retries that the budget allows now.
    pub budget: u64,
    /// Number of times the circuit breaker opened.
    pub opened: u64,
    /// Calls that the circuit breaker refused.
    pub breaker_refusals: u64,
    /// Calls that waited for the rate limit.
    pub rate_waits: u64,
    /// Total time that they waited, in nanoseconds.
    pub rate_waited_ns: u64,
    /// Calls that the rate limit refused.
    pub rate_refusals: u64,
    /// Retries that the budget allowed.
    pub retries: u64,
    /// Retries that the budget did not allow.
    pub budget_refusals: u64,
}

/// Metrics of the recorder.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RecorderMetrics {
    /// Requests waiting to be written.
    pub backlog: u64,
    /// Requests written.
    pub recorded: u64,
    /// Requests that the recording policy did not keep.
    pub not_kept: u64,
    /// Requests dropped because too many were waiting.
    pub dropped: u64,
    /// Requests that could not be written.
    pub lost: u64,
    /// Size of the store on disk, in bytes.
    pub bytes_on_disk: u64,
    /// True if recording is paused.
    pub paused: bool,
    /// Number of times the store was removed or replaced during writing.
    #[serde(default)]
    pub store_replaced: u64,
    /// Shipper; `None` if the service belongs to no fleet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fleet: Option<FleetMetrics>,
}

/// Metrics of the shipper that sends recorded requests to a fleet.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FleetMetrics {
    /// Requests that arrived.
    pub shipped: u64,
    /// Requests that stay in the store, because there were too many in their second.
    #[serde(default)]
    pub unshipped: u64,
    /// Requests in the store that wait.
    pub waiting: u64,
    /// Bytes of the closed blocks that wait.
    pub behind_bytes: u64,
    /// Failed attempts.
    pub failures: u64,
    /// True if the last attempt succeeded.
    pub online: bool,
}
