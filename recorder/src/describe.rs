//! From a capture to a row of the block: the one place where recorded values are described and secrets are taken out of
//! them. Runs on the writer's thread, and on nothing but what is kept.

use std::any::{Any, TypeId};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use zerver_trace::value::Encoder;
use zerver_trace::{
    Answer, Capture, Datum, Event, FailureInfo, FlowInfo, Kept, Message, MessagePart, Missing, Name, Outcome,
    Recorded, Value, ValueError,
};

use crate::block::{Open, TooLarge};
use crate::known::{AsIs, Fresh, Known, Part, What};
use crate::row::Row;
use crate::seal::Sealer;
use crate::secrets::Secrets;
use crate::{format, quiet, words};

/// The values of a trace may have so many bytes together; what is left then is too large.
const VALUES: usize = 2 << 20;
/// A trace may have so many events.
const EVENTS: usize = 20_000;
/// A text that is no value may have so many bytes.
const TEXT: usize = 16 << 10;
/// The most of a body that a value can hold.
pub(crate) const MAX_BODY: usize = 192 << 10;

/// Turns captures into rows.
pub(crate) struct Describer {
    sealer: Sealer,
    build: String,
    body_limit: usize,
    parts: Parts,
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
        Self { sealer, build, body_limit: body_limit.min(MAX_BODY), parts: Parts::default() }
    }

    /// Adds a capture to the block; of one that is larger than a trace may be, an outline.
    pub(crate) fn record(
        &mut self,
        mut capture: Box<Capture>,
        kept: Kept,
        open: &mut Open,
    ) -> Result<(), TooLarge> {
        let mut row = self.describe(&capture, kept);
        // What cannot even be dropped is not recorded.
        capture.events.clear();
        let extra = row_secrets(&mut row);
        let set = self.parts.known.set(&self.parts.announcing, extra);
        if let Some(set) = &set {
            each_text(&mut row, |text| {
                if let Some(masked) = set.secrets().masked(text.as_bytes(), self.sealer.key()) {
                    *text = masked;
                }
            });
        }
        row.flow = open.flow(&capture.flow);
        let mark = open.mark();
        let (known, sealer) = (&mut self.parts.known, &mut self.sealer);
        row.renumber(|part| known.piece(part, set.as_ref(), sealer, open));
        if open.push(&mut row).is_ok() {
            return Ok(());
        }
        open.cut(mark);
        self.forget();
        self.outline(&mut row, &capture);
        row.flow = open.flow(&Arc::new(FlowInfo { name: capture.flow.name.clone(), ..FlowInfo::default() }));
        let (known, sealer) = (&mut self.parts.known, &mut self.sealer);
        row.renumber(|part| known.piece(part, set.as_ref(), sealer, open));
        open.push(&mut row)
    }

    /// For the next block.
    pub(crate) fn forget(&mut self) {
        self.parts.known.clear();
    }

    /// The capture as a row with parts for pieces.
    fn describe(&mut self, capture: &Capture, kept: Kept) -> Row {
        let parts = &mut self.parts;
        parts.left = VALUES;
        parts.announcing.clear();
        let request = parts.message(&*capture.request, self.body_limit);
        let response = match capture.response.as_deref() {
            Some(response) => parts.message(response, self.body_limit),
            None => Told::default(),
        };
        let recorded = capture.events.len().min(EVENTS);
        let dropped = (capture.events.len() - recorded) as u32;
        let slots = &capture.flow.slots;
        let events = &capture.events[..recorded];
        Row {
            flow: 0,
            id: capture.id,
            class: capture.class,
            started_unix_ns: capture.started_unix_ns,
            duration_ns: capture.duration_ns,
            seed: capture.seed,
            build: parts.text(&self.build),
            kept,
            method: request.method.unwrap_or_else(|| parts.text("")),
            path: request.path.unwrap_or_else(|| parts.text("")),
            target: request.target.unwrap_or_else(|| parts.target("")),
            version: request.version.unwrap_or_else(|| parts.text("")),
            peer: request.peer.unwrap_or_else(|| parts.text("")),
            request_headers: request.headers,
            request_body: request.body.unwrap_or_else(|| parts.body(&[], 0)),
            status: capture.status,
            response_headers: response.headers,
            response_body: response.body.unwrap_or_else(|| parts.body(&[], 0)),
            outcome: capture.outcome.clone(),
            events: events.iter().map(|event| parts.event(event, slots)).collect(),
            events_dropped: capture.events_dropped.saturating_add(dropped),
        }
    }

    /// Leaves only the outline of a row.
    fn outline(&mut self, row: &mut Row, capture: &Capture) {
        let parts = &mut self.parts;
        parts.announcing.clear();
        row.events_dropped = row.events_dropped.saturating_add(row.events.len() as u32);
        row.events.clear();
        row.request_headers.clear();
        row.response_headers.clear();
        let told = parts.message(&*capture.request, 0);
        row.build = parts.text(&self.build);
        row.method = told.method.unwrap_or_else(|| parts.text(""));
        row.path = told.path.unwrap_or_else(|| parts.text(""));
        row.version = told.version.unwrap_or_else(|| parts.text(""));
        row.peer = told.peer.unwrap_or_else(|| parts.text(""));
        row.target = parts.missing(&[]);
        row.request_body = parts.missing(&lengths(told.full_len, 0));
        let response = capture.response.as_deref().map(|response| parts.message(response, 0));
        row.response_body = parts.missing(&lengths(response.map_or(0, |told| told.full_len), 0));
    }
}

/// What a message told, as parts.
#[derive(Debug, Default)]
struct Told {
    method: Option<Part>,
    path: Option<Part>,
    target: Option<Part>,
    version: Option<Part>,
    peer: Option<Part>,
    headers: Vec<Part>,
    body: Option<Part>,
    full_len: u64,
}

/// Finds the parts of one trace among those of the block.
#[derive(Default)]
struct Parts {
    known: Known,
    scratch: Encoder,
    /// What comes before a value in its piece.
    before: Vec<u8>,
    /// How many bytes the values of the trace may still have.
    left: usize,
    /// The parts of the trace that announce secrets.
    announcing: Vec<Part>,
}

impl Parts {
    fn message(&mut self, message: &dyn Message, body_limit: usize) -> Told {
        quiet::run(|| {
            let mut told = Told { headers: Vec::with_capacity(8), ..Told::default() };
            message.tell(body_limit, &mut |part| match part {
                MessagePart::Method(method) => told.method = Some(self.text(method)),
                MessagePart::Target(target) => {
                    told.path = Some(self.text(target.split('?').next().unwrap_or_default()));
                    told.target = Some(self.target(target));
                }
                MessagePart::Version(version) => told.version = Some(self.text(version)),
                MessagePart::Peer(peer) => told.peer = Some(self.text(peer)),
                MessagePart::Status(_) => {}
                MessagePart::Header(name, value) => told.headers.push(self.header(name, value)),
                MessagePart::Body(bytes, full_len) => {
                    told.full_len = full_len;
                    told.body = Some(self.body(bytes, full_len));
                }
            });
            told
        })
        .unwrap_or_default()
    }

    fn event(&mut self, event: &Event<Datum>, slots: &[zerver_trace::SlotInfo]) -> Event<Part> {
        match event {
            Event::Received { at_ns } => Event::Received { at_ns: *at_ns },
            Event::Ran { step, ready_ns, at_ns, cpu_ns, decision } => Event::Ran {
                step: *step,
                ready_ns: *ready_ns,
                at_ns: *at_ns,
                cpu_ns: *cpu_ns,
                decision: *decision,
            },
            Event::Yielded { step, progress } => {
                Event::Yielded { step: *step, progress: self.datum(Role::Other, progress) }
            }
            Event::Wrote { step, slot, at_ns, value } => {
                let secret = slots.get(usize::from(*slot)).is_none_or(|slot| slot.secret);
                let value = self.datum(if secret { Role::Secret } else { Role::Other }, value);
                Event::Wrote { step: *step, slot: *slot, at_ns: *at_ns, value }
            }
            Event::Asked { call, step, at_ns, kind, args, attempt, timeout_ns } => Event::Asked {
                call: *call,
                step: *step,
                at_ns: *at_ns,
                kind: kind.clone(),
                args: self.datum(Role::Other, args),
                attempt: *attempt,
                timeout_ns: *timeout_ns,
            },
            Event::Answered { call, at_ns, answer } => {
                let answer = match answer {
                    Answer::Ok(output) => Answer::Ok(self.datum(Role::Other, output)),
                    Answer::Err(error) => Answer::Err(error.clone()),
                    Answer::Cancelled => Answer::Cancelled,
                };
                Event::Answered { call: *call, at_ns: *at_ns, answer }
            }
            Event::Moved { at_ns, from, to, reason } => {
                Event::Moved { at_ns: *at_ns, from: *from, to: *to, reason: reason.clone() }
            }
            Event::Held { call, at_ns, by } => Event::Held { call: *call, at_ns: *at_ns, by: *by },
            Event::Begun { call, at_ns } => Event::Begun { call: *call, at_ns: *at_ns },
        }
    }

    fn text(&mut self, text: &str) -> Part {
        const SALT: u64 = 1 << 32;
        let cut = &text[..text.floor_char_boundary(TEXT)];
        let part = self.known.part(SALT, &[], cut.as_bytes(), || {
            let mut secrets = Secrets::default();
            secrets.add_from_text(cut.as_bytes());
            let mut whole = cut.to_owned();
            if cut.len() < text.len() {
                whole.push('…');
            }
            Fresh { what: What::Text(whole), whole: false, secrets }
        });
        self.note(part)
    }

    fn target(&mut self, target: &str) -> Part {
        self.before.clear();
        self.value(Role::Target, 0, |encoder| encoder.put(target), || None)
    }

    fn header(&mut self, name: &str, value: &[u8]) -> Part {
        let role = if words::is_sensitive(name) { Role::SecretHeader } else { Role::Other };
        self.before.clear();
        format::encode_into(name, &mut self.before);
        // As text where it is text, which is easier on the eye.
        match str::from_utf8(value) {
            Ok(text) => self.value(role, 0, |encoder| encoder.put(text), || None),
            Err(_) => self.value(role, 0, |encoder| encoder.bytes(value), || None),
        }
    }

    fn body(&mut self, bytes: &[u8], full_len: u64) -> Part {
        let kept = &bytes[..bytes.len().min(MAX_BODY)];
        let full_len = full_len.max(bytes.len() as u64);
        self.before.clear();
        self.before.extend_from_slice(&lengths(full_len, kept.len() as u64));
        self.value(Role::Other, 0, |encoder| encoder.bytes(kept), || None)
    }

    fn datum(&mut self, role: Role, datum: &Datum) -> Part {
        self.before.clear();
        let any: &dyn Any = &**datum;
        let known = self.known.len();
        let described = quiet::run(|| {
            let summary = || {
                let mut line = datum.summary()?;
                cut(&mut line, TEXT);
                Some(line)
            };
            self.value(role, type_salt(any.type_id()), |encoder| datum.encode(encoder), summary)
        });
        described.unwrap_or_else(|panic| {
            self.known.truncate(known);
            self.gone(role, Missing::Failed(format!("its Serialize panicked: {panic}")))
        })
    }

    fn value(
        &mut self,
        role: Role,
        salt: u64,
        encode: impl FnOnce(&mut Encoder) -> Result<(), ValueError>,
        summary: impl FnOnce() -> Option<String>,
    ) -> Part {
        self.scratch.clear();
        match encode(&mut self.scratch) {
            Ok(()) if self.scratch.written().is_empty() => {
                return self.gone(role, Missing::Failed(ValueError::Truncated.to_string()));
            }
            Ok(()) if self.scratch.written().len() <= self.left => {}
            Ok(()) | Err(ValueError::TooDeep | ValueError::TooLong) => {
                return self.gone(role, Missing::TooLarge);
            }
            Err(error) => return self.gone(role, Missing::Failed(error.to_string())),
        }
        self.left -= self.scratch.written().len();
        let scratch = &self.scratch;
        let part = self.known.part(salt ^ role as u64, &self.before, scratch.written(), || {
            let recorded = match scratch.copy() {
                Ok(value) => Recorded::Plain { value, summary: summary() },
                Err(error) => Recorded::Missing(Missing::Failed(error.to_string())),
            };
            Fresh::of(role, recorded)
        });
        self.note(part)
    }

    /// A value that is not there.
    fn gone(&mut self, role: Role, missing: Missing) -> Part {
        const SALT: u64 = 2 << 32;
        let why = match &missing {
            Missing::TooLarge => "",
            Missing::Failed(why) => why,
        };
        let salt = SALT | u64::from(missing == Missing::TooLarge) << 8 | role as u64;
        let why = why.to_owned();
        let part = self
            .known
            .part(salt, &self.before, why.as_bytes(), || Fresh::of(role, Recorded::Missing(missing)));
        self.note(part)
    }

    /// What is left of a value in an outline.
    fn missing(&mut self, before: &[u8]) -> Part {
        self.before.clear();
        self.before.extend_from_slice(before);
        self.gone(Role::Other, Missing::TooLarge)
    }

    fn note(&mut self, part: Part) -> Part {
        if self.known.announces(part) && !self.announcing.contains(&part) {
            self.announcing.push(part);
        }
        part
    }
}

impl Fresh {
    fn of(role: Role, recorded: Recorded) -> Self {
        let mut secrets = Secrets::default();
        let mut short = false;
        if let Recorded::Plain { value, summary } = &recorded {
            short = collect(&mut secrets, role, value);
            if let Some(line) = summary {
                short |= secrets.add_from_text(line.as_bytes());
            }
        }
        let whole = short || matches!(role, Role::Secret | Role::SecretHeader);
        Self { what: What::Value(recorded), whole, secrets }
    }
}

/// How a recorded body begins: with both its lengths.
fn lengths(full_len: u64, kept_len: u64) -> Vec<u8> {
    format::encode((full_len, kept_len))
}

/// Values of two types are two parts, for their summaries differ.
fn type_salt(of: TypeId) -> u64 {
    let mut hasher = AsIs::default();
    of.hash(&mut hasher);
    hasher.finish() << 2
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

/// The secrets that the texts of a row announce.
fn row_secrets(row: &mut Row) -> Secrets {
    let mut secrets = Secrets::default();
    each_text(row, |text| {
        cut(text, TEXT);
        secrets.add_from_text(text.as_bytes());
    });
    secrets
}

/// Calls `f` with every text of a row that is no part and may hold what a request brought.
fn each_text(row: &mut Row, mut f: impl FnMut(&mut String)) {
    match &mut row.outcome {
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
    for event in &mut row.events {
        if let Event::Answered { answer: Answer::Err(error), .. } = event {
            f(&mut error.message);
        }
    }
}

fn cut(text: &mut String, limit: usize) {
    if text.len() > limit {
        text.truncate(text.floor_char_boundary(limit));
        text.push('…');
    }
}
