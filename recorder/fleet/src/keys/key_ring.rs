//! The keys with which a reader opens secrets: private halves in a file, or a command that has them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use zerver_recorder::{DataKey, SealError};

use crate::keys::key_file::read_private;
use crate::keys::pair::KeyId;
use crate::keys::unwrap_command::{CommandFailure, unwrap};
use crate::keys::wrapped_key::WrappedKey;

/// Variables of the environment that name a file with private keys, and the command that unwraps keys.
const KEY_VARIABLE: &str = "ZERVER_FLEET_KEY";
const COMMAND_VARIABLE: &str = "ZERVER_FLEET_UNWRAP_COMMAND";
/// Time limit of the command. A person may have to confirm.
const COMMAND_LIMIT: Duration = Duration::from_secs(60);

/// Where the private halves of the keys are, if the reader has any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct KeySource {
    file: Option<PathBuf>,
    command: Option<String>,
}

impl KeySource {
    /// Returns what the URL and the environment name. Nothing is read or run before a secret is asked for.
    pub(crate) fn new(file: Option<String>, variable: &dyn Fn(&str) -> Option<String>) -> Self {
        let variable = |name| variable(name).filter(|value| !value.is_empty());
        Self {
            file: file.or_else(|| variable(KEY_VARIABLE)).map(PathBuf::from),
            command: variable(COMMAND_VARIABLE),
        }
    }
}

/// The data keys that were unwrapped, and those that could not be.
pub(crate) struct KeyRing {
    source: KeySource,
    limit: Duration,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    keys: BTreeMap<KeyId, Result<DataKey, SealError>>,
    /// The failure of a command that hung, which is not run again.
    hanging: Option<CommandFailure>,
}

impl KeyRing {
    pub(crate) fn new(source: KeySource) -> Self {
        Self { source, limit: COMMAND_LIMIT, known: Mutex::default() }
    }

    /// Returns a data key. `find` reads the wrapped key from the fleet at `place`, and is called once for each that is there.
    pub(crate) fn data_key(
        &self,
        id: KeyId,
        place: &str,
        find: impl FnOnce() -> Result<Option<Vec<u8>>, SealError>,
    ) -> Result<DataKey, SealError> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known.keys.get(&id) {
            return found.clone();
        }
        let wrapped = find()?.ok_or_else(|| {
            let home = "use the store of the node that recorded them";
            lost(format!("the data key {id} of these secrets is not in {place}; {home}"))
        })?;
        let opened = self.open(&wrapped, id, &mut known);
        known.keys.insert(id, opened.clone());
        opened
    }

    fn open(&self, wrapped: &[u8], id: KeyId, known: &mut Known) -> Result<DataKey, SealError> {
        let changed = |why: &str| lost(format!("the wrapped data key {id} was changed in the fleet: {why}"));
        let wrapped = WrappedKey::read(wrapped).ok_or_else(|| changed("it is not one"))?;
        if wrapped.id() != id {
            return Err(changed("it is that of another one"));
        }
        let to = wrapped.wrapped_for();
        let mut others = String::new();
        if let Some(path) = &self.source.file {
            let keys = read_private(path).map_err(|error| wrong(error.to_string()))?;
            if let Some(key) = keys.iter().find(|key| key.public().id() == to) {
                return wrapped
                    .open(key)
                    .ok_or_else(|| changed(&format!("the private half of {to} does not open it")));
            }
            let ids: Vec<_> = keys.iter().map(|key| key.public().id().to_string()).collect();
            others = format!("; {} has those of {}", path.display(), ids.join(", "));
        }
        let Some(command) = &self.source.command else {
            return Err(wrong(format!(
                "the secrets are sealed for the key {to} of the fleet, and its private half is not here{others}; name its file \
                 with {KEY_VARIABLE}, or a command that unwraps keys with {COMMAND_VARIABLE}"
            )));
        };
        let result = match &known.hanging {
            Some(failure) => Err(failure.clone()),
            None => unwrap(command, &wrapped, self.limit),
        };
        result.map_err(|failure| {
            let shown = wrong(format!(
                "the command in {COMMAND_VARIABLE} did not unwrap the data key {id}: {}",
                failure.reason
            ));
            if failure.is_hanging {
                known.hanging = Some(failure);
            }
            shown
        })
    }
}

fn wrong(reason: String) -> SealError {
    SealError::Wrapped { reason, is_lost: false }
}

fn lost(reason: String) -> SealError {
    SealError::Wrapped { reason, is_lost: true }
}
