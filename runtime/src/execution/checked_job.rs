//! Runs each step twice during development, for the purity check. The request uses the first run. Effects are performed
//! once, and both runs get their results.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::{Duration, Instant};

use zerver_engine::{AttemptEnd, CallResult, FinishedJob, Job, MAX_EVENTS, Next, RetryVerdict};
use zerver_trace::Outcome;

#[cfg(feature = "replay")]
pub(crate) use super::purity_check::PurityCheck;
use super::safe_drop::discard;
use crate::effects::effect_points::{Point, Reported};
use crate::scheduler::{PolicyNote, TargetCall};
use crate::time::Stopwatch;

/// The check compares runs as a replay does. Without the feature there is none, and steps run once.
#[cfg(not(feature = "replay"))]
pub(crate) enum PurityCheck {}

#[cfg(not(feature = "replay"))]
impl PurityCheck {
    const fn compare(&self, _step: u16, _first: &Job, _since: usize, _second: &Job) {
        match *self {}
    }
}

/// A job whose steps run twice if the purity check is on.
pub(crate) struct CheckedJob {
    job: Job,
    check: Option<Arc<PurityCheck>>,
    /// Boxed, because few jobs have a twin, and a job is large and is moved.
    twin: Option<Box<Twin>>,
}

/// The second run of a step.
struct Twin {
    job: Job,
    step: u16,
    /// Index of the first event of the first run.
    since: usize,
}

impl CheckedJob {
    #[inline(always)]
    pub(crate) const fn new(job: Job, check: Option<Arc<PurityCheck>>) -> Self {
        Self { job, check, twin: None }
    }

    /// Calls [`Job::finish`].
    pub(crate) fn finish(&mut self) -> FinishedJob {
        discard(self.twin.take());
        self.job.finish()
    }

    /// Calls [`Job::run`] on both jobs.
    pub(crate) fn run(&mut self, watch: &mut Stopwatch) -> Next {
        let twin = self.check.as_ref().and_then(|_| Twin::of(&self.job));
        let next = self.job.run(watch.now_ns(), || watch.tick());
        if let Some(twin) = twin {
            self.run_twin(twin, next, watch, |job| job.run(0, || 0));
        }
        next
    }

    /// Calls [`Job::complete_with`] on both jobs. The decision about another attempt is made once.
    fn complete(
        &mut self,
        number: u32,
        watch: &mut Stopwatch,
        performed: CallResult,
        decide: &mut dyn FnMut(&AttemptEnd<'_>) -> RetryVerdict,
    ) -> Next {
        let Some(twin) = self.twin.take() else {
            return self.job.complete_with(number, watch.tick(), performed, decide);
        };
        let (repeated, mut verdict) = (performed.clone(), RetryVerdict::Own);
        let next = self.job.complete_with(number, watch.tick(), performed, &mut |end| {
            verdict = decide(end);
            verdict.clone()
        });
        self.run_twin(twin, next, watch, |job| {
            job.complete_with(number, 0, repeated, &mut |_| verdict.clone())
        });
        next
    }

    /// Like [`complete`](Self::complete). The policy of the call's target, if it has one, decides about another attempt, and
    /// its decision is recorded. Everything must have ended by `until_ns`; `service_ns` is now, on the service's clock.
    pub(crate) fn complete_call(
        &mut self,
        number: u32,
        watch: &mut Stopwatch,
        performed: CallResult,
        call: Option<&TargetCall>,
        until_ns: u64,
        service_ns: u64,
    ) -> Next {
        let (now_ns, mut decided) = (watch.now_ns(), None);
        let next = self.complete(number, watch, performed, &mut |end| {
            let Some(call) = call else { return RetryVerdict::Own };
            let end_ns = end.deadline_ns.map_or(until_ns, |deadline_ns| deadline_ns.min(until_ns));
            let left = Duration::from_nanos(end_ns.saturating_sub(now_ns));
            let (verdict, note) = call.decide(end, service_ns, left);
            decided = note;
            verdict
        });
        self.record_policy_notes(number, decided, watch.now_ns());
        next
    }

    /// Calls [`Job::advance`] on both jobs.
    pub(crate) fn advance(&mut self, watch: &mut Stopwatch) -> Next {
        let next = self.job.advance(watch.tick());
        if let Some(twin) = self.twin.take() {
            self.run_twin(twin, next, watch, |job| job.advance(0));
        }
        next
    }

    /// Records the reports of a call's interpreter.
    pub(crate) fn record_reports(&mut self, number: u32, reports: Vec<Point>, watch: &Stopwatch) {
        for (reported, at) in reports {
            let at_ns = watch.since_start_ns(at);
            match reported {
                Reported::Point(point) => self.record_effect_point(number, at_ns, point),
                Reported::Injected(rule) => self.record_injected_fault(number, at_ns, rule),
                Reported::Line { level, target, line } => {
                    self.record_log_line(number, at_ns, level, target, line);
                }
                Reported::Decision(decision) => self.record_policy_decision(number, at_ns, decision, 0),
            }
        }
    }

    /// Records decisions of the policy of a call's target.
    pub(crate) fn record_policy_notes(
        &mut self,
        number: u32,
        notes: impl IntoIterator<Item = PolicyNote>,
        at_ns: u64,
    ) {
        for (decision, wait_ns) in notes {
            self.record_policy_decision(number, at_ns, decision, wait_ns);
        }
    }

    /// Repeats an input with the twin. The time that it takes is not part of the times of the request.
    fn run_twin(
        &mut self,
        mut twin: Box<Twin>,
        next: Next,
        watch: &mut Stopwatch,
        input: impl FnOnce(&mut Job) -> Next,
    ) {
        // A panic is reported anyway. A second run would only repeat its message.
        if matches!(self.job.outcome(), Some((Outcome::Panicked { .. }, _))) {
            return discard(twin);
        }
        let started = Instant::now();
        // The twin may already wait for other effects than the first job. It then receives the wrong result and differs.
        if input(&mut twin.job) == next && matches!(next, Next::Wait | Next::Advance) {
            self.twin = Some(twin);
        } else {
            if let Some(check) = self.check.as_ref().filter(|_| self.job.events().len() < MAX_EVENTS) {
                check.compare(twin.step, &self.job, twin.since, &twin.job);
            }
            discard(twin);
        }
        watch.leave_out(started);
    }
}

impl Twin {
    fn of(job: &Job) -> Option<Box<Self>> {
        Some(Box::new(Self { job: job.twin()?, step: job.position(), since: job.events().len() }))
    }
}

impl Deref for CheckedJob {
    type Target = Job;

    fn deref(&self) -> &Job {
        &self.job
    }
}

impl DerefMut for CheckedJob {
    fn deref_mut(&mut self) -> &mut Job {
        &mut self.job
    }
}
