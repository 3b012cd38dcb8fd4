//! The forms of a part in which its secrets are hidden.

use zerver_trace::secret::{Author, Rule, merge_spans, replace_spans};
use zerver_trace::{Masked, MissingReason, Recorded, Value};

use super::{Entry, Own, What};
use crate::block::Open;
use crate::row::Piece;
use crate::seal::Sealer;
use crate::secrets::Secrets;

impl Entry {
    /// The piece of a trace of which no copies are in it.
    pub(super) fn alone(
        &mut self,
        before: &[u8],
        rule: &Rule,
        sealer: &mut Sealer,
        open: &mut Open,
    ) -> Piece {
        if let Some(plain) = self.plain {
            return plain;
        }
        let instead = match (self.whole, &self.own) {
            (true, _) => self.what.sealed(sealer),
            (false, Own::Nothing) => None,
            (false, _) => self.masked(&Secrets::default(), rule, sealer),
        };
        let piece = open.piece(|out| self.what.encode(instead.as_ref(), before, out));
        self.plain = Some(piece);
        piece
    }

    /// The same with the copies in it masked too; none if there are none in it.
    pub(super) fn hidden(&self, secrets: &Secrets, rule: &Rule, sealer: &mut Sealer) -> Option<What> {
        let is_in = match &self.what {
            What::Text(text) | What::Value(Recorded::Missing(MissingReason::Failed(text))) => {
                secrets.are_in(text.as_bytes())
            }
            What::Value(Recorded::Plain { value, summary }) => {
                secrets.are_in(value.tokens())
                    || summary.as_ref().is_some_and(|line| secrets.are_in(line.as_bytes()))
            }
            What::Value(_) => false,
        };
        if is_in { self.masked(secrets, rule, sealer) } else { None }
    }

    fn masked(&self, secrets: &Secrets, rule: &Rule, sealer: &mut Sealer) -> Option<What> {
        let spans = match &self.own {
            Own::Spans(spans) => spans.as_slice(),
            Own::Nothing | Own::Named => &[],
        };
        match &self.what {
            What::Text(text) => secrets.masked(text.as_bytes(), spans, sealer.key()).map(What::Text),
            What::Value(Recorded::Plain { value, summary }) => {
                let shown = self.shown(secrets, rule, sealer, value, summary.as_deref());
                Some(What::Value(sealer.seal(value, summary.as_deref(), shown)))
            }
            What::Value(Recorded::Missing(MissingReason::Failed(why))) => secrets
                .masked(why.as_bytes(), &rule.spans(why.as_bytes(), Author::Service), sealer.key())
                .map(|why| What::Value(Recorded::Missing(MissingReason::Failed(why)))),
            What::Value(_) => None,
        }
    }

    fn shown(
        &self,
        secrets: &Secrets,
        rule: &Rule,
        sealer: &Sealer,
        value: &Value,
        summary: Option<&str>,
    ) -> Option<Masked> {
        let root = value.root();
        let value =
            secrets.masked_value(sealer.key(), |encoder, masks| match (&self.own, root.as_bytes()) {
                (Own::Spans(spans), Some(bytes)) => {
                    let copies = masks.more(&bytes);
                    let spans = merge_spans(spans.iter().cloned().chain(copies).collect());
                    encoder.put(&replace_spans(&bytes, &spans, |secret| masks.mask(secret)))
                }
                (Own::Nothing, _) => encoder.node(&root, &mut |bytes| {
                    let copies = masks.more(bytes);
                    (!copies.is_empty()).then(|| replace_spans(bytes, &copies, |secret| masks.mask(secret)))
                }),
                _ => rule.write_masked::<&str>(encoder, &root, &[], Author::Service, masks),
            })?;
        let summary = summary.map(|line| {
            let own = rule.spans(line.as_bytes(), Author::Service);
            secrets.masked(line.as_bytes(), &own, sealer.key()).unwrap_or_else(|| line.to_owned())
        });
        Some(Masked { value, summary })
    }
}
