//! Divides queue time among the runs of steps on the same thread.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use zerver_trace::{
    EventSubject, Kept, Query, RequestId, SourceError, Thread, Trace, TraceSource, TraceView,
};

use super::holders::{HolderKind, QueueHolder, QueueHolders};
use super::threads::{Flow, ThreadRun, runs, waits};
use crate::Timeline;
use crate::timeline::step_name;
use crate::timeline::totals::Span;

/// Shortest queue time that is divided. A shorter one is the time to hand over a request.
const MIN_QUEUE_NS: u64 = 100_000;

/// Maximum number of requests that are read from a source; the newest are taken.
const MAX_REQUESTS: usize = 20_000;

/// Takes the requests that were in progress while a request was queued, in any order, and keeps only what held its
/// thread.
#[derive(Debug)]
pub struct QueueHoldersBuilder {
    id: RequestId,
    queue_ns: u64,
    /// Spans on the wall clock in which the request was queued, with the thread; they do not overlap.
    waits: Vec<(Span, Option<Thread>)>,
    requests: Vec<(RequestId, Flow)>,
    runs: Vec<ThreadRun>,
    is_sampled: bool,
}

impl QueueHolders {
    /// Divides the queue time of a request among the requests of its source. `None` if it was not queued for long
    /// enough to count.
    ///
    /// # Errors
    /// If the source cannot be read.
    pub fn read(
        trace: &Trace,
        timeline: &Timeline,
        source: &dyn TraceSource,
    ) -> Result<Option<Self>, SourceError> {
        let Some(mut builder) = QueueHoldersBuilder::new(trace, timeline) else { return Ok(None) };
        let query = Query {
            in_progress_unix_ns: Some(builder.window()),
            limit: Some(MAX_REQUESTS),
            ..Query::default()
        };
        let mut seen = 0;
        source.visit(&query, &mut |request| {
            seen += 1;
            match builder
                .may_be_held_by(request)
                .and_then(|is_there| is_there.then(|| request.trace()).transpose())
            {
                Ok(Some(other)) => builder.add(&other),
                Ok(None) => {}
                // Unreadable requests are as good as not recorded.
                Err(_) => builder.set_incomplete(),
            }
            ControlFlow::Continue(())
        })?;
        if seen == MAX_REQUESTS {
            builder.set_incomplete();
        }
        Ok(Some(builder.finish()))
    }
}

impl QueueHoldersBuilder {
    /// Begins with the queued request and its timeline. `None` if it was not queued for long enough to count.
    pub fn new(trace: &Trace, timeline: &Timeline) -> Option<Self> {
        let queue_ns = timeline.totals.queue_ns;
        if queue_ns < MIN_QUEUE_NS {
            return None;
        }
        let threads = waits(trace);
        let on_clock = |ns: u64| trace.started_unix_ns.saturating_add(ns);
        let mut parts = Vec::new();
        for (from_ns, until_ns) in timeline.queue_spans() {
            for (at, (thread_from_ns, thread)) in threads.iter().enumerate() {
                let thread_until_ns = threads.get(at + 1).map_or(u64::MAX, |(until_ns, _)| *until_ns);
                let (from_ns, until_ns) = (from_ns.max(*thread_from_ns), until_ns.min(thread_until_ns));
                if from_ns < until_ns {
                    parts.push(((on_clock(from_ns), on_clock(until_ns)), *thread));
                }
            }
        }
        Some(Self {
            id: trace.id,
            queue_ns,
            waits: parts,
            requests: Vec::new(),
            runs: Vec::new(),
            is_sampled: trace.kept != Kept::All,
        })
    }

    /// Returns the span, in nanoseconds since the Unix epoch, in which requests have to be in progress to matter.
    pub fn window(&self) -> (u64, u64) {
        let from_ns = self.waits.iter().map(|((from_ns, _), _)| *from_ns).min().unwrap_or(0);
        (from_ns, self.waits.iter().map(|((_, until_ns), _)| *until_ns).max().unwrap_or(0))
    }

    /// Returns true if a request was on a thread in whose queue this one waited.
    fn may_be_held_by(&self, request: &dyn TraceView) -> Result<bool, SourceError> {
        let is_there = |on: Thread| self.waits.iter().any(|(_, thread)| *thread == Some(on));
        if request.summary().worker.is_some_and(|worker| is_there(Thread::Worker(worker))) {
            return Ok(true);
        }
        let moved = request.test_events(0, &|subject| match subject {
            EventSubject::Thread(thread) => Some(is_there(thread)),
            _ => None,
        })?;
        Ok(moved.passed > 0)
    }

    /// Adds another request.
    pub fn add(&mut self, trace: &Trace) {
        if trace.id == self.id {
            return;
        }
        self.is_sampled |= trace.kept != Kept::All;
        let waits = &self.waits;
        let holds = |run: &ThreadRun| {
            let overlaps = |(from_ns, until_ns): Span| run.from_ns < until_ns && from_ns < run.until_ns;
            waits.iter().any(|(span, thread)| *thread == Some(run.thread) && overlaps(*span))
        };
        let before = self.runs.len();
        self.runs.extend(runs(trace, self.requests.len()).into_iter().filter(holds));
        if self.runs.len() > before {
            self.requests.push((trace.id, Flow::clone(&trace.flow)));
        }
    }

    /// States that not all requests could be added.
    pub const fn set_incomplete(&mut self) {
        self.is_sampled = true;
    }

    /// Divides the time.
    pub fn finish(self) -> QueueHolders {
        let mut sums: BTreeMap<(HolderKind, Option<Thread>), u64> = BTreeMap::new();
        let mut left_ns = self.queue_ns;
        let mut add = |kind: HolderKind, thread: Option<Thread>, ns: u64| {
            let ns = ns.min(left_ns);
            left_ns -= ns;
            if ns > 0 {
                *sums.entry((kind, thread)).or_default() += ns;
            }
        };
        let nothing = || if self.is_sampled { HolderKind::NotRecorded } else { HolderKind::NoStep };
        for (span, thread) in &self.waits {
            let Some(on) = thread else {
                add(HolderKind::UnknownThread, None, span.1 - span.0);
                continue;
            };
            for (run, ns) in self.divide(*span, *on) {
                add(run.map_or_else(nothing, |run| self.kind(run)), *thread, ns);
            }
        }
        // Times beyond the end of the clock.
        add(HolderKind::UnknownThread, None, u64::MAX);
        let holder = |((kind, thread), time_ns)| QueueHolder { kind, thread, time_ns };
        let mut holders: Vec<QueueHolder> = sums.into_iter().map(holder).collect();
        holders.sort_by_key(|holder| std::cmp::Reverse(holder.time_ns));
        QueueHolders { queue_ns: self.queue_ns, holders, is_sampled: self.is_sampled }
    }

    fn kind(&self, run: &ThreadRun) -> HolderKind {
        let Some((request, flow)) = self.requests.get(run.request) else { return HolderKind::NoStep };
        HolderKind::Step {
            request: *request,
            flow: flow.name.clone(),
            step: step_name(flow, run.step).into_owned(),
        }
    }

    /// Divides a span among the runs on a thread. Of runs that overlap, which only damaged or foreign traces have, the
    /// one that began last counts.
    fn divide(&self, span: Span, on: Thread) -> Vec<(Option<&ThreadRun>, u64)> {
        let mut there: Vec<&ThreadRun> = self.runs.iter().filter(|run| run.thread == on).collect();
        there.sort_by_key(|run| (run.from_ns, run.request, run.step));
        let edges =
            there.iter().flat_map(|run| [run.from_ns, run.until_ns]).map(|ns| ns.clamp(span.0, span.1));
        let mut edges: Vec<u64> = edges.chain([span.0, span.1]).collect();
        edges.sort_unstable();
        edges.dedup();
        let (mut open, mut next): (Vec<&ThreadRun>, _) = (Vec::new(), there.into_iter().peekable());
        let mut parts = Vec::new();
        for edge in edges.windows(2) {
            let (from_ns, until_ns) = (edge[0], edge[1]);
            while let Some(run) = next.next_if(|run| run.from_ns <= from_ns) {
                open.push(run);
            }
            open.retain(|run| run.until_ns > from_ns);
            parts.push((open.last().copied(), until_ns - from_ns));
        }
        parts
    }
}
