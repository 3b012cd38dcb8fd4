//! The writing side: what a service holds while it records.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use thiserror::Error;
use zerver_trace::secret::Rule;
use zerver_trace::{CaptureSink, FlowInfo};

use crate::describe::Describer;
use crate::format::FormatError;
use crate::place::{self, Lock, LockError};
use crate::policy::Policy;
use crate::queue::Queue;
use crate::quiet;
use crate::retention::Retention;
use crate::seal::{Key, SealError, Sealer};
use crate::shared::{Shared, Status};
use crate::store::{StoreError, WriteStore};
use crate::teller::Change;
use crate::writer::Writer;

/// How to record.
#[derive(Debug, Clone)]
pub struct Options {
    /// The folder of the store.
    pub dir: PathBuf,
    /// Which traces to keep.
    pub policy: Policy,
    /// The id of the build that runs.
    pub build: String,
    /// How much of each body to record, in bytes; at most 192 KiB.
    pub body_limit: usize,
    /// How many requests may wait to be written; past that they are dropped and counted.
    pub queue_len: usize,
    /// How many bytes their bodies may have together; past that they are dropped and counted as well.
    pub queue_bytes: usize,
    /// Traces older than this are removed; none keeps them.
    pub max_age: Option<Duration>,
    /// What the store's file may have, in bytes, to within a hundredth; the oldest traces make room, and three quarters of
    /// it are traces. Below 4 MiB means 4 MiB.
    pub max_bytes: Option<u64>,
    /// What counts as a secret.
    pub rule: Rule,
}

impl Options {
    /// Everything is recorded into `dir`, and kept for 7 days or up to 1 GiB.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            policy: Policy::All,
            build: String::new(),
            body_limit: 64 << 10,
            queue_len: 8192,
            queue_bytes: 64 << 20,
            max_age: Some(Duration::from_secs(7 * 24 * 60 * 60)),
            max_bytes: Some(1 << 30),
            rule: Rule::default(),
        }
    }
}

/// Why a store cannot be written to. Whatever it is, nothing in the folder was changed by it.
#[derive(Debug, Error)]
pub enum OpenError {
    /// Another process writes to it.
    #[error("{} is being written to by {}; stop it, or choose another folder", path.display(), who(*pid))]
    Locked {
        /// Which process, where it could be learnt.
        pid: Option<u32>,
        /// The folder.
        path: PathBuf,
    },
    /// There is a file of this name, and it is not a store, or not one that this build can write to.
    #[error("{}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why it cannot be used.
        source: FormatError,
    },
    /// It is damaged.
    #[error("{} is damaged: {why}; save what can be read of it with `zerver doctor --repair`", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// In what way.
        why: String,
    },
    /// The key beside it cannot be used.
    #[error(transparent)]
    Key(#[from] SealError),
    /// The disk, or the rights to it.
    #[error("{}: {why}", path.display())]
    Io {
        /// The file or the folder.
        path: PathBuf,
        /// What went wrong.
        why: String,
    },
}

fn who(pid: Option<u32>) -> String {
    pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
}

impl From<StoreError> for OpenError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Format { path, source } => Self::Unreadable { path, source },
            StoreError::Damaged { path, why } => Self::Damaged { path, why },
            StoreError::Missing { path } => Self::Io { path, why: "it is not there".to_owned() },
            StoreError::NeedsRepair { path } => {
                Self::Damaged { path, why: "it was not closed properly".to_owned() }
            }
            StoreError::Io { path, why } => Self::Io { path, why },
        }
    }
}

/// Makes the folder and takes the lock of its one writer.
pub(crate) fn claim(dir: &Path) -> Result<Lock, OpenError> {
    let failed = |error: std::io::Error| OpenError::Io { path: dir.to_owned(), why: error.to_string() };
    place::make_dir(dir).map_err(failed)?;
    Lock::take(dir).map_err(|error| match error {
        LockError::Held(pid) => OpenError::Locked { pid, path: dir.to_owned() },
        LockError::Io(path, error) => OpenError::Io { path, why: error.to_string() },
    })
}

/// Records requests: the owner of the store's lock and of the thread that writes to it.
///
/// Dropping it is [`Recorder::close`] without the answer.
#[derive(Debug)]
pub struct Recorder {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Recorder {
    /// Opens the store, made if it is not there, and starts to record.
    ///
    /// # Errors
    /// When another process writes to it, or when it is not a store that can be written to.
    pub fn open(options: Options) -> Result<Self, OpenError> {
        let dir = options.dir.clone();
        let lock = claim(&dir)?;
        // Before a database is made beside it.
        match Key::load(&dir) {
            Ok(_) | Err(SealError::NoKey { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        let retention = Retention::new(options.max_age, options.max_bytes);
        let store = WriteStore::open_within(&dir, retention.max_bytes())?;
        let sealer = Sealer::new(Key::load_or_make(&dir)?);
        let describer = Describer::new(sealer, options.rule, options.build.clone(), options.body_limit);
        let (queue, receiver) = Queue::new(&options.policy, options.queue_len, options.queue_bytes);
        let shared = Arc::new(Shared::new(queue));
        let of_thread = Arc::clone(&shared);
        let writer = Writer::new(
            dir,
            lock,
            store,
            Arc::clone(&shared),
            receiver,
            describer,
            retention,
            options.build,
        )?;
        let thread = std::thread::Builder::new()
            .name("zerver-recorder".to_owned())
            .spawn(move || {
                if let Err(panic) = quiet::run(|| writer.run()) {
                    of_thread.failed(&panic);
                }
            })
            .map_err(|error| OpenError::Io { path: options.dir, why: error.to_string() })?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Where captures go. What it accepts after [`Recorder::close`] counts as overflowed.
    pub fn sink(&self) -> Arc<dyn CaptureSink> {
        Arc::clone(&self.shared.queue) as Arc<dyn CaptureSink>
    }

    /// Calls `observer` on the writer's thread when recording stops or goes on, and when requests are dropped. Called
    /// once; a second observer is not heard of.
    pub fn observe(&self, observer: impl Fn(&Change) + Send + Sync + 'static) {
        self.shared.observe(Box::new(observer));
    }

    /// The flows of this build, for [`crate::Reader::catalog`]. They replace those of the build before.
    pub fn declare(&self, flows: &[Arc<FlowInfo>]) {
        self.shared.declare(flows.to_vec());
    }

    /// Keeps by another policy from now on.
    pub fn set_policy(&self, policy: &Policy) {
        self.shared.queue.set_policy(policy);
    }

    /// How it goes. Cheap.
    pub fn status(&self) -> Status {
        self.shared.status()
    }

    /// The same, for somebody who may outlive this.
    pub fn watch(&self) -> impl Fn() -> Status + Send + Sync + 'static + use<> {
        let shared = Arc::clone(&self.shared);
        move || shared.status()
    }

    /// Waits until all that was accepted so far can be read by other processes, or until recording is paused.
    pub fn flush(&self) -> Status {
        self.shared.flush();
        self.status()
    }

    /// Writes all that was accepted so far, and gives up the store.
    pub fn close(mut self) -> Status {
        self.stop();
        self.status()
    }

    fn stop(&mut self) {
        self.shared.close();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.stop();
    }
}
