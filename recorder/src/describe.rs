//! From a capture to a trace: the one place where recorded values are described and secrets are taken out of them.
//! Runs on the writer's thread, and on nothing but what is kept.

use std::sync::Arc;

use zerver_trace::value::Encoder;
use zerver_trace::{
    Answer, Body, Capture, Datum, Event, FailureInfo, Header, Kept, Message, MessageInfo, Missing, Name,
    Outcome, Recorded, RecordedBody, RequestInfo, ResponseInfo, Shown, Trace, Value, ValueError,
};

use crate::quiet;
use crate::seal::Sealer;
use crate::secrets::Secrets;
use crate::words;

/// The values of a trace may have so many bytes together; what is left then is too large.
const VALUES: usize = 2 << 20;
/// A trace may have so many events.
const EVENTS: usize = 20_000;
/// A text that is no value may have so many bytes.
const TEXT: usize = 16 << 10;
/// The most of a body that a value can hold.
pub(crate) const MAX_BODY: usize = 192 << 10;

/// Turns captures into traces.
pub(crate) struct Describer {
    sealer: Sealer,
    build: String,
    body_limit: usize,
    scratch: Encoder,
}

/// What a value of a trace is, as far as secrets go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// Secret as a whole.
    Secret,
    /// The value of a header whose name says that it is secret.
    SecretHeader,
    Target,
    Other,
}

impl Describer {
    pub(crate) fn new(sealer: Sealer, build: String, body_limit: usize) -> Self {
        Self { sealer, build, body_limit: body_limit.min(MAX_BODY), scratch: Encoder::new() }
    }

    pub(crate) fn trace(&mut self, capture: Capture, kept: Kept) -> Trace {
        let mut values = Values { scratch: std::mem::take(&mut self.scratch), left: VALUES };
        let request = match describe(&*capture.request, self.body_limit) {
            Some(MessageInfo::Request(info)) => info,
            _ => RequestInfo::default(),
        };
        let response =
            match capture.response.as_deref().and_then(|message| describe(message, self.body_limit)) {
                Some(MessageInfo::Response(info)) => info,
                _ => ResponseInfo::default(),
            };
        let mut events = capture.events;
        let dropped = capture.events_dropped.saturating_add(events.len().saturating_sub(EVENTS) as u32);
        events.truncate(EVENTS);
        let mut trace = Trace {
            id: capture.id,
            flow: capture.flow,
            class: capture.class,
            started_unix_ns: capture.started_unix_ns,
            duration_ns: capture.duration_ns,
            seed: capture.seed,
            build: self.build.clone(),
            kept,
            method: request.method,
            path: request.target.split('?').next().unwrap_or_default().to_owned(),
            target: values.text(&request.target),
            version: request.version,
            peer: request.peer,
            request_headers: values.headers(request.headers),
            request_body: values.body(&request.body),
            status: capture.status,
            response_headers: values.headers(response.headers),
            response_body: values.body(&response.body),
            outcome: capture.outcome,
            events: events.into_iter().map(|event| event.map(|datum| values.datum(&datum))).collect(),
            events_dropped: dropped,
        };
        self.scratch = values.scratch;
        each_text(&mut trace, |text| cut(text, TEXT));
        self.hide(&mut trace);
        trace
    }

    /// Seals what is secret, and whatever holds a copy of it.
    fn hide(&mut self, trace: &mut Trace) {
        let mut secrets = Secrets::default();
        // Values with a secret that is too short to be searched for, by their position; sealed as a whole.
        let mut short: Vec<usize> = Vec::new();
        let (mut at, mut any) = (0, false);
        each_value(trace, |role, recorded| {
            if let Recorded::Plain { value, summary } = recorded {
                let mut has_short = collect(&mut secrets, role, value);
                if let Some(line) = summary {
                    has_short |= secrets.add_from_text(line.as_bytes());
                }
                any |= role != Role::Target && role != Role::Other;
                if has_short {
                    short.push(at);
                }
            } else {
                any |= role == Role::Secret;
            }
            at += 1;
        });
        each_text(trace, |text| {
            secrets.add_from_text(text.as_bytes());
        });
        if !any && short.is_empty() && secrets.is_empty() {
            return;
        }
        let mut at = 0;
        let sealer = &mut self.sealer;
        each_value(trace, |role, recorded| {
            let whole = matches!(role, Role::Secret | Role::SecretHeader) || short.contains(&at);
            at += 1;
            if let Recorded::Missing(Missing::Failed(why)) = recorded {
                // What a `Serialize` says of its failure may quote the value.
                if whole {
                    *why = "it could not be described".to_owned();
                } else if let Some(masked) = secrets.masked(why.as_bytes(), sealer.key()) {
                    *why = masked;
                }
            }
            let Recorded::Plain { value, summary } = &*recorded else { return };
            let in_summary = summary.as_ref().is_some_and(|line| secrets.are_in(line.as_bytes()));
            if whole || in_summary || secrets.are_in(value.tokens()) {
                let shown = if whole { None } else { shown(&secrets, sealer, value, summary.as_deref()) };
                *recorded = sealer.seal(value, summary.as_deref(), shown);
            }
        });
        each_text(trace, |text| {
            if let Some(masked) = secrets.masked(text.as_bytes(), sealer.key()) {
                *text = masked;
            }
        });
    }
}

fn shown(secrets: &Secrets, sealer: &Sealer, value: &Value, summary: Option<&str>) -> Option<Shown> {
    let value = secrets.masked_value(value, sealer.key())?;
    let summary =
        summary.map(|line| secrets.masked(line.as_bytes(), sealer.key()).unwrap_or_else(|| line.to_owned()));
    Some(Shown { value, summary })
}

fn collect(secrets: &mut Secrets, role: Role, value: &Value) -> bool {
    match role {
        Role::Secret => {
            secrets.add_all(&value.root());
            secrets.add_named(&value.root());
            false
        }
        Role::SecretHeader => {
            if let Some(bytes) = value.root().as_bytes() {
                secrets.add_header(&bytes);
            }
            false
        }
        Role::Target => value.root().as_bytes().is_some_and(|target| secrets.add_from_target(&target)),
        Role::Other => words::may_announce(value.tokens()) && secrets.add_named(&value.root()),
    }
}

/// Calls `f` with every value of a trace, always in the same order.
fn each_value(trace: &mut Trace, mut f: impl FnMut(Role, &mut Recorded)) {
    f(Role::Target, &mut trace.target);
    for header in trace.request_headers.iter_mut().chain(&mut trace.response_headers) {
        let role = if words::is_sensitive(&header.name) { Role::SecretHeader } else { Role::Other };
        f(role, &mut header.value);
    }
    f(Role::Other, &mut trace.request_body.bytes);
    f(Role::Other, &mut trace.response_body.bytes);
    for event in &mut trace.events {
        match event {
            Event::Wrote { slot, value, .. } => {
                let secret = trace.flow.slots.get(usize::from(*slot)).is_none_or(|slot| slot.secret);
                f(if secret { Role::Secret } else { Role::Other }, value);
            }
            Event::Yielded { progress: value, .. }
            | Event::Asked { args: value, .. }
            | Event::Answered { answer: Answer::Ok(value), .. } => f(Role::Other, value),
            Event::Received { .. } | Event::Ran { .. } | Event::Answered { .. } => {}
        }
    }
}

/// Calls `f` with every text of a trace that is no value and may hold what a request brought.
fn each_text(trace: &mut Trace, mut f: impl FnMut(&mut String)) {
    f(&mut trace.path);
    f(&mut trace.method);
    match &mut trace.outcome {
        Outcome::Failed(FailureInfo { what, key, message, causes, .. }) => {
            causes.truncate(64);
            [key, message].into_iter().chain(causes).for_each(&mut f);
            let mut name = what.to_string();
            f(&mut name);
            if **what != *name {
                *what = Name::from(name);
            }
        }
        Outcome::Panicked { message: text, .. } | Outcome::Rejected { reason: text } => f(text),
        Outcome::Done | Outcome::TimedOut { .. } | Outcome::Gone { .. } => {}
    }
    for event in &mut trace.events {
        if let Event::Answered { answer: Answer::Err(error), .. } = event {
            f(&mut error.message);
        }
    }
}

fn describe(message: &dyn Message, body_limit: usize) -> Option<MessageInfo> {
    quiet::run(|| message.describe(body_limit)).ok()
}

/// Describes the values of one trace.
struct Values {
    scratch: Encoder,
    /// How many bytes they may still have.
    left: usize,
}

impl Values {
    fn of(&mut self, encode: impl FnOnce(&mut Encoder) -> Result<(), ValueError>) -> Recorded {
        self.scratch.clear();
        match encode(&mut self.scratch).and_then(|()| self.scratch.take()) {
            Ok(value) if value.tokens().len() <= self.left => {
                self.left -= value.tokens().len();
                Recorded::Plain { value, summary: None }
            }
            Ok(_) | Err(ValueError::TooDeep | ValueError::TooLong) => Recorded::Missing(Missing::TooLarge),
            Err(error) => Recorded::Missing(Missing::Failed(error.to_string())),
        }
    }

    fn text(&mut self, text: &str) -> Recorded {
        self.of(|encoder| encoder.put(text))
    }

    fn datum(&mut self, datum: &Datum) -> Recorded {
        let described = quiet::run(|| {
            let mut recorded = self.of(|encoder| datum.encode(encoder));
            if let Recorded::Plain { summary, .. } = &mut recorded {
                *summary = datum.summary();
                summary.iter_mut().for_each(|line| cut(line, TEXT));
            }
            recorded
        });
        let failed = |panic| Recorded::Missing(Missing::Failed(format!("its Serialize panicked: {panic}")));
        described.unwrap_or_else(failed)
    }

    fn headers(&mut self, headers: Vec<Header>) -> Vec<Header<Recorded>> {
        let describe = |Header { name, value }: Header| {
            // As text where it is text, which is easier on the eye.
            let value = match str::from_utf8(&value) {
                Ok(text) => self.text(text),
                Err(_) => self.of(|encoder| encoder.bytes(&value)),
            };
            Header { name, value }
        };
        headers.into_iter().map(describe).collect()
    }

    fn body(&mut self, body: &Body) -> RecordedBody {
        let kept = &body.bytes[..body.bytes.len().min(MAX_BODY)];
        let full_len = body.full_len.max(body.bytes.len() as u64);
        RecordedBody { full_len, kept_len: kept.len() as u64, bytes: self.of(|encoder| encoder.bytes(kept)) }
    }
}

fn cut(text: &mut String, limit: usize) {
    if text.len() > limit {
        text.truncate(text.floor_char_boundary(limit));
        text.push('…');
    }
}

/// A trace of which only the outline is left, because the whole of it is larger than a trace may be.
pub(crate) fn outline(trace: &mut Trace) {
    let gone = || Recorded::Missing(Missing::TooLarge);
    trace.events_dropped = trace.events_dropped.saturating_add(trace.events.len() as u32);
    trace.events.clear();
    trace.request_headers.clear();
    trace.response_headers.clear();
    trace.request_body.bytes = gone();
    trace.response_body.bytes = gone();
    trace.target = gone();
    trace.flow = Arc::new(zerver_trace::FlowInfo { name: trace.flow.name.clone(), ..Default::default() });
}
