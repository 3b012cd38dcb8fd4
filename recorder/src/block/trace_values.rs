//! Visits the recorded values of a trace.

use zerver_trace::{Answer, Event, Header, Origin, Recorded, RecordedBody, Trace};

/// Calls `f` with every recorded value of a trace.
pub(crate) fn each_value(trace: &mut Trace, mut f: impl FnMut(&mut Recorded)) {
    f(&mut trace.target);
    if let Origin::Named(origin) = &mut trace.origin {
        f(origin);
    }
    for Header { value, .. } in trace.request_headers.iter_mut().chain(&mut trace.response_headers) {
        f(value);
    }
    for RecordedBody { bytes, .. } in [&mut trace.request_body, &mut trace.response_body] {
        f(bytes);
    }
    trace.events.iter_mut().filter_map(event_value_mut).for_each(f);
}

/// Returns the value that an event holds, if it holds one.
pub(super) fn event_value_mut<V>(event: &mut Event<V>) -> Option<&mut V> {
    match event {
        Event::StepYielded { progress: value, .. }
        | Event::SlotWritten { value, .. }
        | Event::EffectRequested { args: value, .. }
        | Event::Logged { line: value, .. }
        | Event::StepLogged { line: value, .. }
        | Event::EffectCompleted { answer: Answer::Ok(value), .. }
        | Event::UndoEnded { failure: Some(value), .. } => Some(value),
        Event::BodyReceived { .. }
        | Event::StepRan { .. }
        | Event::EffectCompleted { .. }
        | Event::Reclassified { .. }
        | Event::EffectQueued { .. }
        | Event::EffectStarted { .. }
        | Event::Migrated { .. }
        | Event::QuantumExceeded { .. }
        | Event::CompletionDelayed { .. }
        | Event::ReadDelayed { .. }
        | Event::StepPanicked { .. }
        | Event::EffectPoint { .. }
        | Event::PolicyDecided { .. }
        | Event::FaultInjected { .. }
        | Event::UndoRegistered { .. }
        | Event::UndoStarted { .. }
        | Event::UndoEnded { .. } => None,
    }
}
