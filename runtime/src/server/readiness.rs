//! Readiness of a service. No flow runs until the interpreters of its effects have been opened.

use std::sync::{Arc, OnceLock};

use tokio::sync::watch;

use crate::StartError;
use crate::app::startup::BoxError;
use crate::effects::interpreter::Interpreters;

/// Stage of a service's startup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StartupStage {
    Starting,
    Ready,
    /// Contains the reason.
    Failed(Arc<str>),
}

/// Startup stage and interpreters of a service.
pub(crate) struct Readiness {
    stage: watch::Sender<StartupStage>,
    interpreters: OnceLock<Interpreters>,
}

impl Readiness {
    /// Readiness of a service that has not called [`set_ready`](Self::set_ready) yet.
    pub(crate) fn starting() -> Self {
        Self { stage: watch::Sender::new(StartupStage::Starting), interpreters: OnceLock::new() }
    }

    /// Marks the service as ready, with the interpreters of its effects.
    pub(crate) fn set_ready(&self, interpreters: Interpreters) {
        // Set once, and before the stage changes, so that a task that waits for the stage sees them.
        let _ = self.interpreters.set(interpreters);
        self.stage.send_replace(StartupStage::Ready);
    }

    /// Marks the startup as failed. The service will never be ready.
    pub(crate) fn set_failed(&self, reason: Arc<str>) {
        self.stage.send_replace(StartupStage::Failed(reason));
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.interpreters.get().is_some()
    }

    /// Returns the interpreters of effects. There are none before the service is ready.
    pub(crate) fn interpreters(&self) -> &Interpreters {
        static NONE: Interpreters = Interpreters::new();
        self.interpreters.get().unwrap_or(&NONE)
    }

    pub(crate) fn stage(&self) -> StartupStage {
        self.stage.borrow().clone()
    }

    /// Waits until the startup has succeeded or failed.
    pub(crate) async fn wait(&self) -> Result<(), StartError> {
        let mut stage = self.stage.subscribe();
        let final_stage = stage.wait_for(|stage| *stage != StartupStage::Starting).await;
        match final_stage.as_deref() {
            Ok(StartupStage::Failed(reason)) => Err(StartError::Startup(BoxError::from(reason.as_ref()))),
            _ => Ok(()),
        }
    }
}
