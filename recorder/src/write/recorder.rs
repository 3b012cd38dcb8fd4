//! The recorder: what a service holds while it records.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use zerver_trace::secret::Rule;
use zerver_trace::{CaptureSink, FlowDeclaration, FlowInfo};

use crate::backend::store_meta::StoreOrigin;
use crate::backend::write_store::WriteStore;
use crate::catch_panic;
use crate::describe::describer::Describer;
use crate::intake::capture_queue::CaptureQueue;
use crate::intake::recording_policy::RecordingPolicy;
use crate::secrets::data_key::HashKey;
use crate::secrets::seal_error::SealError;
use crate::secrets::sealer::Sealer;
use crate::secrets::store_key::StoreKey;
use crate::secrets::writer_keys::WriterKeys;
use crate::spool::Spool;
use crate::write::open_error::{OpenError, lock_dir};
use crate::write::recorder_state::{RecorderState, RecorderStatus};
use crate::write::retention::Retention;
use crate::write::status_event::StatusEvent;
use crate::write::writer::Writer;

/// Settings of a [`Recorder`].
#[derive(Debug, Clone)]
pub struct RecorderOptions {
    /// Folder of the store.
    pub dir: PathBuf,
    /// Policy that selects the traces to keep.
    pub policy: RecordingPolicy,
    /// Id of the running build.
    pub build: String,
    /// Package and program of the service, for [`crate::Reader::origin`].
    pub origin: StoreOrigin,
    /// Maximum number of bytes to record of each body, up to 192 KiB.
    pub body_limit: usize,
    /// Maximum number of requests that wait to be written. Further requests are dropped and counted.
    pub queue_len: usize,
    /// Maximum total size of their bodies, in bytes. Further requests are dropped and counted.
    pub queue_bytes: usize,
    /// Age at which traces are removed. `None` keeps them.
    pub max_age: Option<Duration>,
    /// Maximum length of the file, in bytes, to within 1 %. The oldest traces are removed to stay below it, and traces
    /// occupy at most three quarters of it. Values below 4 MiB are raised to 4 MiB.
    pub max_bytes: Option<u64>,
    /// Rule that identifies secrets.
    pub rule: Rule,
    /// Key that the services of a fleet share. With it, secrets are sealed under a data key of this process, which a shipper
    /// wraps for the fleet; without, under the key of the store, which stays where it is.
    pub hash_key: Option<HashKey>,
}

impl RecorderOptions {
    /// Returns settings that record every request into `dir`, and keep traces for 7 days or up to 1 GiB.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            policy: RecordingPolicy::All,
            build: String::new(),
            origin: StoreOrigin::default(),
            body_limit: 64 << 10,
            queue_len: 8192,
            queue_bytes: 64 << 20,
            max_age: Some(Duration::from_secs(7 * 24 * 60 * 60)),
            max_bytes: Some(1 << 30),
            rule: Rule::default(),
            hash_key: None,
        }
    }
}

/// Records requests. Owns the lock of the store and the thread that writes to it.
///
/// Dropping the recorder is the same as [`Recorder::close`].
#[derive(Debug)]
pub struct Recorder {
    dir: PathBuf,
    hash_key: Option<HashKey>,
    state: Arc<RecorderState>,
    thread: Option<JoinHandle<()>>,
}

impl Recorder {
    /// Opens or creates the store, and starts to record.
    ///
    /// # Errors
    /// If another process writes to the store, or the store cannot be written to.
    pub fn open(options: RecorderOptions) -> Result<Self, OpenError> {
        let dir = options.dir.clone();
        let lock = lock_dir(&dir)?;
        // Checked before the database is created.
        match StoreKey::load(&dir) {
            Ok(_) | Err(SealError::NoKey { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        let retention = Retention::new(options.max_age, options.max_bytes);
        let store = WriteStore::open_with_limit(&dir, retention.max_bytes())?;
        let keys = WriterKeys::open(&dir, options.hash_key.clone())?;
        let sealer = Sealer::new(keys.secret_key());
        let describer = Describer::new(sealer, options.rule, options.build.clone(), options.body_limit);
        let (queue, receiver) = CaptureQueue::new(&options.policy, options.queue_len, options.queue_bytes);
        let state = Arc::new(RecorderState::new(queue));
        let thread_state = Arc::clone(&state);
        let writer = Writer::new(
            dir.clone(),
            lock,
            store,
            Arc::clone(&state),
            receiver,
            describer,
            keys,
            retention,
            options.build,
            options.origin,
        )?;
        let thread = std::thread::Builder::new()
            .name("zerver-recorder".to_owned())
            .spawn(move || {
                if let Err(panic) = catch_panic::catch(|| writer.run()) {
                    thread_state.failed(&panic);
                }
            })
            .map_err(|source| OpenError::Io { path: options.dir, source })?;
        Ok(Self { dir, hash_key: options.hash_key, state, thread: Some(thread) })
    }

    /// Returns the sink for captures. Captures that it accepts after [`Recorder::close`] count as dropped.
    pub fn sink(&self) -> Arc<dyn CaptureSink> {
        Arc::clone(&self.state.queue) as Arc<dyn CaptureSink>
    }

    /// Calls `observer` on the writer's thread when recording pauses or resumes, and when requests are dropped. Only
    /// the first observer is used. It also receives earlier events.
    pub fn observe(&self, observer: impl Fn(&StatusEvent) + Send + Sync + 'static) {
        self.state.observe(Box::new(observer));
    }

    /// Stores the flows of this build, for [`crate::Reader::flows`]. They replace those of the previous build.
    pub fn declare(&self, flows: &[Arc<FlowInfo>]) {
        self.state.declare(flows.to_vec());
    }

    /// Stores what the definitions of the flows of this build say, by the names of the flows, for [`crate::Reader::catalog`].
    pub fn describe(&self, declarations: Vec<(String, FlowDeclaration)>) {
        self.state.describe(declarations);
    }

    /// Changes the policy from now on.
    pub fn set_policy(&self, policy: &RecordingPolicy) {
        self.state.queue.set_policy(policy);
    }

    /// Returns the current status. Cheap.
    pub fn status(&self) -> RecorderStatus {
        self.state.status()
    }

    /// Returns a function that returns the status, and may outlive the recorder.
    pub fn watch(&self) -> impl Fn() -> RecorderStatus + Send + Sync + 'static + use<> {
        let state = Arc::clone(&self.state);
        move || state.status()
    }

    /// Returns the store as a shipper sees it, which may outlive the recorder.
    pub fn spool(&self) -> Spool {
        Spool::new(Arc::clone(&self.state), self.dir.clone(), self.hash_key.clone())
    }

    /// Waits until everything accepted so far is visible to other processes, or recording is paused.
    pub fn flush(&self) -> RecorderStatus {
        self.state.flush();
        self.status()
    }

    /// Writes everything accepted so far, and releases the store.
    pub fn close(mut self) -> RecorderStatus {
        self.stop();
        self.status()
    }

    fn stop(&mut self) {
        self.state.close();
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
