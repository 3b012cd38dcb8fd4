//! `zerver replay --all`: replays many requests, on as many hosts as there are cores.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;
use signal_hook::consts::{SIGINT, SIGTERM};
use zerver_analysis::{Corpus, CorpusCounts, FindingCause, FindingGroup, NotReplayedGroup};
use zerver_recorder::Reader;
use zerver_replay::{Recording, Sameness, Secrets};
use zerver_trace::{Query, RequestId};

use crate::args::{Global, Replay};
use crate::clock::now_unix_ns;
use crate::error::{CommandError, CommandOutcome};
use crate::output::Output;
use crate::service::host::ReplayHost;
use crate::service::host_pool::{HostPool, Replayed};
use crate::service::program::ServiceProgram;
use crate::view::replay::many::{CorpusView, corpus, progress};
use crate::{locate, paths};

/// Maximum number of requests that wait for a host, and of reports that wait to be counted.
const QUEUE_LEN: usize = 64;
/// Interval at which the stop flag is read and progress is shown.
const TICK: Duration = Duration::from_millis(100);

pub(super) fn run(
    paths: &[PathBuf],
    app: Option<&Path>,
    args: &Replay,
    global: &Global,
    output: &mut Output,
) -> Result<CommandOutcome, CommandError> {
    let source = CorpusSource::open(paths, args, global)?;
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
    if output.is_json {
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
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // A second signal has its default effect.
        signal_hook::flag::register_conditional_default(signal, Arc::clone(&stop))
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&stop)))
            .map_err(|error| CommandError::new("cannot handle signals").caused_by(&error))?;
    }
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

/// Returns the result of a thread, and passes on its panic.
fn join<T>(thread: thread::ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Source of the requests: the store, or portable files.
struct CorpusSource {
    /// The store, unless files are named.
    reader: Option<Reader>,
    files: Vec<PathBuf>,
    /// File of each request.
    file_of: Mutex<BTreeMap<RequestId, PathBuf>>,
    query: Query,
}

impl CorpusSource {
    fn open(paths: &[PathBuf], args: &Replay, global: &Global) -> Result<Self, CommandError> {
        let query = args.filter.query(now_unix_ns(), args.limit.0);
        if paths.is_empty() {
            let reader = locate::open_reader(&locate::store_dir(global)?)?;
            return Ok(Self { reader: Some(reader), files: Vec::new(), file_of: Mutex::default(), query });
        }
        let mut files = Vec::new();
        for path in paths {
            match path.is_dir() {
                true => files.append(&mut portable_files(path)?),
                false => files.push(path.clone()),
            }
        }
        Ok(Self { reader: None, files, file_of: Mutex::default(), query })
    }

    /// Sends the matching requests. Returns warnings, and the error that stopped it.
    fn read(
        &self,
        requests: &SyncSender<Recording>,
        is_stopped: &dyn Fn() -> bool,
    ) -> (Vec<String>, Option<CommandError>) {
        let mut undecrypted = None;
        let error = match &self.reader {
            None => self.read_files(requests, is_stopped).err(),
            Some(reader) => reader
                .for_each(&self.query, |trace| {
                    let secrets = reader.open_secrets(&trace).unwrap_or_else(|error| {
                        undecrypted.get_or_insert_with(|| error.to_string());
                        Default::default()
                    });
                    match requests.send(Recording { trace, secrets: Secrets(secrets) }) {
                        Ok(()) if !is_stopped() => ControlFlow::Continue(()),
                        _ => ControlFlow::Break(()),
                    }
                })
                .err()
                .map(|error| locate::unreadable_store(reader.dir(), &error)),
        };
        let warning = undecrypted.map(|error| {
            format!("cannot decrypt the secrets of some requests: {}", zerver_trace::text::clean(&error))
        });
        (warning.into_iter().collect(), error)
    }

    fn read_files(
        &self,
        requests: &SyncSender<Recording>,
        is_stopped: &dyn Fn() -> bool,
    ) -> Result<(), CommandError> {
        let mut left = self.query.limit.unwrap_or(usize::MAX);
        for file in &self.files {
            let trace = locate::read_portable(file)?;
            if !self.query.matches(&trace.summary()) {
                continue;
            }
            self.file_of.lock().unwrap_or_else(PoisonError::into_inner).insert(trace.id, file.clone());
            let opened = Recording { trace, secrets: Secrets::default() };
            if left == 0 || is_stopped() || requests.send(opened).is_err() {
                break;
            }
            left -= 1;
        }
        Ok(())
    }

    /// Returns the file of a request, unless it comes from the store.
    fn file(&self, id: RequestId) -> Option<PathBuf> {
        self.file_of.lock().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }

    /// Returns the error for a source without requests: a test of nothing must not pass.
    fn empty(&self, args: &Replay) -> CommandError {
        let is_filtered = args.filter != Default::default();
        match &self.reader {
            None if self.files.is_empty() => {
                CommandError::new("no portable files to replay").with_hint("`zerver export <id>` writes them")
            }
            None => CommandError::new("no request in these files matches").with_hint("leave out the filters"),
            Some(reader) => {
                let dir = paths::display(reader.dir());
                CommandError::new(format!("no requests to replay in {dir}")).with_hint(match is_filtered {
                    true => "`zerver ls` accepts the same filters and lists what matches",
                    false => "`zerver dev` records the requests of a service",
                })
            }
        }
    }
}

/// Returns the portable files in a folder and below, sorted by path.
fn portable_files(folder: &Path) -> Result<Vec<PathBuf>, CommandError> {
    let failed = |error: &std::io::Error| {
        CommandError::new(format!("cannot read the folder {}", paths::display(folder))).caused_by(error)
    };
    let mut found = Vec::new();
    for entry in folder.read_dir().map_err(|error| failed(&error))? {
        let entry = entry.map_err(|error| failed(&error))?;
        let (path, kind) = (entry.path(), entry.file_type().map_err(|error| failed(&error))?);
        // Links to folders are not followed: they may form a cycle.
        if kind.is_dir() {
            found.append(&mut portable_files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "zrv") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
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
