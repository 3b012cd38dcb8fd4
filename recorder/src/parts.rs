//! The parts of one trace, found among those of its block. What comes again is found by the bytes it came as, so that
//! nothing is made of it a second time.

use std::any::{Any, TypeId};
use std::hash::{Hash, Hasher};
use std::net::SocketAddr;
use std::ops::Range;

use xxhash_rust::xxh3::xxh3_64_with_seed;
use zerver_trace::secret::{Author, Rule};
use zerver_trace::value::Encoder;
use zerver_trace::{
    Answer, Event, FlowInfo, Message, MessagePart, MissingReason, Recorded, SharedValue, SlotInfo, ValueError,
};

use crate::known::{AsIs, Fresh, Known, Own, Part, What};
use crate::part_secrets::{Role, found};
use crate::secrets::Secrets;
use crate::{format, quiet};

/// A text that is no value may have so many bytes.
pub(crate) const TEXT: usize = 16 << 10;
/// The most of a body that a value can hold.
pub(crate) const MAX_BODY: usize = 192 << 10;

/// What a message told, as parts.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(crate) method: Option<Part>,
    pub(crate) path: Option<Part>,
    pub(crate) target: Option<Part>,
    pub(crate) version: Option<Part>,
    pub(crate) peer: Option<Part>,
    pub(crate) headers: Vec<Part>,
    pub(crate) body: Option<Part>,
    pub(crate) full_len: u64,
    pub(crate) origin: Option<Part>,
}

/// What the bytes are by which a part is found: the same bytes as something else are another part.
#[derive(Clone, Copy)]
enum Salt {
    Text = 1,
    Gone,
    Header,
    Target,
    Body,
    Address,
    MarkedHeader,
    Origin,
    Path,
    ResponseHeader,
    ResponseBody,
}

impl Salt {
    const fn number(self) -> u64 {
        (self as u64) << 32
    }
}

/// Finds the parts of one trace among those of the block.
#[derive(Default)]
pub(crate) struct Parts {
    pub(crate) known: Known,
    scratch: Encoder,
    /// What comes before a value in its piece.
    before: Vec<u8>,
    /// Whether each value is described by itself, for one of them panics.
    is_careful: bool,
    /// How many bytes the values of the trace may still have.
    pub(crate) left: usize,
    /// The parts of the trace that announce secrets.
    pub(crate) announcing: Vec<Part>,
}

impl Parts {
    pub(crate) fn new(rule: Rule) -> Self {
        Self { known: Known::new(rule), ..Self::default() }
    }

    pub(crate) fn message(
        &mut self,
        message: &dyn Message,
        author: Author,
        flow: &FlowInfo,
        body_limit: usize,
    ) -> Told {
        quiet::run(|| {
            let mut told = Told { headers: Vec::with_capacity(8), ..Told::default() };
            message.tell(body_limit, &mut |part| match part {
                MessagePart::Method(method) => told.method = Some(self.text(method)),
                MessagePart::Target(target) => {
                    told.path = Some(self.path(flow, target.split('?').next().unwrap_or_default()));
                    told.target = Some(self.target(flow, target));
                }
                MessagePart::Origin(scheme, authority) => told.origin = Some(self.origin(scheme, authority)),
                MessagePart::Version(version) => told.version = Some(self.text(version)),
                MessagePart::Peer(peer) => told.peer = Some(self.text(peer)),
                MessagePart::Address(address) => told.peer = Some(self.address(address)),
                MessagePart::Status(_) => {}
                MessagePart::Header(name, value) => {
                    told.headers.push(self.header(name, value, author, false));
                }
                MessagePart::SecretHeader(name, value) => {
                    told.headers.push(self.header(name, value, author, true));
                }
                MessagePart::Body(bytes, full_len) => {
                    told.full_len = full_len;
                    told.body = Some(self.body(bytes, full_len, author));
                }
            });
            told
        })
        .unwrap_or_default()
    }

    /// The events, with parts for their values.
    pub(crate) fn events(&mut self, events: &[Event<SharedValue>], slots: &[SlotInfo]) -> Vec<Event<Part>> {
        let (left, announcing, at) = (self.left, self.announcing.len(), self.known.mark());
        let all = |parts: &mut Self| events.iter().map(|event| parts.event(event, slots)).collect();
        if let Ok(all) = quiet::run(|| all(self)) {
            return all;
        }
        // A value's `Serialize` has panicked: once more, with care.
        (self.left, self.is_careful) = (left, true);
        self.announcing.truncate(announcing);
        self.known.cut(at);
        let all = all(self);
        self.is_careful = false;
        all
    }

    fn event(&mut self, event: &Event<SharedValue>, slots: &[SlotInfo]) -> Event<Part> {
        match event {
            Event::BodyReceived { at_ns } => Event::BodyReceived { at_ns: *at_ns },
            Event::StepRan { step, ready_ns, at_ns, cpu_ns, decision } => Event::StepRan {
                step: *step,
                ready_ns: *ready_ns,
                at_ns: *at_ns,
                cpu_ns: *cpu_ns,
                decision: *decision,
            },
            Event::StepYielded { step, progress } => {
                Event::StepYielded { step: *step, progress: self.datum(Role::Other, progress) }
            }
            Event::SlotWritten { step, slot, at_ns, value } => {
                let secret = slots.get(usize::from(*slot)).is_none_or(|slot| slot.is_secret);
                let value = self.datum(if secret { Role::Secret } else { Role::Other }, value);
                Event::SlotWritten { step: *step, slot: *slot, at_ns: *at_ns, value }
            }
            Event::EffectRequested { call, step, at_ns, kind, args, attempt, timeout_ns } => {
                Event::EffectRequested {
                    call: *call,
                    step: *step,
                    at_ns: *at_ns,
                    kind: kind.clone(),
                    args: self.datum(Role::Other, args),
                    attempt: *attempt,
                    timeout_ns: *timeout_ns,
                }
            }
            Event::EffectCompleted { call, at_ns, answer } => {
                let answer = match answer {
                    Answer::Ok(output) => Answer::Ok(self.datum(Role::Other, output)),
                    Answer::Err(error) => Answer::Err(error.clone()),
                    Answer::Cancelled => Answer::Cancelled,
                };
                Event::EffectCompleted { call: *call, at_ns: *at_ns, answer }
            }
            Event::Reclassified { at_ns, from, to, reason } => {
                Event::Reclassified { at_ns: *at_ns, from: *from, to: *to, reason: reason.clone() }
            }
            Event::EffectQueued { call, at_ns, reason: by } => {
                Event::EffectQueued { call: *call, at_ns: *at_ns, reason: *by }
            }
            Event::EffectStarted { call, at_ns } => Event::EffectStarted { call: *call, at_ns: *at_ns },
            Event::Migrated { at_ns, to } => Event::Migrated { at_ns: *at_ns, to: *to },
            Event::QuantumExceeded { step, at_ns, quantum_ns } => {
                Event::QuantumExceeded { step: *step, at_ns: *at_ns, quantum_ns: *quantum_ns }
            }
            Event::CompletionDelayed { call, ready_ns, at_ns, thread: on, flow, step } => {
                Event::CompletionDelayed {
                    call: *call,
                    ready_ns: *ready_ns,
                    at_ns: *at_ns,
                    thread: *on,
                    flow: flow.clone(),
                    step: step.clone(),
                }
            }
            Event::ReadDelayed { part, unread_ns, ran_ns, flow, step } => Event::ReadDelayed {
                part: *part,
                unread_ns: *unread_ns,
                ran_ns: *ran_ns,
                flow: flow.clone(),
                step: step.clone(),
            },
            Event::StepPanicked { step, at_ns, file, line, column } => Event::StepPanicked {
                step: *step,
                at_ns: *at_ns,
                file: file.clone(),
                line: *line,
                column: *column,
            },
        }
    }

    pub(crate) fn text(&mut self, text: &str) -> Part {
        self.text_with(Salt::Text.number(), text, |rule, text| rule.spans(text, Author::Service))
    }

    fn path(&mut self, flow: &FlowInfo, path: &str) -> Part {
        let salt = Salt::Path.number() ^ flow_salt(flow);
        self.text_with(salt, path, |rule, path| rule.target_spans(&flow.name, &flow.pattern, path))
    }

    fn text_with(
        &mut self,
        salt: u64,
        text: &str,
        spans: impl FnOnce(&Rule, &[u8]) -> Vec<Range<usize>>,
    ) -> Part {
        let cut = &text[..text.floor_char_boundary(TEXT)];
        let part = self.known.part(salt, &[], cut.as_bytes(), |rule| {
            let (own, secrets) = found(cut.as_bytes(), spans(rule, cut.as_bytes()));
            let mut whole = cut.to_owned();
            if cut.len() < text.len() {
                whole.push('…');
            }
            Fresh { what: What::Text(whole), whole: false, own, secrets }
        });
        self.note(part)
    }

    fn address(&mut self, address: SocketAddr) -> Part {
        let SocketAddr::V4(v4) = address else { return self.text(&address.to_string()) };
        let ([a, b, c, d], [high, low]) = (v4.ip().octets(), v4.port().to_be_bytes());
        let fresh = |_: &Rule| Fresh {
            what: What::Text(v4.to_string()),
            whole: false,
            own: Own::Nothing,
            secrets: Secrets::default(),
        };
        self.known.part(Salt::Address.number(), &[], &[a, b, c, d, high, low], fresh)
    }

    pub(crate) fn target(&mut self, flow: &FlowInfo, target: &str) -> Part {
        self.before.clear();
        let salt = Salt::Target.number() ^ flow_salt(flow);
        self.raw(salt, Role::Target(flow), target.as_bytes(), |encoder| encoder.put(target))
    }

    fn origin(&mut self, scheme: &str, authority: &str) -> Part {
        self.before.clear();
        let origin = format!("{scheme}://{authority}");
        self.raw(Salt::Origin.number(), Role::Origin, origin.as_bytes(), |encoder| encoder.put(&origin))
    }

    fn header(&mut self, name: &str, value: &[u8], author: Author, is_marked: bool) -> Part {
        let (role, salt) = match (is_marked, author) {
            (true, _) => (Role::MarkedHeader, Salt::MarkedHeader),
            (false, Author::Client) => (Role::Header(name, author), Salt::Header),
            (false, Author::Service) => (Role::Header(name, author), Salt::ResponseHeader),
        };
        self.before.clear();
        format::encode_text_into(name, &mut self.before);
        // As text where it is text, which is easier on the eye.
        self.raw(salt.number(), role, value, |encoder| match str::from_utf8(value) {
            Ok(text) => encoder.put(text),
            Err(_) => encoder.bytes(value),
        })
    }

    pub(crate) fn body(&mut self, bytes: &[u8], full_len: u64, author: Author) -> Part {
        let kept = &bytes[..bytes.len().min(MAX_BODY)];
        let full_len = full_len.max(bytes.len() as u64);
        self.before.clear();
        format::encode_into((full_len, kept.len() as u64), &mut self.before);
        let salt = if author == Author::Client { Salt::Body } else { Salt::ResponseBody };
        self.raw(salt.number(), Role::Text(author), kept, |encoder| encoder.bytes(kept))
    }

    /// A value that is found by the bytes of which it is made.
    fn raw(
        &mut self,
        salt: u64,
        role: Role<'_>,
        bytes: &[u8],
        encode: impl FnOnce(&mut Encoder) -> Result<(), ValueError>,
    ) -> Part {
        // As a value, it has a tag and a length.
        let len = bytes.len() + 11;
        if len > self.left {
            return self.gone(role, MissingReason::TooLarge);
        }
        self.left -= len;
        let part = self.known.part(salt, &self.before, bytes, |rule| {
            let mut encoder = Encoder::new();
            let recorded = match encode(&mut encoder).and_then(|()| encoder.finish()) {
                Ok(value) => Recorded::Plain { value, summary: None },
                Err(ValueError::TooDeep | ValueError::TooLong) => Recorded::Missing(MissingReason::TooLarge),
                Err(error) => Recorded::Missing(MissingReason::Failed(error.to_string())),
            };
            Fresh::of(rule, role, recorded)
        });
        self.note(part)
    }

    fn datum(&mut self, role: Role<'_>, datum: &SharedValue) -> Part {
        self.before.clear();
        let any: &dyn Any = &**datum;
        let describe = |parts: &mut Self| {
            let summary = || {
                let mut line = datum.summary()?;
                cut(&mut line, TEXT);
                Some(line)
            };
            parts.value(role, type_salt(any.type_id()), |encoder| datum.encode(encoder), summary)
        };
        if !self.is_careful {
            return describe(self);
        }
        let known = self.known.mark();
        quiet::run(|| describe(self)).unwrap_or_else(|panic| {
            self.known.cut(known);
            self.gone(role, MissingReason::Failed(format!("its Serialize panicked: {panic}")))
        })
    }

    fn value(
        &mut self,
        role: Role<'_>,
        salt: u64,
        encode: impl FnOnce(&mut Encoder) -> Result<(), ValueError>,
        summary: impl FnOnce() -> Option<String>,
    ) -> Part {
        self.scratch.clear();
        match encode(&mut self.scratch) {
            Ok(()) if self.scratch.written().is_empty() => {
                return self.gone(role, MissingReason::Failed(ValueError::Truncated.to_string()));
            }
            Ok(()) if self.scratch.written().len() <= self.left => {}
            Ok(()) | Err(ValueError::TooDeep | ValueError::TooLong) => {
                return self.gone(role, MissingReason::TooLarge);
            }
            Err(error) => return self.gone(role, MissingReason::Failed(error.to_string())),
        }
        self.left -= self.scratch.written().len();
        let scratch = &self.scratch;
        let part = self.known.part(salt ^ role.number(), &self.before, scratch.written(), |rule| {
            let recorded = match scratch.copy() {
                Ok(value) => Recorded::Plain { value, summary: summary() },
                Err(error) => Recorded::Missing(MissingReason::Failed(error.to_string())),
            };
            Fresh::of(rule, role, recorded)
        });
        self.note(part)
    }

    /// A value that is not there.
    fn gone(&mut self, role: Role<'_>, missing: MissingReason) -> Part {
        let why = match &missing {
            MissingReason::TooLarge => "",
            MissingReason::Failed(why) => why,
        };
        let salt = Salt::Gone.number() | u64::from(missing == MissingReason::TooLarge) << 8 | role.number();
        let why = why.to_owned();
        let part = self.known.part(salt, &self.before, why.as_bytes(), |rule| {
            Fresh::of(rule, role, Recorded::Missing(missing))
        });
        self.note(part)
    }

    /// What is left of a value in an outline.
    pub(crate) fn missing(&mut self, before: &[u8]) -> Part {
        self.before.clear();
        self.before.extend_from_slice(before);
        self.gone(Role::Other, MissingReason::TooLarge)
    }

    fn note(&mut self, part: Part) -> Part {
        if self.known.announces(part) && !self.announcing.contains(&part) {
            self.announcing.push(part);
        }
        part
    }
}

/// How a recorded body begins: with both its lengths.
pub(crate) fn lengths(full_len: u64, kept_len: u64) -> Vec<u8> {
    format::encode((full_len, kept_len))
}

/// The same target is another part for another flow, which has other names for its parts.
fn flow_salt(flow: &FlowInfo) -> u64 {
    xxh3_64_with_seed(flow.pattern.as_bytes(), flow.name.len() as u64) << 40
}

/// Values of two types are two parts, for their summaries differ.
fn type_salt(of: TypeId) -> u64 {
    let mut hasher = AsIs::default();
    of.hash(&mut hasher);
    hasher.finish() << 2
}

/// Cuts a text, and says whether it did. The ellipsis is for eyes: that it was cut is not read from it.
pub(crate) fn cut(text: &mut String, limit: usize) -> bool {
    let is_longer = text.len() > limit;
    if is_longer {
        text.truncate(text.floor_char_boundary(limit));
        text.push('…');
    }
    is_longer
}
