//! Settings of the recording.

use std::path::PathBuf;
use std::time::Duration;

use zerver_recorder::{RecordingPolicy, TailPolicy};

/// The requests that are recorded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Keep {
    /// All requests.
    All,
    /// Requests that failed, that were slow for their flow, or that requested it, and a sample of the others.
    #[default]
    Tail,
    /// No requests.
    Off,
}

/// Settings of the recording. They apply when the app runs as a program.
///
/// ```
/// use zerver::{App, Keep, Recording};
/// let app = App::new().recording(Recording { sample: 0.1, ..Recording::default() });
/// # let all = Recording { keep: Keep::All, ..Recording::default() };
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Recording {
    /// The requests that are recorded. Default: [`Keep::Tail`].
    pub keep: Keep,
    /// Directory of the store. Default: `.zerver`. If a directory is set and the store cannot be opened, the service
    /// does not start; with the default, it runs without recording.
    pub store: Option<PathBuf>,
    /// Share of ordinary requests that the tail keeps, from 0 to 1. Default: 0.01.
    pub sample: f64,
    /// Quantile of the durations of a flow above which a request counts as slow, from 0 to 1. Default: 0.99. With 1, no
    /// request counts as slow.
    pub slow_quantile: f64,
    /// Number of requests of a flow that must have been measured before any counts as slow. Default: 100.
    pub slow_after: u32,
    /// Maximum number of failures recorded per second, and also the maximum number of slow requests. Default: 1000.
    /// Failures that the client caused have a smaller share: see
    /// [`TailPolicy::max_per_second`](zerver_recorder::TailPolicy::max_per_second).
    pub max_per_second: u32,
    /// Age at which traces are removed. Default: 7 days. `None` keeps them.
    pub max_age: Option<Duration>,
    /// Maximum size of the store on disk, in bytes. Default: 1 GiB. The oldest traces are removed first. `None` means
    /// no limit.
    pub max_bytes: Option<u64>,
    /// Maximum number of requests that wait to be written. Default: 8192. More are dropped and counted.
    pub queue: usize,
    /// Maximum size of the bodies of the requests that wait to be written, in bytes. Default: 64 MiB. More are dropped
    /// and counted.
    pub queue_bytes: usize,
    /// Maximum recorded length of each body, in bytes. Default: 64 KiB. It cannot exceed 192 KiB.
    pub body_bytes: usize,
    /// Token that a request can send in `x-zerver-record` to be recorded in any case.
    pub token: Option<String>,
    /// Additional names of secrets, each with at least three letters or digits. `tax-id` also covers `customerTaxId`.
    /// See `docs/reference/secrets.md`.
    pub secrets: Vec<String>,
    /// The only headers of requests and responses that are recorded in the clear. Empty, as by default, if their names decide.
    pub clear_headers: Vec<String>,
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
            clear_headers: Vec::new(),
        }
    }
}

impl Recording {
    /// Returns the policy of the recorder, or `None` if recording is off.
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
