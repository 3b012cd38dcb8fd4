//! The key-value stores: tests that run on each of them, and a property test that they agree.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use proptest::prelude::*;
use tempfile::TempDir;
use zerver::effects::kv::{self, Answer, Disk, Key, Memory, Op, Part, Put, Stored};
use zerver::effects::{EffectContext, Interpreter, Interpreters, Started};
use zerver::engine::FailureKind;
use zerver::prelude::*;
use zerver_trace::Value;

#[derive(Debug, Clone, PartialEq, Slot, Serialize, Deserialize)]
struct Todo {
    id: u64,
    title: String,
}

fn todo(id: u64) -> Todo {
    Todo { id, title: format!("number {id}") }
}

/// The clock of a store, which tests advance.
#[derive(Clone, Default)]
pub(crate) struct Time(Arc<AtomicU64>);

impl Time {
    pub(crate) fn pass(&self, time: Duration) {
        self.0.fetch_add(time.as_millis() as u64, Ordering::Relaxed);
    }

    pub(crate) fn now(&self) -> impl Fn() -> Duration + Send + Sync + 'static {
        let time = Arc::clone(&self.0);
        move || Duration::from_millis(time.load(Ordering::Relaxed))
    }
}

/// Creates a temporary folder, in memory if possible, where a sync is cheap.
pub(crate) fn folder() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

struct Store {
    interpreters: Interpreters,
    runtime: tokio::runtime::Runtime,
    time: Time,
    _folder: Option<TempDir>,
}

impl Store {
    fn new(interpreter: impl Interpreter<Op>, time: Time, folder: Option<TempDir>) -> Self {
        let mut interpreters = Interpreters::new();
        interpreters.set(interpreter);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { interpreters, runtime, time, _folder: folder }
    }

    fn memory() -> Self {
        let time = Time::default();
        Self::new(Memory::with_clock(time.now()), time, None)
    }

    fn disk() -> Self {
        let (time, folder) = (Time::default(), folder());
        let disk = Disk::builder(folder.path().join("kv")).clock(time.now()).open().unwrap();
        Self::new(disk, time, Some(folder))
    }

    fn attempt<T>(&self, effect: Effect<T>) -> Result<T, Failure> {
        self.runtime.block_on(self.interpreters.perform(effect, &EffectContext::default()))
    }

    fn run<T>(&self, effect: Effect<T>) -> T {
        self.attempt(effect).unwrap_or_else(|failure| panic!("{failure:?}"))
    }

    /// Runs an effect that must fail. Returns the kind and the first cause of the failure.
    fn fails<T: std::fmt::Debug>(&self, effect: Effect<T>) -> (FailureKind, String) {
        let failure = self.attempt(effect).unwrap_err();
        let cause = format!("{failure:?}").split_once("causes: [\"").unwrap().1.to_owned();
        (failure.kind(), cause.split("\"]").next().unwrap().to_owned())
    }

    fn op(&self, op: &Op) -> Result<Answer, EffectError> {
        let performed =
            self.interpreters.start(&zerver::engine::Call::new(op.clone()), &EffectContext::default());
        let performed = match performed {
            Started::Ready(performed) => performed,
            Started::Pending(future) => self.runtime.block_on(future),
        };
        performed.map(|output| Value::from_recordable(&*output).unwrap().to_typed().unwrap())
    }
}

fn every_store(test: impl Fn(&Store)) {
    test(&Store::memory());
    test(&Store::disk());
}

#[test]
fn a_value_can_be_read_until_it_is_deleted() {
    every_store(|store| {
        assert_eq!(store.run(kv::get::<Todo>(("todo", 1))), None);
        store.run(kv::put(("todo", 1), todo(1)));
        assert_eq!(store.run(kv::get(("todo", 1))), Some(todo(1)));
        assert_eq!(*store.run(kv::get_shared::<Todo>(("todo", 1))).unwrap(), todo(1));
        store.run(kv::put_shared(("todo", 1), Shared::new(todo(2))));
        assert_eq!(store.run(kv::get::<Todo>(("todo", "1")).or_not_found("todo", 1)), todo(2));
        assert!(store.run(kv::delete(("todo", 1))));
        assert!(!store.run(kv::delete(("todo", 1))));
        let failure = store.attempt(kv::get::<Todo>(("todo", 1)).or_not_found("todo", 1)).unwrap_err();
        assert_eq!(failure.to_string(), "not_found todo 1");
        store.run(kv::put("empty", ()));
        assert_eq!(store.run(kv::get::<()>("empty")), Some(()));
        store.run(kv::put("none", None::<u8>));
        assert_eq!(store.run(kv::get::<Option<u8>>("none")), Some(None));
    });
}

#[test]
fn only_one_of_many_concurrent_puts_finds_the_key_absent() {
    every_store(|store| {
        let claim = |id| kv::put_if_absent("key", todo(id));
        let claims = store.run(join_all((1..=20).map(claim)));
        assert_eq!(claims.iter().filter(|put| put.is_stored()).count(), 1);
        let stored = store.run(kv::get::<Todo>("key")).unwrap();
        for claim in claims {
            assert_eq!(claim.existing().unwrap_or_else(|| stored.clone()), stored);
        }
        // An expiring value detects duplicates of a request within a window.
        let claim = || store.run(kv::expires_in(10.seconds()).put_if_absent("once", 1u8));
        assert_eq!((claim(), claim()), (Put::Stored, Put::Existing(1)));
        store.time.pass(10.seconds());
        assert_eq!(claim(), Put::Stored);
    });
}

#[test]
fn a_value_is_replaced_or_deleted_only_if_it_is_unchanged() {
    every_store(|store| {
        assert_eq!(store.run(kv::replace("key", 1, 2)), Put::Existing(None));
        assert!(!store.run(kv::delete_if("key", 1)));
        store.run(kv::put("key", 1));
        let replaced = store.run(join_all((2..=20).map(|to| kv::replace("key", 1, to))));
        assert_eq!(replaced.iter().filter(|put| put.is_stored()).count(), 1);
        let now = store.run(kv::get::<i32>("key")).unwrap();
        assert!(replaced.into_iter().all(|put| put.existing().unwrap_or(Some(now)) == Some(now)));
        assert!(!store.run(kv::delete_if("key", 1)));
        assert!(store.run(kv::delete_if("key", now)));
        assert_eq!(store.run(kv::get::<i32>("key")), None);
        // A value that has expired is no value.
        store.run(kv::put("key", 1));
        assert!(store.run(kv::expires_in(10.seconds()).replace("key", 1, 2)).is_stored());
        store.time.pass(10.seconds());
        assert_eq!(store.run(kv::replace("key", 2, 3)), Put::Existing(None));
        assert!(!store.run(kv::delete_if("key", 2)));
    });
}

#[test]
fn numbers_add_up() {
    every_store(|store| {
        assert_eq!(store.run(kv::add("n", 5)), 5);
        assert_eq!(store.run(kv::add("n", -7)), -2);
        assert_eq!(store.run(kv::get::<i64>("n")), Some(-2));
        let sums = store.run(join_all((0..100).map(|_| kv::add("sum", 1))));
        assert_eq!(sums.iter().max(), Some(&100));
        // A number of any integer type can be added to.
        store.run(kv::put("u", 7u8));
        assert_eq!(store.run(kv::add("u", 1)), 8);
        store.run(kv::put("max", i64::MAX));
        let (kind, cause) = store.fails(kv::add("max", 1));
        assert_eq!(
            (kind, &*cause),
            (
                FailureKind::Internal,
                "invalid: the sum of 9223372036854775807 and 1 does not fit into 64 bits"
            )
        );
        store.run(kv::put("text", "seven".to_owned()));
        let (kind, cause) = store.fails(kv::add("text", 1));
        assert_eq!(kind, FailureKind::Internal);
        assert!(cause.starts_with("malformed: the value of text is not a number: "), "{cause}");
        assert_eq!(store.run(kv::get::<String>("text")).as_deref(), Some("seven"));
    });
}

#[test]
fn a_value_expires_at_its_time() {
    every_store(|store| {
        store.run(kv::expires_in(10.seconds()).put("a", 1u8));
        store.run(kv::put("b", 1u8));
        // Additions do not extend the window of a counter.
        assert_eq!(store.run(kv::expires_in(10.seconds()).add("hits", 1)), 1);
        store.time.pass(Duration::from_millis(9_999));
        assert_eq!(store.run(kv::get("a")), Some(1u8));
        assert_eq!(store.run(kv::expires_in(10.seconds()).add("hits", 1)), 2);
        store.time.pass(1.millis());
        assert_eq!(store.run(kv::get::<u8>("a")), None);
        assert!(!store.run(kv::delete("a")));
        assert_eq!(store.run(kv::expires_in(10.seconds()).add("hits", 1)), 1);
        assert_eq!(store.run(kv::list::<u8>(())), [(Key::from("b"), 1), (Key::from("hits"), 1)]);
        // A later put removes or adds the expiry.
        store.run(kv::put("hits", 5u8));
        store.run(kv::expires_in(1.seconds()).put("b", 2u8));
        store.time.pass(1.hours());
        assert_eq!(store.run(kv::list::<u8>(())), [(Key::from("hits"), 5)]);
        assert_eq!(store.run(kv::expires_in(Duration::ZERO).put("z", 1u8)), ());
        assert_eq!(store.run(kv::get::<u8>("z")), None);
        store.run(kv::expires_in(Duration::MAX).put("z", 1u8));
        assert_eq!(store.run(kv::get::<u8>("z")), Some(1));
    });
}

#[test]
fn a_list_is_in_the_order_of_its_keys() {
    every_store(|store| {
        for id in [10, 9, 1, 200, 3] {
            store.run(kv::put(("todo", id), todo(id)));
            store.run(kv::put(("todo", id, "note"), id));
        }
        store.run(kv::delete_all(("todo", 3)));
        store.run(kv::put(("todo", "x"), todo(0)));
        store.run(kv::put("todos", 1u8));
        store.run(kv::put("todo:1", 1u8));
        let keys = |entries: Vec<(Key, serde_json::Value)>| -> String {
            entries.into_iter().map(|(key, _)| key.to_string()).collect::<Vec<_>>().join(" ")
        };
        let all = "todo:1 todo:1:note todo:9 todo:9:note todo:10 todo:10:note todo:200 todo:200:note todo:x";
        assert_eq!(keys(store.run(kv::list("todo"))), all);
        assert_eq!(keys(store.run(kv::list(()))), format!(r"{all} todo\:1 todos"));
        assert_eq!(keys(store.run(kv::list(("todo", 1)))), "todo:1 todo:1:note");
        assert_eq!(keys(store.run(kv::list("nothing"))), "");
        // Pages contain the same keys.
        let mut pages = Vec::new();
        let mut after = None;
        loop {
            let page = store.run(kv::page("todo", after.take(), 4));
            let Some((last, _)) = page.last() else { break };
            after = Some(last.clone());
            pages.push(keys(page));
        }
        assert_eq!(pages.len(), 3);
        assert_eq!(pages.join(" "), all);
        assert_eq!(
            keys(store.run(kv::page("todo", Some("a".into()), 1))),
            "todo:1",
            "a page after a key that precedes the prefix"
        );
        assert_eq!(store.run(kv::delete_all("todo")), 9);
        assert_eq!(keys(store.run(kv::list(()))), r"todo\:1 todos");
    });
}

#[test]
fn the_length_of_a_list_is_limited() {
    let store = Store::memory();
    for n in 0..=kv::MAX_LISTED {
        store.run(kv::put(("n", n), ()));
    }
    let (kind, cause) = store.fails(kv::list::<()>("n"));
    assert_eq!(kind, FailureKind::TooLarge);
    assert_eq!(cause, "more than 10000 entries in n; kv::page reads them in parts");
    store.run(kv::delete(("n", 0)));
    assert_eq!(store.run(kv::list::<()>("n")).len(), 10_000);
}

#[test]
fn the_type_of_a_value_may_change_and_a_mismatch_is_an_error() {
    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    struct Later {
        id: u32,
        #[serde(default)]
        done: bool,
    }
    every_store(|store| {
        store.run(kv::put("t", todo(7)));
        assert_eq!(store.run(kv::get("t")), Some(Later { id: 7, done: false }));
        assert_eq!(*store.run(kv::get_shared::<Later>("t")).unwrap(), Later { id: 7, done: false });
        let (kind, cause) = store.fails(kv::get::<Vec<u8>>("t"));
        assert_eq!(kind, FailureKind::Internal);
        assert!(cause.starts_with("the value of t has another type: "), "{cause}");
        let (kind, cause) = store.fails(kv::list::<u8>("t"));
        assert_eq!(kind, FailureKind::Internal);
        assert!(cause.starts_with("the value of t has another type: "), "{cause}");
    });
}

#[test]
fn an_oversized_key_or_value_is_an_error() {
    every_store(|store| {
        let (kind, cause) = store.fails(kv::get::<u8>("x".repeat(2000)));
        assert_eq!(
            (kind, &*cause),
            (FailureKind::Internal, "invalid: the key has 2003 bytes; at most 1024 are allowed")
        );
    });
    let disk = Store::disk();
    let (_, cause) = disk.fails(kv::put("x", "x".repeat(300_000)));
    assert_eq!(cause, "invalid: the value for x cannot be stored: longer than 262144 bytes");
    disk.run(kv::put("x", "x".repeat(200_000)));
}

#[test]
fn the_memory_store_returns_shared_values_without_copying() {
    let store = Store::memory();
    let shared = Shared::new(todo(1));
    store.run(kv::put_shared("t", shared.clone()));
    let got = store.run(kv::get_shared::<Todo>("t")).unwrap();
    assert!(Arc::ptr_eq(&got.0, &shared.0));
    let filled = Store::new(Memory::new().entry(("todo", 1), todo(1)), Time::default(), None);
    assert_eq!(filled.run(kv::get(("todo", 1))), Some(todo(1)));
}

#[test]
fn the_memory_store_removes_expired_entries_on_later_writes() {
    let time = Time::default();
    let memory = Memory::with_clock(time.now());
    for n in 0..100_000u64 {
        let op = Op::Add { key: ("hits", n).into(), delta: 1, expires_in_ms: Some(1000) };
        memory.perform(&op).unwrap();
        time.pass(1.millis());
    }
    let debug = format!("{memory:?}");
    let entries: usize =
        debug.trim_start_matches("kv::Memory(").trim_end_matches(" entries)").parse().unwrap();
    assert!((1000..2000).contains(&entries), "{entries}");
}

fn part() -> impl Strategy<Value = Part> {
    prop_oneof![
        any::<i64>().prop_map(|n| Part::Number(n.into())),
        any::<u64>().prop_map(|n| Part::Number(n.into())),
        (-300..300i128).prop_map(Part::Number),
        "[a-c:*\\\\\0-1]{0,4}".prop_map(Part::Text),
        any::<String>().prop_map(Part::Text),
    ]
    .prop_map(|part| match part {
        // A key stores text that is an integer as a number.
        Part::Text(text) => match text.parse::<i128>() {
            Ok(n) if n.to_string() == text && n >= i64::MIN.into() && n <= u64::MAX.into() => Part::Number(n),
            _ => Part::Text(text),
        },
        number => number,
    })
}

fn key_of(parts: &[Part]) -> Key {
    parts.iter().fold(Key::from(()), |key, part| match part {
        Part::Number(n) => key.with(n.to_string()),
        Part::Text(text) => key.with(text),
    })
}

/// Returns the documented order: numbers precede text.
fn rank(part: &Part) -> (bool, i128, &[u8]) {
    match part {
        Part::Number(n) => (false, *n, b""),
        Part::Text(text) => (true, 0, text.as_bytes()),
    }
}

proptest! {
    #[test]
    fn keys_are_unambiguous_and_ordered(
        a in proptest::collection::vec(part(), 0..4),
        b in proptest::collection::vec(part(), 0..4),
    ) {
        let (key_a, key_b) = (key_of(&a), key_of(&b));
        prop_assert_eq!(&key_a.parts(), &a);
        prop_assert_eq!(&key_a.to_string().parse::<Key>().unwrap(), &key_a, "{}", key_a);
        prop_assert_eq!(key_a == key_b, a == b);
        prop_assert_eq!(key_a.to_string() == key_b.to_string(), a == b);
        prop_assert_eq!(key_a.cmp(&key_b), a.iter().map(rank).cmp(b.iter().map(rank)));
        prop_assert_eq!(key_b.as_bytes().starts_with(key_a.as_bytes()), b.starts_with(&a));
        prop_assert_eq!(Value::from_serialize(&key_a).unwrap().to_typed::<Key>().unwrap(), key_a);
    }

    #[test]
    fn any_text_is_a_key_or_an_error(text: String) {
        if let Ok(key) = text.parse::<Key>() {
            prop_assert_eq!(key.to_string().parse::<Key>().unwrap(), key);
        }
    }
}

fn small_key() -> impl Strategy<Value = Key> {
    prop_oneof![
        Just(Key::from("a")),
        (0..4u64).prop_map(|n| Key::from(("a", n))),
        (0..3u64).prop_map(|n| Key::from(("a", "x", n))),
        Just(Key::from("b")),
    ]
}

fn prefix() -> impl Strategy<Value = Key> {
    prop_oneof![small_key(), Just(Key::from(())), Just(Key::from(("a", "x")))]
}

fn value() -> impl Strategy<Value = Stored> {
    prop_oneof![
        any::<i64>().prop_map(Stored::new),
        (0..3u8).prop_map(Stored::new),
        (0..100u64).prop_map(|id| Stored::new(todo(id))),
        any::<Option<String>>().prop_map(Stored::new),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    let expires = || proptest::option::of(0..20u64);
    prop_oneof![
        4 => small_key().prop_map(|key| Op::Get { key }),
        4 => (small_key(), value(), expires())
            .prop_map(|(key, value, expires_in_ms)| Op::Put { key, value, expires_in_ms }),
        2 => (small_key(), value(), expires())
            .prop_map(|(key, value, expires_in_ms)| Op::PutIfAbsent { key, value, expires_in_ms }),
        1 => (small_key(), value(), value(), expires())
            .prop_map(|(key, from, value, expires_in_ms)| Op::Replace { key, from, value, expires_in_ms }),
        1 => (small_key(), value()).prop_map(|(key, value)| Op::DeleteIf { key, value }),
        2 => (small_key(), any::<i64>(), expires())
            .prop_map(|(key, delta, expires_in_ms)| Op::Add { key, delta, expires_in_ms }),
        2 => small_key().prop_map(|key| Op::Delete { key }),
        1 => prefix().prop_map(|prefix| Op::DeleteAll { prefix }),
        2 => (prefix(), proptest::option::of(small_key()), 0..9u32)
            .prop_map(|(prefix, after, limit)| Op::List { prefix, after, limit }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn all_stores_agree(steps in proptest::collection::vec((op(), 0..15u64), 1..60)) {
        let (memory, disk) = (Store::memory(), Store::disk());
        for (op, time) in steps {
            prop_assert_eq!(memory.op(&op), disk.op(&op), "{}", op);
            memory.time.pass(Duration::from_millis(time));
            disk.time.pass(Duration::from_millis(time));
        }
        let all = Op::List { prefix: ().into(), after: None, limit: 100 };
        prop_assert_eq!(memory.op(&all), disk.op(&all));
    }
}

proptest! {
    #[test]
    fn ops_and_answers_are_recorded_without_loss(
        op in op(),
        entries in proptest::collection::vec((small_key(), value()), 0..4),
        n: i64,
    ) {
        prop_assert_eq!(Value::from_serialize(&op).unwrap().to_typed::<Op>().unwrap(), op);
        let mut answers = vec![Answer::Absent, Answer::Stored, Answer::Number(n), Answer::Deleted(3)];
        for (_, value) in &entries {
            answers.push(Answer::Found(value.clone()));
            answers.push(Answer::Existing(value.clone()));
        }
        answers.push(Answer::Entries(entries));
        for answer in answers {
            prop_assert_eq!(Value::from_serialize(&answer).unwrap().to_typed::<Answer>().unwrap(), answer);
        }
    }
}

#[test]
fn a_recorded_op_is_readable() {
    let op = Op::Put { key: ("todo", 7).into(), value: Stored::new(todo(7)), expires_in_ms: None };
    assert_eq!(
        Value::from_serialize(&op).unwrap().to_string(),
        r#"Put {key: "todo:7", value: {id: 7, title: "number 7"}, expires_in_ms: none}"#
    );
}
