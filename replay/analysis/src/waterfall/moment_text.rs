//! Moments of a request in words.

use zerver_trace::duration::HumanDuration;
use zerver_trace::{Answer, Event, QueueReason, Trace};

use super::moments::{Moment, MomentKind};
use crate::{Effect, LogLine, Timeline};

/// Describes a moment on one line.
pub fn describe_moment(trace: &Trace, timeline: &Timeline, moment: &Moment) -> String {
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
    let label = |call: u32| effect(call).map_or_else(|| format!("call {call}"), Effect::label);
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
            let line = lines.iter().find(|line| line.call == Some(*call) && line.at_ns == *at_ns);
            format!("{} logged {level}: {}", label(*call), line.map_or_else(String::new, LogLine::text))
        }
        Event::StepLogged { step: index, at_ns, level, .. } => {
            let runs = timeline.runs.iter().filter(|run| run.step.index == *index);
            let line = runs.flat_map(|run| &run.log_lines).find(|line| line.at_ns == *at_ns);
            format!("{} logged {level}: {}", step(*index), line.map_or_else(String::new, LogLine::text))
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
