//! Finds the store and the trace that the arguments name.

use std::env;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use zerver_analysis::{QueueHolders, Timeline};
use zerver_fleet::FleetUrl;
use zerver_recorder::{FindError, ReadError, Reader, find_store, portable, regular_file, reopen};
use zerver_replay::nearest_name;
use zerver_trace::text::clean;
use zerver_trace::{Query, RecordedBy, RequestId, Trace, TraceSelector};

use crate::args::{Global, TraceRef};
use crate::error::CommandError;
use crate::paths;
use crate::requests::fleet_nodes::node_of;
use crate::store_place::StorePlace;
use crate::view::count;
use crate::view::request_list::MIN_DIGITS;

/// Maximum size of a file with traces, in bytes.
const MAX_FILE_LEN: u64 = 64 << 20;
/// Maximum number of ids in a hint.
const MAX_SUGGESTED: usize = 5;

/// Returns the place of the store: the one the user named, or the nearest folder above the current one.
pub(crate) fn store_place(global: &Global) -> Result<StorePlace, CommandError> {
    if let Some(name) = &global.store {
        let place = StorePlace::named(name)?;
        let StorePlace::Folder(dir) = &place else { return Ok(place) };
        return match fs::metadata(dir) {
            Ok(found) if found.is_dir() => Ok(place),
            Ok(_) => Err(not_a_folder(dir)),
            Err(error) => Err(CommandError::new(format!("cannot open the store in {}", dir.display()))
                .caused_by(&error)
                .with_hint("`zerver dev` creates a store when it runs a service")),
        };
    }
    let here = env::current_dir()
        .map_err(|error| CommandError::new("cannot read the current folder").caused_by(&error))?;
    let found = find_store(&here).map(StorePlace::Folder);
    found.ok_or_else(|| no_store(&format!("{} or any folder above it", here.display())))
}

/// Returns the folder of the store, for a command that writes to it.
pub(crate) fn store_folder(global: &Global, action: &str) -> Result<PathBuf, CommandError> {
    match store_place(global)? {
        StorePlace::Folder(dir) => Ok(dir),
        StorePlace::Fleet(url) => Err(needs_folder(&url, action)),
    }
}

/// Returns the error for a fleet where only a folder will do.
pub(crate) fn needs_folder(url: &FleetUrl, action: &str) -> CommandError {
    CommandError::new(format!("cannot {action} the fleet at {url}"))
        .with_hint("name the folder of a store with --store DIR")
}

fn no_store(place: &str) -> CommandError {
    CommandError::new(format!("no store in {place}"))
        .with_hint("`zerver dev` creates one when it runs a service, and `zerver demo` opens an example")
        .with_hint("to use another store, pass --store DIR or set ZERVER_STORE")
}

/// Returns the error for a store that is a file.
pub(crate) fn not_a_folder(dir: &Path) -> CommandError {
    CommandError::new(format!("{} is not a folder", dir.display()))
        .with_hint("name the folder that holds the store, such as .zerver")
}

/// Opens the store for reading. A store whose writer was killed is first opened for writing and closed, which loses
/// nothing; if the disk is full or read-only, the store is read as it is.
pub(crate) fn open_reader(place: &StorePlace) -> Result<Reader, CommandError> {
    let StorePlace::Folder(dir) = place else {
        return place.open().map_err(|error| unreadable_store(place, &error));
    };
    match Reader::open(dir) {
        Err(ReadError::Missing { .. }) => Err(no_store(&paths::display(dir))),
        Err(ReadError::NeedsRepair { .. }) => match reopen(dir) {
            Ok(()) => Reader::open(dir).map_err(|error| unreadable_store(place, &error)),
            Err(cause) => Reader::open_unrepaired(dir).map_err(|_| unreadable_store(place, &cause)),
        },
        opened => opened.map_err(|error| unreadable_store(place, &error)),
    }
}

/// Returns the number of digits to print of these ids, so that each identifies one request of the store when pasted into
/// another command.
pub(crate) fn unique_digits(reader: &Reader, ids: &[RequestId]) -> usize {
    // If a part of the store is unreadable, only the whole id is sure to be unique.
    reader.unique_digits(ids).unwrap_or(32).max(MIN_DIGITS)
}

/// Returns a message if requests are missing from the store because the recorder could not keep up.
pub(crate) fn dropped_notice(reader: &Reader) -> Option<String> {
    let dropped = reader.dropped_since_oldest().ok().filter(|dropped| *dropped > 0)?;
    let requests = count(dropped, "request was", "requests were");
    Some(format!("{requests} dropped: the recorder could not keep up"))
}

/// Returns the error for a store that cannot be read.
pub(crate) fn unreadable_store(
    place: &dyn std::fmt::Display,
    error: &(dyn std::error::Error + 'static),
) -> CommandError {
    if let Some(ReadError::Fleet { reason, hint, .. }) = error.downcast_ref() {
        let error = CommandError::new(format!("cannot read the fleet at {place}")).with_cause(clean(reason));
        return hint.iter().fold(error, |error, hint| error.with_hint(clean(hint)));
    }
    CommandError::new(format!("cannot read the store in {place}"))
        .caused_by(error)
        .with_hint(format!("check it with `zerver doctor --store {place}`"))
}

/// A trace, and the store it comes from unless it comes from a file.
pub(crate) struct LoadedTrace {
    pub(crate) trace: Trace,
    pub(crate) reader: Option<Reader>,
}

impl LoadedTrace {
    /// Returns the number of digits that identify the request in its store.
    pub(crate) fn digits(&self) -> usize {
        self.reader.as_ref().map_or(MIN_DIGITS, |reader| unique_digits(reader, &[self.trace.id]))
    }

    /// Returns the node that recorded the request, if it comes from a fleet.
    pub(crate) fn node(&self, global: &Global) -> Option<String> {
        node_of(&store_place(global).ok()?, self.reader.as_ref()?, self.trace.id)
    }

    /// Returns what the request waited behind in run queues. `None` if it hardly did, or if the trace comes from a file.
    pub(crate) fn queue_holders(&self, timeline: &Timeline) -> Option<QueueHolders> {
        // An unreadable part of the store must not hide the request.
        QueueHolders::read(&self.trace, timeline, self.reader.as_ref()?).ok().flatten()
    }

    /// Fails if the request was recorded by a layer or imported as spans, which do not contain what `action` needs.
    pub(crate) fn check_recorded(&self, action: &str) -> Result<(), CommandError> {
        check_recorded(&self.trace, action, &self.trace.id.short(self.digits()))
    }

    /// Returns the durations of the newest `limit` requests of the same flow, in nanoseconds.
    pub(crate) fn population(&self, limit: usize) -> Vec<u64> {
        let query =
            Query { flow: Some(self.trace.flow.name.clone()), limit: Some(limit), ..Query::default() };
        let others = self.reader.as_ref().and_then(|reader| reader.list(&query).ok()).unwrap_or_default();
        others.iter().map(|request| request.duration_ns).collect()
    }
}

/// Fails if a request was recorded by a layer or imported as spans, which do not contain what `action` needs.
pub(crate) fn check_recorded(trace: &Trace, action: &str, id: &str) -> Result<(), CommandError> {
    if trace.has_steps() {
        return Ok(());
    }
    let error = CommandError::new(format!("cannot {action} {id}"));
    Err(match trace.recorded_by {
        RecordedBy::Layer => {
            error.with_cause("it was recorded by a layer; zerver cannot run its steps").with_hint(
                "`zerver resend` sends the request again, and `zerver trace` shows what is known of it",
            )
        }
        RecordedBy::Runtime => error
            .with_cause(
                "it was imported as spans, which contain neither the request nor the outputs of its effects",
            )
            .with_hint("name a request that zerver has recorded"),
    })
}

/// Finds and loads a trace.
pub(crate) fn load_trace(global: &Global, trace: &TraceRef) -> Result<LoadedTrace, CommandError> {
    match trace {
        TraceRef::File(path) => read_one(path).map(|trace| LoadedTrace { trace, reader: None }),
        TraceRef::StandardInput => read_one(Path::new("-")).map(|trace| LoadedTrace { trace, reader: None }),
        TraceRef::Stored(find) => {
            let place = store_place(global)?;
            let reader = open_reader(&place)?;
            let trace = find_trace(&place, &reader, find)?;
            Ok(LoadedTrace { trace, reader: Some(reader) })
        }
    }
}

/// Finds and loads a trace in an open store.
pub(crate) fn find_trace(
    place: &StorePlace,
    reader: &Reader,
    find: &TraceSelector,
) -> Result<Trace, CommandError> {
    reader.find(find).map_err(|error| {
        let not_found = not_found(place, reader, find, error);
        let flow = match find {
            TraceSelector::Last(flow)
            | TraceSelector::Slowest(flow)
            | TraceSelector::Fastest(flow)
            | TraceSelector::Failed(flow) => flow.as_deref(),
            TraceSelector::Id(_) => None,
        };
        let hints = flow.and_then(|flow| unknown_flow_hint(reader, flow));
        hints.into_iter().chain(dropped_notice(reader)).fold(not_found, CommandError::with_hint)
    })
}

/// Returns a hint if the store has flows, but none with this name.
pub(crate) fn unknown_flow_hint(reader: &Reader, given: &str) -> Option<String> {
    let flows = reader.flows().ok()?;
    unknown_flow(given, flows.iter().map(|flow| flow.name.as_str()))
}

fn unknown_flow<'n>(given: &str, flows: impl Iterator<Item = &'n str> + Clone) -> Option<String> {
    if flows.clone().next().is_none() || flows.clone().any(|flow| flow == given) {
        return None;
    }
    Some(match nearest_name(given, flows) {
        Some(name) => format!("no flow is called {given}; did you mean {name}?"),
        None => format!("no flow is called {given}; `zerver catalog` lists the flows"),
    })
}

/// Reads a file that contains one trace, or standard input if the path is `-`.
fn read_one(path: &Path) -> Result<Trace, CommandError> {
    let mut traces = read_traces(path)?;
    match (traces.pop(), traces.len()) {
        (Some(trace), 0) => Ok(trace),
        (None, _) => Err(CommandError::new(format!("{} contains no request", shown(path)))),
        (Some(_), others) => {
            Err(CommandError::new(format!("{} contains {} requests", shown(path), others + 1))
                .with_hint("`zerver tui` lists them, and `zerver import` adds them to the store"))
        }
    }
}

/// Reads a portable file.
pub(crate) fn read_portable(path: &Path) -> Result<Trace, CommandError> {
    portable_trace(path, &read_file(path)?)
}

/// Reads a portable file, or the spans of OpenTelemetry as traces, oldest first.
pub(crate) fn read_traces(path: &Path) -> Result<Vec<Trace>, CommandError> {
    let bytes = if path == Path::new("-") { read_stdin()? } else { read_file(path)? };
    if portable::is_portable(&bytes) || path.extension().is_some_and(|extension| extension == "zrv") {
        return Ok(vec![portable_trace(path, &bytes)?]);
    }
    let spans = zerver_otel::decode_spans(&bytes).map_err(|error| {
        CommandError::new(format!("cannot read {} as spans of OpenTelemetry", shown(path)))
            .caused_by(&error)
            .with_hint("files may contain OTLP, as JSON or Protocol Buffers, or one request from `zerver export <id>`")
    })?;
    Ok(zerver_otel::traces_of(&spans).collect())
}

fn read_file(path: &Path) -> Result<Vec<u8>, CommandError> {
    regular_file::read(path, MAX_FILE_LEN)
        .map_err(|error| CommandError::new(format!("cannot read {}", path.display())).caused_by(&error))
}

fn read_stdin() -> Result<Vec<u8>, CommandError> {
    let failed = || CommandError::new("cannot read standard input");
    let mut bytes = Vec::new();
    let read = io::stdin().lock().take(MAX_FILE_LEN + 1).read_to_end(&mut bytes);
    read.map_err(|error| failed().caused_by(&error))?;
    match bytes.len() as u64 {
        0 => Err(failed()
            .with_cause("it is empty")
            .with_hint("`zerver export <id> -o -` writes a request there, and `--otlp -` its spans")),
        1..=MAX_FILE_LEN => Ok(bytes),
        _ => Err(failed().with_cause(format!("it is longer than {} MiB", MAX_FILE_LEN >> 20))),
    }
}

fn shown(path: &Path) -> String {
    if path == Path::new("-") { "standard input".to_owned() } else { path.display().to_string() }
}

fn portable_trace(path: &Path, bytes: &[u8]) -> Result<Trace, CommandError> {
    portable::read(bytes).map_err(|error| {
        CommandError::new(format!("cannot read {} as a portable trace", shown(path)))
            .caused_by(&error)
            .with_hint("`zerver export <id>` writes such files")
    })
}

fn not_found(place: &StorePlace, reader: &Reader, find: &TraceSelector, error: FindError) -> CommandError {
    let names = |ids: &[RequestId]| {
        let digits = unique_digits(reader, ids);
        ids.iter().map(|id| id.short(digits)).collect::<Vec<_>>().join(", ")
    };
    match error {
        FindError::NotFound { nearest, .. } => {
            let error = CommandError::new(format!("no request {find} in {place}"));
            let error = match nearest.as_slice() {
                [] => error,
                ids => {
                    error.with_hint(format!("nearest ids: {}", names(&ids[..ids.len().min(MAX_SUGGESTED)])))
                }
            };
            error.with_hint("`zerver ls` lists the requests")
        }
        FindError::Ambiguous { candidates, .. } => {
            let some = names(&candidates[..candidates.len().min(MAX_SUGGESTED)]);
            CommandError::new(format!("request id {find} is ambiguous"))
                .with_hint(format!("matching ids include {some}"))
                .with_hint("add more digits")
        }
        FindError::Empty { .. } => CommandError::new(format!("no request matches {find} in {place}"))
            .with_hint("send the service a request, or list the requests with `zerver ls`"),
        FindError::Read(error) => unreadable_store(place, &error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Color;
    use zerver_testkit::sample;

    /// Returns a store with two requests whose ids share 31 digits.
    fn stored() -> (tempfile::TempDir, Global) {
        let dir = tempfile::tempdir().unwrap();
        let other = |n| {
            let mut trace = sample::slow();
            trace.id = RequestId::from_u128(trace.id.as_u128() + n);
            trace
        };
        zerver_recorder::import(dir.path(), vec![other(0), other(1)]).unwrap();
        let store = Some(dir.path().to_owned());
        (dir, Global { store, json: false, color: Color::Never, quiet: false, verbose: false })
    }

    fn error(global: &Global, target: &str) -> CommandError {
        match load_trace(global, &target.parse().unwrap()) {
            Ok(_) => panic!("{target} was found"),
            Err(error) => error,
        }
    }

    #[test]
    fn as_many_digits_are_printed_as_identify_a_request() {
        let (_dir, global) = stored();
        let loaded = load_trace(&global, &"019aa4c2-1f3b-7abc-8def-0123456789ac".parse().unwrap()).unwrap();
        assert_eq!(loaded.digits(), 32);
        assert_eq!(loaded.population(10), [5_400_000; 2]);
        assert_eq!(loaded.population(1).len(), 1);
    }

    #[test]
    fn a_request_that_is_not_found_comes_with_hints() {
        let (dir, mut global) = stored();
        let ambiguous = error(&global, "019a");
        assert!(ambiguous.message.contains("ambiguous"), "{ambiguous:?}");
        assert!(ambiguous.hints[0].contains("89ab") && ambiguous.hints[0].contains("89ac"), "{ambiguous:?}");
        let missing = error(&global, "019b");
        assert!(missing.hints[0].contains("nearest ids: 019aa4c2"), "{missing:?}");
        assert!(error(&global, "@last:nothing").hints[0].contains("zerver ls"));
        assert!(!error(&global, "./nothing.zrv").causes.is_empty());
        global.store = Some(dir.path().join("nothing"));
        assert!(error(&global, "@last").hints[0].contains("zerver dev"));
        let empty = dir.path().join("empty");
        fs::create_dir(&empty).unwrap();
        global.store = Some(empty);
        assert!(error(&global, "@last").hints[0].contains("zerver dev"));
    }

    #[test]
    fn a_request_that_a_layer_recorded_cannot_be_replayed() {
        let error = check_recorded(&sample::of_layer(), "replay", "019a").unwrap_err();
        assert_eq!(error.message, "cannot replay 019a");
        assert_eq!(error.causes, ["it was recorded by a layer; zerver cannot run its steps"]);
        assert!(check_recorded(&sample::slow(), "replay", "019a").is_ok());
    }

    #[test]
    fn an_unknown_flow_comes_with_a_similar_one() {
        let hint = |given, flows: &[&str]| unknown_flow(given, flows.iter().copied());
        assert_eq!(hint("checkout", &["cart-add", "checkout"]), None);
        assert_eq!(hint("checkout", &[]), None);
        let near = hint("chekout", &["cart-add", "checkout"]).unwrap();
        assert_eq!(near, "no flow is called chekout; did you mean checkout?");
        assert!(hint("zzz", &["cart-add", "checkout"]).unwrap().contains("`zerver catalog`"));
    }

    #[test]
    fn a_file_that_is_not_a_portable_trace_is_rejected() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.zrv");
        for bytes in [&b""[..], b"not a trace", &[0xff; 4096]] {
            fs::write(&path, bytes).unwrap();
            assert!(read_portable(&path).is_err());
        }
        fs::write(&path, portable::write(&sample::slow()).unwrap()).unwrap();
        assert_eq!(read_portable(&path).unwrap().id, sample::slow().id);
    }
}
