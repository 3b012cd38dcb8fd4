//! Finds the parts of a trace in the table of the block. Nothing is created for a part that is there already.

use zerver_trace::secret::Rule;
use zerver_trace::value::Encoder;
use zerver_trace::{MissingReason, Recorded, ValueError};

use crate::describe::part_content::NewPart;
use crate::describe::part_secrets::ValueRole;
use crate::describe::part_table::{PartId, PartTable};

/// Maximum length of a text that is not a value, in bytes.
pub(crate) const MAX_TEXT: usize = 16 << 10;
/// Maximum number of recorded bytes of a body.
pub(crate) const MAX_BODY: usize = 192 << 10;

/// Kind of the bytes that identify a part. Equal bytes of different kinds are different parts.
#[derive(Clone, Copy)]
pub(super) enum PartKind {
    Text = 1,
    Missing,
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

impl PartKind {
    pub(super) const fn salt(self) -> u64 {
        (self as u64) << 32
    }
}

/// Interns the parts of one trace.
#[derive(Default)]
pub(crate) struct ValueInterner {
    pub(crate) table: PartTable,
    pub(super) scratch: Encoder,
    /// Bytes that precede the value in its piece.
    pub(super) prefix: Vec<u8>,
    /// True if panics are caught for each value separately, because one value panics.
    pub(super) catches_each_value: bool,
    /// Number of bytes that further values of the trace may have.
    pub(crate) bytes_left: usize,
    /// Parts of the trace that contain secrets.
    pub(crate) parts_with_secrets: Vec<PartId>,
}

impl ValueInterner {
    pub(crate) fn new(rule: Rule) -> Self {
        Self { table: PartTable::new(rule), ..Self::default() }
    }

    /// Interns a value that is identified by the bytes it is made of.
    pub(super) fn intern_raw(
        &mut self,
        salt: u64,
        role: ValueRole<'_>,
        bytes: &[u8],
        encode: impl FnOnce(&mut Encoder) -> Result<(), ValueError>,
    ) -> PartId {
        // The encoded value also has a tag and a length.
        let len = bytes.len() + 11;
        if len > self.bytes_left {
            return self.intern_missing(role, MissingReason::TooLarge);
        }
        self.bytes_left -= len;
        let scratch = &mut self.scratch;
        let part = self.table.intern(salt, &self.prefix, bytes, |rule| {
            scratch.clear();
            let recorded = match encode(scratch).and_then(|()| scratch.copy()) {
                Ok(value) => Recorded::Plain { value, summary: None },
                Err(ValueError::TooDeep | ValueError::TooLong) => Recorded::Missing(MissingReason::TooLarge),
                Err(error) => Recorded::Missing(MissingReason::Failed(error.to_string())),
            };
            NewPart::of(rule, role, recorded, Some(bytes))
        });
        self.track_secrets(part)
    }

    pub(super) fn intern_encoded(
        &mut self,
        role: ValueRole<'_>,
        salt: u64,
        encode: impl FnOnce(&mut Encoder) -> Result<(), ValueError>,
        summary: impl FnOnce() -> Option<String>,
    ) -> PartId {
        self.scratch.clear();
        match encode(&mut self.scratch) {
            Ok(()) if self.scratch.written().is_empty() => {
                return self.intern_missing(role, MissingReason::Failed(ValueError::Truncated.to_string()));
            }
            Ok(()) if self.scratch.written().len() <= self.bytes_left => {}
            Ok(()) | Err(ValueError::TooDeep | ValueError::TooLong) => {
                return self.intern_missing(role, MissingReason::TooLarge);
            }
            Err(error) => return self.intern_missing(role, MissingReason::Failed(error.to_string())),
        }
        self.bytes_left -= self.scratch.written().len();
        let scratch = &self.scratch;
        let part = self.table.intern(salt ^ role.salt(), &self.prefix, scratch.written(), |rule| {
            let recorded = match scratch.copy() {
                Ok(value) => Recorded::Plain { value, summary: summary() },
                Err(error) => Recorded::Missing(MissingReason::Failed(error.to_string())),
            };
            NewPart::of(rule, role, recorded, None)
        });
        self.track_secrets(part)
    }

    /// Interns a value that could not be recorded.
    pub(super) fn intern_missing(&mut self, role: ValueRole<'_>, missing: MissingReason) -> PartId {
        let why = match &missing {
            MissingReason::TooLarge | MissingReason::NotImported => "",
            MissingReason::Failed(why) => why,
        };
        let salt =
            PartKind::Missing.salt() | u64::from(missing == MissingReason::TooLarge) << 8 | role.salt();
        let why = why.to_owned();
        let part = self.table.intern(salt, &self.prefix, why.as_bytes(), |rule| {
            NewPart::of(rule, role, Recorded::Missing(missing), None)
        });
        self.track_secrets(part)
    }

    /// Interns a value that an outline leaves out.
    pub(crate) fn missing_after(&mut self, prefix: &[u8]) -> PartId {
        self.prefix.clear();
        self.prefix.extend_from_slice(prefix);
        self.intern_missing(ValueRole::Other, MissingReason::TooLarge)
    }

    pub(super) fn track_secrets(&mut self, part: PartId) -> PartId {
        if self.table.has_secrets(part) && !self.parts_with_secrets.contains(&part) {
            self.parts_with_secrets.push(part);
        }
        part
    }
}

/// Shortens a text to `limit` bytes, and returns true if it was longer. The ellipsis is for readers; that the text was
/// cut is recorded separately.
pub(crate) fn truncate_with_ellipsis(text: &mut String, limit: usize) -> bool {
    let is_longer = text.len() > limit;
    if is_longer {
        text.truncate(text.floor_char_boundary(limit));
        text.push('…');
    }
    is_longer
}
