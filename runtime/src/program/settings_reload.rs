//! Reads the settings again, and has those that can change take effect. They are read on a thread of their own: a file on a
//! share that hangs must not keep the service from hearing that it is to stop.

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

/// Reading them takes no longer, unless something is in the way, which is told.
const SOON: Duration = Duration::from_secs(2);

/// A service whose settings can be read again.
pub(crate) struct SettingsReload<'s> {
    pub(crate) layers: Arc<Layers>,
    /// What it was started with.
    pub(crate) started: LoadedSettings,
    /// What was read last.
    pub(crate) loaded: LoadedSettings,
    pub(crate) server: &'s Server,
    pub(crate) recorder: Option<&'s Recorder>,
    pub(crate) reading: BackgroundRead<Result<LoadedSettings, StartError>>,
}

impl SettingsReload<'_> {
    /// Begins to read the settings, or to read them once more when the reading that goes on has ended.
    pub(crate) fn begin(&mut self) {
        let layers = Arc::clone(&self.layers);
        self.reading.begin(move || layers.load());
    }

    /// Takes what was read. What is wrong changes nothing.
    pub(crate) fn take(&mut self, read: Option<Result<LoadedSettings, StartError>>) {
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
                // Whether there is a recorder at all is settled when the service starts.
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

/// Something that is read on a thread of its own, one reading after another.
#[derive(Debug)]
pub(crate) struct BackgroundRead<T> {
    now: Option<oneshot::Receiver<T>>,
    /// Whether it was asked for again meanwhile.
    again: bool,
    was_told: bool,
}

impl<T> Default for BackgroundRead<T> {
    fn default() -> Self {
        Self { now: None, again: false, was_told: false }
    }
}

impl<T: Send + 'static> BackgroundRead<T> {
    fn begin(&mut self, read: impl FnOnce() -> T + Send + 'static) {
        if self.now.is_some() {
            self.again = true;
            return;
        }
        let (done, reading) = oneshot::channel();
        let thread = std::thread::Builder::new().name("zerver-settings".to_owned());
        // Without a thread the other end is gone at once, which says that it failed.
        let _ = thread.spawn(move || done.send(read()));
        (self.now, self.was_told) = (Some(reading), false);
    }

    /// Waits until what is being read has been; for ever where nothing is. None if reading failed.
    pub(crate) async fn done(&mut self) -> Option<T> {
        let Some(reading) = &mut self.now else { return pending().await };
        if !self.was_told {
            if let Ok(read) = timeout(SOON, &mut *reading).await {
                return read.ok();
            }
            self.was_told = true;
            operator_log::warn(
                "the settings are still being read; the current ones stay in effect until then",
            );
        }
        reading.await.ok()
    }

    /// What was read has been taken; whether it is to be read once more.
    fn end(&mut self) -> bool {
        self.now = None;
        std::mem::take(&mut self.again)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn a_reading_that_hangs_keeps_nobody_from_anything() {
        let mut reading = BackgroundRead::default();
        assert_eq!(reading.done().now_or_never(), None, "nothing is being read");
        let (go_on, hangs) = mpsc::channel::<()>();
        reading.begin(move || {
            let _ = hangs.recv();
            1
        });
        // As it is dropped whenever a signal comes.
        for _ in 0..3 {
            assert_eq!(reading.done().now_or_never(), None);
        }
        reading.begin(|| 2);
        go_on.send(()).unwrap();
        assert_eq!(reading.done().await, Some(1));
        assert!(reading.end(), "what came meanwhile is not forgotten");
        reading.begin(|| 2);
        assert_eq!(reading.done().await, Some(2));
        assert!(!reading.end());
        reading.begin(|| panic!("on purpose"));
        assert_eq!(reading.done().await, None);
    }
}
