//! Interns the parts of requests and responses.

use std::net::SocketAddr;
use std::ops::Range;

use xxhash_rust::xxh3::xxh3_64_with_seed;
use zerver_trace::secret::{Author, Rule};
use zerver_trace::{FlowInfo, Message, MessagePart};

use crate::describe::part_content::{NewPart, OwnSecrets, PartContent};
use crate::describe::part_secrets::{ValueRole, secrets_at};
use crate::describe::part_table::PartId;
use crate::describe::value_interner::{MAX_BODY, MAX_TEXT, PartKind, ValueInterner};
use crate::secrets::trace_secrets::TraceSecrets;
use crate::{catch_panic, format::codec};

/// The parts of a request or a response.
#[derive(Debug, Default)]
pub(crate) struct InternedMessage {
    pub(crate) method: Option<PartId>,
    pub(crate) path: Option<PartId>,
    pub(crate) target: Option<PartId>,
    pub(crate) version: Option<PartId>,
    pub(crate) peer: Option<PartId>,
    pub(crate) headers: Vec<PartId>,
    pub(crate) body: Option<PartId>,
    pub(crate) full_len: u64,
    pub(crate) origin: Option<PartId>,
}

impl ValueInterner {
    pub(crate) fn message(
        &mut self,
        message: &dyn Message,
        author: Author,
        flow: &FlowInfo,
        body_limit: usize,
    ) -> InternedMessage {
        catch_panic::catch(|| {
            let mut parts = InternedMessage { headers: Vec::with_capacity(8), ..InternedMessage::default() };
            message.visit_parts(body_limit, &mut |part| match part {
                MessagePart::Method(method) => parts.method = Some(self.text(method)),
                MessagePart::Target(target) => {
                    parts.path = Some(self.path(flow, target.split('?').next().unwrap_or_default()));
                    parts.target = Some(self.target(flow, target));
                }
                MessagePart::Origin(scheme, authority) => parts.origin = Some(self.origin(scheme, authority)),
                MessagePart::Version(version) => parts.version = Some(self.text(version)),
                MessagePart::Peer(peer) => parts.peer = Some(self.text(peer)),
                MessagePart::Address(address) => parts.peer = Some(self.address(address)),
                MessagePart::Status(_) => {}
                MessagePart::Header(name, value) => {
                    parts.headers.push(self.header(name, value, author, false));
                }
                MessagePart::SecretHeader(name, value) => {
                    parts.headers.push(self.header(name, value, author, true));
                }
                MessagePart::Body(bytes, full_len) => {
                    parts.full_len = full_len;
                    parts.body = Some(self.body(bytes, full_len, author));
                }
            });
            parts
        })
        .unwrap_or_default()
    }

    pub(crate) fn text(&mut self, text: &str) -> PartId {
        self.intern_text(PartKind::Text.salt(), text, |rule, text| rule.spans(text, Author::Service))
    }

    fn path(&mut self, flow: &FlowInfo, path: &str) -> PartId {
        let salt = PartKind::Path.salt() ^ flow_salt(flow);
        self.intern_text(salt, path, |rule, path| rule.target_spans(&flow.name, &flow.pattern, path))
    }

    fn intern_text(
        &mut self,
        salt: u64,
        text: &str,
        spans: impl FnOnce(&Rule, &[u8]) -> Vec<Range<usize>>,
    ) -> PartId {
        let cut = &text[..text.floor_char_boundary(MAX_TEXT)];
        let part = self.table.intern(salt, &[], cut.as_bytes(), |rule| {
            let (own_secrets, secrets) = secrets_at(cut.as_bytes(), spans(rule, cut.as_bytes()));
            let mut kept = cut.to_owned();
            if cut.len() < text.len() {
                kept.push('…');
            }
            NewPart { content: PartContent::Text(kept), is_secret: false, own_secrets, secrets }
        });
        self.track_secrets(part)
    }

    fn address(&mut self, address: SocketAddr) -> PartId {
        let SocketAddr::V4(v4) = address else { return self.text(&address.to_string()) };
        let ([a, b, c, d], [high, low]) = (v4.ip().octets(), v4.port().to_be_bytes());
        let fresh = |_: &Rule| NewPart {
            content: PartContent::Text(v4.to_string()),
            is_secret: false,
            own_secrets: OwnSecrets::Nothing,
            secrets: TraceSecrets::default(),
        };
        self.table.intern(PartKind::Address.salt(), &[], &[a, b, c, d, high, low], fresh)
    }

    pub(crate) fn target(&mut self, flow: &FlowInfo, target: &str) -> PartId {
        self.prefix.clear();
        let salt = PartKind::Target.salt() ^ flow_salt(flow);
        self.intern_raw(salt, ValueRole::Target(flow), target.as_bytes(), |encoder| encoder.put(target))
    }

    fn origin(&mut self, scheme: &str, authority: &str) -> PartId {
        self.prefix.clear();
        let origin = format!("{scheme}://{authority}");
        self.intern_raw(PartKind::Origin.salt(), ValueRole::Origin, origin.as_bytes(), |encoder| {
            encoder.put(&origin)
        })
    }

    fn header(&mut self, name: &str, value: &[u8], author: Author, is_marked: bool) -> PartId {
        let (role, kind) = match (is_marked, author) {
            (true, _) => (ValueRole::MarkedHeader, PartKind::MarkedHeader),
            (false, Author::Client) => (ValueRole::Header(name, author), PartKind::Header),
            (false, Author::Service) => (ValueRole::Header(name, author), PartKind::ResponseHeader),
        };
        self.prefix.clear();
        codec::encode_text_into(name, &mut self.prefix);
        // Recorded as text if possible, because that is easier to read.
        self.intern_raw(kind.salt(), role, value, |encoder| match str::from_utf8(value) {
            Ok(text) => encoder.put(text),
            Err(_) => encoder.bytes(value),
        })
    }

    pub(crate) fn body(&mut self, bytes: &[u8], full_len: u64, author: Author) -> PartId {
        let kept = &bytes[..bytes.len().min(MAX_BODY)];
        let full_len = full_len.max(bytes.len() as u64);
        self.prefix.clear();
        codec::encode_into((full_len, kept.len() as u64), &mut self.prefix);
        let kind = if author == Author::Client { PartKind::Body } else { PartKind::ResponseBody };
        self.intern_raw(kind.salt(), ValueRole::Text(author), kept, |encoder| encoder.bytes(kept))
    }
}

/// Encodes the lengths that precede a recorded body.
pub(crate) fn body_prefix(full_len: u64, kept_len: u64) -> Vec<u8> {
    codec::encode((full_len, kept_len))
}

/// Salt of targets and paths. Their secrets depend on the flow, whose pattern names the segments.
fn flow_salt(flow: &FlowInfo) -> u64 {
    xxh3_64_with_seed(flow.pattern.as_bytes(), flow.name.len() as u64) << 40
}
