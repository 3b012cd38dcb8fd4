//! Preparation of a trace for the service that replays or explains it.

use zerver_replay::{Recording, Secrets};
use zerver_trace::Trace;
use zerver_trace::text::clean;

use crate::locate::LoadedTrace;
use crate::output::Output;

/// Adds the secrets that the store's key can decrypt to a trace.
pub(crate) fn open(trace: Trace, loaded: &LoadedTrace, output: &mut Output) -> Recording {
    let secrets = match loaded.reader.as_ref().map(|reader| reader.open_secrets(&trace)) {
        Some(Ok(secrets)) => secrets,
        Some(Err(error)) => {
            let error = error.to_string();
            output.warn(&format!("cannot decrypt its secrets: {}", clean(&error)));
            Default::default()
        }
        None => Default::default(),
    };
    Recording { trace, secrets: Secrets(secrets) }
}
