//! Reads the settings again, and has those that can change take effect.

use zerver_recorder::Recorder;

use crate::config::{Layers, Loaded};
use crate::schedule::{EffectLimits, Tuning};
use crate::{Running, notice};

/// A service whose settings can be read again.
pub(crate) struct Reload<'s> {
    pub(crate) layers: Layers,
    /// What it was started with.
    pub(crate) started: Loaded,
    /// What was read last.
    pub(crate) loaded: Loaded,
    pub(crate) running: &'s Running,
    pub(crate) recorder: Option<&'s Recorder>,
}

impl Reload<'_> {
    /// Does it. What is wrong changes nothing.
    pub(crate) fn now(&mut self) {
        let loaded = match self.layers.load() {
            Ok(loaded) => loaded,
            Err(error) => return notice::warn(&format!("the settings stay as they are: {error}")),
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
        self.running.retune(Tuning {
            scheduling: config.scheduling.clone(),
            rules: config.rules.clone(),
            deadline: config.deadline,
            effects: EffectLimits::of(&config.limits),
        });
        if !fixed.is_empty() {
            notice::warn(&format!("only a restart changes {}", fixed.join(", ")));
        }
        let Some(file) = &loaded.file else {
            return notice::say(
                "no settings are read again: there was no zerver.toml when the service started",
            );
        };
        let from = file.display();
        match changed.is_empty() {
            true => notice::say(&format!("settings read again from {from}: nothing has changed")),
            false => notice::say(&format!("settings read again from {from}: changed {}", changed.join(", "))),
        }
        self.loaded = loaded;
    }
}
