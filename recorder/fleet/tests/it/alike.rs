//! A folder, a database, a bucket, and a database with an archive answer ten thousand random questions alike.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use tempfile::TempDir;
use zerver_analysis::{QueryClock, RequestQuery};
use zerver_fleet::{CompactOptions, FleetUrl, archive, compact};
use zerver_recorder::{FindError, Reader, verify};
use zerver_trace::{
    Capture, FlowInfo, Query, RequestId, SlotCondition, StatusFilter, Summary, Trace, TraceSelector,
    TraceView as _,
};

use crate::harness::{PATIENCE, Shipping, files, new_bucket, new_fleet, reader, recorder};
use crate::sample_traces::{self, START_NS, capture, id};

const DAY_NS: u64 = 24 * 60 * 60 * 1_000_000_000;
const MS_NS: u64 = 1_000_000;
/// Number of requests. They lie a millisecond apart, and a day after each quarter of them.
const REQUESTS: u64 = 160;
const PER_DAY: u64 = 40;
/// Requests that are shipped at once.
const SHIPMENT: u64 = 16;
/// Names of the stores in messages: the folder, and the fleets.
const FLEETS: [&str; 4] = ["the database", "the bucket", "the packed bucket", "the database with an archive"];

/// Number of threads that ask.
const ASKING: u32 = 4;
/// Number of requests that were recorded without an index of slots.
const UNINDEXED: u64 = 64;
/// Position of the slot with an index, in which each request has another value.
const TODO: usize = 2;

/// The same requests in each store.
struct Stores {
    _dir: TempDir,
    folder: Reader,
    /// In the order of [`FLEETS`].
    urls: [FleetUrl; 4],
    fleets: [Reader; 4],
    /// The recorded requests, the one that began last first.
    traces: Vec<Trace>,
}

fn started(n: u64) -> u64 {
    START_NS + n / PER_DAY * DAY_NS + n * MS_NS
}

fn id_of(n: u64) -> RequestId {
    RequestId::from_u128(id(n).as_u128() + (u128::from(n / PER_DAY * DAY_NS / MS_NS) << 80))
}

fn request(n: u64) -> Capture {
    let mut request = Capture { id: id_of(n), started_unix_ns: started(n), ..capture(n) };
    // Some are late, so that blocks overlap.
    if n.is_multiple_of(7) {
        request.status = if n.is_multiple_of(2) { 503 } else { 404 };
    }
    request
}

fn stores() -> &'static Stores {
    static STORES: OnceLock<Stores> = OnceLock::new();
    STORES.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let urls = [new_fleet(), new_bucket(), new_bucket(), new_fleet()];
        let service = recorder(dir.path());
        let mut indexed = FlowInfo::clone(&sample_traces::flow());
        indexed.slots[TODO].is_indexed = true;
        let indexed = Arc::new(indexed);
        for n in 0..REQUESTS {
            let mut request = request(n);
            // The first blocks are of an earlier build, without an index.
            if n >= UNINDEXED {
                request.flow = Arc::clone(&indexed);
            }
            service.sink().accept(Box::new(request));
            if n % SHIPMENT == SHIPMENT - 1 {
                // A segment of its own.
                service.spool().close_block();
                for url in &urls {
                    Shipping::start(&service, url, "pod").shipper.stop(PATIENCE);
                }
            }
        }
        let shippers = urls.each_ref().map(|url| Shipping::start(&service, url, "pod"));
        service.close();
        for shipping in shippers {
            assert_eq!(shipping.shipper.stop(PATIENCE).waiting, 0);
        }
        let at_once = CompactOptions { settle: Duration::ZERO, grace: Duration::ZERO };
        assert!(compact(&urls[2], at_once).unwrap().packed > 5);
        assert!(compact(&urls[2], at_once).unwrap().replaced > 5);
        assert!(files(&urls[1], "live/").len() > 5 && !files(&urls[2], "packs/").is_empty());
        let today =
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() / 86_400;
        let half = today - (START_NS / DAY_NS + 2);
        let moved = archive(&urls[3], &new_bucket(), u32::try_from(half).unwrap(), &mut |_| {}).unwrap();
        assert_eq!(moved.days, 2, "{moved:?}");
        let (folder, fleets) = (Reader::open(dir.path()).unwrap(), urls.each_ref().map(reader));
        let mut traces = Vec::new();
        folder
            .visit(&Query::default(), |request| {
                traces.push(request.load().unwrap());
                ControlFlow::Continue(())
            })
            .unwrap();
        traces.sort_by_key(|trace| std::cmp::Reverse(trace.started_unix_ns));
        assert_eq!(traces.len() as u64, REQUESTS);
        Stores { _dir: dir, folder, urls, fleets, traces }
    })
}

/// A question to a store.
#[derive(Debug, Clone)]
enum Question {
    /// The summaries that a query selects.
    List(Query),
    /// The requests that a query of the query language selects among those of another.
    Select(String, Query),
    /// A request by a selector, or why there is none.
    Find(TraceSelector),
    /// A request by its id.
    Load(u64),
    /// Several requests by their ids.
    Ids(u64, u64),
    /// Lists of this many requests, from the last to the first.
    Pages(usize),
    /// The lengths of unique starts of ids.
    Digits(u64, u64),
}

/// The answer of a store.
#[derive(Debug, PartialEq)]
enum Answer {
    Summaries(Vec<Summary>),
    Ids(Vec<RequestId>),
    Trace(Option<Box<Trace>>),
    /// No request, and the nearest one.
    NotFound(Option<RequestId>),
    Ambiguous,
    Empty,
    Digits(usize),
}

impl Question {
    /// Asks a store. Those of a folder come in another order.
    fn ask(&self, reader: &Reader) -> Answer {
        match self {
            Self::List(query) => Answer::Summaries(reader.list(query).unwrap()),
            Self::Select(text, query) => Answer::Ids(select(reader, text, query)),
            Self::Find(selector) => match reader.find(selector) {
                Ok(trace) => Answer::Trace(Some(Box::new(trace))),
                Err(FindError::NotFound { nearest, .. }) => Answer::NotFound(nearest.first().copied()),
                Err(FindError::Ambiguous { .. }) => Answer::Ambiguous,
                Err(FindError::Empty { .. }) => Answer::Empty,
                Err(error) => panic!("{error}"),
            },
            Self::Load(n) => Answer::Trace(reader.load(id_of(*n)).unwrap().map(Box::new)),
            Self::Ids(one, other) => {
                let mut seen = BTreeSet::new();
                let visited = reader.visit_ids(&[id_of(*one), id_of(*other)], |request| {
                    assert!(seen.insert(request.summary().id), "twice");
                    ControlFlow::Continue(())
                });
                visited.unwrap();
                Answer::Ids(seen.into_iter().collect())
            }
            Self::Pages(size) => {
                let (mut ids, mut rest) = (BTreeSet::new(), Some(reader.end().unwrap()));
                while let Some(cursor) = rest {
                    let (page, next) = reader.list_before(cursor, *size).unwrap();
                    page.into_iter().for_each(|summary| assert!(ids.insert(summary.id), "twice"));
                    rest = next;
                }
                Answer::Ids(ids.into_iter().collect())
            }
            Self::Digits(one, other) => {
                Answer::Digits(reader.unique_digits(&[id_of(*one), id_of(*other)]).unwrap())
            }
        }
    }

    /// Returns what the folder has to say, in the order of a fleet.
    fn ask_folder(&self, stores: &Stores) -> Answer {
        let in_order = |n: &RequestId| stores.traces.iter().position(|trace| trace.id == *n);
        match self {
            Self::List(query) => {
                let mut list = stores.folder.list(&Query { limit: None, ..query.clone() }).unwrap();
                list.sort_by_key(|summary| std::cmp::Reverse(summary.started_unix_ns));
                list.truncate(query.limit.unwrap_or(usize::MAX));
                Answer::Summaries(list)
            }
            Self::Select(text, query) => {
                let mut ids = select(&stores.folder, text, &Query { limit: None, ..query.clone() });
                ids.sort_by_key(in_order);
                ids.truncate(query.limit.unwrap_or(usize::MAX));
                Answer::Ids(ids)
            }
            // The last of a folder is that which ended last.
            Self::Find(TraceSelector::Last(flow)) => stores.first(|trace| is_of(trace, flow.as_deref())),
            Self::Find(TraceSelector::Failed(flow)) => {
                stores.first(|trace| is_of(trace, flow.as_deref()) && trace.summary().is_failed)
            }
            other => other.ask(&stores.folder),
        }
    }
}

impl Stores {
    fn first(&self, is_wanted: impl Fn(&Trace) -> bool) -> Answer {
        let found = self.traces.iter().find(|trace| is_wanted(trace));
        found.map_or(Answer::Empty, |trace| Answer::Trace(Some(Box::new(trace.clone()))))
    }
}

fn is_of(trace: &Trace, flow: Option<&str>) -> bool {
    flow.is_none_or(|flow| flow == trace.flow.name)
}

fn parse(text: &str) -> RequestQuery {
    RequestQuery::parse(text, &QueryClock::utc(started(REQUESTS)))
        .unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// Selects requests as the commands do.
fn select(reader: &Reader, text: &str, stored: &Query) -> Vec<RequestId> {
    let (query, mut ids) = (parse(text), Vec::new());
    let limit = stored.limit.unwrap_or(usize::MAX);
    if limit == 0 {
        return ids;
    }
    let visited = reader.visit(&query.narrowed(stored), |request| {
        if query.matches_view(request).unwrap() {
            ids.push(request.summary().id);
        }
        if ids.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    visited.unwrap();
    ids
}

/// Returns the condition that only one request meets.
fn todo(n: u64) -> SlotCondition {
    SlotCondition { slot: "Todo".to_owned(), path: Vec::new(), values: vec![format!("todo-{n}")] }
}

fn query() -> impl Strategy<Value = Query> {
    let time = || prop::option::of((0..REQUESTS + 20).prop_map(started));
    let status = prop_oneof![
        Just(None),
        Just(Some(StatusFilter::Code(503))),
        Just(Some(StatusFilter::Class(4))),
        Just(Some(StatusFilter::Class(2))),
    ];
    let limit = prop::option::weighted(0.7, 0..30_usize);
    (flow(), status, any::<bool>(), time(), time(), time(), prop::option::of(0..1_000_000_u64), limit)
        .prop_map(|(flow, status, only_failed, since_unix_ns, until_unix_ns, at, slower_than_ns, limit)| {
            Query {
                flow,
                status,
                only_failed: only_failed && slower_than_ns.is_none_or(|ns| ns % 2 == 0),
                since_unix_ns,
                until_unix_ns,
                in_progress_unix_ns: at.filter(|ns| ns % 3 == 0).map(|ns| (ns, ns + 500_000)),
                slower_than_ns,
                limit,
                ..Query::default()
            }
        })
}

fn flow() -> impl Strategy<Value = Option<String>> {
    let flow = prop_oneof![3 => Just(None), 2 => Just(Some("todos-item")), 1 => Just(Some("other"))];
    flow.prop_map(|flow| flow.map(str::to_owned))
}

/// Returns terms of the query language. Some need the traces.
fn term() -> impl Strategy<Value = String> {
    let number = 0..REQUESTS;
    prop_oneof![
        3 => prop::sample::select(vec![
            "is:failed", "status:5xx", "status:404", "status!=200", "flow:todos-item", "flow=other", "method:GET",
            "worker:1", "took>1ms", "outcome:done", "todos", "since:2d", "until:36h", "build:b1", "query.page=2",
            "header.host=localhost", "step:load_todo", "effect:kv", "size>10", "client:127.0.0.1",
        ]).prop_map(str::to_owned),
        1 => number.clone().prop_map(|n| format!("path:/v1/todos/{n}")),
        1 => number.clone().prop_map(|n| format!("slot.Todo=todo-{n}")),
        1 => number.clone().prop_map(|n| format!("id:{}", id_of(n).short(13))),
        1 => number.prop_map(|n| format!("took>{}us", 1000 + n / 200)),
    ]
}

fn text() -> impl Strategy<Value = String> {
    prop::collection::vec((any::<bool>(), term(), prop::sample::select(vec![" ", " or "])), 1..4).prop_map(
        |terms| {
            let mut text = String::new();
            for (is_negated, term, word) in terms {
                if !text.is_empty() {
                    text += word;
                }
                text += if is_negated { "not " } else { "" };
                text += &term;
            }
            text
        },
    )
}

fn question() -> impl Strategy<Value = Question> {
    let number = || 0..REQUESTS + 5;
    let selector = prop_oneof![
        2 => (number(), 1..33_usize).prop_map(|(n, digits)| id_of(n).short(digits).parse().unwrap()),
        1 => flow().prop_map(TraceSelector::Last),
        1 => flow().prop_map(TraceSelector::Slowest),
        1 => flow().prop_map(TraceSelector::Fastest),
        1 => flow().prop_map(TraceSelector::Failed),
    ];
    prop_oneof![
        4 => query().prop_map(Question::List),
        3 => (text(), query()).prop_map(|(text, query)| Question::Select(text, query)),
        2 => selector.prop_map(Question::Find),
        2 => number().prop_map(Question::Load),
        1 => (number(), number()).prop_map(|(one, other)| Question::Ids(one, other)),
        1 => (1..60_usize).prop_map(Question::Pages),
        1 => (number(), number()).prop_map(|(one, other)| Question::Digits(one, other)),
    ]
}

/// Asks a question of each store, and compares what they answer.
fn ask_all(question: &Question, stores: &Stores, fleets: &[Reader; 4]) -> Result<(), TestCaseError> {
    let wanted = question.ask_folder(stores);
    if let Question::Select(text, query) = question {
        let parsed = parse(text);
        let is_wanted = |trace: &&Trace| query.matches(&trace.summary()) && parsed.matches(trace);
        let ids = stores.traces.iter().filter(is_wanted).map(|trace| trace.id);
        let ids = ids.take(query.limit.unwrap_or(usize::MAX)).collect();
        prop_assert_eq!(&wanted, &Answer::Ids(ids), "the folder");
    }
    for (fleet, name) in fleets.iter().zip(FLEETS) {
        prop_assert_eq!(&question.ask(fleet), &wanted, "{}", name);
    }
    Ok(())
}

#[test]
fn all_stores_give_the_same_answer_to_ten_thousand_questions() {
    let stores = stores();
    // At the same time, because most of the time is spent waiting for the servers.
    std::thread::scope(|scope| {
        for _ in 0..ASKING {
            scope.spawn(|| {
                let fleets = stores.urls.each_ref().map(reader);
                let config = ProptestConfig::with_cases(10_000 / ASKING);
                let config = ProptestConfig { failure_persistence: None, ..config };
                let asked =
                    TestRunner::new(config).run(&question(), |question| ask_all(&question, stores, &fleets));
                asked.unwrap_or_else(|error| panic!("{error}"));
            });
        }
    });
}

#[test]
fn a_value_of_a_slot_is_looked_for_in_few_blocks() {
    let Stores { folder, fleets, .. } = stores();
    // Blocks without an index may hold any value.
    for (n, at_most) in [(5, 80), (100, 80), (REQUESTS + 1, 64)] {
        for reader in std::iter::once(folder).chain(fleets) {
            let found = reader.list(&Query { slots: vec![todo(n)], ..Query::default() }).unwrap();
            assert_eq!(found.iter().any(|summary| summary.id == id_of(n)), n < REQUESTS);
            assert!(found.len() <= at_most, "{n}: {}", found.len());
        }
    }
}

#[test]
fn all_stores_agree_on_what_they_hold() {
    let Stores { folder, fleets, .. } = stores();
    for fleet in fleets {
        assert_eq!(folder.counts().unwrap(), fleet.counts().unwrap());
        assert_eq!(folder.dropped_since_oldest().unwrap(), fleet.dropped_since_oldest().unwrap());
        let whole = verify(fleet, &mut |_| {}).unwrap();
        assert_eq!((whole.traces, whole.damaged), (REQUESTS, Vec::new()));
    }
}
