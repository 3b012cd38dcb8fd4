//! A part of the traces of a block, and the pieces that hold it with its secrets hidden.

use std::ops::Range;
use std::sync::Arc;

use zerver_trace::secret::{Author, Rule, TrigramFilter, merge_spans, replace_spans};
use zerver_trace::{Masked, MissingReason, Recorded, Value};

use crate::block::block_builder::BlockBuilder;
use crate::block::stored_trace::PieceId;
use crate::describe::part_content::{OwnSecrets, PartContent};
use crate::secrets::sealer::Sealer;
use crate::secrets::trace_secrets::TraceSecrets;

/// Maximum length of a part whose trigrams are collected, in bytes.
const MAX_FILTERED: usize = 512;

/// A part, with what is known about it so far.
#[derive(Debug)]
pub(super) struct Part {
    /// Number of the part, which no other part ever has.
    pub(super) serial: u64,
    /// Hash of its bytes.
    pub(super) hash: u64,
    /// The bytes by which the table recognizes the part, if it occurred in an earlier block.
    pub(super) known_bytes: Option<Box<[u8]>>,
    pub(super) salt: u64,
    /// Range of the bytes by which the table recognizes the part.
    pub(super) bytes: Range<usize>,
    /// Number of those bytes that precede the value in its piece.
    pub(super) prefix_len: usize,
    pub(super) content: PartContent,
    pub(super) is_secret: bool,
    pub(super) own_secrets: OwnSecrets,
    /// Secrets in this part that may have been copied to other parts.
    pub(super) secrets: Option<Arc<TraceSecrets>>,
    /// True once the part has been searched for copies. Its trigrams are collected at the second search.
    pub(super) was_checked: bool,
    pub(super) trigrams: Option<Box<TrigramFilter>>,
    /// The piece for traces whose secrets do not occur in the part.
    pub(super) plain_piece: Option<PieceId>,
    /// Number of the last set of secrets of which none occurs in the part.
    pub(super) clear_of_set: u64,
    /// Pieces with copies masked, by the number of the set of secrets.
    pub(super) masked_pieces: Vec<(u64, PieceId)>,
    /// The piece for traces whose secrets do not occur in a known part, if it took more than encoding the content.
    pub(super) plain_encoding: Option<Encoding>,
    /// The last piece with copies masked of a known part, and the number of the set of secrets.
    pub(super) masked_encoding: Option<(u64, Encoding)>,
}

/// An encoded piece that is added to each block in which its part occurs.
#[derive(Debug)]
pub(super) struct Encoding {
    bytes: Box<[u8]>,
    is_opaque: bool,
}

impl Encoding {
    pub(super) fn add_to(&self, builder: &mut BlockBuilder) -> PieceId {
        let copy = |out: &mut Vec<u8>| out.extend_from_slice(&self.bytes);
        if self.is_opaque { builder.add_opaque_piece(copy) } else { builder.add_piece(copy) }
    }
}

impl Part {
    /// Returns false only if none of the secrets occurs in the part. Faster than a search.
    pub(super) fn may_contain(&mut self, secrets: &TraceSecrets) -> bool {
        // Most parts are searched once, which costs less than collecting their trigrams. A long one has most of them.
        if !std::mem::replace(&mut self.was_checked, true) || self.bytes.len() > MAX_FILTERED {
            return true;
        }
        let content = &self.content;
        let trigrams = self.trigrams.get_or_insert_with(|| {
            let mut trigrams = Box::<TrigramFilter>::default();
            content.each_text(|text| trigrams.insert_all(text));
            trigrams
        });
        secrets.may_occur_in(trigrams)
    }

    /// Returns the piece for traces whose secrets do not occur in the part.
    pub(super) fn add_plain_piece(
        &mut self,
        prefix: &[u8],
        rule: &Rule,
        sealer: &mut Sealer,
        builder: &mut BlockBuilder,
    ) -> PieceId {
        if let Some(plain) = self.plain_piece {
            return plain;
        }
        if let Some(encoding) = &self.plain_encoding {
            let piece = encoding.add_to(builder);
            self.plain_piece = Some(piece);
            return piece;
        }
        let instead = match (self.is_secret, &self.own_secrets) {
            (true, _) => self.content.sealed(sealer),
            (false, OwnSecrets::Nothing) => None,
            (false, _) => self.masked(&TraceSecrets::default(), rule, sealer),
        };
        let (piece, is_opaque) = self.add_piece(instead.as_ref(), prefix, builder);
        self.plain_piece = Some(piece);
        if self.known_bytes.is_some() && instead.is_some() {
            self.plain_encoding = Some(Encoding { bytes: builder.piece_bytes(piece).into(), is_opaque });
        }
        piece
    }

    /// Adds a piece with copies masked, and remembers it.
    pub(super) fn add_masked_piece(
        &mut self,
        set: u64,
        masked: &PartContent,
        prefix: &[u8],
        builder: &mut BlockBuilder,
    ) -> PieceId {
        let (piece, is_opaque) = self.add_piece(Some(masked), prefix, builder);
        self.masked_pieces.push((set, piece));
        if self.known_bytes.is_some() {
            let encoding = Encoding { bytes: builder.piece_bytes(piece).into(), is_opaque };
            self.masked_encoding = Some((set, encoding));
        }
        piece
    }

    fn add_piece(
        &self,
        instead: Option<&PartContent>,
        prefix: &[u8],
        builder: &mut BlockBuilder,
    ) -> (PieceId, bool) {
        let is_opaque = matches!(instead, Some(PartContent::Value(Recorded::Sealed { .. })));
        let encode = |out: &mut Vec<u8>| self.content.encode(instead, prefix, out);
        (if is_opaque { builder.add_opaque_piece(encode) } else { builder.add_piece(encode) }, is_opaque)
    }

    /// Forgets the pieces of a block that has ended. `bytes` are those by which its table recognized the part.
    pub(super) fn leave_block(&mut self, bytes: &[u8]) {
        self.plain_piece = None;
        self.masked_pieces.clear();
        self.known_bytes.get_or_insert_with(|| bytes.into());
    }

    /// Returns the content with copies of the secrets masked. `None` if it contains no copies.
    pub(super) fn with_copies_masked(
        &self,
        secrets: &TraceSecrets,
        rule: &Rule,
        sealer: &mut Sealer,
    ) -> Option<PartContent> {
        let is_in = match &self.content {
            PartContent::Text(text) | PartContent::Value(Recorded::Missing(MissingReason::Failed(text))) => {
                secrets.occur_in(text.as_bytes())
            }
            PartContent::Value(Recorded::Plain { value, summary }) => {
                secrets.occur_in(value.tokens())
                    || summary.as_ref().is_some_and(|line| secrets.occur_in(line.as_bytes()))
            }
            PartContent::Value(_) => false,
        };
        if is_in { self.masked(secrets, rule, sealer) } else { None }
    }

    fn masked(&self, secrets: &TraceSecrets, rule: &Rule, sealer: &mut Sealer) -> Option<PartContent> {
        let spans = match &self.own_secrets {
            OwnSecrets::Spans(spans) => spans.as_slice(),
            OwnSecrets::Nothing | OwnSecrets::Named => &[],
        };
        match &self.content {
            PartContent::Text(text) => {
                secrets.mask_text(text.as_bytes(), spans, sealer.key()).map(PartContent::Text)
            }
            PartContent::Value(Recorded::Plain { value, summary }) => {
                let masked = self.masked_form(secrets, rule, sealer, value, summary.as_deref());
                Some(PartContent::Value(sealer.seal(value, summary.as_deref(), masked)))
            }
            PartContent::Value(Recorded::Missing(MissingReason::Failed(why))) => secrets
                .mask_text(why.as_bytes(), &rule.spans(why.as_bytes(), Author::Service), sealer.key())
                .map(|why| PartContent::Value(Recorded::Missing(MissingReason::Failed(why)))),
            PartContent::Value(_) => None,
        }
    }

    fn masked_form(
        &self,
        secrets: &TraceSecrets,
        rule: &Rule,
        sealer: &Sealer,
        value: &Value,
        summary: Option<&str>,
    ) -> Option<Masked> {
        let root = value.root();
        let value = secrets.mask_value(sealer.key(), |encoder, masks| {
            match (&self.own_secrets, root.as_bytes()) {
                (OwnSecrets::Spans(spans), Some(bytes)) => {
                    let copies = masks.extra_spans(&bytes);
                    let spans = merge_spans(spans.iter().cloned().chain(copies).collect());
                    encoder.put(&replace_spans(&bytes, &spans, |secret| masks.mask(secret)))
                }
                (OwnSecrets::Nothing, _) => encoder.node(&root, &mut |bytes| {
                    let copies = masks.extra_spans(bytes);
                    (!copies.is_empty()).then(|| replace_spans(bytes, &copies, |secret| masks.mask(secret)))
                }),
                _ => rule.write_masked::<&str>(encoder, &root, &[], Author::Service, masks),
            }
        })?;
        let summary = summary.map(|line| {
            let own_secrets = rule.spans(line.as_bytes(), Author::Service);
            secrets.mask_text(line.as_bytes(), &own_secrets, sealer.key()).unwrap_or_else(|| line.to_owned())
        });
        Some(Masked { value, summary })
    }
}
