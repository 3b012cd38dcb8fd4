//! Time travel: the moments of a request, one per event, with the slots as they were.

use std::collections::BTreeMap;

use zerver_trace::{Event, Recorded, Trace};

use super::rows::{RowSubject, WaterfallRow};
use crate::{SlotWrite, Timeline};

/// Moment of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Time.
    pub at_ns: u64,
    /// Row of the waterfall that the moment belongs to.
    pub row: usize,
    /// Kind.
    pub what: MomentKind,
}

/// Kind of a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MomentKind {
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
pub struct Moments {
    all: Vec<Moment>,
    /// First moment of each row.
    first: Vec<usize>,
}

impl Moments {
    /// Returns the moments of a request. `rows` are all rows of its waterfall.
    pub fn new(trace: &Trace, timeline: &Timeline, rows: &[WaterfallRow]) -> Self {
        let places: BTreeMap<RowSubject, usize> =
            rows.iter().enumerate().map(|(at, row)| (row.subject, at)).collect();
        let last = rows.len().saturating_sub(1);
        let mut walk = EventWalk::new(timeline);
        let mut recorded = vec![Moment { at_ns: 0, row: 0, what: MomentKind::RequestStarted }];
        for (at, event) in trace.events.iter().enumerate() {
            let (subject, at_ns) = walk.step(event);
            let row = places.get(&subject).copied().unwrap_or(last);
            recorded.push(Moment { at_ns, row, what: MomentKind::Event(at) });
        }
        recorded.push(Moment { at_ns: trace.duration_ns, row: last, what: MomentKind::RequestEnded });
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

    /// Returns the number of moments.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Returns true if there are none, which is the case only before any were added.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Returns a moment by its position.
    pub fn get(&self, at: usize) -> Option<&Moment> {
        self.all.get(at)
    }

    /// Returns the first moment of a row.
    pub fn of_row(&self, row: usize) -> usize {
        self.first.get(row).copied().unwrap_or(0)
    }
}

/// Maps each event to its row.
struct EventWalk<'t> {
    timeline: &'t Timeline,
    calls: BTreeMap<u32, (usize, usize)>,
    /// Call of each undo.
    undos: BTreeMap<u32, u32>,
    /// Next run of each step, and the current one.
    next: BTreeMap<u16, usize>,
    open: BTreeMap<u16, usize>,
    now_ns: u64,
}

impl<'t> EventWalk<'t> {
    fn new(timeline: &'t Timeline) -> Self {
        let mut calls = BTreeMap::new();
        for (run, of) in timeline.runs.iter().enumerate() {
            for (effect, of) in of.effects.iter().enumerate() {
                calls.extend(of.attempts.iter().map(|attempt| (attempt.call, (run, effect))));
            }
        }
        Self {
            timeline,
            calls,
            undos: BTreeMap::new(),
            next: BTreeMap::new(),
            open: BTreeMap::new(),
            now_ns: 0,
        }
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
            Event::QuantumExceeded { step, at_ns, .. }
            | Event::StepPanicked { step, at_ns, .. }
            | Event::StepLogged { step, at_ns, .. } => {
                self.now_ns = *at_ns;
                RowSubject::Run(self.run(*step))
            }
            Event::SlotWritten { step, slot, at_ns, .. } => {
                self.now_ns = *at_ns;
                let run = self.run(*step);
                let effects = self.timeline.runs.get(run).map_or(&[][..], |run| &run.effects);
                let is_it = |write: &SlotWrite| write.slot == *slot && write.at_ns == *at_ns;
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
pub struct SlotSnapshot<'t> {
    /// Name of the slot.
    pub name: &'t str,
    /// True if the value must not be shown.
    pub is_masked: bool,
    /// Value.
    pub value: &'t Recorded,
    /// True if the slot was written at this moment.
    pub is_new: bool,
}

/// Returns the slots written up to a moment, in the order of their first write.
pub fn slots_at<'s>(trace: &'s Trace, timeline: &'s Timeline, moment: &Moment) -> Vec<SlotSnapshot<'s>> {
    let known: BTreeMap<u16, &SlotWrite> = timeline.slots.iter().map(|write| (write.slot, write)).collect();
    let mut held: Vec<SlotSnapshot<'_>> = Vec::new();
    let mut places: BTreeMap<u16, usize> = BTreeMap::new();
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
        | Event::Logged { at_ns, .. }
        | Event::StepLogged { at_ns, .. } => Some(*at_ns),
        Event::StepYielded { .. } | Event::ReadDelayed { .. } => None,
    }
}
