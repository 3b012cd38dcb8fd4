//! Many traces, and what is behind their seals: for whoever runs them again on the machine that recorded them.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use zerver_trace::{Query, Recorded, Trace, Value};

use crate::block::trace_values::each_value;
use crate::read::reader::{ReadError, Reader};
use crate::secrets::secret_key::{SealError, SecretKey};

impl Reader {
    /// Hands the traces that a query wants to `f`, newest first, until it has enough. One block of them is in memory at
    /// a time; what is recorded meanwhile is not seen, and what retention removes meanwhile is passed over.
    ///
    /// # Errors
    /// When the store cannot be read, or a trace is damaged.
    pub fn each(&self, query: &Query, mut f: impl FnMut(Trace) -> ControlFlow<()>) -> Result<(), ReadError> {
        let mut blocks = Vec::new();
        self.view()?.for_each_index(true, |key, index| {
            if index.may_match(query) {
                blocks.push((key, index.count));
            }
            ControlFlow::Continue(())
        })?;
        let mut left = query.limit.unwrap_or(usize::MAX);
        for (key, count) in blocks {
            // A snapshot that is held keeps the store from using its space again.
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
            let flow = view.body(key, |body| {
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

    /// The values behind the seals of a trace, by their hash. What is only a hash stays out.
    ///
    /// # Errors
    /// When there are any and the key is not there, or they were sealed under another.
    pub fn secrets(&self, trace: &Trace) -> Result<BTreeMap<[u8; 16], Value>, SealError> {
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
