//! `zerver replay --all`: replays many requests, on as many hosts as there are cores.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;
use signal_hook::consts::{SIGINT, SIGTERM};
use zerver_analysis::{Corpus, CorpusCounts, FindingCause, FindingGroup, NotReplayedGroup};
use zerver_replay::Sameness;
use zerver_trace::RequestId;
use zerver_web::report::{CorpusReport, corpus_html};

use super::corpus_source::CorpusSource;
use crate::args::{CorpusSelection, Global, Replay};
use crate::error::{CommandError, CommandOutcome};
use crate::html_file;
use crate::output::Output;
use crate::service::host::ReplayHost;
use crate::service::host_pool::{HostPool, Replayed};
use crate::service::program::ServiceProgram;
use crate::view::replay::many::{CorpusView, corpus, progress};
use crate::{locate, paths};

/// Maximum number of requests that wait for a host, and of reports that wait to be counted.
pub(super) const QUEUE_LEN: usize = 64;
/// Interval at which the stop flag is read and progress is shown.
pub(super) const TICK: Duration = Duration::from_millis(100);

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
    let first = ReplayHost::start(&exe)?;
    let build = first.build().to_owned();
    let (corpus, end) = replay_all(&source, HostPool::new(exe, first), output)?;
    output.clear_progress();
    for warning in &end.warnings {
        output.warn(warning);
    }
    let error = match end.error {
        None if corpus.counts().requests == 0 && !end.is_interrupted => return Err(source.empty(args)),
        Some(error) if corpus.counts().requests == 0 => return Err(error),
        error => error,
    };
    let is_partial = end.is_interrupted || error.is_some();
    if let Some(path) = &args.html {
        let name = |id: RequestId| match source.file(id) {
            Some(file) => paths::display(&file),
            None => id.short(end.digits),
        };
        let report = CorpusReport { corpus: &corpus, build: &build, took: end.took, is_partial, name: &name };
        html_file::write(path, &corpus_html(&report), output)?;
    } else if output.is_json {
        output.json(&Document::new(&corpus, &build, is_partial, end.took, &source))?;
    } else {
        let name = |id: RequestId| match source.file(id) {
            Some(file) => paths::display(&file),
            None => id.short(end.digits),
        };
        let view = CorpusView { corpus: &corpus, took: end.took, is_partial, name: &name };
        output.print(&self::corpus(&view, output.width(), output.is_verbose))?;
    }
    match error {
        Some(error) => Err(error),
        None if end.is_interrupted => Err(CommandError::new("interrupted before all requests were replayed")),
        // Requests that could not be compared or replayed are counted, but are not findings.
        None if corpus.sameness() == Sameness::Different => Ok(CommandOutcome::Finding),
        None => Ok(CommandOutcome::Success),
    }
}

/// End of a replay of many.
struct CorpusEnd {
    is_interrupted: bool,
    error: Option<CommandError>,
    warnings: Vec<String>,
    took: Duration,
    /// Number of digits that identify each example.
    digits: usize,
}

/// Reads, replays and counts requests concurrently.
fn replay_all(
    source: &CorpusSource,
    pool: HostPool,
    output: &mut Output,
) -> Result<(Corpus, CorpusEnd), CommandError> {
    let stop = stop_flag()?;
    let begun = Instant::now();
    let (send_request, requests) = sync_channel(QUEUE_LEN);
    let (send_replayed, replayed) = sync_channel(QUEUE_LEN);
    let mut corpus = Corpus::default();
    let mut is_interrupted = false;
    let ((warnings, read_error), pool_result) = thread::scope(|scope| {
        let is_stopped = || stop.load(Ordering::Relaxed);
        let reading = scope.spawn(move || source.read(&send_request, &is_stopped));
        let running = scope.spawn({
            let stop = Arc::clone(&stop);
            move || pool.run(requests, send_replayed, &stop)
        });
        let mut shown_at = begun;
        loop {
            match replayed.recv_timeout(TICK) {
                Ok(Replayed { id, flow, report }) => corpus.add(id, &flow, &report),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            is_interrupted |= stop.load(Ordering::Relaxed);
            if shown_at.elapsed() >= TICK {
                shown_at = Instant::now();
                output.progress(&progress(&corpus.counts(), begun.elapsed()));
            }
        }
        is_interrupted |= stop.load(Ordering::Relaxed);
        // If no host is left, the reader has to stop.
        stop.store(true, Ordering::Relaxed);
        (join(reading), join(running))
    });
    let findings = corpus.findings().into_iter().map(|(_, group)| group.example);
    let not_replayed = corpus.not_replayed().into_iter().map(|(_, reason)| reason.example);
    let examples: Vec<_> = findings.chain(not_replayed).collect();
    let digits = source.reader.as_ref().map_or(32, |reader| locate::unique_digits(reader, &examples));
    let error = pool_result.err().or(read_error);
    Ok((corpus, CorpusEnd { is_interrupted, error, warnings, took: begun.elapsed(), digits }))
}

/// Returns a flag that SIGINT and SIGTERM set. A second signal has its default effect.
pub(super) fn stop_flag() -> Result<Arc<AtomicBool>, CommandError> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register_conditional_default(signal, Arc::clone(&stop))
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&stop)))
            .map_err(|error| CommandError::new("cannot handle signals").caused_by(&error))?;
    }
    Ok(stop)
}

/// Returns the result of a thread, and passes on its panic.
pub(super) fn join<T>(thread: thread::ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Stable JSON form of a replay of many. Fields may be added.
#[derive(Serialize)]
struct Document<'a> {
    verdict: &'static str,
    /// True if the replay ended before all requests were replayed.
    partial: bool,
    elapsed_ns: u64,
    build: &'a str,
    #[serde(flatten)]
    tally: CorpusCounts,
    findings: Vec<Finding<'a>>,
    reasons: Vec<NotReplayed<'a>>,
}

#[derive(Serialize)]
struct Finding<'a> {
    #[serde(flatten)]
    cause: &'a FindingCause,
    #[serde(flatten)]
    group: &'a FindingGroup,
    /// File of the example.
    file: Option<PathBuf>,
}

#[derive(Serialize)]
struct NotReplayed<'a> {
    reason: &'a str,
    #[serde(flatten)]
    requests: &'a NotReplayedGroup,
    file: Option<PathBuf>,
}

impl<'a> Document<'a> {
    fn new(corpus: &'a Corpus, build: &'a str, partial: bool, took: Duration, source: &CorpusSource) -> Self {
        let finding = |(cause, group): (&'a FindingCause, &'a FindingGroup)| Finding {
            cause,
            group,
            file: source.file(group.example),
        };
        let not_replayed = |(reason, requests): (&'a str, &'a NotReplayedGroup)| NotReplayed {
            reason,
            requests,
            file: source.file(requests.example),
        };
        Self {
            verdict: corpus.sameness().as_str(),
            partial,
            elapsed_ns: took.as_nanos() as u64,
            build,
            tally: corpus.counts(),
            findings: corpus.findings().into_iter().map(finding).collect(),
            reasons: corpus.not_replayed().into_iter().map(not_replayed).collect(),
        }
    }
}
