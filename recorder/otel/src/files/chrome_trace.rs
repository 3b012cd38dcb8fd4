//! The trace event format of Chrome, which Perfetto, Firefox Profiler and speedscope open.
//!
//! Each request is a process. Its first thread shows the request and the runs of its steps; calls are on further threads,
//! with as many as there were calls in flight at the same time, because slices on one thread may not overlap.

use serde_json::{Map, Value, json};
use zerver_analysis::{Attempt, Effect, EffectEnd, StepRun, Timeline};
use zerver_trace::{QueueReason, Trace};

/// Returns traces as one document. Times count from the earliest request.
pub fn chrome_trace<'t>(traces: impl IntoIterator<Item = &'t Trace> + Clone) -> Value {
    let first_unix_ns =
        traces.clone().into_iter().map(|trace| trace.started_unix_ns).min().unwrap_or_default();
    let mut events = Vec::new();
    for (pid, trace) in (1_u64..).zip(traces) {
        let offset_ns = trace.started_unix_ns - first_unix_ns;
        Process { pid, offset_ns, events: &mut events }.add(trace);
    }
    json!({
        "traceEvents": events,
        "displayTimeUnit": "ns",
        "otherData": { "generator": "zerver", "first_request_unix_ns": first_unix_ns.to_string() },
    })
}

/// Thread of the request and its steps.
const STEPS_TID: u64 = 1;
/// First thread of calls.
const FIRST_CALL_TID: u64 = 2;

/// The events of one request.
struct Process<'e> {
    pid: u64,
    offset_ns: u64,
    events: &'e mut Vec<Value>,
}

impl Process<'_> {
    fn add(&mut self, trace: &Trace) {
        let timeline = Timeline::of(trace);
        let name = format!("{} {}", trace.method, trace.path);
        self.metadata(None, "process_name", json!({ "name": format!("{name} {}", trace.id) }));
        self.metadata(Some(STEPS_TID), "thread_name", json!({ "name": "steps" }));
        let args = json!({
            "request_id": trace.id.to_string(), "flow": trace.flow.name, "status": trace.status,
            "outcome": trace.outcome.as_str(), "class": trace.class.as_str(), "build": trace.build,
        });
        self.slice(STEPS_TID, (&name, "request"), 0, trace.duration_ns, args);
        for run in &timeline.runs {
            self.step(run);
        }
        let mut calls: Vec<_> = timeline
            .runs
            .iter()
            .flat_map(|run| &run.effects)
            .flat_map(|effect| effect.attempts.iter().map(move |attempt| (effect, attempt)))
            .collect();
        calls.sort_by_key(|(_, attempt)| (attempt.start_ns, attempt.call));
        // The time at which the last call on each thread ends.
        let mut ends: Vec<u64> = Vec::new();
        for (effect, attempt) in calls {
            let free = ends.iter().position(|end_ns| *end_ns <= attempt.start_ns);
            let at = free.unwrap_or_else(|| {
                ends.push(0);
                ends.len() - 1
            });
            ends[at] = attempt.start_ns.saturating_add(attempt.duration_ns);
            self.call(FIRST_CALL_TID + at as u64, effect, attempt);
        }
        for tid in (FIRST_CALL_TID..).take(ends.len()) {
            self.metadata(Some(tid), "thread_name", json!({ "name": "calls" }));
        }
    }

    fn step(&mut self, run: &StepRun) {
        // Without a decision, the trace has only what followed from the run, and nothing is known about its times.
        let Some(decision) = run.decision else { return };
        if run.queue_ns > 0 {
            let args = json!({ "step": run.step.name });
            self.slice(STEPS_TID, ("queued", "queue"), run.ready_ns, run.queue_ns, args);
        }
        let source = format!("{}:{}", run.step.file, run.step.line);
        let args = json!({ "decision": decision.as_str(), "source": source });
        self.slice(STEPS_TID, (&run.step.name, "step"), run.start_ns, run.cpu_ns, args);
    }

    fn call(&mut self, tid: u64, effect: &Effect, attempt: &Attempt) {
        let mut args = Map::new();
        let mut add = |name: &str, value: Value| drop(args.insert(name.to_owned(), value));
        add("call", attempt.call.into());
        add("end", attempt.end.to_string().into());
        if attempt.number > 1 {
            add("attempt", attempt.number.into());
        }
        if attempt.queued_ns > 0 {
            add("queued_ns", attempt.queued_ns.into());
            add("queue_reason", attempt.queue_reason.map(QueueReason::as_str).into());
        }
        if let EffectEnd::Err(error) = &attempt.end {
            add("error", error.kind.as_str().into());
        }
        let label = effect.label();
        self.slice(tid, (&label, &effect.kind), attempt.start_ns, attempt.duration_ns, Value::Object(args));
        for point in &attempt.points {
            self.events.push(json!({
                "ph": "i", "name": named(&point.point), "cat": effect.kind, "pid": self.pid, "tid": tid,
                "ts": self.micros(point.at_ns), "s": "t",
            }));
        }
    }

    fn slice(&mut self, tid: u64, (name, category): (&str, &str), start_ns: u64, ns: u64, args: Value) {
        self.events.push(json!({
            "ph": "X", "name": named(name), "cat": category, "pid": self.pid, "tid": tid,
            "ts": self.micros(start_ns), "dur": micros(ns), "args": args,
        }));
    }

    fn metadata(&mut self, tid: Option<u64>, name: &str, args: Value) {
        let tid = tid.unwrap_or(STEPS_TID);
        self.events.push(json!({ "ph": "M", "name": name, "pid": self.pid, "tid": tid, "args": args }));
    }

    fn micros(&self, at_ns: u64) -> Value {
        micros(self.offset_ns.saturating_add(at_ns))
    }
}

/// Returns microseconds, the unit of the format, as an integer if they are whole.
fn micros(ns: u64) -> Value {
    match ns % 1_000 {
        0 => (ns / 1_000).into(),
        _ => (ns as f64 / 1_000.0).into(),
    }
}

/// Returns the name of an event. The format demands one, and an imported recording may have an empty one.
fn named(name: &str) -> &str {
    if name.is_empty() { "unnamed" } else { name }
}
