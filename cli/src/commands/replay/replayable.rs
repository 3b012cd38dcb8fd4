//! What a replay needs of a trace, and what is said where that is not there.

use zerver_replay::{Opened, Report, Secrets};
use zerver_trace::Recorded;

use crate::error::Trouble;
use crate::locate::Loaded;
use crate::output::Output;

/// Says which effect is about to be performed for real.
pub(super) fn announce(effect: &str, output: &mut Output) {
    output.say(&format!("live: {}", zerver_trace::text::clean(effect)));
}

/// The report, if there is anything in it.
pub(super) fn possible(report: Report, loaded: &Loaded) -> Result<Report, Trouble> {
    if report.impossible.is_empty() {
        return Ok(report);
    }
    let id = loaded.trace.id.short(loaded.digits());
    let mut trouble = Trouble::new(format!("{id} cannot be replayed as it was recorded"));
    trouble.causes = report.impossible;
    // A portable file has hashes in the place of secrets; the store can open its own.
    let is_secret = |value: &Recorded| matches!(value, Recorded::Hashed { .. });
    let trace = &loaded.trace;
    let asked = trace.request_headers.iter().map(|header| &header.value);
    if loaded.reader.is_none() && asked.chain([&trace.target, &trace.request_body.bytes]).any(is_secret) {
        let id = trace.id;
        trouble =
            trouble.hint(format!("the store that recorded it has its secrets: there, `zerver replay {id}`"));
    }
    Err(trouble)
}

/// The trace with its secrets, as far as the store's key opens them.
pub(super) fn open(trace: zerver_trace::Trace, loaded: &Loaded, output: &mut Output) -> Opened {
    let secrets = match loaded.reader.as_ref().map(|reader| reader.secrets(&trace)) {
        Some(Ok(secrets)) => secrets,
        Some(Err(error)) => {
            let error = error.to_string();
            output.warn(&format!("its secrets stay sealed: {}", zerver_trace::text::clean(&error)));
            Default::default()
        }
        None => Default::default(),
    };
    Opened { trace, secrets: Secrets(secrets) }
}
