//! Reads the values behind seals, for replays by those who have the key.

use std::collections::BTreeMap;

use zerver_trace::{Recorded, Trace, Value};

use crate::block::trace_values::each_value;
use crate::read::reader::Reader;
use crate::secrets::seal_error::SealError;

impl Reader {
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
        let key = self.data_key(trace)?;
        let mut opened = BTreeMap::new();
        for (hash, recorded) in sealed {
            if let Recorded::Plain { value, .. } = key.unseal(&recorded)? {
                opened.insert(hash, value);
            }
        }
        Ok(opened)
    }
}
