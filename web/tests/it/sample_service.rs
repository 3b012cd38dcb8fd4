//! Services over traces in memory, which a test can extend. Replays are recorded, and have a fixed report.

use std::sync::{Arc, Mutex};

use zerver_analysis::QueryClock;
use zerver_replay::{
    AppliedEdit, ChangedInput, ClassMetrics, Coverage, Edits, Finding, FindingClass, InputInfluence,
    Relation, ReplayError, ReplayedResponse, Report, ReportedValue, RuledOut, ServiceMetrics, Undecided,
    ValuePath, ValueSlice, WorkerMetrics,
};
use zerver_testkit::sample;
use zerver_trace::{
    AliasInfo, Answer, CatalogFlow, Cursor, Decision, Event, FlowDeclaration, FlowInfo, Header, Query,
    RequestId, SloInfo, SourceError, Summary, Trace, TraceSource,
};
use zerver_web::{ReplayOutcome, Services};

/// Present of the tests, shortly after the sample traces.
const NOW: u64 = 1_795_344_300_000_000_000;

/// Text that would do harm if it were taken for markup, script, or an order to the reader.
pub(crate) const HOSTILE: &str =
    "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{7*7}}</textarea></title>\u{202e}\u{1b}[31m";

/// Traces in memory, oldest first.
#[derive(Clone)]
pub(crate) struct MemorySource(Arc<Mutex<Vec<Trace>>>);

impl TraceSource for MemorySource {
    fn list(&self, query: &Query) -> Result<Vec<Summary>, SourceError> {
        let traces = self.0.lock().unwrap();
        let found = traces.iter().rev().map(Trace::summary).filter(|summary| query.matches(summary));
        Ok(found.take(query.limit.unwrap_or(usize::MAX)).collect())
    }

    fn load(&self, id: RequestId) -> Result<Option<Trace>, SourceError> {
        Ok(self.0.lock().unwrap().iter().find(|trace| trace.id == id).cloned())
    }

    fn end(&self) -> Result<Cursor, SourceError> {
        Ok(Cursor { block: 0, seen: self.0.lock().unwrap().len() as u32 })
    }

    fn list_before(
        &self,
        cursor: Cursor,
        limit: usize,
    ) -> Result<(Vec<Summary>, Option<Cursor>), SourceError> {
        let traces = self.0.lock().unwrap();
        let end = cursor.seen as usize;
        let start = end.saturating_sub(limit);
        let page = traces[start..end].iter().rev().map(Trace::summary).collect();
        Ok((page, (start > 0).then_some(Cursor { block: 0, seen: start as u32 })))
    }

    fn list_since(&self, cursor: Cursor, limit: usize) -> Result<(Vec<Summary>, Cursor), SourceError> {
        let traces = self.0.lock().unwrap();
        let page: Vec<_> = traces.iter().skip(cursor.seen as usize).take(limit).map(Trace::summary).collect();
        let reached = Cursor { block: 0, seen: cursor.seen + page.len() as u32 };
        Ok((page, reached))
    }
}

/// Services over sample traces.
pub(crate) struct SampleService {
    pub(crate) source: MemorySource,
    /// Replays that were asked for.
    pub(crate) replays: Mutex<Vec<(RequestId, Edits)>>,
    /// Values whose sources were asked for.
    pub(crate) asked_values: Mutex<Vec<String>>,
}

impl Default for SampleService {
    fn default() -> Self {
        let mut traces: Vec<Trace> = (0..40).map(|n| sample::report(n * 7 % 90)).collect();
        traces.extend([
            sample::slow(),
            sample::failed(),
            sample::held(),
            sample::late(),
            sample::rate_limited(30),
        ]);
        traces.extend([repeated_sql(), hostile()]);
        Self::of(traces)
    }
}

impl SampleService {
    /// Gives the traces ids and times that follow each other.
    pub(crate) fn of(mut traces: Vec<Trace>) -> Self {
        for (at, trace) in traces.iter_mut().enumerate() {
            trace.id = id(at);
            trace.started_unix_ns = NOW - 100_000_000_000 + at as u64 * 1_000_000;
        }
        Self {
            source: MemorySource(Arc::new(Mutex::new(traces))),
            replays: Mutex::default(),
            asked_values: Mutex::default(),
        }
    }

    /// Records another request.
    pub(crate) fn record(&self, mut trace: Trace) -> RequestId {
        let mut traces = self.source.0.lock().unwrap();
        trace.id = id(traces.len());
        trace.started_unix_ns = NOW - 1_000_000_000;
        let id = trace.id;
        traces.push(trace);
        id
    }

    /// Returns the ids of all requests, oldest first.
    pub(crate) fn ids(&self) -> Vec<RequestId> {
        self.source.0.lock().unwrap().iter().map(|trace| trace.id).collect()
    }

    /// Returns the id of the first request whose path or flow contains a text.
    pub(crate) fn id_of(&self, text: &str) -> RequestId {
        let traces = self.source.0.lock().unwrap();
        traces.iter().find(|trace| trace.path.contains(text) || trace.flow.name.contains(text)).unwrap().id
    }
}

fn id(at: usize) -> RequestId {
    RequestId::from_u128(0x019a_a4c2_1f3b_7abc_8def_0123_0000_0000 + at as u128)
}

impl Services for SampleService {
    fn trace_source(&self) -> Arc<dyn TraceSource> {
        Arc::new(self.source.clone())
    }

    fn replay(&self, trace: Trace, edits: Edits) -> Result<ReplayOutcome, ReplayError> {
        let is_refused = edits.at.as_deref() == Some("refuse");
        self.replays.lock().unwrap().push((trace.id, edits));
        if is_refused {
            return Err(ReplayError {
                message: "cannot build the service".into(),
                causes: vec![HOSTILE.into()],
                hints: vec!["fix the error".into()],
            });
        }
        let report = Report {
            coverage: Coverage {
                decisions_reproduced: 2,
                decisions_recorded: 3,
                effects_replayed: 1,
                ..Coverage::default()
            },
            findings: vec![Finding {
                class: FindingClass::InputEdited,
                step: "verify_roles".into(),
                field: format!("decision {HOSTILE}"),
                expected: ReportedValue::text("continue"),
                got: ReportedValue::text("fail"),
                source: None,
            }],
            applied: vec![AppliedEdit {
                target: "Todo.title".into(),
                step: "render_todo".into(),
                from: ReportedValue::text("Buy milk"),
                to: ReportedValue::Secret,
            }],
            response: Some(ReplayedResponse {
                status: 403,
                headers: Vec::new(),
                body: Some(format!("{{\"error\":\"{}\"}}", "no")),
                body_bytes: 14,
                stream: None,
            }),
            ..Report::default()
        };
        Ok(ReplayOutcome { report, build: "todos 0.2.0".into() })
    }

    fn value_sources(&self, _: Trace, value: ValuePath) -> Result<ValueSlice, ReplayError> {
        self.asked_values.lock().unwrap().push(value.to_string());
        let text = ReportedValue::text;
        Ok(ValueSlice {
            target: value.to_string(),
            value: Some(text(HOSTILE)),
            sources: vec![InputInfluence {
                input: format!("header.{HOSTILE}"),
                relation: Relation::FlowsInto,
                shown_by: ChangedInput { from: text("4"), to: text("5"), value: text(HOSTILE) },
                through_slots: vec!["slot.Todo".into()],
                through_effects: vec![1],
            }],
            ruled_out: vec![RuledOut { input: "query.full".into(), tried: 4, reason: String::new() }],
            undecided: vec![Undecided { input: "param.id".into(), reason: HOSTILE.into() }],
            runs: 412,
            ..ValueSlice::default()
        })
    }

    fn catalog(&self) -> Result<Vec<CatalogFlow>, String> {
        let mut flows: Vec<FlowInfo> = Vec::new();
        for trace in self.source.0.lock().unwrap().iter() {
            if !flows.iter().any(|flow| flow.name == trace.flow.name) {
                flows.push((*trace.flow).clone());
            }
        }
        let alias = AliasInfo {
            pattern: format!("/old/{HOSTILE}"),
            redirect: true,
            deprecated: Some("2026-12-01".into()),
            until: Some("2027-03-01".into()),
        };
        let declaration = FlowDeclaration {
            version: 2,
            owner: Some(format!("checkout {HOSTILE}")),
            aliases: vec![alias],
            slo: Some(SloInfo { p95_ns: Some(1_000_000), p99_ns: None, errors_ppm: Some(1_000) }),
            plan_hash: "0123456789abcdef".into(),
            ..FlowDeclaration::default()
        };
        Ok(flows.into_iter().map(|flow| CatalogFlow::new(flow, Some(declaration.clone()))).collect())
    }

    fn metrics(&self) -> Option<Result<ServiceMetrics, String>> {
        let worker = |n: u64| WorkerMetrics {
            name: format!("worker {n}"),
            busy_ns: n * 700_000_000,
            ..WorkerMetrics::default()
        };
        Some(Ok(ServiceMetrics {
            uptime_ns: 2_000_000_000,
            classes: vec![ClassMetrics {
                name: "interactive".into(),
                requests: 84,
                waiting: 3,
                ..ClassMetrics::default()
            }],
            workers: vec![worker(1), WorkerMetrics { stuck: true, ..worker(2) }],
            ..ServiceMetrics::default()
        }))
    }

    fn clock(&self) -> QueryClock {
        QueryClock::utc(NOW)
    }
}

/// Returns a trace in which every text that a client or a service controls is hostile.
pub(crate) fn hostile() -> Trace {
    let mut flow =
        sample::flow(&[(HOSTILE, false), ("Secret", true)], &[(HOSTILE, &[], &[0]), ("after", &[0], &[1])]);
    flow.name = HOSTILE.into();
    flow.pattern = HOSTILE.into();
    for step in &mut flow.steps {
        (step.doc, step.file) = (HOSTILE.into(), HOSTILE.into());
    }
    let mut trace = sample::trace(
        flow,
        2_000_000,
        vec![
            Event::BodyReceived { at_ns: 1_000 },
            sample::ran(0, 1, 5, 100, Decision::Need),
            sample::asked(0, 0, 110, "http", sample::summed(HOSTILE, HOSTILE), 1),
            sample::answered(0, 900, Answer::Ok(sample::summed((HOSTILE, 7), HOSTILE))),
            sample::wrote(0, 0, 905, sample::plain(HOSTILE)),
            sample::wrote(1, 1, 906, sample::plain("the-secret-of-a-slot")),
            sample::ran(1, 906, 910, 1_000, Decision::Done),
        ],
    );
    trace.method = HOSTILE.into();
    trace.path = format!("/hostile/{HOSTILE}");
    trace.target = sample::wire(format!("/hostile/{HOSTILE}?{HOSTILE}").as_bytes());
    trace.build = HOSTILE.into();
    trace.peer = HOSTILE.into();
    trace.request_headers.push(Header { name: HOSTILE.into(), value: sample::wire(HOSTILE.as_bytes()) });
    trace.response_headers.push(Header { name: "x".into(), value: sample::wire(HOSTILE.as_bytes()) });
    trace.response_body.bytes = sample::wire(HOSTILE.as_bytes());
    trace.request_body.bytes = sample::wire(HOSTILE.as_bytes());
    (trace.request_body.full_len, trace.request_body.kept_len) = (200, 100);
    trace
}

/// Returns a trace of a step that performs one statement ten times.
fn repeated_sql() -> Trace {
    #[derive(serde::Serialize)]
    struct Statement {
        text: &'static str,
    }
    #[derive(serde::Serialize)]
    struct Statements {
        statements: [Statement; 1],
    }
    let mut events = vec![Event::BodyReceived { at_ns: 0 }, sample::ran(0, 0, 1, 5, Decision::Need)];
    for call in 0..10 {
        let args = Statements { statements: [Statement { text: "select  title from todos where id = $1" }] };
        events.push(sample::asked(
            call,
            0,
            10 + u64::from(call) * 9_000,
            "sql",
            sample::summed(args, "todo title"),
            1,
        ));
        events.push(sample::answered(
            call,
            8_000 + u64::from(call) * 9_000,
            Answer::Ok(sample::summed(1, "1 row")),
        ));
    }
    events.push(sample::ran(1, 90_000, 90_001, 50, Decision::Done));
    let mut flow = sample::flow(&[], &[("load_each", &[], &[]), ("render", &[], &[])]);
    flow.name = "todos-export".into();
    let mut trace = sample::trace(flow, 90_100_000, events);
    trace.path = "/todos/export".into();
    trace.target = sample::wire(b"/todos/export");
    trace
}

/// Returns a trace with this many events.
pub(crate) fn long(events: usize) -> Trace {
    let mut all = vec![Event::BodyReceived { at_ns: 0 }];
    for call in 0..events as u64 / 4 {
        let at = call * 20;
        all.push(sample::ran(0, at, at + 1, 2, Decision::Need));
        all.push(sample::asked(
            call as u32,
            0,
            at + 3,
            "kv",
            sample::summed(("todo", call), "get todo:1"),
            1,
        ));
        all.push(sample::answered(call as u32, at + 15, Answer::Ok(sample::summed("Buy milk", "found"))));
        all.push(sample::wrote(0, 0, at + 16, sample::plain(call)));
    }
    let flow = sample::flow(&[("Todo", false)], &[("load", &[], &[0])]);
    let mut trace = sample::trace(flow, events as u64 * 5_000 + 1_000, all);
    trace.path = "/long".into();
    trace
}
