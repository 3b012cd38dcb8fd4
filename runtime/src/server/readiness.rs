//! Whether a service is ready: until what performs its effects is open, no flow of it runs.

use std::sync::{Arc, OnceLock};

use tokio::sync::watch;

use crate::StartError;
use crate::app::startup::BoxError;
use crate::effects::interpreter::Interpreters;

/// How far a service is with its start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StartupStage {
    Starting,
    Ready,
    /// And why.
    Failed(Arc<str>),
}

/// The readiness of one service.
pub(crate) struct Readiness {
    stage: watch::Sender<StartupStage>,
    interpreters: OnceLock<Interpreters>,
}

impl Readiness {
    /// Of a service that waits until it [is ready](Self::set_ready).
    pub(crate) fn starting() -> Self {
        Self { stage: watch::Sender::new(StartupStage::Starting), interpreters: OnceLock::new() }
    }

    /// Its effects are performed by these.
    pub(crate) fn set_ready(&self, interpreters: Interpreters) {
        // Set once, and before anybody is told.
        let _ = self.interpreters.set(interpreters);
        self.stage.send_replace(StartupStage::Ready);
    }

    /// It will never be ready.
    pub(crate) fn set_failed(&self, why: Arc<str>) {
        self.stage.send_replace(StartupStage::Failed(why));
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.interpreters.get().is_some()
    }

    /// What performs effects: nothing, before it is ready.
    pub(crate) fn interpreters(&self) -> &Interpreters {
        static NONE: Interpreters = Interpreters::new();
        self.interpreters.get().unwrap_or(&NONE)
    }

    pub(crate) fn stage(&self) -> StartupStage {
        self.stage.borrow().clone()
    }

    /// Waits until it is ready, or is known never to be.
    pub(crate) async fn wait(&self) -> Result<(), StartError> {
        let mut stage = self.stage.subscribe();
        let known = stage.wait_for(|stage| *stage != StartupStage::Starting).await;
        match known.as_deref() {
            Ok(StartupStage::Failed(why)) => Err(StartError::Startup(BoxError::from(why.as_ref()))),
            _ => Ok(()),
        }
    }
}
