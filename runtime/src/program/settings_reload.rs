//! Reads the settings again, and applies those that can change. A separate thread reads them, so that a network file system
//! that hangs does not keep the service from stopping.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;
use zerver_recorder::Recorder;

use crate::config::{Layers, LoadedSettings};
use crate::operator_log;
use crate::scheduler::Tuning;
use crate::{Server, StartError};

/// Time after which the operator is warned that the settings are still being read.
const WARN_AFTER: Duration = Duration::from_secs(2);

/// A service whose settings can be read again.
pub(crate) struct SettingsReload<'s> {
    pub(crate) layers: Arc<Layers>,
    /// Settings at the start of the service.
    pub(crate) started: LoadedSettings,
    /// Settings in effect.
    pub(crate) loaded: LoadedSettings,
    pub(crate) server: &'s Server,
    pub(crate) recorder: Option<&'s Recorder>,
    pub(crate) reading: BackgroundRead<Result<LoadedSettings, StartError>>,
}

impl SettingsReload<'_> {
    /// Starts to read the settings. If they are being read already, they are read again afterwards.
    pub(crate) fn begin(&mut self) {
        let layers = Arc::clone(&self.layers);
        self.reading.begin(move || layers.load());
    }

    /// Applies the settings that were read. Invalid settings change nothing.
    pub(crate) fn apply(&mut self, read: Option<Result<LoadedSettings, StartError>>) {
        if self.reading.end() {
            self.begin();
        }
        let loaded = match read {
            Some(Ok(loaded)) => loaded,
            Some(Err(error)) => {
                return operator_log::warn(&format!("settings unchanged: {}", error.full_message()));
            }
            None => return operator_log::warn("settings unchanged: reading them failed"),
        };
        let mut changed = self.loaded.differences(&loaded).0;
        let mut fixed = self.started.differences(&loaded).1;
        let config = &loaded.config;
        if changed.iter().any(|key| key.starts_with("recording.")) {
            match (self.recorder, config.recording.policy()) {
                (Some(recorder), Some(policy)) => recorder.set_policy(&policy),
                // Recording can be turned on or off only at the start.
                _ => fixed.extend(changed.extract_if(.., |key| key.starts_with("recording."))),
            }
        }
        self.server.retune(Tuning::new(config));
        if !fixed.is_empty() {
            operator_log::warn(&format!("a restart is needed to change {}", fixed.join(", ")));
        }
        let Some(file) = &loaded.file else {
            return operator_log::info(
                "settings not reloaded: there was no zerver.toml when the service started",
            );
        };
        let from = file.display();
        match changed.is_empty() {
            true => operator_log::info(&format!("settings reloaded from {from}: nothing has changed")),
            false => {
                operator_log::info(&format!("settings reloaded from {from}: changed {}", changed.join(", ")))
            }
        }
        self.loaded = loaded;
    }
}

/// Reads on a separate thread, once at a time.
#[derive(Debug)]
pub(crate) struct BackgroundRead<T> {
    result: Option<oneshot::Receiver<T>>,
    /// True if another reading was requested during this one.
    is_repeat_due: bool,
    has_warned: bool,
}

impl<T> Default for BackgroundRead<T> {
    fn default() -> Self {
        Self { result: None, is_repeat_due: false, has_warned: false }
    }
}

impl<T: Send + 'static> BackgroundRead<T> {
    fn begin(&mut self, read: impl FnOnce() -> T + Send + 'static) {
        if self.result.is_some() {
            self.is_repeat_due = true;
            return;
        }
        let (sender, result) = oneshot::channel();
        let thread = std::thread::Builder::new().name("zerver-settings".to_owned());
        // If the thread cannot start, the sender is dropped, and the reading counts as failed.
        let _ = thread.spawn(move || sender.send(read()));
        (self.result, self.has_warned) = (Some(result), false);
    }

    /// Waits for the result of the current reading, or forever if there is none. Returns `None` if reading failed.
    pub(crate) async fn done(&mut self) -> Option<T> {
        let Some(result) = &mut self.result else { return pending().await };
        if !self.has_warned {
            if let Ok(read) = timeout(WARN_AFTER, &mut *result).await {
                return read.ok();
            }
            self.has_warned = true;
            operator_log::warn(
                "the settings are still being read; the current ones stay in effect until then",
            );
        }
        result.await.ok()
    }

    /// Ends the reading whose result was taken. Returns true if another reading is due.
    fn end(&mut self) -> bool {
        self.result = None;
        std::mem::take(&mut self.is_repeat_due)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn a_reading_that_hangs_does_not_block() {
        let mut reading = BackgroundRead::default();
        assert_eq!(reading.done().now_or_never(), None, "nothing is being read");
        let (release, blocked) = mpsc::channel::<()>();
        reading.begin(move || {
            let _ = blocked.recv();
            1
        });
        // A signal drops the future.
        for _ in 0..3 {
            assert_eq!(reading.done().now_or_never(), None);
        }
        reading.begin(|| 2);
        release.send(()).unwrap();
        assert_eq!(reading.done().await, Some(1));
        assert!(reading.end(), "the request made during the first reading is still due");
        reading.begin(|| 2);
        assert_eq!(reading.done().await, Some(2));
        assert!(!reading.end());
        reading.begin(|| panic!("on purpose"));
        assert_eq!(reading.done().await, None);
    }
}
