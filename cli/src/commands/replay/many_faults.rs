//! `zerver replay --all --faults`: injects every fault into every effect of many requests, and groups what happened.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use serde::Serialize;
use zerver_replay::{Edits, Recording};
use zerver_trace::RequestId;

use super::corpus_source::CorpusSource;
use super::fault_trials::try_faults;
use super::many::{QUEUE_LEN, TICK, join, stop_flag};
use crate::args::{CorpusSelection, Global, Replay};
use crate::error::{CommandError, CommandOutcome};
use crate::output::Output;
use crate::service::fault_groups::{FaultCounts, FaultGroup, FaultGroups};
use crate::service::fault_trial::FaultOutcome;
use crate::service::host::ReplayHost;
use crate::service::program::ServiceProgram;
use crate::view::count;
use crate::view::replay::fault_group_table;
use crate::{locate, paths};

/// Stable JSON form. Fields may be added.
#[derive(Serialize)]
struct Document<'a> {
    /// True if the trials ended before all requests had been taken.
    partial: bool,
    #[serde(flatten)]
    counts: FaultCounts,
    groups: Vec<Group<'a>>,
}

#[derive(Serialize)]
struct Group<'a> {
    #[serde(flatten)]
    group: &'a FaultGroup,
    /// File of the example.
    file: Option<PathBuf>,
}

/// The trials of one request, or the reason why it cannot be replayed.
struct Tried {
    id: RequestId,
    flow: String,
    outcomes: Result<Vec<FaultOutcome>, String>,
}

pub(super) fn run(
    selection: &CorpusSelection,
    app: Option<&Path>,
    args: &Replay,
    global: &Global,
    output: &mut Output,
) -> Result<CommandOutcome, CommandError> {
    let source = CorpusSource::open(selection, args, global)?;
    let program = ServiceProgram::find(app, &args.program, source.reader.as_ref())?;
    let exe = program.build(args.program.release, global)?;
    let stop = stop_flag()?;
    let cores = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let (send_request, requests) = sync_channel(QUEUE_LEN);
    let requests = Mutex::new(requests);
    let (send_tried, tried) = sync_channel(QUEUE_LEN);
    let mut groups = FaultGroups::default();
    let is_stopped = || stop.load(Ordering::Relaxed);
    let (warnings, read_error, host_error) = thread::scope(|scope| {
        let (source, is_stopped) = (&source, &is_stopped);
        let reading = scope.spawn(move || source.read(&send_request, is_stopped));
        let hosts: Vec<_> = (0..cores)
            .map(|_| {
                let (send_tried, requests, exe) = (send_tried.clone(), &requests, &exe);
                scope.spawn(move || try_each(exe, requests, &send_tried))
            })
            .collect();
        drop(send_tried);
        let mut shown_at = Instant::now();
        loop {
            match tried.recv_timeout(TICK) {
                Ok(Tried { id, flow, outcomes: Ok(outcomes) }) => groups.add(id, &flow, outcomes),
                Ok(Tried { outcomes: Err(_), .. }) => groups.not_replayed(),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if shown_at.elapsed() >= TICK {
                shown_at = Instant::now();
                let FaultCounts { requests, trials, .. } = groups.counts();
                output.progress(&format!("{}, {trials} faults", count(requests, "request", "requests")));
            }
        }
        let is_interrupted = is_stopped();
        // If no host is left, the reader has to stop.
        stop.store(true, Ordering::Relaxed);
        let host_error = hosts.into_iter().filter_map(|host| join(host).err()).next();
        stop.store(is_interrupted, Ordering::Relaxed);
        let (warnings, read_error) = join(reading);
        (warnings, read_error, host_error)
    });
    output.clear_progress();
    warnings.iter().for_each(|warning| output.warn(warning));
    let is_interrupted = stop.load(Ordering::Relaxed);
    let error = host_error.or(read_error);
    let counts = groups.counts();
    if counts.requests + counts.not_replayed == 0 {
        return Err(match error {
            Some(error) => error,
            None if is_interrupted => CommandError::new("interrupted before a request was replayed"),
            None => source.empty(args),
        });
    }
    let groups = groups.sorted();
    let is_partial = is_interrupted || error.is_some();
    if output.is_json {
        let groups = groups.iter().map(|group| Group { group, file: source.file(group.example) }).collect();
        output.json(&Document { partial: is_partial, counts, groups })?;
    } else {
        let examples: Vec<_> = groups.iter().map(|group| group.example).collect();
        let digits = source.reader.as_ref().map_or(32, |reader| locate::unique_digits(reader, &examples));
        let name = |id: RequestId| match source.file(id) {
            Some(file) => paths::display(&file),
            None => id.short(digits),
        };
        let (columns, is_verbose) = (output.columns(), output.is_verbose);
        output.print(&fault_group_table::table(counts, &groups, &name, is_verbose, columns))?;
    }
    match error {
        Some(error) => Err(error),
        None if is_interrupted => Err(CommandError::new("interrupted before all requests were replayed")),
        None if groups.iter().any(|group| group.finding.is_some()) => Ok(CommandOutcome::Finding),
        None => Ok(CommandOutcome::Success),
    }
}

/// Takes requests until there are none left, and tries their faults on one host.
fn try_each(
    exe: &Path,
    requests: &Mutex<Receiver<Recording>>,
    tried: &SyncSender<Tried>,
) -> Result<(), CommandError> {
    let mut host = Some(ReplayHost::start(exe)?);
    loop {
        let next = requests.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(opened) = next else { return Ok(()) };
        let outcomes = try_request(exe, &mut host, &opened)?;
        let (id, flow) = (opened.trace.id, opened.trace.flow.name.clone());
        if tried.send(Tried { id, flow, outcomes }).is_err() {
            return Ok(());
        }
    }
}

fn try_request(
    exe: &Path,
    host: &mut Option<ReplayHost>,
    opened: &Recording,
) -> Result<Result<Vec<FaultOutcome>, String>, CommandError> {
    let mut living = match host.take() {
        Some(living) => living,
        None => ReplayHost::start(exe)?,
    };
    // Without a fault first: a request that cannot be replayed has no trials.
    let report = living.replay(opened.clone(), Edits::default(), &mut |_| {});
    match report {
        Ok(report) => {
            *host = Some(living);
            if let Some(missing) = report.missing_inputs.first() {
                return Ok(Err(missing.to_string()));
            }
        }
        Err(error) => return Ok(Err(error.one_line())),
    }
    try_faults(exe, host, opened, &Edits::default(), &mut |_| {}).map(Ok)
}
