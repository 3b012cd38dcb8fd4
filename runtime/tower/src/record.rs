//! The layer, and the open stores of the process.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tower_layer::Layer;
use zerver::layer::{LayerRecorder, report_unrecorded};
use zerver::{MountedFlows, Recording, StartError};
use zerver_recorder::{Recorder, RecorderStatus};

use crate::open_store::OpenStore;
use crate::service::RecordService;

/// Stores into which this process records. A second layer for the same directory shares the recorder, because a store has one writer.
static OPEN: Mutex<Vec<(PathBuf, Weak<OpenStore>)>> = Mutex::new(Vec::new());

/// A layer that records requests. See [`record`](crate::record).
#[derive(Clone)]
pub struct Record(Option<Arc<OpenStore>>);

/// Returns the layer of [`record`](crate::record) with other settings.
///
/// ```no_run
/// use zerver_tower::{Keep, Recording};
///
/// let layer = zerver_tower::record_with(Recording {
///     store: Some(".zerver".into()),
///     keep: Keep::Tail,
///     body_bytes: 4096,
///     secrets: vec!["tax-id".to_owned()],
///     ..Recording::default()
/// });
/// # let _: zerver_tower::Record = layer;
/// ```
pub fn record_with(recording: Recording) -> Record {
    try_record_with(recording).unwrap_or_else(|error| {
        report_unrecorded(&error);
        Record(None)
    })
}

/// Returns the layer of [`record_with`].
///
/// # Errors
/// If a setting is invalid, or the store cannot be opened.
pub fn try_record_with(recording: Recording) -> Result<Record, StartError> {
    let named = recording.store.clone().unwrap_or_default();
    let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    open.retain(|(_, store)| store.strong_count() > 0);
    if let Some(store) =
        open.iter().find(|(dir, _)| is_same(dir, &named)).and_then(|(_, store)| store.upgrade())
    {
        return Ok(Record(Some(store)));
    }
    let Some(recorder) = LayerRecorder::open(recording)? else { return Ok(Record(None)) };
    let store = Arc::new(OpenStore::new(recorder));
    open.push((std::path::absolute(&named).unwrap_or(named), Arc::downgrade(&store)));
    Ok(Record(Some(store)))
}

/// Returns a layer that records into the store of flows that the program [mounts](zerver::App::mount) next to its handlers. A
/// store has one writer, so [`record`](crate::record) cannot open it as well. Requests that a flow answers are recorded by the flow.
///
/// If the flows are not recorded, requests pass unrecorded.
pub fn record_with_flows(flows: &MountedFlows) -> Record {
    Record(LayerRecorder::of_flows(flows).map(|recorder| Arc::new(OpenStore::new(recorder))))
}

fn is_same(dir: &Path, named: &Path) -> bool {
    std::path::absolute(named).is_ok_and(|named| named == dir)
}

impl Record {
    /// Returns true if requests are recorded. They are not if the store could not be opened, or if the settings turn recording off.
    pub const fn is_recording(&self) -> bool {
        self.0.is_some()
    }

    /// Returns the state of the recorder, or `None` if requests are not recorded.
    pub fn status(&self) -> Option<RecorderStatus> {
        self.0.as_ref().and_then(|store| store.recorder()).map(Recorder::status)
    }

    /// Waits until all requests that have ended are in the store, for tests and before the process is ended by force. It blocks the
    /// thread for some milliseconds.
    pub fn flush(&self) {
        if let Some(recorder) = self.0.as_ref().and_then(|store| store.recorder()) {
            recorder.flush();
        }
    }
}

impl<S> Layer<S> for Record {
    type Service = RecordService<S>;

    fn layer(&self, inner: S) -> RecordService<S> {
        RecordService::new(inner, self.0.clone())
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record").field("is_recording", &self.is_recording()).finish_non_exhaustive()
    }
}
