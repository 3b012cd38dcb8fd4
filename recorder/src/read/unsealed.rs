//! Reads many traces, and the values behind their seals, for replays on the machine that recorded them.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use zerver_trace::{Query, Recorded, Trace, Value};

use crate::block::trace_values::each_value;
use crate::read::read_error::ReadError;
use crate::read::reader::Reader;
use crate::secrets::secret_key::{SealError, SecretKey};

impl Reader {
    /// Calls `f` with every trace that matches a query, newest first, until it breaks.
    ///
    /// Only one block is in memory at a time. Traces that are recorded meanwhile are not seen, and blocks that are
    /// removed meanwhile are skipped.
    ///
    /// # Errors
    /// If the store cannot be read, or a trace is damaged.
    pub fn for_each(
        &self,
        query: &Query,
        mut f: impl FnMut(Trace) -> ControlFlow<()>,
    ) -> Result<(), ReadError> {
        let mut blocks = Vec::new();
        self.view()?.for_each_index(true, |key, index| {
            if index.may_match(query) {
                blocks.push((key, index.count));
            }
            ControlFlow::Continue(())
        })?;
        let mut left = query.limit.unwrap_or(usize::MAX);
        for (key, count) in blocks {
            // A snapshot keeps the store from reusing space, so it is renewed for every block.
            let view = self.view()?;
            if key < view.meta.first || left == 0 {
                break;
            }
            let summaries = view.summaries(key, count)?;
            let wanted = summaries.iter().enumerate().rev().filter(|(_, summary)| query.matches(summary));
            let wanted: Vec<_> = wanted.take(left).map(|(position, _)| position).collect();
            if wanted.is_empty() {
                continue;
            }
            left -= wanted.len();
            let flow = view.with_body(key, |body| {
                for position in wanted {
                    if f(body.trace(position)?).is_break() {
                        return Ok(ControlFlow::Break(()));
                    }
                }
                Ok(ControlFlow::Continue(()))
            })?;
            if flow.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Opens the sealed values of a trace, and returns them by their hash. Values of which only a hash is left are
    /// omitted.
    ///
    /// # Errors
    /// If there are sealed values and the key is missing or another one.
    pub fn open_secrets(&self, trace: &Trace) -> Result<BTreeMap<[u8; 16], Value>, SealError> {
        let mut sealed = Vec::new();
        each_value(&mut trace.clone(), |recorded| {
            if let Recorded::Sealed { hash, .. } = recorded {
                sealed.push((*hash, recorded.clone()));
            }
        });
        if sealed.is_empty() {
            return Ok(BTreeMap::new());
        }
        let key = SecretKey::load(self.dir())?;
        let mut opened = BTreeMap::new();
        for (hash, recorded) in sealed {
            if let Recorded::Plain { value, .. } = key.unseal(&recorded)? {
                opened.insert(hash, value);
            }
        }
        Ok(opened)
    }
}
