//! What a service records of its requests.

use std::path::PathBuf;
use std::time::Duration;

use zerver_recorder::{RecordingPolicy, TailPolicy};

/// Which requests are kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Keep {
    /// All.
    All,
    /// What failed, what was slow for its flow, what was asked for, and a share of the rest.
    #[default]
    Tail,
    /// None.
    Off,
}

/// What a service records, where it runs as a program.
///
/// ```
/// use zerver::{App, Keep, Recording};
/// let app = App::new().recording(Recording { sample: 0.1, ..Recording::default() });
/// # let all = Recording { keep: Keep::All, ..Recording::default() };
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Recording {
    /// Which requests are kept; the tail.
    pub keep: Keep,
    /// The folder of the store; `.zerver`, where it is not said. A store that was asked for and cannot be opened stops
    /// the service.
    pub store: Option<PathBuf>,
    /// The share of ordinary requests in the tail, from 0 to 1; 0.01.
    pub sample: f64,
    /// A request is slow when it takes longer than this quantile of its flow, from 0 to 1; 0.99. With 1, none is.
    pub slow_quantile: f64,
    /// How many requests of a flow must be known before any of them is called slow; 100.
    pub slow_after: u32,
    /// At most this many failures a second, and at most as many slow requests; 1000. What clients get wrong has a smaller
    /// share: see [`TailPolicy::max_per_second`](zerver_recorder::TailPolicy::max_per_second).
    pub max_per_second: u32,
    /// Older traces are removed; 7 days. None keeps them.
    pub max_age: Option<Duration>,
    /// What the store may take up on the disk, in bytes; 1 GiB. The oldest traces make room. None: no limit.
    pub max_bytes: Option<u64>,
    /// So many requests may wait to be written; 8192. More are dropped and counted.
    pub queue: usize,
    /// Their bodies may have so many bytes together; 64 MiB. More are dropped and counted.
    pub queue_bytes: usize,
    /// How much of each body is recorded, in bytes; 64 KiB, and at most 192 KiB.
    pub body_bytes: usize,
    /// Requests that show this in `x-zerver-record` are recorded in any case.
    pub token: Option<String>,
    /// Names of secrets beside those that are known as such, each of at least three letters or digits: `tax-id` also
    /// covers `customerTaxId`. See `docs/reference/secrets.md`.
    pub secrets: Vec<String>,
}

impl Default for Recording {
    fn default() -> Self {
        let tail = TailPolicy::default();
        Self {
            keep: Keep::default(),
            store: None,
            sample: tail.sample,
            slow_quantile: tail.slow_quantile,
            slow_after: tail.slow_after,
            max_per_second: tail.max_per_second,
            max_age: Some(Duration::from_secs(7 * 24 * 60 * 60)),
            max_bytes: Some(1 << 30),
            queue: 8192,
            queue_bytes: 64 << 20,
            body_bytes: 64 << 10,
            token: None,
            secrets: Vec::new(),
        }
    }
}

impl Recording {
    /// What the recorder is to keep; none where it is to keep nothing.
    pub(crate) fn policy(&self) -> Option<RecordingPolicy> {
        let Self { sample, slow_quantile, slow_after, max_per_second, .. } = *self;
        match self.keep {
            Keep::All => Some(RecordingPolicy::All),
            Keep::Tail => {
                Some(RecordingPolicy::Tail(TailPolicy { sample, slow_quantile, slow_after, max_per_second }))
            }
            Keep::Off => None,
        }
    }
}
