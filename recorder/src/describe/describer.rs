//! Turns a capture into a stored trace: values are serialized, and secrets are masked or sealed.
//!
//! Runs on the writer's thread, and only for captures that are kept.

use std::sync::Arc;

use zerver_trace::secret::{Author, Rule};
use zerver_trace::{
    Answer, Capture, Event, FailureInfo, FlowInfo, Kept, Name, Origin, Outcome, RedactedText, Redaction,
    TextPlace,
};

use crate::block::block_builder::{BlockBuilder, TraceTooLarge};
use crate::block::stored_trace::StoredTrace;
use crate::describe::message_parts::{InternedMessage, body_prefix};
use crate::describe::part_table::SecretSet;
use crate::describe::value_interner::{MAX_BODY, MAX_TEXT, ValueInterner, truncate_with_ellipsis};
use crate::secrets::sealer::Sealer;
use crate::secrets::secret_key::SecretKey;
use crate::secrets::trace_secrets::TraceSecrets;

/// Maximum total size of the values in a trace, in bytes. Further values are recorded as too large.
const MAX_VALUE_BYTES: usize = 2 << 20;
/// Maximum number of events in a trace.
pub(crate) const MAX_EVENTS: usize = 20_000;
/// Maximum number of causes of a failure.
const MAX_CAUSES: usize = 64;

/// Turns captures into stored traces.
pub(crate) struct Describer {
    sealer: Sealer,
    build: String,
    body_limit: usize,
    interner: ValueInterner,
}

impl Describer {
    pub(crate) fn new(sealer: Sealer, rule: Rule, build: String, body_limit: usize) -> Self {
        Self { sealer, build, body_limit: body_limit.min(MAX_BODY), interner: ValueInterner::new(rule) }
    }

    /// Seals under another key from now on. The block must be empty.
    pub(crate) fn use_key(&mut self, key: SecretKey) {
        self.sealer = Sealer::new(key);
        self.interner.table.forget_seals();
    }

    /// Adds a capture to the block. If it exceeds the limit of a trace, only its outline is added.
    ///
    /// # Errors
    /// If even the outline is too large.
    pub(crate) fn record(
        &mut self,
        capture: &Capture,
        kept: Kept,
        builder: &mut BlockBuilder,
    ) -> Result<(), TraceTooLarge> {
        let mut stored = self.describe(capture, kept);
        let extra = text_secrets(self.interner.table.rule(), &mut stored);
        let set = self.interner.table.secret_set(&self.interner.parts_with_secrets, extra);
        let (rule, nothing) = (self.interner.table.rule(), TraceSecrets::default());
        let secrets = set.as_ref().map_or(&nothing, SecretSet::secrets);
        let mut masked_at = Vec::new();
        visit_texts(&mut stored, |place, text| {
            let own = rule.spans(text.as_bytes(), Author::Service);
            if let Some(masked) = secrets.mask_text(text.as_bytes(), &own, self.sealer.key()) {
                *text = masked;
                masked_at.push(place);
            }
        });
        masked_at.into_iter().for_each(|place| redaction_of(&mut stored, place).is_masked = true);
        stored.flow = builder.flow_index(&capture.flow);
        let mark = builder.piece_count();
        if self.push_stored(&mut stored, set.as_ref(), builder).is_ok() {
            return Ok(());
        }
        builder.truncate_pieces(mark);
        self.end_block();
        self.reduce_to_outline(&mut stored, capture);
        stored.flow = builder
            .flow_index(&Arc::new(FlowInfo { name: capture.flow.name.clone(), ..FlowInfo::default() }));
        self.push_stored(&mut stored, set.as_ref(), builder)
    }

    /// Adds a trace, whose pieces are still parts, to the block. `set` contains the secrets of the trace.
    fn push_stored(
        &mut self,
        stored: &mut StoredTrace,
        set: Option<&SecretSet>,
        builder: &mut BlockBuilder,
    ) -> Result<(), TraceTooLarge> {
        let (table, sealer) = (&mut self.interner.table, &mut self.sealer);
        let mut len = 0;
        stored.map_pieces(|part| {
            let piece = table.piece_for(part, set, sealer, builder);
            len += builder.piece_len(piece);
            piece
        });
        builder.push(stored, len)
    }

    /// Forgets the parts of this block.
    pub(crate) fn end_block(&mut self) {
        self.interner.table.clear();
    }

    /// Returns the capture as a stored trace with parts in the place of pieces.
    fn describe(&mut self, capture: &Capture, kept: Kept) -> StoredTrace {
        let interner = &mut self.interner;
        interner.bytes_left = MAX_VALUE_BYTES;
        interner.parts_with_secrets.clear();
        interner.table.begin_trace(Arc::as_ptr(&capture.flow).addr());
        let request = interner.message(&*capture.request, Author::Client, &capture.flow, self.body_limit);
        let response = match capture.response.as_deref() {
            Some(response) => interner.message(response, Author::Service, &capture.flow, self.body_limit),
            None => InternedMessage::default(),
        };
        let recorded = capture.events.len().min(MAX_EVENTS);
        let dropped = (capture.events.len() - recorded) as u32;
        let slots = &capture.flow.slots;
        let events = &capture.events[..recorded];
        StoredTrace {
            flow: 0,
            id: capture.id,
            class: capture.class,
            started_unix_ns: capture.started_unix_ns,
            duration_ns: capture.duration_ns,
            seed: capture.seed,
            build: interner.text(&self.build),
            kept,
            method: request.method.unwrap_or_else(|| interner.text("")),
            path: request.path.unwrap_or_else(|| interner.text("")),
            target: request.target.unwrap_or_else(|| interner.target(&capture.flow, "")),
            version: request.version.unwrap_or_else(|| interner.text("")),
            peer: request.peer.unwrap_or_else(|| interner.text("")),
            request_headers: request.headers,
            request_body: request.body.unwrap_or_else(|| interner.body(&[], 0, Author::Client)),
            status: capture.status,
            response_headers: response.headers,
            response_body: response.body.unwrap_or_else(|| interner.body(&[], 0, Author::Service)),
            outcome: capture.outcome.clone(),
            events: interner.events(events, slots),
            events_dropped: capture.events_dropped.saturating_add(dropped),
            worker: capture.worker,
            origin: request.origin.map_or(Origin::Absent, Origin::Named),
            redaction: Redaction { key: Some(self.sealer.key().hash_id()), texts: Vec::new() },
            undelivered: capture.is_undelivered,
            recorded_by: capture.recorded_by,
            sealed_by: self.sealer.key().sealed_by(),
        }
    }

    /// Removes events, headers and bodies, and keeps an outline of the trace.
    fn reduce_to_outline(&mut self, stored: &mut StoredTrace, capture: &Capture) {
        let interner = &mut self.interner;
        interner.parts_with_secrets.clear();
        stored.events_dropped = stored.events_dropped.saturating_add(stored.events.len() as u32);
        stored.events.clear();
        stored.request_headers.clear();
        stored.response_headers.clear();
        let message = interner.message(&*capture.request, Author::Client, &capture.flow, 0);
        stored.build = interner.text(&self.build);
        stored.method = message.method.unwrap_or_else(|| interner.text(""));
        stored.path = message.path.unwrap_or_else(|| interner.text(""));
        stored.version = message.version.unwrap_or_else(|| interner.text(""));
        stored.peer = message.peer.unwrap_or_else(|| interner.text(""));
        stored.target = interner.missing_after(&[]);
        stored.origin = message.origin.map_or(Origin::Absent, Origin::Named);
        stored.request_body = interner.missing_after(&body_prefix(message.full_len, 0));
        let response = capture
            .response
            .as_deref()
            .map(|response| interner.message(response, Author::Service, &capture.flow, 0));
        stored.response_body =
            interner.missing_after(&body_prefix(response.map_or(0, |message| message.full_len), 0));
    }
}

/// Shortens the texts of a trace that are not parts, and returns the secrets in them.
fn text_secrets(rule: &Rule, stored: &mut StoredTrace) -> TraceSecrets {
    let mut secrets = TraceSecrets::default();
    let mut cut_at = Vec::new();
    if let Outcome::Failed(FailureInfo { causes, .. }) = &mut stored.outcome
        && causes.len() > MAX_CAUSES
    {
        causes.truncate(MAX_CAUSES);
        cut_at.push(TextPlace::Causes);
    }
    visit_texts(stored, |place, text| {
        if truncate_with_ellipsis(text, MAX_TEXT) {
            cut_at.push(place);
        }
        let text = text.as_bytes();
        rule.spans(text, Author::Service).into_iter().for_each(|span| secrets.add(&text[span]));
    });
    cut_at.into_iter().for_each(|place| redaction_of(stored, place).is_cut = true);
    secrets
}

/// Returns the record of what was changed in a text of the trace.
fn redaction_of(stored: &mut StoredTrace, place: TextPlace) -> &mut RedactedText {
    let texts = &mut stored.redaction.texts;
    let at = texts.iter().position(|text| text.place == place).unwrap_or_else(|| {
        texts.push(RedactedText { place, is_cut: false, is_masked: false });
        texts.len() - 1
    });
    &mut texts[at]
}

/// Calls `f` with the text of a name, unless it is a constant of the program.
fn visit_name(name: &mut Name, place: TextPlace, f: &mut impl FnMut(TextPlace, &mut String)) {
    if name.is_static() {
        return;
    }
    let mut text = name.to_string();
    f(place, &mut text);
    if **name != *text {
        *name = Name::from(text);
    }
}

/// Calls `f` with every text of a trace that is not a part and may contain data of the request.
fn visit_texts(stored: &mut StoredTrace, mut f: impl FnMut(TextPlace, &mut String)) {
    match &mut stored.outcome {
        Outcome::Failed(FailureInfo { what, key, message, causes, .. }) => {
            f(TextPlace::Key, key);
            f(TextPlace::Message, message);
            (0..).zip(causes).for_each(|(at, cause)| f(TextPlace::Cause(at), cause));
            visit_name(what, TextPlace::What, &mut f);
        }
        Outcome::Panicked { message: text, .. } | Outcome::Rejected { reason: text } => {
            f(TextPlace::Message, text);
        }
        Outcome::Done | Outcome::TimedOut { .. } | Outcome::ClientLeft { .. } => {}
    }
    for event in &mut stored.events {
        match event {
            Event::EffectCompleted { call, answer: Answer::Err(error), .. } => {
                f(TextPlace::EffectError(*call), &mut error.message);
            }
            // The reason is the rule that matched, with the value of the header to which it refers.
            Event::Reclassified { reason, .. } => {
                visit_name(reason, TextPlace::ReclassificationReason, &mut f)
            }
            _ => {}
        }
    }
}
