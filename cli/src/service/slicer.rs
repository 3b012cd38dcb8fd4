//! Slices by the service's own program. A trial that does not end, or that ends the program, is left out, and the program
//! starts again: the trials come in the same order each time.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use zerver_replay::wire::HostRequest;
use zerver_replay::{Recording, Secrets, SliceRequest, ValueSlice, recorded_inputs};
use zerver_trace::{Query, Trace, TraceSource, Value};

use super::host::{HostEvent, ReplayHost, RunDeadline};
use crate::error::CommandError;

/// Number of other requests of the flow whose values are tried.
const OTHERS: usize = 40;
/// Maximum number of values of other requests for one input.
const MAX_SEEN: usize = 6;
/// Maximum length of such a value, in bytes.
const MAX_SEEN_BYTES: usize = 256;
/// Maximum number of trials that are left out.
const MAX_SKIPPED: usize = 8;

/// Result of a slice.
pub(crate) struct HostedSlice {
    pub(crate) slice: ValueSlice,
    /// Build of the program.
    pub(crate) build: String,
}

/// Returns values that the inputs have in other requests of the flow. A text that names a variant of an enum can be
/// replaced only by one that some request had.
pub(crate) fn seen_values(source: &dyn TraceSource, of: &Trace) -> Vec<(String, Vec<Value>)> {
    let query = Query { flow: Some(of.flow.name.clone()), limit: Some(OTHERS), ..Query::default() };
    let mut seen: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for request in source.list(&query).unwrap_or_default() {
        if request.id == of.id {
            continue;
        }
        let Ok(Some(trace)) = source.load(request.id) else { continue };
        // Without the key, so that no secret of another request gets in.
        for (name, value) in recorded_inputs(&Recording { trace, secrets: Secrets::default() }) {
            let values = seen.entry(name).or_default();
            let is_new = values.len() < MAX_SEEN && !values.contains(&value);
            if is_new && value.tokens().len() <= MAX_SEEN_BYTES {
                values.push(value);
            }
        }
    }
    seen.into_iter().collect()
}

/// Finds the sources of a value. Calls `progress` with the number of each trial before it starts.
pub(crate) fn slice(
    exe: &Path,
    recording: &Recording,
    mut request: SliceRequest,
    progress: &mut dyn FnMut(u32),
) -> Result<HostedSlice, CommandError> {
    loop {
        let mut host = ReplayHost::start(exe)?;
        let mut last = None;
        let sent = host.send(&HostRequest::Slice(Box::new(recording.clone()), request.clone()));
        let mut deadline = RunDeadline::new(Instant::now());
        let why = loop {
            let event = host.next_event(deadline.remaining(Instant::now()));
            deadline.update(&event, Instant::now());
            match event {
                HostEvent::TrialStarting(trial) => {
                    last = Some(trial);
                    progress(trial);
                }
                HostEvent::Sliced(slice) => {
                    return Ok(HostedSlice { slice: *slice, build: host.build().to_owned() });
                }
                HostEvent::RunStarted | HostEvent::StepStarting(_) | HostEvent::LiveEffect(..) => {}
                HostEvent::Refused(refusal) => return Err(refusal.into()),
                HostEvent::Malformed(error) => return Err(error),
                HostEvent::Report(_) | HostEvent::Explained(_) => return Err(host.malformed()),
                HostEvent::Died(how) => break how,
                HostEvent::TimedOut => {
                    host.take_stderr();
                    break "a run did not end in time".to_owned();
                }
            }
        };
        let died = CommandError::new(format!("the service did not find the sources of the value: {why}"));
        match (sent, last) {
            (Ok(()), Some(trial))
                if request.skipped.len() < MAX_SKIPPED && !request.skipped.contains(&trial) =>
            {
                request.skipped.push(trial);
            }
            (Ok(()), _) => {
                return Err(died.with_hint("--static narrows the sources without running the service"));
            }
            (Err(error), _) => return Err(died.caused_by(&error)),
        }
    }
}
