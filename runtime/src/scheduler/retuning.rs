//! Replaces the settings of the scheduler while requests run.

use std::sync::Arc;

use super::shared_state::Shared;
use super::tuning::Tuning;
use crate::server::worker_context::Crew;
use crate::server::worker_message::Message;

/// Gives turns in another way from now on, everywhere. Not for workers: it waits for a lock.
pub(crate) fn retune(crew: &Crew, shared: &Shared, tuning: Tuning) {
    let scheduling = Arc::new(tuning.scheduling.clone());
    shared.retune(tuning);
    crew.watched.tell(|| Message::Retune(Arc::clone(&scheduling)));
    if let Some(low) = &crew.low {
        low.retune(&scheduling);
    }
}
