//! Where the store is, and which trace is meant.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use zerver_recorder::{FindError, ReadError, Reader, find_store, portable, regular_file, reopen};
use zerver_replay::nearest_name;
use zerver_trace::{Query, RequestId, Trace, TraceSelector};

use crate::args::{Global, Target};
use crate::trouble::Trouble;
use crate::view::count;
use crate::view::list::MIN_DIGITS;

/// A portable file larger than this is not one of ours.
const MAX_PORTABLE_LEN: u64 = 64 << 20;

/// The folder of the store: said, or the nearest one upwards.
pub(crate) fn store(global: &Global) -> Result<PathBuf, Trouble> {
    if let Some(dir) = &global.store {
        return match fs::metadata(dir) {
            Ok(found) if found.is_dir() => Ok(dir.clone()),
            Ok(_) => Err(no_folder(dir)),
            Err(error) => Err(Trouble::new(format!("cannot open the store in {}", dir.display()))
                .because(&error)
                .hint("`zerver dev` makes a store where it runs a service")),
        };
    }
    let here =
        env::current_dir().map_err(|error| Trouble::new("cannot tell the current folder").because(&error))?;
    find_store(&here).ok_or_else(|| missing(&format!("{} or above it", here.display())))
}

/// There is no store there.
fn missing(place: &str) -> Trouble {
    Trouble::new(format!("there is no store in {place}"))
        .hint("`zerver dev` makes one where it runs a service")
        .hint("name another with --store DIR or ZERVER_STORE")
}

/// What was named as a store is a file.
pub(crate) fn no_folder(dir: &Path) -> Trouble {
    Trouble::new(format!("{} is no folder", dir.display()))
        .hint("name the folder that holds the store, such as .zerver")
}

/// The store, opened for reading. One whose writer was killed is opened and closed first, which loses nothing; where
/// that cannot be, since the disk is full or read-only, it is read as it is.
pub(crate) fn reader(dir: &Path) -> Result<Reader, Trouble> {
    match Reader::open(dir) {
        Err(ReadError::Missing { .. }) => Err(missing(&shown(dir))),
        Err(ReadError::NeedsRepair { .. }) => match reopen(dir) {
            Ok(()) => Reader::open(dir).map_err(|error| unreadable(dir, &error)),
            Err(cause) => Reader::open_as_it_is(dir).map_err(|_| unreadable(dir, &cause)),
        },
        opened => opened.map_err(|error| unreadable(dir, &error)),
    }
}

/// The number of digits with which to print these ids, so that each of them, pasted into another command, names its
/// request and no other of the store.
pub(crate) fn digits(reader: &Reader, ids: &[RequestId]) -> usize {
    // All of an id always names it, also in a store of which a part cannot be read.
    reader.unique_digits(ids).unwrap_or(32).max(MIN_DIGITS)
}

/// What is to be said where requests are missing because too many waited to be written.
pub(crate) fn dropped(reader: &Reader) -> Option<String> {
    let dropped = reader.overflowed().ok().filter(|dropped| *dropped > 0)?;
    let requests = count(dropped, "request is", "requests are");
    Some(format!("{requests} not here: more came than could be written"))
}

/// A store that cannot be read.
pub(crate) fn unreadable(dir: &Path, error: &dyn std::error::Error) -> Trouble {
    Trouble::new(format!("cannot read the store in {}", dir.display()))
        .because(error)
        .hint(format!("look into it with `zerver doctor --store {}`", dir.display()))
}

/// A trace, and the store it is from if it is not from a file.
pub(crate) struct Loaded {
    pub(crate) trace: Trace,
    pub(crate) reader: Option<Reader>,
}

impl Loaded {
    /// How many digits of its id name it alone.
    pub(crate) fn digits(&self) -> usize {
        self.reader.as_ref().map_or(MIN_DIGITS, |reader| digits(reader, &[self.trace.id]))
    }

    /// How long requests of the same flow took, the newest `limit` of them.
    pub(crate) fn population(&self, limit: usize) -> Vec<u64> {
        let query =
            Query { flow: Some(self.trace.flow.name.clone()), limit: Some(limit), ..Query::default() };
        let others = self.reader.as_ref().and_then(|reader| reader.list(&query).ok()).unwrap_or_default();
        others.iter().map(|request| request.duration_ns).collect()
    }
}

/// Finds and reads the trace that is meant.
pub(crate) fn load(global: &Global, target: &Target) -> Result<Loaded, Trouble> {
    match target {
        Target::File(path) => portable_file(path).map(|trace| Loaded { trace, reader: None }),
        Target::Stored(find) => {
            let dir = store(global)?;
            let reader = reader(&dir)?;
            let trace = find_trace(&dir, &reader, find)?;
            Ok(Loaded { trace, reader: Some(reader) })
        }
    }
}

/// The trace in a store that is meant.
pub(crate) fn find_trace(dir: &Path, reader: &Reader, find: &TraceSelector) -> Result<Trace, Trouble> {
    reader.find(find).map_err(|error| {
        let trouble = not_found(dir, reader, find, error);
        let flow = match find {
            TraceSelector::Last(flow)
            | TraceSelector::Slowest(flow)
            | TraceSelector::Fastest(flow)
            | TraceSelector::Failed(flow) => flow.as_deref(),
            TraceSelector::Id(_) => None,
        };
        let hints = flow.and_then(|flow| other_flow(reader, flow)).into_iter().chain(dropped(reader));
        hints.fold(trouble, Trouble::hint)
    })
}

/// What is to be said of a flow that the service does not have.
pub(crate) fn other_flow(reader: &Reader, given: &str) -> Option<String> {
    let flows = reader.catalog().ok()?;
    no_flow(given, flows.iter().map(|flow| flow.name.as_str()))
}

/// Nothing where there is such a flow, or no flow is known.
fn no_flow<'n>(given: &str, flows: impl Iterator<Item = &'n str> + Clone) -> Option<String> {
    if flows.clone().next().is_none() || flows.clone().any(|flow| flow == given) {
        return None;
    }
    Some(match nearest_name(given, flows) {
        Some(name) => format!("there is no flow {given}; did you mean {name}?"),
        None => format!("there is no flow {given}; `zerver catalog` lists the flows"),
    })
}

/// Reads a portable file.
pub(crate) fn portable_file(path: &Path) -> Result<Trace, Trouble> {
    let trouble = || Trouble::new(format!("cannot read {}", path.display()));
    let bytes = regular_file::read(path, MAX_PORTABLE_LEN).map_err(|error| trouble().because(&error))?;
    portable::read(&bytes).map_err(|error| {
        Trouble::new(format!("cannot read {} as a portable trace", path.display()))
            .because(&error)
            .hint("`zerver export <id>` writes such files")
    })
}

fn not_found(dir: &Path, reader: &Reader, find: &TraceSelector, error: FindError) -> Trouble {
    let names = |ids: &[RequestId]| {
        let digits = digits(reader, ids);
        ids.iter().take(5).map(|id| id.short(digits)).collect::<Vec<_>>().join(", ")
    };
    match error {
        FindError::NotFound { nearest, .. } => {
            let trouble = Trouble::new(format!("no request {find} in {}", dir.display()));
            let trouble = match nearest.as_slice() {
                [] => trouble,
                ids => trouble.hint(format!("the nearest: {}", names(ids))),
            };
            trouble.hint("`zerver ls` lists all")
        }
        FindError::Ambiguous { candidates, .. } => {
            Trouble::new(format!("{find} could be any of several requests"))
                .hint(format!("it could be: {}", names(&candidates)))
                .hint("give more digits")
        }
        FindError::Empty { .. } => Trouble::new(format!("no request matches {find} in {}", dir.display()))
            .hint("send the service a request, or see what there is with `zerver ls`"),
        FindError::Read(error) => unreadable(dir, &error),
    }
}

/// A path for eyes.
pub(crate) fn shown(path: &Path) -> String {
    zerver_trace::text::clean(&path.to_string_lossy()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Color;
    use crate::sample;

    /// A store with two requests whose ids share 31 digits.
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

    fn trouble(global: &Global, target: &str) -> Trouble {
        match load(global, &target.parse().unwrap()) {
            Ok(_) => panic!("{target} was found"),
            Err(trouble) => trouble,
        }
    }

    #[test]
    fn a_trace_is_found_with_as_many_digits_as_it_takes() {
        let (_dir, global) = stored();
        let loaded = load(&global, &"019aa4c2-1f3b-7abc-8def-0123456789ac".parse().unwrap()).unwrap();
        assert_eq!(loaded.digits(), 32);
        assert_eq!(loaded.population(10), [5_400_000; 2]);
        assert_eq!(loaded.population(1).len(), 1);
    }

    #[test]
    fn what_is_not_found_comes_with_a_way_on() {
        let (dir, mut global) = stored();
        let ambiguous = trouble(&global, "019a");
        assert!(ambiguous.what.contains("any of several"), "{ambiguous:?}");
        assert!(ambiguous.hints[0].contains("89ab") && ambiguous.hints[0].contains("89ac"), "{ambiguous:?}");
        let missing = trouble(&global, "019b");
        assert!(missing.hints[0].contains("nearest: 019aa4c2"), "{missing:?}");
        assert!(trouble(&global, "@last:nothing").hints[0].contains("zerver ls"));
        assert!(!trouble(&global, "./nothing.zrv").causes.is_empty());
        global.store = Some(dir.path().join("nothing"));
        assert!(trouble(&global, "@last").hints[0].contains("zerver dev"));
        let empty = dir.path().join("empty");
        fs::create_dir(&empty).unwrap();
        global.store = Some(empty);
        assert!(trouble(&global, "@last").hints[0].contains("zerver dev"));
    }

    #[test]
    fn a_flow_that_there_is_not_comes_with_one_that_there_is() {
        let say = |given, flows: &[&str]| no_flow(given, flows.iter().copied());
        assert_eq!(say("checkout", &["cart-add", "checkout"]), None);
        assert_eq!(say("checkout", &[]), None);
        let near = say("chekout", &["cart-add", "checkout"]).unwrap();
        assert_eq!(near, "there is no flow chekout; did you mean checkout?");
        assert!(say("zzz", &["cart-add", "checkout"]).unwrap().contains("`zerver catalog`"));
    }

    #[test]
    fn what_is_no_portable_file_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.zrv");
        for bytes in [&b""[..], b"not a trace", &[0xff; 4096]] {
            fs::write(&path, bytes).unwrap();
            assert!(portable_file(&path).is_err());
        }
        fs::write(&path, portable::write(&sample::slow()).unwrap()).unwrap();
        assert_eq!(portable_file(&path).unwrap().id, sample::slow().id);
    }
}
