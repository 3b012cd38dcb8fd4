//! From a capture to a row of the block: the one place where recorded values are described and secrets are taken out of
//! them. Runs on the writer's thread, and on nothing but what is kept.

use std::sync::Arc;

use zerver_trace::secret::{Author, Rule};
use zerver_trace::{
    Answer, Capture, Event, FailureInfo, FlowInfo, Kept, Name, Origin, Outcome, RedactedText, Redaction,
    TextPlace,
};

use crate::block::{Open, TooLarge};
use crate::known::Set;
use crate::parts::{MAX_BODY, Parts, TEXT, Told, cut, lengths};
use crate::row::Row;
use crate::seal::{Key, Sealer};
use crate::secrets::Secrets;

/// The values of a trace may have so many bytes together; what is left then is too large.
const VALUES: usize = 2 << 20;
/// A trace may have so many events.
pub(crate) const EVENTS: usize = 20_000;
/// A failure may have so many causes.
const CAUSES: usize = 64;

/// Turns captures into rows.
pub(crate) struct Describer {
    sealer: Sealer,
    build: String,
    body_limit: usize,
    parts: Parts,
}

impl Describer {
    pub(crate) fn new(sealer: Sealer, rule: Rule, build: String, body_limit: usize) -> Self {
        Self { sealer, build, body_limit: body_limit.min(MAX_BODY), parts: Parts::new(rule) }
    }

    /// The key under which it seals secrets.
    pub(crate) const fn key(&self) -> &Key {
        self.sealer.key()
    }

    /// Seals under another key from now on. The block must be empty.
    pub(crate) fn use_key(&mut self, key: Key) {
        self.sealer = Sealer::new(key);
    }

    /// Adds a capture to the block; of one that is larger than a trace may be, an outline.
    pub(crate) fn record(&mut self, capture: &Capture, kept: Kept, open: &mut Open) -> Result<(), TooLarge> {
        let mut row = self.describe(capture, kept);
        let extra = row_secrets(self.parts.known.rule(), &mut row);
        let set = self.parts.known.set(&self.parts.announcing, extra);
        let (rule, nothing) = (self.parts.known.rule(), Secrets::default());
        let secrets = set.as_ref().map_or(&nothing, Set::secrets);
        let mut masked_at = Vec::new();
        for_each_text(&mut row, |place, text| {
            let own = rule.spans(text.as_bytes(), Author::Service);
            if let Some(masked) = secrets.masked(text.as_bytes(), &own, self.sealer.key()) {
                *text = masked;
                masked_at.push(place);
            }
        });
        masked_at.into_iter().for_each(|place| redacted(&mut row, place).is_masked = true);
        row.flow = open.flow(&capture.flow);
        let mark = open.mark();
        if self.push(&mut row, set.as_ref(), open).is_ok() {
            return Ok(());
        }
        open.cut(mark);
        self.forget();
        self.outline(&mut row, capture);
        row.flow = open.flow(&Arc::new(FlowInfo { name: capture.flow.name.clone(), ..FlowInfo::default() }));
        self.push(&mut row, set.as_ref(), open)
    }

    /// Adds a row with parts for pieces to the block, for a trace with these secrets.
    fn push(&mut self, row: &mut Row, set: Option<&Set>, open: &mut Open) -> Result<(), TooLarge> {
        let (known, sealer) = (&mut self.parts.known, &mut self.sealer);
        let mut len = 0;
        row.renumber(|part| {
            let piece = known.piece(part, set, sealer, open);
            len += open.piece_len(piece);
            piece
        });
        open.push(row, len)
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
        parts.known.begin(Arc::as_ptr(&capture.flow).addr());
        let request = parts.message(&*capture.request, Author::Client, &capture.flow, self.body_limit);
        let response = match capture.response.as_deref() {
            Some(response) => parts.message(response, Author::Service, &capture.flow, self.body_limit),
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
            target: request.target.unwrap_or_else(|| parts.target(&capture.flow, "")),
            version: request.version.unwrap_or_else(|| parts.text("")),
            peer: request.peer.unwrap_or_else(|| parts.text("")),
            request_headers: request.headers,
            request_body: request.body.unwrap_or_else(|| parts.body(&[], 0, Author::Client)),
            status: capture.status,
            response_headers: response.headers,
            response_body: response.body.unwrap_or_else(|| parts.body(&[], 0, Author::Service)),
            outcome: capture.outcome.clone(),
            events: parts.events(events, slots),
            events_dropped: capture.events_dropped.saturating_add(dropped),
            worker: capture.worker,
            origin: request.origin.map_or(Origin::Absent, Origin::Named),
            redaction: Redaction { key: Some(self.sealer.key().id()), texts: Vec::new() },
            undelivered: capture.is_undelivered,
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
        let told = parts.message(&*capture.request, Author::Client, &capture.flow, 0);
        row.build = parts.text(&self.build);
        row.method = told.method.unwrap_or_else(|| parts.text(""));
        row.path = told.path.unwrap_or_else(|| parts.text(""));
        row.version = told.version.unwrap_or_else(|| parts.text(""));
        row.peer = told.peer.unwrap_or_else(|| parts.text(""));
        row.target = parts.missing(&[]);
        row.origin = told.origin.map_or(Origin::Absent, Origin::Named);
        row.request_body = parts.missing(&lengths(told.full_len, 0));
        let response = capture
            .response
            .as_deref()
            .map(|response| parts.message(response, Author::Service, &capture.flow, 0));
        row.response_body = parts.missing(&lengths(response.map_or(0, |told| told.full_len), 0));
    }
}

/// The secrets that the texts of a row announce.
fn row_secrets(rule: &Rule, row: &mut Row) -> Secrets {
    let mut secrets = Secrets::default();
    let mut cut_at = Vec::new();
    if let Outcome::Failed(FailureInfo { causes, .. }) = &mut row.outcome
        && causes.len() > CAUSES
    {
        causes.truncate(CAUSES);
        cut_at.push(TextPlace::Causes);
    }
    for_each_text(row, |place, text| {
        if cut(text, TEXT) {
            cut_at.push(place);
        }
        let text = text.as_bytes();
        rule.spans(text, Author::Service).into_iter().for_each(|span| secrets.add(&text[span]));
    });
    cut_at.into_iter().for_each(|place| redacted(row, place).is_cut = true);
    secrets
}

/// What is said of a text of a row that is not as it was.
fn redacted(row: &mut Row, place: TextPlace) -> &mut RedactedText {
    let texts = &mut row.redaction.texts;
    let at = texts.iter().position(|text| text.place == place).unwrap_or_else(|| {
        texts.push(RedactedText { place, is_cut: false, is_masked: false });
        texts.len() - 1
    });
    &mut texts[at]
}

/// Calls `f` with the text of a name, unless the program has it as a constant.
fn in_name(name: &mut Name, place: TextPlace, f: &mut impl FnMut(TextPlace, &mut String)) {
    if name.is_static() {
        return;
    }
    let mut text = name.to_string();
    f(place, &mut text);
    if **name != *text {
        *name = Name::from(text);
    }
}

/// Calls `f` with every text of a row that is no part and may hold what a request brought.
fn for_each_text(row: &mut Row, mut f: impl FnMut(TextPlace, &mut String)) {
    match &mut row.outcome {
        Outcome::Failed(FailureInfo { what, key, message, causes, .. }) => {
            f(TextPlace::Key, key);
            f(TextPlace::Message, message);
            (0..).zip(causes).for_each(|(at, cause)| f(TextPlace::Cause(at), cause));
            in_name(what, TextPlace::What, &mut f);
        }
        Outcome::Panicked { message: text, .. } | Outcome::Rejected { reason: text } => {
            f(TextPlace::Message, text);
        }
        Outcome::Done | Outcome::TimedOut { .. } | Outcome::Gone { .. } => {}
    }
    for event in &mut row.events {
        match event {
            Event::EffectCompleted { call, answer: Answer::Err(error), .. } => {
                f(TextPlace::EffectError(*call), &mut error.message);
            }
            // The rule that matched, with the value of the header that it names.
            Event::Reclassified { reason, .. } => in_name(reason, TextPlace::ReclassificationReason, &mut f),
            _ => {}
        }
    }
}
