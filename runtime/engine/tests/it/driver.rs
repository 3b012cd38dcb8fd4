//! Drives a job to its end, with a clock that advances by one each time it is read.

use std::sync::Arc;

use zerver_engine::{
    Arrival, Call, CallResult, Failure, FinishedJob, Flow, FlowDef, Job, Next, Request, RequestId,
};
use zerver_trace::{Answer, Event, SharedValue, Value};

pub(crate) fn job(def: &FlowDef, request: Request) -> Job {
    new_job(def, request, 42)
}

/// Creates a job with this random seed.
pub(crate) fn seeded_job(def: &FlowDef, seed: u64) -> Job {
    new_job(def, Request::get("/"), seed)
}

fn new_job(def: &FlowDef, request: Request, seed: u64) -> Job {
    let flow = Flow::new(def, |failure: &Failure, _| failure.to_response()).unwrap();
    let arrival = Arrival { request: Arc::new(request), id: RequestId::from_u128(7), unix_ns: 1_000, seed };
    Job::new(Arc::new(flow), arrival, 0)
}

/// Runs a job. `perform` completes its calls, the latest one first.
pub(crate) fn drive(mut job: Job, mut perform: impl FnMut(&Call) -> CallResult) -> FinishedJob {
    let mut now = 0;
    let mut tick = || {
        now += 1;
        now
    };
    let mut in_flight: Vec<zerver_engine::RequestedCall> = Vec::new();
    let mut next = Next::Run;
    loop {
        in_flight.extend(job.take_requested_calls());
        next = match next {
            Next::Run => {
                let at = tick();
                job.run(at, &mut tick)
            }
            Next::Advance => job.advance(tick()),
            Next::Wait => {
                // Calls that have become superfluous are skipped one by one: a group may have 100,000 of them.
                let start = loop {
                    let start = in_flight.pop().expect("a job that waits has calls in flight");
                    if job.is_waiting_for(start.number) {
                        break start;
                    }
                };
                let performed = perform(&start.call);
                job.complete(start.number, tick(), performed)
            }
            Next::Undo => job.undo(tick()),
            Next::Stream => job.start_stream(tick()),
            Next::Ended => return job.finish(),
        };
    }
}

pub(crate) fn run(def: &FlowDef, request: Request, perform: impl FnMut(&Call) -> CallResult) -> FinishedJob {
    drive(job(def, request), perform)
}

/// Performs no effect, for flows that need none.
pub(crate) fn no_effects(call: &Call) -> CallResult {
    panic!("unexpected call: {call:?}")
}

pub(crate) fn body(ended: &FinishedJob) -> &str {
    str::from_utf8(&ended.response.as_ref().unwrap().body).unwrap()
}

/// Returns the events, one per line, without times.
pub(crate) fn events(ended: &FinishedJob) -> String {
    let show = |datum: &SharedValue| Value::from_recordable(&**datum).unwrap().to_string();
    let line = |event: &Event<SharedValue>| match event {
        Event::BodyReceived { .. } => "received".to_owned(),
        Event::StepRan { step, decision, .. } => format!("step {step}: {decision}"),
        Event::StepYielded { step, progress } => format!("step {step} yields {}", show(progress)),
        Event::SlotWritten { step, slot, value, .. } => format!("step {step} wrote {slot}: {}", show(value)),
        Event::EffectRequested { call, step, kind, args, attempt, .. } => {
            let attempt = if *attempt > 1 { format!(" (attempt {attempt})") } else { String::new() };
            format!("step {step} requests {call}: {kind} {}{attempt}", args.summary().unwrap())
        }
        Event::EffectCompleted { call, answer: Answer::Ok(output), .. } => {
            format!("{call} returns {}", show(output))
        }
        Event::EffectCompleted { call, answer: Answer::Err(error), .. } => format!("{call} fails: {error}"),
        Event::EffectCompleted { call, answer: Answer::Canceled, .. } => format!("{call} is canceled"),
        Event::EffectQueued { call, reason, .. } => format!("{call} is queued: {}", reason.as_str()),
        Event::EffectStarted { call, .. } => format!("{call} starts"),
        Event::FaultInjected { call, rule, .. } => format!("{call}: {rule}"),
        Event::Logged { call, level, target, .. } => format!("{call}: {level} of {target}"),
        Event::StepLogged { step, level, target, .. } => format!("step {step}: {level} of {target}"),
        Event::PolicyDecided { call, decision, .. } => format!("{call}: {decision}"),
        Event::Migrated { to, .. } => format!("migrated to {to}"),
        Event::StepPanicked { step, .. } => format!("step {step} panicked"),
        Event::QuantumExceeded { step, .. } => format!("step {step} exceeded its quantum"),
        Event::CompletionDelayed { call, .. } => format!("{call} is taken late"),
        Event::EffectPoint { call, point, .. } => format!("{call} reached {point}"),
        Event::UndoRegistered { undo, call, step, .. } => {
            format!("step {step} can undo {} by undo {undo}", call.map_or(-1, i64::from))
        }
        Event::UndoStarted { undo, .. } => format!("undo {undo} starts"),
        Event::UndoEnded { undo, failure: None, .. } => format!("undo {undo} ends"),
        Event::UndoEnded { undo, failure: Some(failure), .. } => {
            format!("undo {undo} fails: {}", show(failure))
        }
        Event::ReadDelayed { part, .. } => format!("the {} was read late", part.as_str()),
        Event::Reclassified { from, to, reason, .. } => format!("reclassified from {from} to {to}: {reason}"),
    };
    ended.events.iter().map(line).collect::<Vec<_>>().join("\n")
}
