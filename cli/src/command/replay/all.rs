//! `zerver replay --all`: many requests, run again by as many hosts as there are cores.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::PathBuf;
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

use super::host::Host;
use super::pool::{Pool, Replayed};
use crate::args::{Global, Replay};
use crate::command::ls::now_unix_ns;
use crate::output::Output;
use crate::place;
use crate::trouble::{Done, Trouble};
use crate::view::corpus::{Shown, corpus, progress};

/// How many requests may wait for a host, or have been run and not been counted.
const WAITING: usize = 64;
/// How often it is looked whether somebody wants it to stop, and said how far it is.
const TICK: Duration = Duration::from_millis(100);

pub(super) fn run(
    paths: &[PathBuf],
    args: &Replay,
    global: &Global,
    output: &mut Output,
) -> Result<Done, Trouble> {
    let source = Source::open(paths, args, global)?;
    let store = source.reader.as_ref().map(Reader::dir);
    let exe = super::program(args.package.as_ref(), &args.program, store, global)?;
    let first = Host::start(&exe)?;
    let build = first.build().to_owned();
    let (corpus, end) = work(&source, Pool::new(exe, first), output)?;
    output.no_progress();
    for warning in &end.warnings {
        output.warn(warning);
    }
    let trouble = match end.trouble {
        None if corpus.counts().requests == 0 && !end.is_interrupted => return Err(source.nothing(args)),
        Some(trouble) if corpus.counts().requests == 0 => return Err(trouble),
        trouble => trouble,
    };
    let is_partial = end.is_interrupted || trouble.is_some();
    let took = end.took;
    if output.is_json {
        output.json(&Document::new(&corpus, &build, is_partial, took, &source))?;
    } else {
        let name = |id: RequestId| match source.file(id) {
            Some(file) => place::shown(&file),
            None => id.short(end.digits),
        };
        let shown = Shown { corpus: &corpus, took, is_partial, name: &name };
        output.print(&self::corpus(&shown, output.width(), output.is_verbose))?;
    }
    match trouble {
        Some(trouble) => Err(trouble),
        None if end.is_interrupted => Err(Trouble::new("interrupted before all were run")),
        // What could not be compared is counted, as is what could not be run again.
        None => Ok(if corpus.sameness() == Sameness::Different { Done::Finding } else { Done::Fine }),
    }
}

/// How it came to an end.
struct End {
    is_interrupted: bool,
    trouble: Option<Trouble>,
    warnings: Vec<String>,
    took: Duration,
    /// How many digits of its id name each example.
    digits: usize,
}

/// Reads, runs and counts, each at the same time as the others.
fn work(source: &Source, pool: Pool, output: &mut Output) -> Result<(Corpus, End), Trouble> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // A second one does what it always does.
        signal_hook::flag::register_conditional_default(signal, Arc::clone(&stop))
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&stop)))
            .map_err(|error| Trouble::new("cannot take signals").because(&error))?;
    }
    let begun = Instant::now();
    let (give, taken) = sync_channel(WAITING);
    let (tell, told) = sync_channel(WAITING);
    let mut corpus = Corpus::default();
    let mut is_interrupted = false;
    let (read, ran) = thread::scope(|scope| {
        let is_over = || stop.load(Ordering::Relaxed);
        let reading = scope.spawn(move || source.read(&give, &is_over));
        let running = scope.spawn({
            let stop = Arc::clone(&stop);
            move || pool.run(taken, tell, &stop)
        });
        let mut shown = begun;
        loop {
            match told.recv_timeout(TICK) {
                Ok(Replayed { id, flow, report }) => corpus.add(id, &flow, &report),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            is_interrupted |= stop.load(Ordering::Relaxed);
            if shown.elapsed() >= TICK {
                shown = Instant::now();
                output.progress(&progress(&corpus.counts(), begun.elapsed()));
            }
        }
        is_interrupted |= stop.load(Ordering::Relaxed);
        // Where no host is left, nobody takes what is read.
        stop.store(true, Ordering::Relaxed);
        (joined(reading.join()), joined(running.join()))
    });
    let (warnings, failed) = read;
    let examples = corpus.findings().into_iter().map(|(_, group)| group.example);
    let examples: Vec<_> =
        examples.chain(corpus.not_replayed().into_iter().map(|(_, reason)| reason.example)).collect();
    let digits = source.reader.as_ref().map_or(32, |reader| place::digits(reader, &examples));
    let trouble = ran.err().or(failed);
    Ok((corpus, End { is_interrupted, trouble, warnings, took: begun.elapsed(), digits }))
}

/// Nothing is caught here that is not ours.
fn joined<T>(result: thread::Result<T>) -> T {
    result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Where the requests come from.
struct Source {
    /// The store, where no files are named.
    reader: Option<Reader>,
    files: Vec<PathBuf>,
    /// Which file each request is in.
    named: Mutex<BTreeMap<RequestId, PathBuf>>,
    query: Query,
}

impl Source {
    fn open(paths: &[PathBuf], args: &Replay, global: &Global) -> Result<Self, Trouble> {
        let query = args.filter.query(now_unix_ns(), args.limit.0);
        if paths.is_empty() {
            let reader = place::reader(&place::store(global)?)?;
            return Ok(Self { reader: Some(reader), files: Vec::new(), named: Mutex::default(), query });
        }
        let mut files = Vec::new();
        for path in paths {
            match path.is_dir() {
                true => files.append(&mut portable_files(path)?),
                false => files.push(path.clone()),
            }
        }
        Ok(Self { reader: None, files, named: Mutex::default(), query })
    }

    /// Hands on what is wanted; gives back what is to be said, and what stopped it.
    fn read(
        &self,
        give: &SyncSender<Recording>,
        is_over: &dyn Fn() -> bool,
    ) -> (Vec<String>, Option<Trouble>) {
        let mut sealed = None;
        let trouble = match &self.reader {
            None => self.read_files(give, is_over).err(),
            Some(reader) => reader
                .each(&self.query, |trace| {
                    let secrets = reader.secrets(&trace).unwrap_or_else(|error| {
                        sealed.get_or_insert_with(|| error.to_string());
                        Default::default()
                    });
                    match give.send(Recording { trace, secrets: Secrets(secrets) }) {
                        Ok(()) if !is_over() => ControlFlow::Continue(()),
                        _ => ControlFlow::Break(()),
                    }
                })
                .err()
                .map(|error| place::unreadable(reader.dir(), &error)),
        };
        let sealed = sealed
            .map(|error| format!("the secrets of some stay sealed: {}", zerver_trace::text::clean(&error)));
        (sealed.into_iter().collect(), trouble)
    }

    fn read_files(&self, give: &SyncSender<Recording>, is_over: &dyn Fn() -> bool) -> Result<(), Trouble> {
        let mut left = self.query.limit.unwrap_or(usize::MAX);
        for file in &self.files {
            let trace = place::portable_file(file)?;
            if !self.query.matches(&trace.summary()) {
                continue;
            }
            self.named.lock().unwrap_or_else(PoisonError::into_inner).insert(trace.id, file.clone());
            if left == 0 || is_over() || give.send(Recording { trace, secrets: Secrets::default() }).is_err()
            {
                break;
            }
            left -= 1;
        }
        Ok(())
    }

    /// The file that a request is in, if it is from one.
    fn file(&self, id: RequestId) -> Option<PathBuf> {
        self.named.lock().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }

    /// A test that tests nothing is a broken test.
    fn nothing(&self, args: &Replay) -> Trouble {
        let is_filtered = args.filter != Default::default();
        match &self.reader {
            None if self.files.is_empty() => {
                Trouble::new("there are no portable files to replay").hint("`zerver export <id>` writes them")
            }
            None => Trouble::new("no request in these files matches").hint("leave filters out"),
            Some(reader) => {
                let trouble =
                    Trouble::new(format!("there is nothing to replay in {}", place::shown(reader.dir())));
                match is_filtered {
                    true => trouble.hint("`zerver ls` takes the same filters and lists what matches"),
                    false => trouble.hint("`zerver dev` records what a service does"),
                }
            }
        }
    }
}

/// The portable files below a folder, in the order of their names.
fn portable_files(folder: &std::path::Path) -> Result<Vec<PathBuf>, Trouble> {
    let trouble = |error: &std::io::Error| {
        Trouble::new(format!("cannot read the folder {}", place::shown(folder))).because(error)
    };
    let mut found = Vec::new();
    for entry in folder.read_dir().map_err(|error| trouble(&error))? {
        let entry = entry.map_err(|error| trouble(&error))?;
        let (path, kind) = (entry.path(), entry.file_type().map_err(|error| trouble(&error))?);
        // A link to a folder may lead back to where it stands.
        if kind.is_dir() {
            found.append(&mut portable_files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "zrv") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// What `zerver replay --all --json` prints. Its fields are stable; more may come.
#[derive(Serialize)]
struct Document<'a> {
    verdict: &'static str,
    /// Whether it ended before all were run.
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
    /// The file that the example is in.
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
    fn new(corpus: &'a Corpus, build: &'a str, partial: bool, took: Duration, source: &Source) -> Self {
        let findings = corpus.findings().into_iter();
        let reasons = corpus.not_replayed().into_iter();
        Self {
            verdict: corpus.sameness().as_str(),
            partial,
            elapsed_ns: took.as_nanos() as u64,
            build,
            tally: corpus.counts(),
            findings: findings
                .map(|(cause, group)| Finding { cause, group, file: source.file(group.example) })
                .collect(),
            reasons: reasons
                .map(|(reason, requests)| NotReplayed {
                    reason,
                    requests,
                    file: source.file(requests.example),
                })
                .collect(),
        }
    }
}
