//! Settings for the keys of idempotent requests.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Settings for the keys of idempotent requests (`flow!(.., idempotent)`).
///
/// ```
/// use std::time::Duration;
/// use zerver::{Idempotency, KeyStore};
///
/// let idempotency = Idempotency { store: KeyStore::Sql, ..Idempotency::default() };
/// assert_eq!(idempotency.keep, Duration::from_secs(24 * 60 * 60));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Idempotency {
    /// Time for which the response to a key is kept. Default: 24 h.
    pub keep: Duration,
    /// Time after which a request that has not ended counts as lost, such as one whose process died: its key can then be
    /// used again. It must be longer than any request takes. Default: 5 min.
    pub lease: Duration,
    /// Place of the keys. Default: the store of the effect `kv`.
    pub store: KeyStore,
}

/// Place of the keys of idempotent requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyStore {
    /// The store of the effect [`kv`](crate::effects::kv).
    #[default]
    Kv,
    /// The default database of the effect [`sql`](crate::effects::sql), in the table of
    /// [`CREATE_TABLE`](crate::idempotency::CREATE_TABLE).
    Sql,
}

impl Default for Idempotency {
    fn default() -> Self {
        let (keep, lease) = (Duration::from_secs(24 * 60 * 60), Duration::from_secs(5 * 60));
        Self { keep, lease, store: KeyStore::Kv }
    }
}

impl fmt::Display for KeyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kv => "kv",
            Self::Sql => "sql",
        })
    }
}
