//! Measurements that are compared: amounts and shares of a request, of its steps, its effects and its fields.

use std::collections::BTreeMap;

use zerver_trace::Trace;

use crate::common_effects::CommonEffects;
use crate::time_attribution::attribute_time;
use crate::why::{Scalar, fields};
use crate::{EffectEnd, IgnoredHeaders, Timeline};

/// Part of a request that is compared.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChangeSubject {
    /// The whole request.
    Request,
    /// A step, by name.
    Step(String),
    /// An effect.
    Effect {
        /// Name of the step.
        step: String,
        /// Kind and summary; only the kind if requests differ in their targets.
        what: String,
    },
    /// A field of the request or of a slot: `query latency_ms`, `Todo.title`.
    Field(String),
}

/// Measure that is compared. Amounts are compared by rank, and shares of requests by their counts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChangeMeasure {
    /// Duration of a request.
    Took,
    /// Slowest requests: the share that takes longer than 95 % of both sets do. The values are the 95th percentiles.
    Slowest,
    /// Share of requests that failed, without those whose status is 4xx.
    Failed,
    /// Share of requests with a status of 4xx.
    ClientErrors,
    /// Time to read the request.
    Receive,
    /// Time that the trace does not explain.
    Unexplained,
    /// Share of requests in which a step ran.
    Ran,
    /// Run time of a step.
    Cpu,
    /// Time of a step in the run queue.
    Queue,
    /// Time for which answers for a step waited because the worker was busy.
    CompletionDelay,
    /// Share of requests that requested an effect.
    Requested,
    /// Time for which a request waited for an effect.
    Wait,
    /// Number of calls of an effect in a request.
    Calls,
    /// Share of requests in which a call of an effect failed, of those that requested it.
    FailedCalls,
    /// Value of a field that is a number.
    Value,
    /// Share of requests in which a field has this value.
    HasValue(String),
}

impl ChangeMeasure {
    /// Returns the word used in JSON.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Took => "took",
            Self::Slowest => "slowest",
            Self::Failed => "failed",
            Self::ClientErrors => "client_errors",
            Self::Receive => "receive",
            Self::Unexplained => "unexplained",
            Self::Ran => "ran",
            Self::Cpu => "cpu",
            Self::Queue => "queue",
            Self::CompletionDelay => "completion_delay",
            Self::Requested => "requested",
            Self::Wait => "wait",
            Self::Calls => "calls",
            Self::FailedCalls => "failed_calls",
            Self::Value => "value",
            Self::HasValue(_) => "has_value",
        }
    }

    /// Returns true if the values are durations in nanoseconds.
    pub const fn is_duration(&self) -> bool {
        use ChangeMeasure::{CompletionDelay, Cpu, Queue, Receive, Slowest, Took, Unexplained, Wait};
        matches!(self, Took | Slowest | Receive | Unexplained | Cpu | Queue | CompletionDelay | Wait)
    }

    /// Returns true if the values are shares, from 0 to 1.
    pub const fn is_share(&self) -> bool {
        use ChangeMeasure::{ClientErrors, Failed, FailedCalls, HasValue, Ran, Requested};
        matches!(self, Failed | ClientErrors | Ran | Requested | FailedCalls | HasValue(_))
    }
}

/// A row of the comparison: what is measured of which part.
pub(super) type RowKey = (ChangeSubject, ChangeMeasure);

/// Measurements of one request.
#[derive(Debug, Default)]
pub(super) struct Measurement {
    /// Amounts of the parts that the request has.
    pub(super) amounts: BTreeMap<RowKey, f64>,
    /// Effects that it requested, with whether a call failed.
    pub(super) has_failed_calls: BTreeMap<ChangeSubject, bool>,
    /// Fields of the request and its slots.
    pub(super) fields: BTreeMap<String, Scalar>,
}

impl Measurement {
    pub(super) fn of(trace: &Trace, timeline: &Timeline, names: &CommonEffects) -> Self {
        let shares = attribute_time(timeline);
        let mut of = Self::default();
        let mut add = |subject: ChangeSubject, measure: ChangeMeasure, amount: u64| {
            *of.amounts.entry((subject, measure)).or_default() += amount as f64;
        };
        add(ChangeSubject::Request, ChangeMeasure::Receive, shares.receive_ns);
        add(ChangeSubject::Request, ChangeMeasure::Unexplained, shares.unexplained_ns);
        for (run, share) in timeline.runs.iter().zip(&shares.runs) {
            let step = || ChangeSubject::Step(run.step.name.clone());
            add(step(), ChangeMeasure::Queue, share.queue_ns);
            add(step(), ChangeMeasure::Cpu, share.cpu_ns);
            if !run.effects.is_empty() {
                add(step(), ChangeMeasure::CompletionDelay, share.completion_delay_ns);
            }
            for (effect, share) in run.effects.iter().zip(&share.effects) {
                let step = &run.step.name;
                let subject = ChangeSubject::Effect { step: step.clone(), what: names.name(step, effect) };
                add(subject.clone(), ChangeMeasure::Wait, share.whole_ns());
                add(subject.clone(), ChangeMeasure::Calls, 1);
                *of.has_failed_calls.entry(subject).or_default() |= matches!(effect.end, EffectEnd::Err(_));
            }
        }
        of.fields = fields(trace, timeline, &IgnoredHeaders::default());
        of
    }
}
