//! Drives a job to its end with a clock that ticks by one for each look at it.

use std::sync::Arc;

use zerver_engine::{Arrival, Call, Ended, Failure, Flow, FlowDef, Job, Next, Performed, Request, RequestId};
use zerver_trace::{Answer, Event, SharedValue, Value};

pub(crate) fn job(def: &FlowDef, request: Request) -> Job {
    seeded(def, request, 42)
}

/// A request whose randomness is derived from this.
pub(crate) fn job_of(def: &FlowDef, seed: u64) -> Job {
    seeded(def, Request::get("/"), seed)
}

fn seeded(def: &FlowDef, request: Request, seed: u64) -> Job {
    let flow = Flow::new(def, |failure: &Failure, _| failure.to_response()).unwrap();
    let arrival = Arrival { request: Arc::new(request), id: RequestId::from_u128(7), unix_ns: 1_000, seed };
    Job::new(Arc::new(flow), arrival, 0)
}

/// Runs it, answering each call by `perform`; the last call that was started is answered first.
pub(crate) fn drive(mut job: Job, mut perform: impl FnMut(&Call) -> Performed) -> Ended {
    let mut now = 0;
    let mut tick = || {
        now += 1;
        now
    };
    let mut waiting = Vec::new();
    let mut next = Next::Run;
    loop {
        waiting.extend(job.take_starts());
        next = match next {
            Next::Run => {
                let at = tick();
                job.run(at, &mut tick)
            }
            Next::Advance => job.advance(tick()),
            Next::Wait => {
                let start = waiting.pop().expect("a job that waits has started something");
                let performed = perform(&start.call);
                job.complete(start.number, tick(), performed)
            }
            Next::Ended => return job.finish(),
        };
    }
}

pub(crate) fn run(def: &FlowDef, request: Request, perform: impl FnMut(&Call) -> Performed) -> Ended {
    drive(job(def, request), perform)
}

/// For flows which ask for nothing.
pub(crate) fn nothing(call: &Call) -> Performed {
    panic!("asked for {call:?}")
}

pub(crate) fn body(ended: &Ended) -> &str {
    str::from_utf8(&ended.response.as_ref().unwrap().body).unwrap()
}

/// The events, one a line, without times.
pub(crate) fn events(ended: &Ended) -> String {
    let show = |datum: &SharedValue| Value::from_recordable(&**datum).unwrap().to_string();
    let line = |event: &Event<SharedValue>| match event {
        Event::BodyReceived { .. } => "received".to_owned(),
        Event::StepRan { step, decision, .. } => format!("step {step}: {decision}"),
        Event::StepYielded { step, progress } => format!("step {step} yields {}", show(progress)),
        Event::SlotWritten { step, slot, value, .. } => format!("step {step} wrote {slot}: {}", show(value)),
        Event::EffectRequested { call, step, kind, args, attempt, .. } => {
            let again = if *attempt > 1 { format!(" (attempt {attempt})") } else { String::new() };
            format!("step {step} asks {call}: {kind} {}{again}", args.summary().unwrap())
        }
        Event::EffectCompleted { call, answer: Answer::Ok(output), .. } => {
            format!("{call} gives {}", show(output))
        }
        Event::EffectCompleted { call, answer: Answer::Err(error), .. } => format!("{call} fails: {error}"),
        Event::EffectCompleted { call, answer: Answer::Cancelled, .. } => format!("{call} is cancelled"),
        Event::EffectQueued { call, reason: by, .. } => format!("{call} is held by its {}", by.as_str()),
        Event::EffectStarted { call, .. } => format!("{call} begins"),
        Event::Migrated { to, .. } => format!("carried to {to}"),
        Event::StepPanicked { step, .. } => format!("step {step} panicked"),
        Event::QuantumExceeded { step, .. } => format!("overran {step}"),
        Event::CompletionDelayed { call, .. } => format!("{call} is late"),
        Event::ReadDelayed { part, .. } => format!("its {} was read late", part.as_str()),
        Event::Reclassified { from, to, reason, .. } => format!("moved from {from} to {to}: {reason}"),
    };
    ended.events.iter().map(line).collect::<Vec<_>>().join("\n")
}
