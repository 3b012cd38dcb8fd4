//! Values compared: paths, what counts as a change, and that secrets stay hidden.

use std::collections::BTreeMap;

use serde::Serialize;
use zerver_trace::{Missing, Shown};

use super::*;
use crate::timeline::sample::{plain, wire};

#[derive(Serialize)]
struct Todo<'a> {
    id: u64,
    title: &'a str,
    done: Option<bool>,
    tags: Vec<&'a str>,
}

#[derive(Serialize)]
struct Header {
    name: &'static str,
    value: &'static str,
}

#[derive(Serialize)]
enum State {
    New,
    Moved { to: u8 },
}

fn show(side: Option<&Json>) -> String {
    side.map_or("nothing".to_owned(), |side| serde_json::to_string(side).unwrap())
}

fn changes(a: Option<&Recorded>, b: Option<&Recorded>, secret: bool) -> (String, Changes) {
    let ignored = Ignored::default();
    let mut found = Changes::default();
    recorded("V", a, b, How { ignored: &ignored, secret }, &mut found);
    let line = |change: &Change| {
        format!("{} {} -> {}\n", change.path, show(change.a.as_ref()), show(change.b.as_ref()))
    };
    (found.list.iter().map(line).collect(), found)
}

fn check(a: impl Serialize, b: impl Serialize, wanted: &str) {
    let (a, b) = (plain(a), plain(b));
    let (got, _) = changes(Some(&a), Some(&b), false);
    assert_eq!(got.trim_end(), wanted);
    assert_eq!(changes(Some(&a), Some(&a), false).0, "");
}

#[test]
fn changes_have_paths() {
    let todo = |title, done, tags: &[&'static str]| Todo { id: 1, title, done, tags: tags.to_vec() };
    check(todo("a", None, &[]), todo("b", None, &[]), r#"V.title "a" -> "b""#);
    check(todo("a", None, &[]), todo("a", Some(true), &[]), "V.done null -> true");
    check(
        todo("a", Some(false), &["x", "y"]),
        todo("a", Some(true), &["x", "z", "w"]),
        "\
V.done false -> true
V.tags[1] \"y\" -> \"z\"
V.tags[2] nothing -> \"w\"",
    );
    check(
        BTreeMap::from([("a", 1), ("b c", 2)]),
        BTreeMap::from([("b c", 3), ("d", 4)]),
        "\
V.a 1 -> nothing
V[\"b c\"] 2 -> 3
V.d nothing -> 4",
    );
    check(BTreeMap::from([(1, 'x')]), BTreeMap::from([(1, 'y')]), r#"V.1 "x" -> "y""#);
    check(State::Moved { to: 1 }, State::Moved { to: 2 }, "V.Moved.to 1 -> 2");
    check(State::New, State::Moved { to: 2 }, r#"V "New" -> {"Moved":{"to":2}}"#);
    check(1u8, "1", r#"V 1 -> "1""#);
    check((1u8, f64::NAN, 0.0), (1i64, f64::NAN, -0.0), "V[2] 0.0 -> -0.0");
    check(
        u128::MAX,
        i128::MIN,
        r#"V {"number":"340282366920938463463374607431768211455"} -> {"number":"-170141183460469231731687303715884105728"}"#,
    );
}

#[test]
fn bodies_are_json_where_they_are_and_headers_go_by_name() {
    let bytes = |a: &[u8], b: &[u8]| changes(Some(&wire(a)), Some(&wire(b)), false).0;
    assert_eq!(bytes(br#"{"a":1,"b":[2]}"#, br#"{"b":[3],"a":1}"#), "V.b[0] 2 -> 3\n");
    assert_eq!(bytes(b"[1]", b"[ 1]"), "V \"[1]\" -> \"[ 1]\"\n");
    assert_eq!(bytes(b"one", b"two"), "V \"one\" -> \"two\"\n");
    assert_eq!(bytes(b"\xff", b"\xfe"), "V {\"bytes\":\"ff\"} -> {\"bytes\":\"fe\"}\n");

    let headers =
        |date, kind| plain([Header { name: "date", value: date }, Header { name: "x-kind", value: kind }]);
    let (got, found) = changes(Some(&headers("mon", "a")), Some(&headers("tue", "b")), false);
    assert_eq!(got, "V.x-kind \"a\" -> \"b\"\n");
    assert_eq!(found.ignored.into_iter().collect::<Vec<_>>(), ["date"]);
    assert!(changes(Some(&headers("mon", "a")), Some(&headers("mon", "b")), false).1.ignored.is_empty());
}

#[test]
fn secrets_are_compared_and_not_shown() {
    let hashed = |byte: u8, shown: Option<&str>| {
        let shown = shown.map(|text| Box::new(Shown { value: Value::of(text).unwrap(), summary: None }));
        Recorded::Hashed { hash: [byte; 16], shown }
    };
    let sealed = |byte: u8| Recorded::Sealed { hash: [byte; 16], sealed: b"x".to_vec(), shown: None };
    let both = |a: &Recorded, b: &Recorded, secret| changes(Some(a), Some(b), secret).0;
    assert_eq!(both(&sealed(1), &hashed(1, None), true), "");
    let one = "{\"secret\":\"01010101010101010101010101010101\"}";
    let two = one.replace("01", "02");
    assert_eq!(both(&sealed(1), &sealed(2), false), format!("V {one} -> {two}\n"));
    // Said to be a secret, and recorded in the clear.
    assert_eq!(
        both(&plain("hunter2"), &plain("hunter3"), true),
        "V {\"secret\":null} -> {\"secret\":null}\n"
    );
    assert_eq!(both(&plain("hunter2"), &sealed(1), false), format!("V {{\"secret\":null}} -> {one}\n"));
    assert_eq!(changes(Some(&plain("hunter2")), None, true).0, "V {\"secret\":null} -> nothing\n");
    // Secret in part: the masks are compared.
    let part = |byte, text| hashed(byte, Some(text));
    assert_eq!(
        both(&part(1, "k=<secret:1>"), &part(2, "k=<secret:2>"), false),
        "V \"k=<secret:1>\" -> \"k=<secret:2>\"\n"
    );
    assert_eq!(both(&part(1, "k=<secret:1>"), &part(2, "k=<secret:2>"), true), format!("V {one} -> {two}\n"));
}

#[test]
fn what_is_missing_is_no_change_unless_it_was_there_once() {
    let missing = Recorded::Missing(Missing::TooLarge);
    assert_eq!(changes(Some(&missing), Some(&missing), false).0, "");
    assert_eq!(changes(Some(&missing), Some(&plain(1)), false).0, "V {\"missing\":\"too large\"} -> 1\n");
    assert_eq!(changes(None, None, false).0, "");
    assert_eq!(changes(None, Some(&plain(1)), false).0, "V nothing -> 1\n");
}

#[test]
fn many_changes_are_counted() {
    let list = |n: u32| plain((0..1_000).map(|at| at * n).collect::<Vec<_>>());
    let (_, found) = changes(Some(&list(1)), Some(&list(2)), false);
    assert_eq!((found.list.len(), found.more), (200, 799));
}
