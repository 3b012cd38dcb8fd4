//! Time travel: the moments of a request, one per event, with the slots as they were.

use std::collections::HashMap;

use zerver_analysis::{LogLine, Timeline};
use zerver_trace::duration::HumanDuration;
use zerver_trace::{Answer, Event, QueueReason, Recorded, Trace};

use super::waterfall::{RowSubject, WaterfallRow};
use crate::state::LoadedTrace;

/// Moment of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment {
    pub(super) at_ns: u64,
    /// Row of the waterfall that the moment belongs to.
    pub(super) row: usize,
    pub(super) what: MomentKind,
}

/// Kind of a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MomentKind {
    /// The request arrived.
    RequestStarted,
    /// An event of the trace, by index.
    Event(usize),
    /// The trace has no event for this row.
    Unrecorded,
    /// The request ended.
    RequestEnded,
}

/// Moments of a request, in the order of its events.
#[derive(Debug, Default)]
pub(super) struct Moments {
    all: Vec<Moment>,
    /// First moment of each row.
    first: Vec<usize>,
}

impl Moments {
    pub(super) fn new(loaded: &LoadedTrace, rows: &[WaterfallRow]) -> Self {
        let places: HashMap<RowSubject, usize> =
            rows.iter().enumerate().map(|(at, row)| (row.subject, at)).collect();
        let last = rows.len().saturating_sub(1);
        let mut walk = EventWalk::new(&loaded.timeline);
        let mut recorded = vec![Moment { at_ns: 0, row: 0, what: MomentKind::RequestStarted }];
        for (at, event) in loaded.trace.events.iter().enumerate() {
            let (subject, at_ns) = walk.step(event);
            let row = places.get(&subject).copied().unwrap_or(last);
            recorded.push(Moment { at_ns, row, what: MomentKind::Event(at) });
        }
        recorded.push(Moment { at_ns: loaded.trace.duration_ns, row: last, what: MomentKind::RequestEnded });
        // Rows without events get a moment as well, so that they can be selected.
        let mut has_moment = vec![false; rows.len()];
        recorded.iter().for_each(|moment| has_moment[moment.row] = true);
        let unrecorded = rows.iter().enumerate().filter(|(row, _)| !has_moment[*row]);
        let mut unrecorded = unrecorded
            .map(|(row, of)| Moment { at_ns: of.at_ns, row, what: MomentKind::Unrecorded })
            .peekable();
        let mut all = Vec::with_capacity(rows.len() + recorded.len());
        for moment in recorded {
            while let Some(before) = unrecorded.next_if(|unrecorded| unrecorded.row < moment.row) {
                all.push(before);
            }
            all.push(moment);
        }
        let mut first = vec![0; rows.len()];
        all.iter().enumerate().rev().for_each(|(at, moment)| first[moment.row] = at);
        Self { all, first }
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn get(&self, at: usize) -> Option<&Moment> {
        self.all.get(at)
    }

    /// Returns the first moment of a row.
    pub(super) fn of_row(&self, row: usize) -> usize {
        self.first.get(row).copied().unwrap_or(0)
    }
}

/// Maps each event to its row.
struct EventWalk<'t> {
    timeline: &'t Timeline,
    calls: HashMap<u32, (usize, usize)>,
    /// Call of each undo.
    undos: HashMap<u32, u32>,
    /// Next run of each step, and the current one.
    next: HashMap<u16, usize>,
    open: HashMap<u16, usize>,
    now_ns: u64,
}

impl<'t> EventWalk<'t> {
    fn new(timeline: &'t Timeline) -> Self {
        let mut calls = HashMap::new();
        for (run, of) in timeline.runs.iter().enumerate() {
            for (effect, of) in of.effects.iter().enumerate() {
                calls.extend(of.attempts.iter().map(|attempt| (attempt.call, (run, effect))));
            }
        }
        Self { timeline, calls, undos: HashMap::new(), next: HashMap::new(), open: HashMap::new(), now_ns: 0 }
    }

    fn step(&mut self, event: &Event<Recorded>) -> (RowSubject, u64) {
        let subject = match event {
            Event::BodyReceived { at_ns }
            | Event::Reclassified { at_ns, .. }
            | Event::Migrated { at_ns, .. } => {
                self.now_ns = *at_ns;
                RowSubject::Request
            }
            Event::StepRan { step, at_ns, cpu_ns, .. } => {
                self.now_ns = at_ns.saturating_add(*cpu_ns);
                let from = self.next.get(step).copied().unwrap_or(0);
                let runs = self.timeline.runs.iter().enumerate().skip(from);
                let mut of_step = runs.filter(|(_, run)| run.step.index == *step);
                let found = of_step.find(|(_, run)| run.start_ns == *at_ns && run.decision.is_some());
                let at = found.map_or(usize::MAX, |(at, _)| at);
                self.next.insert(*step, at.saturating_add(1));
                self.open.insert(*step, at);
                RowSubject::Run(at)
            }
            Event::ReadDelayed { .. } => RowSubject::Request,
            Event::StepYielded { step, .. } => RowSubject::Run(self.run(*step)),
            Event::QuantumExceeded { step, at_ns, .. } | Event::StepPanicked { step, at_ns, .. } => {
                self.now_ns = *at_ns;
                RowSubject::Run(self.run(*step))
            }
            Event::SlotWritten { step, slot, at_ns, .. } => {
                self.now_ns = *at_ns;
                let run = self.run(*step);
                let effects = self.timeline.runs.get(run).map_or(&[][..], |run| &run.effects);
                let is_it = |write: &zerver_analysis::SlotWrite| write.slot == *slot && write.at_ns == *at_ns;
                match effects.iter().position(|effect| effect.writes.iter().any(is_it)) {
                    Some(effect) => RowSubject::Effect(run, effect),
                    None => RowSubject::Run(run),
                }
            }
            Event::UndoRegistered { undo, at_ns, .. }
            | Event::UndoStarted { undo, at_ns }
            | Event::UndoEnded { undo, at_ns, .. } => {
                self.now_ns = *at_ns;
                if let Event::UndoRegistered { call: Some(call), .. } = event {
                    self.undos.insert(*undo, *call);
                }
                let place = self.undos.get(undo).and_then(|call| self.calls.get(call)).copied();
                place.map_or(RowSubject::Request, |(run, effect)| RowSubject::Effect(run, effect))
            }
            Event::EffectRequested { call, at_ns, .. }
            | Event::EffectCompleted { call, at_ns, .. }
            | Event::EffectQueued { call, at_ns, .. }
            | Event::CompletionDelayed { call, at_ns, .. }
            | Event::EffectPoint { call, at_ns, .. }
            | Event::PolicyDecided { call, at_ns, .. }
            | Event::FaultInjected { call, at_ns, .. }
            | Event::Logged { call, at_ns, .. }
            | Event::EffectStarted { call, at_ns } => {
                self.now_ns = *at_ns;
                let place = self.calls.get(call).copied();
                place.map_or(RowSubject::Request, |(run, effect)| RowSubject::Effect(run, effect))
            }
        };
        (subject, self.now_ns)
    }

    fn run(&self, step: u16) -> usize {
        let any = || self.timeline.runs.iter().position(|run| run.step.index == step);
        self.open.get(&step).copied().or_else(any).unwrap_or(usize::MAX)
    }
}

/// Slot as of a moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct SlotSnapshot<'t> {
    pub(super) name: &'t str,
    pub(super) is_masked: bool,
    pub(super) value: &'t Recorded,
    /// True if the slot was written at this moment.
    pub(super) is_new: bool,
}

/// Returns the slots written up to a moment, in the order of their first write.
pub(super) fn slots<'s>(loaded: &'s LoadedTrace, moment: &Moment) -> Vec<SlotSnapshot<'s>> {
    let (trace, timeline) = (&loaded.trace, &loaded.timeline);
    let known: HashMap<u16, &zerver_analysis::SlotWrite> =
        timeline.slots.iter().map(|write| (write.slot, write)).collect();
    let mut held: Vec<SlotSnapshot<'_>> = Vec::new();
    let mut places: HashMap<u16, usize> = HashMap::new();
    let end = end(trace, moment);
    for (at, event) in trace.events.iter().take(end).enumerate() {
        let Event::SlotWritten { slot, value, .. } = event else { continue };
        let Some(write) = known.get(slot) else { continue };
        let is_secret = write.is_secret || (value.is_secret() && value.value().is_none());
        let is_new = moment.what == MomentKind::Event(at);
        let now = SlotSnapshot { name: &write.name, is_masked: is_secret, value, is_new };
        match places.get(slot) {
            Some(place) => held[*place] = now,
            None => {
                places.insert(*slot, held.len());
                held.push(now);
            }
        }
    }
    held
}

/// Returns the number of events up to a moment.
fn end(trace: &Trace, moment: &Moment) -> usize {
    match moment.what {
        MomentKind::RequestStarted => 0,
        MomentKind::Event(at) => at + 1,
        MomentKind::RequestEnded => trace.events.len(),
        MomentKind::Unrecorded => {
            let is_later = |event: &Event<Recorded>| at_ns(event).is_some_and(|at| at > moment.at_ns);
            trace.events.iter().position(is_later).unwrap_or(trace.events.len())
        }
    }
}

const fn at_ns(event: &Event<Recorded>) -> Option<u64> {
    match event {
        Event::BodyReceived { at_ns }
        | Event::StepRan { at_ns, .. }
        | Event::SlotWritten { at_ns, .. }
        | Event::EffectRequested { at_ns, .. }
        | Event::EffectCompleted { at_ns, .. }
        | Event::EffectQueued { at_ns, .. }
        | Event::EffectStarted { at_ns, .. }
        | Event::Reclassified { at_ns, .. }
        | Event::Migrated { at_ns, .. }
        | Event::CompletionDelayed { at_ns, .. }
        | Event::PolicyDecided { at_ns, .. }
        | Event::QuantumExceeded { at_ns, .. }
        | Event::StepPanicked { at_ns, .. }
        | Event::EffectPoint { at_ns, .. }
        | Event::UndoRegistered { at_ns, .. }
        | Event::UndoStarted { at_ns, .. }
        | Event::UndoEnded { at_ns, .. }
        | Event::FaultInjected { at_ns, .. }
        | Event::Logged { at_ns, .. } => Some(*at_ns),
        Event::StepYielded { .. } | Event::ReadDelayed { .. } => None,
    }
}

/// Describes a moment on one line.
pub(super) fn describe(loaded: &LoadedTrace, moment: &Moment) -> String {
    let (trace, timeline) = (&loaded.trace, &loaded.timeline);
    let at = match moment.what {
        MomentKind::RequestStarted => return "request received".to_owned(),
        MomentKind::RequestEnded => return "request ended".to_owned(),
        MomentKind::Unrecorded => return "not in the trace".to_owned(),
        MomentKind::Event(at) => at,
    };
    let step = |index: u16| {
        let of = trace.flow.steps.get(usize::from(index));
        of.map_or_else(|| format!("step#{index}"), |step| step.name.clone())
    };
    let effect = |call: u32| {
        let mut effects = timeline.runs.iter().flat_map(|run| &run.effects);
        effects.find(|effect| effect.attempts.iter().any(|attempt| attempt.call == call))
    };
    let label =
        |call: u32| effect(call).map_or_else(|| format!("call {call}"), zerver_analysis::Effect::label);
    let undone = |undo: u32| {
        let registered = trace.events.iter().find_map(|event| match event {
            Event::UndoRegistered { undo: other, call, .. } if *other == undo => *call,
            _ => None,
        });
        registered.map_or_else(|| format!("undo {undo}"), label)
    };
    match &trace.events[at] {
        Event::UndoRegistered { undo, .. } => format!("{} can be undone", undone(*undo)),
        Event::UndoStarted { undo, .. } => format!("undoing {}", undone(*undo)),
        Event::UndoEnded { undo, failure: None, .. } => format!("{} undone", undone(*undo)),
        Event::UndoEnded { undo, failure: Some(_), .. } => format!("{} not undone", undone(*undo)),
        Event::BodyReceived { .. } => "body received".to_owned(),
        Event::Reclassified { from, to, reason, .. } => format!("reclassified from {from} to {to}: {reason}"),
        Event::Migrated { to, .. } => format!("migrated to {to}"),
        Event::QuantumExceeded { step: index, quantum_ns, .. } => {
            format!("{} exceeded its quantum of {}", step(*index), HumanDuration { ns: *quantum_ns })
        }
        Event::StepPanicked { step: index, file, line, .. } => {
            format!("{} panicked at {file}:{line}", step(*index))
        }
        Event::StepRan { step: index, decision, .. } => format!("{} ran: {decision}", step(*index)),
        Event::StepYielded { step: index, .. } => format!("{} yielded", step(*index)),
        Event::SlotWritten { step: index, slot, .. } => {
            let write = timeline.slots.iter().find(|write| write.slot == *slot);
            let name = write.map_or_else(|| format!("slot#{slot}"), |write| write.name.clone());
            format!("{} wrote {name}", step(*index))
        }
        Event::EffectRequested { step: index, call, attempt, .. } => match attempt {
            0 | 1 => format!("{} requested {}", step(*index), label(*call)),
            n => format!("attempt {n} of {} requested", label(*call)),
        },
        Event::EffectQueued { call, reason: by, .. } => {
            let why = match by {
                QueueReason::RetryDelay => "delayed until its next attempt",
                QueueReason::Request => "queued: limit of the request",
                QueueReason::Target => "queued: limit of its target",
                QueueReason::Kind => "queued: limit of its kind",
                QueueReason::Rate => "queued: rate limit of its target",
                QueueReason::Hedge => "held back while the first attempt has time to answer",
            };
            format!("{} {why}", label(*call))
        }
        Event::EffectStarted { call, .. } => format!("{} started", label(*call)),
        Event::EffectPoint { call, point, .. } => format!("{}: {point}", label(*call)),
        Event::FaultInjected { call, rule, .. } => format!("{}: injected by chaos rule {rule}", label(*call)),
        Event::Logged { call, at_ns, level, .. } => {
            let lines = effect(*call).map_or(&[][..], |effect| &effect.log_lines);
            let line = lines.iter().find(|line| line.call == *call && line.at_ns == *at_ns);
            format!("{} logged {level}: {}", label(*call), line.map_or_else(String::new, LogLine::text))
        }
        Event::PolicyDecided { call, decision, wait_ns, .. } => match wait_ns {
            0 => format!("{}: {decision}", label(*call)),
            ns => format!("{}: {decision}, {}", label(*call), HumanDuration { ns: *ns }),
        },
        Event::CompletionDelayed { call, ready_ns, at_ns, .. } => {
            let late = effect(*call)
                .and_then(|effect| effect.completion_delays().find(|late| late.ready_ns == *ready_ns));
            let why = late.map_or_else(String::new, |late| format!(": {}", late.reason()));
            let ns = at_ns.saturating_sub(*ready_ns);
            format!("the answer to {} was ready {} earlier{why}", label(*call), HumanDuration { ns })
        }
        Event::ReadDelayed { part, unread_ns, .. } => {
            let read =
                timeline.read_delays.iter().find(|read| read.part == *part && read.unread_ns == *unread_ns);
            read.map_or_else(|| format!("{} read late", part.as_str()), ToString::to_string)
        }
        Event::EffectCompleted { call, answer, .. } => {
            let how = match answer {
                Answer::Ok(_) => "answered".to_owned(),
                Answer::Err(error) => format!("failed: {error}"),
                Answer::Canceled => "canceled".to_owned(),
            };
            format!("{} {how}", label(*call))
        }
    }
}
