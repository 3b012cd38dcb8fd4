//! What is behind the seals of a trace: for whoever runs it again on the machine that recorded it.

use std::collections::BTreeMap;

use zerver_trace::{Recorded, Trace, Value};

use crate::portable::each_value;
use crate::reader::Reader;
use crate::seal::{Key, SealError};

impl Reader {
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
        let key = Key::load(self.dir())?;
        let mut opened = BTreeMap::new();
        for (hash, recorded) in sealed {
            if let Recorded::Plain { value, .. } = key.unseal(&recorded)? {
                opened.insert(hash, value);
            }
        }
        Ok(opened)
    }
}
