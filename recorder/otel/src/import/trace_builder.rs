//! The trace of one tree of spans.

use std::collections::BTreeMap;
use std::sync::Arc;

use zerver_trace::{
    Answer, Class, Event, FlowInfo, Header, Kept, MissingReason, Name, Recorded, RecordedBy, Redaction,
    SealedBy, SpanId, StepInfo, Trace, TraceParent, Value,
};

use super::attribute_masks::{Masks, cut};
use super::effect_of_span::{answer, args, kind};
use super::request_of_span::{self, RequestLine};
use super::span_tree::{SpanNode, SpanTree, Visit};
use super::step_of_span::ExportedRun;

/// Maximum number of events of a trace. Further spans are counted as dropped.
const MAX_EVENTS: usize = 20_000;
/// Maximum size of the values and texts of a trace, in bytes. Further ones are missing.
const MAX_VALUE_BYTES: usize = 2 << 20;
/// Maximum number of events of one span that are shown.
const MAX_POINTS: usize = 16;

/// Returns the trace of the span at the root and those below it.
pub(super) fn trace(tree: &SpanTree<'_>, root: usize) -> Trace {
    let node = tree.node(root);
    let masks = Masks::default();
    let mut builder = TraceBuilder::new(node, &masks, start_unix_ns(tree, root));
    tree.walk(root, |visit, at| match visit {
        Visit::Start { depth } => builder.start(at, tree.node(at), depth),
        Visit::End => builder.end(at, tree.node(at)),
    });
    builder.finish()
}

/// Returns the time at which a request began. Without its own start, it begins with the first span below it.
pub(super) fn start_unix_ns(tree: &SpanTree<'_>, root: usize) -> u64 {
    let own = tree.node(root).span.start_unix_ns;
    if own != 0 {
        return own;
    }
    let mut first = u64::MAX;
    tree.walk(root, |_, at| match tree.node(at).span.start_unix_ns {
        0 => {}
        start_unix_ns => first = first.min(start_unix_ns),
    });
    if first == u64::MAX { 0 } else { first }
}

struct TraceBuilder<'s> {
    root: SpanNode<'s>,
    masks: &'s Masks,
    base_unix_ns: u64,
    steps: Vec<StepInfo>,
    /// Position of each step by its name, file and line.
    step_at: BTreeMap<(String, String, u32), u16>,
    /// Step that spans belong to which zerver has not exported.
    foreign_step: Option<u16>,
    /// Runs of steps around the current span, with the span that each began with.
    runs: Vec<(usize, u16)>,
    /// Calls that have started and not ended, with the span and the kind of each.
    open: Vec<(usize, u32, String)>,
    calls: u32,
    events: Vec<Event<Recorded>>,
    dropped: u32,
    /// Bytes that values and texts may still take.
    bytes_left: usize,
    last_end_unix_ns: u64,
}

impl<'s> TraceBuilder<'s> {
    fn new(root: SpanNode<'s>, masks: &'s Masks, base_unix_ns: u64) -> Self {
        Self {
            root,
            masks,
            base_unix_ns,
            steps: Vec::new(),
            step_at: BTreeMap::new(),
            foreign_step: None,
            runs: Vec::new(),
            open: Vec::new(),
            calls: 0,
            events: Vec::new(),
            dropped: 0,
            bytes_left: MAX_VALUE_BYTES,
            last_end_unix_ns: 0,
        }
    }

    fn at(&self, unix_ns: u64) -> u64 {
        unix_ns.saturating_sub(self.base_unix_ns)
    }

    fn start(&mut self, at: usize, node: SpanNode<'s>, depth: usize) {
        // A span needs an event for its start, one for its end, and some for what happened in between. Those that are open
        // still need their ends.
        if self.events.len() + self.open.len() + 2 + MAX_POINTS > MAX_EVENTS {
            self.dropped = self.dropped.saturating_add(1);
            return;
        }
        let at_ns = self.at(node.span.start_unix_ns);
        self.last_end_unix_ns = self.last_end_unix_ns.max(node.span.end_unix_ns);
        if let Some(run) = ExportedRun::of(node) {
            match self.step(&run.info) {
                Some(step) => {
                    self.events.push(run.event(step, at_ns));
                    self.runs.push((at, step));
                }
                None => self.dropped = self.dropped.saturating_add(1),
            }
            return;
        }
        let step = self.runs.last().map(|(_, step)| *step).or_else(|| self.foreign_step());
        let Some(step) = step else {
            self.dropped = self.dropped.saturating_add(1);
            return;
        };
        let kind = kind(node);
        let depth = depth.saturating_sub(self.runs.len());
        let args = self.bounded(args(node, &kind, depth, self.root.service, self.masks));
        let (call, name) = (self.calls, Name::from(kind.clone()));
        self.calls += 1;
        self.open.push((at, call, kind));
        let attempt = node.span.attributes.integer(&["http.request.resend_count"]).unwrap_or_default();
        let attempt = u16::try_from(attempt.saturating_add(1)).unwrap_or(1).max(1);
        self.events.push(Event::EffectRequested {
            call,
            step,
            at_ns,
            kind: name,
            args,
            attempt,
            timeout_ns: None,
        });
        for event in node.span.events.iter().take(MAX_POINTS) {
            let own = event.name.strip_prefix("zerver.point.").filter(|_| node.is_own);
            let point = own.map_or_else(|| event.name.clone(), |point| point.replace('_', " "));
            let point = cut(&self.masks.text(&point), 100);
            if !self.spend(point.len()) {
                break;
            }
            self.events.push(Event::EffectPoint { call, at_ns: self.at(event.unix_ns), point: point.into() });
        }
    }

    fn end(&mut self, at: usize, node: SpanNode<'s>) {
        if self.runs.last().is_some_and(|(span, _)| *span == at) {
            self.runs.pop();
            return;
        }
        let Some((_, call, kind)) = self.open.pop_if(|(span, ..)| *span == at) else { return };
        // A span that has not ended has no answer.
        if node.span.end_unix_ns < node.span.start_unix_ns || node.span.end_unix_ns == 0 {
            return;
        }
        let mut answer = answer(node, &kind, self.masks);
        if let Answer::Err(error) = &mut answer
            && !self.spend(error.message.len())
        {
            error.message = String::new();
        }
        self.events.push(Event::EffectCompleted { call, at_ns: self.at(node.span.end_unix_ns), answer });
    }

    /// Takes room for bytes of values and texts. Returns false if the trace has no more.
    fn spend(&mut self, bytes: usize) -> bool {
        let left = self.bytes_left.checked_sub(bytes);
        self.bytes_left = left.unwrap_or(self.bytes_left);
        left.is_some()
    }

    /// Returns the value, unless the trace has no room for it.
    fn bounded(&mut self, recorded: Recorded) -> Recorded {
        let len = recorded.value().map_or(0, |value| value.tokens().len());
        if self.spend(len + recorded.summary().map_or(0, str::len)) {
            recorded
        } else {
            Recorded::Missing(MissingReason::TooLarge)
        }
    }

    /// Returns the position of a step, which is added if it is new.
    fn step(&mut self, info: &StepInfo) -> Option<u16> {
        let key = (info.name.clone(), info.file.clone(), info.line);
        if let Some(at) = self.step_at.get(&key) {
            return Some(*at);
        }
        let at = u16::try_from(self.steps.len()).ok()?;
        if !self.spend(info.name.len() + info.file.len()) {
            return None;
        }
        self.step_at.insert(key, at);
        self.steps.push(info.clone());
        Some(at)
    }

    fn foreign_step(&mut self) -> Option<u16> {
        if self.foreign_step.is_none() {
            let service = if self.root.service.is_empty() { "(unnamed service)" } else { self.root.service };
            let info = StepInfo {
                name: cut(service, 100),
                doc: "The spans of another tracer.".to_owned(),
                file: String::new(),
                line: 0,
                reads: Vec::new(),
                writes: Vec::new(),
            };
            self.foreign_step = self.step(&info);
        }
        self.foreign_step
    }

    fn finish(self) -> Trace {
        let Self { root, masks, base_unix_ns, steps, events, dropped, last_end_unix_ns, .. } = self;
        let own_end = Some(root.span.end_unix_ns).filter(|end| *end >= base_unix_ns);
        let end_unix_ns = own_end.unwrap_or(last_end_unix_ns);
        let line = RequestLine::of(root, masks);
        let (status, outcome) = request_of_span::outcome(root, masks);
        let flow = FlowInfo {
            name: request_of_span::flow_name(root),
            method: line.method.clone(),
            pattern: line.pattern,
            class: Class::default(),
            slots: Vec::new(),
            steps,
        };
        Trace {
            id: request_of_span::id(root),
            flow: Arc::new(flow),
            class: Class::default(),
            started_unix_ns: base_unix_ns,
            duration_ns: end_unix_ns.saturating_sub(base_unix_ns),
            seed: 0,
            build: cut(root.resource.text(&["service.version"]).unwrap_or_default(), 100),
            kept: Kept::Imported,
            method: line.method,
            path: line.path,
            target: line.target,
            version: String::new(),
            peer: String::new(),
            request_headers: trace_headers(root),
            request_body: request_of_span::unknown_body(),
            status,
            response_headers: Vec::new(),
            response_body: request_of_span::unknown_body(),
            outcome,
            events,
            events_dropped: dropped,
            worker: None,
            origin: line.origin,
            redaction: Redaction::default(),
            is_undelivered: false,
            recorded_by: RecordedBy::Runtime,
            sealed_by: SealedBy(None),
        }
    }
}

/// Returns the headers that place the request in its distributed trace. The span knows what they said.
fn trace_headers(root: SpanNode<'_>) -> Vec<Header<Recorded>> {
    let span = root.span;
    let mut headers = Vec::new();
    let mut add = |name: &str, text: String| {
        if let Ok(value) = Value::from_bytes(text.as_bytes()) {
            headers.push(Header { name: name.to_owned(), value: Recorded::Plain { value, summary: None } });
        }
    };
    if span.trace_id != 0
        && let Some(span_id) = SpanId::from_u64(span.parent_span_id)
    {
        add(
            "traceparent",
            TraceParent { trace_id: span.trace_id, span_id, flags: span.flags as u8 }.to_string(),
        );
        if !span.trace_state.is_empty() {
            add("tracestate", cut(&span.trace_state, 512));
        }
    }
    headers
}
