//! Opens the recorder according to the settings, and reports its state to the operator.

use std::hash::{DefaultHasher, Hasher};
use std::io::BufReader;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;
use std::{fs, io};

#[cfg(feature = "metrics")]
use zerver_engine::service_docs::RecorderMetrics;
use zerver_recorder::{Recorder, RecorderOptions, RecorderStatus, StatusEvent};
use zerver_trace::secret::Rule;

use crate::StartError;
use crate::config::{LoadedSettings, STORE};
use crate::operator_log;
use crate::program::environment::Environment;
use crate::program::shipped_recorder::{self, ShippedRecorder};

/// Opens the store, if recording is on.
///
/// # Errors
/// [`StartError::Store`] if the store cannot be opened and recording was requested explicitly. By default, the service runs
/// without recording.
pub(crate) fn open(
    loaded: &LoadedSettings,
    environment: &Environment,
    rule: Rule,
) -> Result<Option<ShippedRecorder>, StartError> {
    let recording = &loaded.config.recording;
    let Some(policy) = recording.policy() else { return Ok(None) };
    let dir = recording.store.clone().unwrap_or_else(|| PathBuf::from(STORE));
    let options = RecorderOptions {
        policy,
        build: build_id().to_owned(),
        origin: environment.origin(),
        body_limit: recording.body_bytes,
        queue_len: recording.queue,
        queue_bytes: recording.queue_bytes,
        max_age: recording.max_age,
        max_bytes: recording.max_bytes,
        rule,
        hash_key: shipped_recorder::hash_key(loaded)?,
        ..RecorderOptions::new(&dir)
    };
    let is_explicit = environment.dev
        || loaded.config.fleet.required
        || loaded.is_set_anywhere("recording.store")
        || loaded.is_set_anywhere("recording.keep");
    match Recorder::open(options) {
        Ok(recorder) => {
            recorder.observe(report);
            ShippedRecorder::new(recorder, loaded).map(Some)
        }
        Err(error) if is_explicit => Err(StartError::Store { dir, error }),
        Err(error) => {
            operator_log::warn(&format!("recording is off: {error}"));
            Ok(None)
        }
    }
}

/// Reports a change of the recorder. Called on its thread.
fn report(event: &StatusEvent) {
    match event {
        StatusEvent::Paused { reason } => operator_log::warn(&format!(
            "recording paused: {reason}; requests are still served, and recording resumes when the problem is solved"
        )),
        StatusEvent::Resumed { dropped: 0 } => operator_log::info("recording resumed; nothing was lost"),
        StatusEvent::Resumed { dropped } => {
            operator_log::warn(&format!("recording resumed; {} meanwhile", not_recorded(*dropped)));
        }
        StatusEvent::Dropped { is_paused: true, .. } => {
            operator_log::warn("recording is still paused, and requests are being dropped");
        }
        StatusEvent::Dropped { count, is_paused: false } => operator_log::warn(&format!(
            "{}: the recorder could not keep up; ZERVER_RECORD=tail keeps fewer",
            not_recorded(*count)
        )),
        StatusEvent::StoreReplaced { path } => operator_log::warn(&format!(
            "the store {} was removed or replaced; recording continues there, but what was recorded before is gone with the \
             previous file",
            path.display()
        )),
        StatusEvent::Compacted { from, to } => operator_log::info(&format!(
            "the store was compacted from {} to {}, because recording.max_bytes was lowered",
            bytes(*from),
            bytes(*to)
        )),
        StatusEvent::Oversized { bytes: now, max, reason } => operator_log::warn(&format!(
            "the store has {}, more than recording.max_bytes allows ({}): {reason}; compaction will be tried again",
            bytes(*now),
            bytes(*max)
        )),
        StatusEvent::ClockDiffers { by, is_ahead } => operator_log::warn(&format!(
            "the clock is {} {} the newest recorded request; if the clock is right, nothing is lost: the age of a request \
             counts only time in which a service recorded",
            days(*by),
            if *is_ahead { "ahead of" } else { "behind" }
        )),
        StatusEvent::Stopped { reason } => {
            operator_log::warn(&format!("recording stopped: {reason}; requests are still served"));
        }
    }
}

/// Returns the status of a recorder as metrics.
#[cfg(feature = "metrics")]
pub(crate) fn metrics(status: &RecorderStatus) -> RecorderMetrics {
    RecorderMetrics {
        backlog: status.waiting,
        recorded: status.recorded,
        not_kept: status.not_kept,
        dropped: status.dropped,
        lost: status.lost,
        bytes_on_disk: status.bytes_on_disk,
        paused: status.paused.is_some(),
        store_replaced: status.replaced,
        fleet: None,
    }
}

/// Closes the recorder, and reports requests that could not be written.
pub(crate) fn close(recorder: Recorder) {
    let RecorderStatus { lost, paused, .. } = recorder.close();
    if lost > 0 {
        let reason = paused.unwrap_or_else(|| "they could not be encoded".to_owned());
        operator_log::warn(&format!("{}: {reason}", not_recorded(lost)));
    }
}

fn bytes(n: u64) -> String {
    match n {
        0..1_073_741_824 => format!("{:.1} MiB", n as f64 / 1_048_576.0),
        _ => format!("{:.2} GiB", n as f64 / 1_073_741_824.0),
    }
}

fn days(time: Duration) -> String {
    let hours = time.as_secs() / 3_600;
    if hours < 72 { format!("{hours} hours") } else { format!("{} days", hours / 24) }
}

fn not_recorded(requests: u64) -> String {
    if requests == 1 {
        "1 request was not recorded".to_owned()
    } else {
        format!("{requests} requests were not recorded")
    }
}

/// Returns an id of this build of the program: a hash of its executable, in hexadecimal. It is empty if the executable cannot
/// be read.
pub fn build_id() -> &'static str {
    static ID: OnceLock<String> = OnceLock::new();
    ID.get_or_init(|| {
        let mut hash = Hash(DefaultHasher::new());
        let hashed = std::env::current_exe()
            .and_then(fs::File::open)
            .and_then(|file| io::copy(&mut BufReader::with_capacity(256 << 10, file), &mut hash));
        hashed.map(|_| format!("{:016x}", hash.0.finish())).unwrap_or_default()
    })
}

/// The hasher of the standard library, which is optimized even in a debug build. The hash is computed at each start, so it
/// must be fast.
struct Hash(DefaultHasher);

impl io::Write for Hash {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
