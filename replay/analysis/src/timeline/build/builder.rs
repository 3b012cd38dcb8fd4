//! Builds the rows of a timeline from the events of a trace. Events count in their order, not by their times, which may
//! run backwards.

use std::collections::BTreeMap;

use zerver_replay::value::label;
use zerver_trace::{Answer, Decision, Event, FlowInfo, Outcome, QueueReason, Recorded, RecordedBy, Trace};

use crate::timeline::build::failure_builder::failure;
use crate::timeline::build::flow_names::Names;
use crate::timeline::build::time_sums::{close, io_of, totals};
use crate::timeline::rows::effect::{Attempt, CompletionDelay, Effect, EffectEnd, ReadDelay};
use crate::timeline::rows::slot_write::SlotWrite;
use crate::timeline::rows::timeline::{Migration, Reclassification, StepRun, Timeline};
use crate::timeline::totals::Span;

/// Number of effects that a retry looks back to find the one it repeats.
const RETRY_WINDOW: usize = 64;

impl Timeline {
    /// Creates the timeline of any trace. Missing and inconsistent data is listed in [`Timeline::gaps`].
    pub fn of(trace: &Trace) -> Self {
        let mut rows = TimelineBuilder::new(trace);
        if trace.recorded_by == RecordedBy::Layer && !trace.flow.steps.is_empty() {
            // The only step of such a flow is its handler, which ran, although nothing is known about its run.
            rows.new_run(0, 0, None);
        }
        for event in &trace.events {
            rows.take(event);
        }
        rows.finish()
    }
}

/// Position of an attempt: its run, its effect in the run, its place in the effect.
#[derive(Clone, Copy)]
pub(super) struct AttemptPosition {
    pub(super) run: usize,
    pub(super) effect: usize,
    attempt: usize,
}

/// Returns true if a call that waits for this reason pauses before its attempt. The pause is not part of the attempt.
const fn is_pause(by: QueueReason) -> bool {
    matches!(by, QueueReason::RetryDelay | QueueReason::Hedge)
}

pub(super) struct TimelineBuilder<'t> {
    pub(super) trace: &'t Trace,
    flow: &'t FlowInfo,
    names: Names<'t>,
    pub(super) runs: Vec<StepRun>,
    /// Run of each step that receives the step's writes and effects.
    open: BTreeMap<u16, usize>,
    /// Effect of each run that was answered last.
    answered: BTreeMap<usize, usize>,
    pub(super) calls: BTreeMap<u32, AttemptPosition>,
    /// Calls that are waiting, with the reason and the start.
    held: BTreeMap<u32, (QueueReason, u64)>,
    received_ns: Option<u64>,
    panicked_at: Option<(String, u32)>,
    moves: Vec<Reclassification>,
    carries: Vec<Migration>,
    read_late: Vec<ReadDelay>,
    slots: Vec<SlotWrite>,
    slot_at: BTreeMap<u16, usize>,
    /// Call of each undo.
    pub(super) undos: BTreeMap<u32, u32>,
    /// Undo in progress.
    pub(super) undoing: Option<u32>,
    pub(super) stray_answers: u32,
    pub(super) without_run: u32,
    pub(super) unknown_names: u32,
    pub(super) backwards: u32,
}

impl<'t> TimelineBuilder<'t> {
    fn new(trace: &'t Trace) -> Self {
        Self {
            trace,
            flow: &trace.flow,
            names: Names::new(&trace.flow),
            runs: Vec::new(),
            open: BTreeMap::new(),
            answered: BTreeMap::new(),
            calls: BTreeMap::new(),
            held: BTreeMap::new(),
            received_ns: None,
            panicked_at: None,
            moves: Vec::new(),
            carries: Vec::new(),
            read_late: Vec::new(),
            slots: Vec::new(),
            slot_at: BTreeMap::new(),
            undos: BTreeMap::new(),
            undoing: None,
            stray_answers: 0,
            without_run: 0,
            unknown_names: 0,
            backwards: 0,
        }
    }

    fn take(&mut self, event: &Event<Recorded>) {
        match event {
            Event::BodyReceived { at_ns } => self.received_ns = Some(self.received_ns.unwrap_or(*at_ns)),
            &Event::StepRan { step, ready_ns, at_ns, cpu_ns, decision } => {
                self.ran(step, ready_ns, at_ns, cpu_ns, decision);
            }
            Event::StepYielded { step, progress } => {
                if let Some(&at) = self.open.get(step) {
                    self.runs[at].progress = Some(progress.clone());
                }
            }
            Event::StepPanicked { file, line, .. } => self.panicked_at = Some((file.to_string(), *line)),
            Event::SlotWritten { step, slot, at_ns, value } => self.wrote(*step, *slot, *at_ns, value),
            Event::EffectRequested { call, step, at_ns, kind, args, attempt, timeout_ns } => {
                let attempt = Attempt {
                    call: *call,
                    number: *attempt,
                    start_ns: *at_ns,
                    duration_ns: 0,
                    retry_delay_ns: 0,
                    queued_ns: 0,
                    queue_reason: None,
                    timeout_ns: *timeout_ns,
                    points: Vec::new(),
                    plan: None,
                    completion_delays: Vec::new(),
                    end: EffectEnd::Unanswered,
                };
                self.asked(*step, kind, args, attempt);
            }
            Event::EffectCompleted { call, at_ns, answer } => self.answered(*call, *at_ns, answer),
            Event::EffectQueued { call, at_ns, reason: by } => {
                self.freed(*call, *at_ns);
                self.held.insert(*call, (*by, *at_ns));
            }
            Event::EffectStarted { call, at_ns } => self.freed(*call, *at_ns),
            Event::EffectPoint { call, at_ns, point } => self.reached(*call, *at_ns, point),
            Event::PolicyDecided { .. } => self.take_decision(event),
            Event::FaultInjected { call, at_ns, rule } => self.injected(*call, *at_ns, rule),
            Event::Logged { .. } | Event::StepLogged { .. } => self.take_line(event),
            Event::UndoRegistered { .. } | Event::UndoStarted { .. } | Event::UndoEnded { .. } => {
                self.take_undo(event);
            }
            Event::Reclassified { at_ns, from, to, reason } => {
                self.moves.push(Reclassification {
                    at_ns: *at_ns,
                    from: *from,
                    to: *to,
                    reason: reason.to_string(),
                });
            }
            &Event::Migrated { at_ns, to } => self.carries.push(Migration { at_ns, to }),
            Event::CompletionDelayed { call, ready_ns, at_ns, thread: on, flow, step } => {
                let (on, flow, step) = (*on, flow.to_string(), step.to_string());
                let ns = at_ns.saturating_sub(*ready_ns);
                self.late(
                    *call,
                    CompletionDelay { ready_ns: *ready_ns, delay_ns: ns, thread: on, flow, step },
                );
            }
            Event::ReadDelayed { part, unread_ns, ran_ns, flow, step } => self.read_late.push(ReadDelay {
                part: *part,
                unread_ns: *unread_ns,
                ran_ns: *ran_ns,
                flow: flow.to_string(),
                step: step.to_string(),
            }),
            &Event::QuantumExceeded { step, quantum_ns, .. } => {
                if let Some(&at) = self.open.get(&step) {
                    self.runs[at].exceeded_quantum_ns = Some(quantum_ns);
                }
            }
        }
    }

    fn ran(&mut self, step: u16, ready_ns: u64, at_ns: u64, cpu_ns: u64, decision: Decision) {
        self.backwards += u32::from(ready_ns > at_ns);
        let queue_ns = at_ns.saturating_sub(ready_ns);
        // Writes and effects of a step may precede its run.
        if let Some(&at) = self.open.get(&step) {
            let run = &mut self.runs[at];
            if run.decision.is_none() {
                (run.ready_ns, run.start_ns, run.queue_ns) = (ready_ns, at_ns, queue_ns);
                (run.cpu_ns, run.decision) = (cpu_ns, Some(decision));
                return;
            }
        }
        let at = self.new_run(step, at_ns, Some(decision));
        let run = &mut self.runs[at];
        (run.ready_ns, run.queue_ns, run.cpu_ns) = (ready_ns, queue_ns, cpu_ns);
    }

    fn new_run(&mut self, step: u16, start_ns: u64, decision: Option<Decision>) -> usize {
        self.unknown_names += u32::from(usize::from(step) >= self.flow.steps.len());
        self.runs.push(StepRun {
            step: self.names.step(step),
            ready_ns: start_ns,
            start_ns,
            queue_ns: 0,
            cpu_ns: 0,
            exceeded_quantum_ns: None,
            io_ns: 0,
            decision,
            progress: None,
            writes: Vec::new(),
            effects: Vec::new(),
            log_lines: Vec::new(),
        });
        let at = self.runs.len() - 1;
        self.open.insert(step, at);
        at
    }

    /// Returns the run that an event of `step` belongs to: the last run, unless it yielded and so did nothing else.
    pub(super) fn run_of(&mut self, step: u16, at_ns: u64) -> usize {
        match self.open.get(&step) {
            Some(&at) if self.runs[at].decision != Some(Decision::Yield) => at,
            _ => self.new_run(step, at_ns, None),
        }
    }

    fn wrote(&mut self, step: u16, slot: u16, at_ns: u64, value: &Recorded) {
        let info = self.flow.slots.get(usize::from(slot));
        self.unknown_names += u32::from(info.is_none());
        let write = SlotWrite {
            slot,
            name: self.names.slot(slot),
            is_secret: info.is_some_and(|slot| slot.is_secret),
            at_ns,
            value: value.clone(),
        };
        match self.slot_at.get(&slot) {
            Some(&at) => self.slots[at] = write.clone(),
            None => {
                self.slot_at.insert(slot, self.slots.len());
                self.slots.push(write.clone());
            }
        }
        let at = self.run_of(step, at_ns);
        match self.answered.get(&at) {
            Some(&effect) => self.runs[at].effects[effect].writes.push(write),
            None => self.runs[at].writes.push(write),
        }
    }

    fn asked(&mut self, step: u16, kind: &str, args: &Recorded, attempt: Attempt) {
        let run = self.run_of(step, attempt.start_ns);
        let (call, number) = (attempt.call, attempt.number);
        let undoes = self.undoing.and_then(|undo| self.undone_effect(undo)).map(|effect| effect.label());
        let effects = &mut self.runs[run].effects;
        let repeated = effects.iter_mut().enumerate().rev().take(RETRY_WINDOW).find(|(_, effect)| {
            let last = effect.attempts.last();
            number > 1
                && last.is_some_and(|last| last.number.checked_add(1) == Some(number))
                && effect.kind == kind
                && effect.args == *args
        });
        let place = match repeated {
            Some((at, effect)) => {
                effect.attempts.push(attempt);
                AttemptPosition { run, effect: at, attempt: effect.attempts.len() - 1 }
            }
            None => {
                effects.push(Effect {
                    kind: kind.to_owned(),
                    summary: label::args(kind, args),
                    args: args.clone(),
                    start_ns: attempt.start_ns,
                    duration_ns: 0,
                    attempts: vec![attempt],
                    policy_decisions: Vec::new(),
                    injected_faults: Vec::new(),
                    log_lines: Vec::new(),
                    end: EffectEnd::Unanswered,
                    writes: Vec::new(),
                    undo: None,
                    undoes,
                });
                AttemptPosition { run, effect: effects.len() - 1, attempt: 0 }
            }
        };
        self.calls.insert(call, place);
    }

    /// Ends the current wait of a call.
    fn freed(&mut self, call: u32, at_ns: u64) {
        let (Some((by, since_ns)), Some(place)) = (self.held.remove(&call), self.calls.get(&call)) else {
            return;
        };
        let attempt = &mut self.runs[place.run].effects[place.effect].attempts[place.attempt];
        let ns = at_ns.saturating_sub(since_ns);
        if is_pause(by) {
            attempt.retry_delay_ns = ns;
            attempt.start_ns = attempt.start_ns.max(at_ns);
            (attempt.queued_ns, attempt.queue_reason) = (0, None);
        } else {
            attempt.queued_ns = attempt.queued_ns.saturating_add(ns);
            attempt.queue_reason = Some(by);
        }
    }

    /// Records a point that an attempt reached, or its plan. Points of an unknown call are left out.
    fn reached(&mut self, call: u32, at_ns: u64, point: &str) {
        let Some(place) = self.calls.get(&call) else { return };
        self.runs[place.run].effects[place.effect].attempts[place.attempt].reached(at_ns, point);
    }

    /// Records that a completion waited for the worker: the end of a pause, or else an answer.
    fn late(&mut self, call: u32, late: CompletionDelay) {
        let Some(&place) = self.calls.get(&call) else { return };
        let is_paused = self.held.get(&call).is_some_and(|(by, _)| is_pause(*by));
        if is_paused {
            self.freed(call, late.ready_ns);
        }
        let attempt = &mut self.runs[place.run].effects[place.effect].attempts[place.attempt];
        if is_paused {
            attempt.start_ns = attempt.start_ns.max(late.ready_ns.saturating_add(late.delay_ns));
        }
        if late.delay_ns > 0 {
            attempt.completion_delays.push(late);
        }
    }

    fn answered(&mut self, call: u32, at_ns: u64, answer: &Answer<Recorded>) {
        let Some(&place) = self.calls.get(&call) else {
            self.stray_answers += 1;
            return;
        };
        let is_held_back = matches!(self.held.get(&call), Some((QueueReason::Hedge, _)));
        self.freed(call, at_ns);
        let attempts = &mut self.runs[place.run].effects[place.effect].attempts;
        if is_held_back
            && *answer == Answer::Canceled
            && place.attempt > 0
            && place.attempt + 1 == attempts.len()
        {
            // The second attempt of a hedge was not needed, and never began.
            attempts.pop();
            self.calls.remove(&call);
            return;
        }
        let attempt = &mut attempts[place.attempt];
        if attempt.end != EffectEnd::Unanswered {
            self.stray_answers += 1;
            return;
        }
        self.backwards += u32::from(at_ns < attempt.start_ns);
        // The answer was taken as soon as the worker was free.
        let ready_ns = match attempt.completion_delays.last_mut() {
            Some(late) if (attempt.start_ns..=at_ns).contains(&late.ready_ns) => {
                late.delay_ns = at_ns - late.ready_ns;
                late.ready_ns
            }
            _ => at_ns,
        };
        attempt.duration_ns = ready_ns.saturating_sub(attempt.start_ns);
        attempt.end = match answer {
            Answer::Ok(output) => EffectEnd::Ok { summary: label::output(output), output: output.clone() },
            Answer::Err(error) => EffectEnd::Err(error.clone()),
            Answer::Canceled => EffectEnd::Canceled,
        };
        self.answered.insert(place.run, place.effect);
    }

    fn finish(mut self) -> Timeline {
        let total_ns = self.trace.duration_ns;
        while let Some((&call, _)) = self.held.first_key_value() {
            self.freed(call, total_ns);
        }
        for run in &mut self.runs {
            for effect in &mut run.effects {
                close(effect, total_ns);
            }
            run.io_ns = io_of(run, total_ns);
            if run.decision.is_none() {
                self.without_run += 1;
            }
        }
        let totals = totals(total_ns, self.received_ns, self.waited(), &self.runs);
        let waited = self.waited();
        let gaps = self.gaps();
        let mut failure = failure(self.trace, &self.runs, &mut self.names);
        if let Some(failure) = &mut failure {
            failure.panicked_at = self.panicked_at.take();
        }
        Timeline {
            runs: self.runs,
            received_ns: self.received_ns,
            reclassifications: self.moves,
            migrations: self.carries,
            read_delays: self.read_late,
            totals,
            waited,
            slots: self.slots,
            failure,
            gaps,
        }
    }

    /// Returns the time in the run queue of a request that never had a turn.
    fn waited(&self) -> Option<Span> {
        let is_waiting = match self.trace.outcome {
            Outcome::Rejected { .. } | Outcome::TimedOut { .. } | Outcome::ClientLeft { .. } => {
                self.runs.is_empty()
            }
            Outcome::Done | Outcome::Failed(_) | Outcome::Panicked { .. } => false,
        };
        self.received_ns.filter(|_| is_waiting).map(|from_ns| (from_ns, self.trace.duration_ns))
    }
}
