//! Queries for values of slots find the same requests with an index and without one.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;
use serde::Serialize;
use zerver_analysis::QueryClock;
use zerver_recorder::{Recorder, RecorderOptions};
use zerver_trace::{
    Body, Capture, Class, Event, FlowInfo, Message, MessageInfo, MessagePart, Outcome, RecordedBy, RequestId,
    RequestInfo, SharedValue, SlotInfo, Trace, TypedValue,
};

use super::*;

/// Texts that values and queries have in common, so that they meet.
const TEXTS: [&str; 16] = [
    "ann", "ann ", "Ann", "", "1", "1.0", "01", "1e0", "-0", "0", "NaN", "inf", "none", "true", "()",
    "[1, 2]",
];
/// Names of fields and positions, likewise.
const PARTS: [&str; 7] = ["sub", "a.b", "a", "0", "1", "01", ""];

/// A value of any form.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
enum Content {
    Empty(()),
    Text(String),
    Float(f64),
    Single(f32),
    Number(i64),
    Large(u128),
    Flag(bool),
    Letter(char),
    Optional(Option<Box<Content>>),
    List(Vec<Content>),
    Map(BTreeMap<String, Content>),
    Numbered(BTreeMap<u8, Content>),
    Variant(Variant),
}

#[derive(Debug, Clone, Serialize)]
enum Variant {
    #[serde(rename = "ann")]
    Unit,
    Holding(Box<Content>),
    Fields {
        sub: Box<Content>,
        #[serde(rename = "a.b")]
        dotted: u8,
    },
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![8 => prop::sample::select(&TEXTS[..]).prop_map(str::to_owned), 1 => any::<String>()]
}

fn part() -> impl Strategy<Value = String> {
    prop::sample::select(&PARTS[..]).prop_map(str::to_owned)
}

fn content() -> impl Strategy<Value = Content> {
    let leaf = prop_oneof![
        Just(Content::Empty(())),
        text().prop_map(Content::Text),
        prop::sample::select(vec![0.0, -0.0, 1.0, 0.5, f64::NAN, f64::INFINITY, f64::MAX])
            .prop_map(Content::Float),
        prop::sample::select(vec![1.0, 0.1]).prop_map(Content::Single),
        (-1..2_i64).prop_map(Content::Number),
        prop::sample::select(vec![1, u128::MAX]).prop_map(Content::Large),
        any::<bool>().prop_map(Content::Flag),
        prop::sample::select(vec!['a', '1']).prop_map(Content::Letter),
        Just(Content::Optional(None)),
        Just(Content::Variant(Variant::Unit)),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        let boxed = || inner.clone().prop_map(Box::new);
        prop_oneof![
            boxed().prop_map(|inner| Content::Optional(Some(inner))),
            prop::collection::vec(inner.clone(), 0..4).prop_map(Content::List),
            prop::collection::btree_map(part(), inner.clone(), 0..4).prop_map(Content::Map),
            prop::collection::btree_map(0..3_u8, inner.clone(), 0..3).prop_map(Content::Numbered),
            boxed().prop_map(|inner| Content::Variant(Variant::Holding(inner))),
            (boxed(), any::<u8>())
                .prop_map(|(sub, dotted)| Content::Variant(Variant::Fields { sub, dotted })),
        ]
    })
}

/// A query for values of a slot, in quotes.
fn query() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec!["A", "A", "B", "Secret", "Absent", "slot#9"]);
    let path = prop::collection::vec(prop::sample::select(&PARTS[..]), 0..3);
    let values = prop::collection::vec(prop::sample::select(&TEXTS[..]), 1..3);
    let operator = prop::sample::select(vec!["=", "=", "=", "!=", ":"]);
    (name, path, values, operator).prop_map(|(name, path, values, operator)| {
        let path: String = path.iter().map(|part| format!(".{part}")).collect();
        let values: Vec<String> = values.iter().map(|value| format!("\"{value}\"")).collect();
        format!("slot.{name}{path}{operator}{}", values.join(","))
    })
}

struct Get;

impl Message for Get {
    fn visit_parts(&self, body_limit: usize, to: &mut dyn FnMut(MessagePart<'_>)) {
        let info = RequestInfo {
            method: "GET".to_owned(),
            target: "/".to_owned(),
            version: "HTTP/1.1".to_owned(),
            peer: String::new(),
            headers: Vec::new(),
            body: Body::default(),
            origin: String::new(),
        };
        MessageInfo::Request(info).visit_parts(body_limit, to);
    }

    fn buffered_bytes(&self) -> usize {
        0
    }
}

fn flow(is_indexed: bool) -> Arc<FlowInfo> {
    let slot = |name: &str, is_secret, is_indexed| SlotInfo {
        name: name.to_owned(),
        path: format!("app::{name}"),
        is_secret,
        is_indexed,
    };
    let slots = vec![slot("A", false, is_indexed), slot("B", false, false), slot("Secret", true, false)];
    Arc::new(FlowInfo { name: "flow".to_owned(), slots, ..FlowInfo::default() })
}

/// Returns a request that wrote these values, each into the slot with this number.
fn capture(n: u64, flow: &Arc<FlowInfo>, writes: &[(u16, Content)]) -> Box<Capture> {
    let written = |(slot, value): &(u16, Content)| {
        let value: SharedValue = Arc::new(TypedValue(value.clone()));
        Event::SlotWritten { step: 0, slot: *slot, at_ns: 1, value }
    };
    Box::new(Capture {
        id: RequestId::from_u128(u128::from(1_790_000_000_000 + n) << 80 | 7 << 76 | 2 << 62),
        flow: Arc::clone(flow),
        class: Class::Default,
        started_unix_ns: 1_790_000_000_000_000_000 + n * 1_000_000,
        duration_ns: 1,
        seed: 0,
        request: Arc::new(Get),
        response: None,
        status: 200,
        outcome: Outcome::Done,
        events: writes.iter().map(written).collect(),
        events_dropped: 0,
        is_recording_requested: false,
        worker: None,
        is_undelivered: false,
        recorded_by: RecordedBy::Runtime,
    })
}

/// Records blocks of requests in one session.
fn record<'r>(
    dir: &Path,
    first: u64,
    flow: &Arc<FlowInfo>,
    blocks: impl Iterator<Item = &'r [Vec<(u16, Content)>]>,
) {
    let options = RecorderOptions { max_age: None, ..RecorderOptions::new(dir) };
    let recorder = Recorder::open(options).unwrap();
    let mut n = first;
    for block in blocks {
        for writes in block {
            recorder.sink().accept(capture(n, flow, writes));
            n += 1;
        }
        recorder.spool().close_block();
    }
    assert_eq!(recorder.close().lost, 0);
}

fn parse(text: &str) -> RequestQuery {
    RequestQuery::parse(text, &QueryClock::utc(0)).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn selected(reader: &Reader, query: &RequestQuery) -> BTreeSet<RequestId> {
    let found = select(reader, Query::default(), query, &mut Output::plain());
    found.map_err(|error| error.message).unwrap().iter().map(|request| request.id).collect()
}

fn all_traces(reader: &Reader) -> Vec<Trace> {
    let mut traces = Vec::new();
    let visit = reader.for_each(&Query::default(), |trace| {
        traces.push(trace);
        ControlFlow::Continue(())
    });
    visit.unwrap();
    traces
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn an_index_never_changes_a_result(
        requests in prop::collection::vec(prop::collection::vec((prop_oneof![6 => 0..3_u16, 1 => Just(9)], content()), 0..4), 8..40),
        queries in prop::collection::vec(query(), 80),
    ) {
        let dir = tempfile::tempdir().unwrap();
        // An earlier build had no index, and the two share a store.
        let (old, new) = requests.split_at(requests.len() / 4);
        record(dir.path(), 0, &flow(false), old.chunks(5));
        record(dir.path(), old.len() as u64, &flow(true), new.chunks(5));
        let reader = Reader::open(dir.path()).unwrap();
        let traces = all_traces(&reader);
        prop_assert_eq!(traces.len(), requests.len());
        for text in queries {
            let query = parse(&text);
            let wanted: BTreeSet<_> =
                traces.iter().filter(|trace| query.matches(trace)).map(|trace| trace.id).collect();
            prop_assert_eq!(selected(&reader, &query), wanted, "{}", text);
        }
    }
}

#[test]
fn blocks_without_the_value_are_not_read() {
    let dir = tempfile::tempdir().unwrap();
    let user =
        |n: u64| Content::Map(BTreeMap::from([("sub".to_owned(), Content::Text(format!("user-{n}")))]));
    let requests: Vec<Vec<(u16, Content)>> = (0..80)
        .map(|n| vec![(0, user(n)), (1, user(n)), (2, Content::Text(format!("hidden-{n}")))])
        .collect();
    record(dir.path(), 0, &flow(true), requests.chunks(4));
    let reader = Reader::open(dir.path()).unwrap();
    for (text, read, found) in [
        ("slot.A.sub=user-17", 4, 1),
        ("slot.A.sub=user-17,user-18,user-60", 8, 3),
        ("slot.A.sub=user-17 slot.A.sub=user-18", 4, 0),
        ("slot.A.sub=user-17 slot.A.sub=user-60", 0, 0),
        ("slot.A.sub=user-99", 0, 0),
        ("slot.Absent=1", 0, 0),
        // Without an index, and what it does not answer.
        ("slot.B.sub=user-17", 80, 1),
        ("slot.A.sub:user-17", 80, 1),
        (r#"slot.A="{\"sub\": \"user-17\"}""#, 80, 1),
        // A secret is not found.
        ("slot.Secret=hidden-17", 0, 0),
    ] {
        let query = parse(text);
        let visited = reader.list(&query.narrowed(&Query::default())).unwrap().len();
        assert_eq!((visited, selected(&reader, &query).len()), (read, found), "{text}");
    }
}

#[test]
fn values_beyond_the_limits_of_an_index_are_found() {
    let dir = tempfile::tempdir().unwrap();
    let wide = |n: u64| Content::List((0..1_000).map(|at| Content::Text(format!("{n}-{at}"))).collect());
    let deep = |n: u64| {
        (0..30).fold(Content::Text(format!("deep-{n}")), |inner, _| {
            Content::Map(BTreeMap::from([("a".to_owned(), inner)]))
        })
    };
    let long = |n: u64| Content::Text(format!("{}{n}", "x".repeat(3_000)));
    let many = |n: u64| Content::List((0..60).map(|at| Content::Number((n * 100 + at) as i64)).collect());
    let requests: Vec<Vec<(u16, Content)>> = (0..180)
        .map(|n| match n {
            0..4 => vec![(0, wide(n))],
            4..8 => vec![(0, deep(n))],
            8..12 => vec![(0, long(n))],
            // Too large to be recorded.
            12 => vec![(0, Content::Text("y".repeat(300_000)))],
            _ => vec![(0, many(n))],
        })
        .collect();
    record(
        dir.path(),
        0,
        &flow(true),
        [&requests[..4], &requests[4..8], &requests[8..13], &requests[13..]].into_iter(),
    );
    let reader = Reader::open(dir.path()).unwrap();
    let path = vec!["a"; 30].join(".");
    for text in [
        "slot.A.999=2-999".to_owned(),
        format!("slot.A.{path}=deep-5"),
        format!("slot.A={}9", "x".repeat(3_000)),
        "slot.A.59=10059".to_owned(),
    ] {
        assert_eq!(selected(&reader, &parse(&text)).len(), 1, "{text:.40}");
    }
}
