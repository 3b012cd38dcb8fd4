//! Time travel: the moments of a request, one for each event, and what its slots held at each.

use std::collections::HashMap;

use zerver_analysis::Timeline;
use zerver_trace::duration::HumanDuration;
use zerver_trace::{Answer, Event, QueueReason, Recorded, Trace};

use super::waterfall::{Row, Subject};
use crate::shared::Story;

/// A moment of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment {
    pub(super) at_ns: u64,
    /// The row of the waterfall that it belongs to.
    pub(super) row: usize,
    pub(super) what: What,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// The request came.
    Arrived,
    /// This event of the trace.
    Event(usize),
    /// Nothing that the trace tells.
    Untold,
    /// It was over.
    Ended,
}

/// The moments of a request in the order of its events.
#[derive(Debug, Default)]
pub(super) struct Moments {
    all: Vec<Moment>,
    /// For each row, its first moment.
    first: Vec<usize>,
}

impl Moments {
    pub(super) fn of(story: &Story, rows: &[Row]) -> Self {
        let places: HashMap<Subject, usize> =
            rows.iter().enumerate().map(|(at, row)| (row.subject, at)).collect();
        let last = rows.len().saturating_sub(1);
        let mut walk = Walk::new(&story.timeline);
        let mut told = vec![Moment { at_ns: 0, row: 0, what: What::Arrived }];
        for (at, event) in story.trace.events.iter().enumerate() {
            let (subject, at_ns) = walk.step(event);
            let row = places.get(&subject).copied().unwrap_or(last);
            told.push(Moment { at_ns, row, what: What::Event(at) });
        }
        told.push(Moment { at_ns: story.trace.duration_ns, row: last, what: What::Ended });
        // Rows that no event belongs to have a moment nevertheless, so that one can go there.
        let mut is_told = vec![false; rows.len()];
        told.iter().for_each(|moment| is_told[moment.row] = true);
        let untold = rows.iter().enumerate().filter(|(row, _)| !is_told[*row]);
        let mut untold =
            untold.map(|(row, of)| Moment { at_ns: of.at_ns, row, what: What::Untold }).peekable();
        let mut all = Vec::with_capacity(rows.len() + told.len());
        for moment in told {
            while let Some(before) = untold.next_if(|untold| untold.row < moment.row) {
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

    /// The first moment of a row.
    pub(super) fn of_row(&self, row: usize) -> usize {
        self.first.get(row).copied().unwrap_or(0)
    }
}

/// Tells which row an event belongs to.
struct Walk<'t> {
    timeline: &'t Timeline,
    calls: HashMap<u32, (usize, usize)>,
    /// Per step, the run that is next, and the one that is open.
    next: HashMap<u16, usize>,
    open: HashMap<u16, usize>,
    now_ns: u64,
}

impl<'t> Walk<'t> {
    fn new(timeline: &'t Timeline) -> Self {
        let mut calls = HashMap::new();
        for (run, of) in timeline.runs.iter().enumerate() {
            for (effect, of) in of.effects.iter().enumerate() {
                calls.extend(of.attempts.iter().map(|attempt| (attempt.call, (run, effect))));
            }
        }
        Self { timeline, calls, next: HashMap::new(), open: HashMap::new(), now_ns: 0 }
    }

    fn step(&mut self, event: &Event<Recorded>) -> (Subject, u64) {
        let subject = match event {
            Event::BodyReceived { at_ns }
            | Event::Reclassified { at_ns, .. }
            | Event::Migrated { at_ns, .. } => {
                self.now_ns = *at_ns;
                Subject::Request
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
                Subject::Run(at)
            }
            Event::ReadDelayed { .. } => Subject::Request,
            Event::StepYielded { step, .. } => Subject::Run(self.run(*step)),
            Event::QuantumExceeded { step, at_ns, .. } | Event::StepPanicked { step, at_ns, .. } => {
                self.now_ns = *at_ns;
                Subject::Run(self.run(*step))
            }
            Event::SlotWritten { step, slot, at_ns, .. } => {
                self.now_ns = *at_ns;
                let run = self.run(*step);
                let effects = self.timeline.runs.get(run).map_or(&[][..], |run| &run.effects);
                let is_it = |write: &zerver_analysis::SlotWrite| write.slot == *slot && write.at_ns == *at_ns;
                match effects.iter().position(|effect| effect.writes.iter().any(is_it)) {
                    Some(effect) => Subject::Effect(run, effect),
                    None => Subject::Run(run),
                }
            }
            Event::EffectRequested { call, at_ns, .. }
            | Event::EffectCompleted { call, at_ns, .. }
            | Event::EffectQueued { call, at_ns, .. }
            | Event::CompletionDelayed { call, at_ns, .. }
            | Event::EffectStarted { call, at_ns } => {
                self.now_ns = *at_ns;
                let place = self.calls.get(call).copied();
                place.map_or(Subject::Request, |(run, effect)| Subject::Effect(run, effect))
            }
        };
        (subject, self.now_ns)
    }

    fn run(&self, step: u16) -> usize {
        let any = || self.timeline.runs.iter().position(|run| run.step.index == step);
        self.open.get(&step).copied().or_else(any).unwrap_or(usize::MAX)
    }
}

/// A slot as it was at a moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Held<'t> {
    pub(super) name: &'t str,
    pub(super) is_masked: bool,
    pub(super) value: &'t Recorded,
    /// Whether it was written at this very moment.
    pub(super) is_new: bool,
}

/// The slots that were written up to a moment, in the order in which they were first written.
pub(super) fn slots<'s>(story: &'s Story, moment: &Moment) -> Vec<Held<'s>> {
    let (trace, timeline) = (&story.trace, &story.timeline);
    let known: HashMap<u16, &zerver_analysis::SlotWrite> =
        timeline.slots.iter().map(|write| (write.slot, write)).collect();
    let mut held: Vec<Held<'_>> = Vec::new();
    let mut places: HashMap<u16, usize> = HashMap::new();
    let end = end(trace, moment);
    for (at, event) in trace.events.iter().take(end).enumerate() {
        let Event::SlotWritten { slot, value, .. } = event else { continue };
        let Some(write) = known.get(slot) else { continue };
        let is_secret = write.is_secret || (value.is_secret() && value.value().is_none());
        let is_new = moment.what == What::Event(at);
        let now = Held { name: &write.name, is_masked: is_secret, value, is_new };
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

/// How many events had happened at a moment.
fn end(trace: &Trace, moment: &Moment) -> usize {
    match moment.what {
        What::Arrived => 0,
        What::Event(at) => at + 1,
        What::Ended => trace.events.len(),
        What::Untold => {
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
        | Event::QuantumExceeded { at_ns, .. }
        | Event::StepPanicked { at_ns, .. } => Some(*at_ns),
        Event::StepYielded { .. } | Event::ReadDelayed { .. } => None,
    }
}

/// What happened, in a line.
pub(super) fn told(story: &Story, moment: &Moment) -> String {
    let (trace, timeline) = (&story.trace, &story.timeline);
    let at = match moment.what {
        What::Arrived => return "the request arrives".to_owned(),
        What::Ended => return "the request is over".to_owned(),
        What::Untold => return "the trace does not tell".to_owned(),
        What::Event(at) => at,
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
    match &trace.events[at] {
        Event::BodyReceived { .. } => "the body has been read".to_owned(),
        Event::Reclassified { from, to, reason, .. } => format!("from {from} to {to}: {reason}"),
        Event::Migrated { to, .. } => format!("{to} takes it"),
        Event::QuantumExceeded { step: index, quantum_ns, .. } => {
            format!("{} took longer than {}", step(*index), HumanDuration { ns: *quantum_ns })
        }
        Event::StepPanicked { step: index, file, line, .. } => {
            format!("{} panicked at {file}:{line}", step(*index))
        }
        Event::StepRan { step: index, decision, .. } => format!("{} ran: {decision}", step(*index)),
        Event::StepYielded { step: index, .. } => format!("{} hands its progress on", step(*index)),
        Event::SlotWritten { step: index, slot, .. } => {
            let write = timeline.slots.iter().find(|write| write.slot == *slot);
            let name = write.map_or_else(|| format!("slot#{slot}"), |write| write.name.clone());
            format!("{} writes {name}", step(*index))
        }
        Event::EffectRequested { step: index, call, attempt, .. } => {
            let again = if *attempt > 1 { format!(", attempt {attempt}") } else { String::new() };
            format!("{} asks for {}{again}", step(*index), label(*call))
        }
        Event::EffectQueued { call, reason: by, .. } => {
            let why = match by {
                QueueReason::RetryDelay => "pauses before it is tried again",
                QueueReason::Request => "waits for others of the request",
                QueueReason::Target => "waits for its target",
                QueueReason::Kind => "waits for others of its kind",
            };
            format!("{} {why}", label(*call))
        }
        Event::EffectStarted { call, .. } => format!("{} begins", label(*call)),
        Event::CompletionDelayed { call, ready_ns, at_ns, .. } => {
            let late = effect(*call)
                .and_then(|effect| effect.completion_delays().find(|late| late.ready_ns == *ready_ns));
            let why = late.map_or_else(String::new, |late| format!(": {}", late.reason()));
            let ns = at_ns.saturating_sub(*ready_ns);
            format!("what {} waited for was ready {} ago{why}", label(*call), HumanDuration { ns })
        }
        Event::ReadDelayed { part, unread_ns, .. } => {
            let read =
                timeline.read_delays.iter().find(|read| read.part == *part && read.unread_ns == *unread_ns);
            read.map_or_else(|| format!("{} read late", part.as_str()), ToString::to_string)
        }
        Event::EffectCompleted { call, answer, .. } => {
            let how = match answer {
                Answer::Ok(_) => "has its answer".to_owned(),
                Answer::Err(error) => format!("fails: {error}"),
                Answer::Cancelled => "is cancelled".to_owned(),
            };
            format!("{} {how}", label(*call))
        }
    }
}
