//! Comparison of values: paths, what counts as a change, and that secrets stay hidden.

use std::collections::BTreeMap;

use serde::Serialize;
use zerver_trace::{Masked, MissingReason, Value};

use super::*;
use zerver_testkit::sample::{plain, wire};

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

fn show(side: Option<&RecordedJson>) -> String {
    side.map_or("nothing".to_owned(), |side| serde_json::to_string(side).unwrap())
}

fn changes(a: Option<&Recorded>, b: Option<&Recorded>, secret: bool) -> (String, Changes) {
    under(true, a, b, secret)
}

/// Compares with hashes of one key, or of two.
fn under(has_one_key: bool, a: Option<&Recorded>, b: Option<&Recorded>, secret: bool) -> (String, Changes) {
    let ignored = IgnoredHeaders::default();
    let mut found = Changes::default();
    recorded(
        "V",
        a,
        b,
        CompareOptions { ignored: &ignored, secret, has_one_key, why_masks_may_differ: None },
        &mut found,
    );
    let line = |change: &Change| {
        format!("{} {} -> {}\n", change.path, show(change.a.as_ref()), show(change.b.as_ref()))
    };
    let skipped = found.not_compared.iter().map(|(path, why)| format!("{path} not compared: {why}\n"));
    (found.list.iter().map(line).chain(skipped).collect(), found)
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
fn bodies_are_compared_as_json_and_headers_by_name() {
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
        let shown =
            shown.map(|text| Box::new(Masked { value: Value::from_serialize(text).unwrap(), summary: None }));
        Recorded::Hashed { hash: [byte; 16], masked: shown }
    };
    let sealed = |byte: u8| Recorded::Sealed { hash: [byte; 16], sealed: b"x".to_vec(), masked: None };
    let both = |a: &Recorded, b: &Recorded, secret| changes(Some(a), Some(b), secret).0;
    assert_eq!(both(&sealed(1), &hashed(1, None), true), "");
    let one = "{\"secret\":\"01010101010101010101010101010101\"}";
    let two = one.replace("01", "02");
    assert_eq!(both(&sealed(1), &sealed(2), false), format!("V {one} -> {two}\n"));
    // Marked as a secret, and recorded in plain text.
    assert_eq!(
        both(&plain("hunter2"), &plain("hunter3"), true),
        "V {\"secret\":null} -> {\"secret\":null}\n"
    );
    // Only the key could tell whether they are equal.
    assert_eq!(both(&plain("hunter2"), &sealed(1), false), "V not compared: secret on one side only\n");
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
fn hashes_with_different_keys_are_not_compared() {
    let hashed = |byte: u8, shown: Option<&str>| {
        let shown =
            shown.map(|text| Box::new(Masked { value: Value::from_serialize(text).unwrap(), summary: None }));
        Recorded::Hashed { hash: [byte; 16], masked: shown }
    };
    let both = |a: &Recorded, b: &Recorded| under(false, Some(a), Some(b), false).0;
    let unknown = format!("V not compared: {OTHER_KEY}\n");
    assert_eq!(both(&hashed(1, None), &hashed(1, None)), "");
    assert_eq!(both(&hashed(1, None), &hashed(2, None)), unknown);
    assert_eq!(
        both(&hashed(1, Some("k=<secret:111111111111>")), &hashed(2, Some("k=<secret:222222222222>"))),
        unknown
    );
    // The text around a secret is known.
    assert_eq!(
        both(&hashed(1, Some("k=<secret:111111111111>")), &plain("j=1")),
        "V \"k=<secret:111111111111>\" -> \"j=1\"\n"
    );
    let part = |json: &str, byte| {
        let value = Value::from_bytes(json.as_bytes()).unwrap();
        Recorded::Hashed { hash: [byte; 16], masked: Some(Box::new(Masked { value, summary: None })) }
    };
    assert_eq!(
        both(
            &part(r#"{"k":"<secret:111111111111>","n":1}"#, 1),
            &part(r#"{"k":"<secret:222222222222>","n":2}"#, 2)
        ),
        format!("V.n 1 -> 2\nV.k not compared: {OTHER_KEY}\n")
    );
    // Text that looks like a mask, in a value without secrets.
    assert_eq!(
        both(&plain("<secret:111111111111>"), &plain("<secret:222222222222>")),
        "V \"<secret:111111111111>\" -> \"<secret:222222222222>\"\n"
    );
}

#[test]
fn missing_values_are_not_compared() {
    let missing = Recorded::Missing(MissingReason::TooLarge);
    let broken = Recorded::Missing(MissingReason::Failed("no".into()));
    let told = |a: &Recorded, b: &Recorded| changes(Some(a), Some(b), false).0;
    assert_eq!(told(&missing, &missing), "V not compared: not recorded in either: too large\n");
    assert_eq!(told(&missing, &plain(1)), "V not compared: not recorded in a: too large\n");
    assert_eq!(
        told(&missing, &broken),
        "V not compared: not recorded in a: too large; in b: could not be serialized: no\n"
    );
    assert_eq!(changes(None, Some(&missing), false).0, "V nothing -> {\"missing\":\"too large\"}\n");
    assert_eq!(changes(None, None, false).0, "");
    assert_eq!(changes(None, Some(&plain(1)), false).0, "V nothing -> 1\n");
}

#[test]
fn json_is_compared_as_it_is_written() {
    let bytes = |a: &str, b: &str| changes(Some(&wire(a.as_bytes())), Some(&wire(b.as_bytes())), false);
    let check = |a: &str, b: &str, wanted: &str| assert_eq!(bytes(a, b).0.trim_end(), wanted, "{a} {b}");
    // Next to another change, and first if it comes first.
    check(
        r#"{"z":1236546565217899832645,"n":1}"#,
        r#"{"z":1236546565217899832640,"n":2}"#,
        "V.z {\"number\":\"1236546565217899832645\"} -> {\"number\":\"1236546565217899832640\"}\nV.n 1 -> 2",
    );
    check(
        "[18446744073709551617]",
        "[18446744073709551616]",
        r#"V[0] {"number":"18446744073709551617"} -> {"number":"18446744073709551616"}"#,
    );
    check("[0.1,2]", "[0.10000000000000000001,2]", r#"V[0] 0.1 -> {"number":"0.10000000000000000001"}"#);
    check("[1e400]", "[2e400]", r#"V[0] {"number":"1e400"} -> {"number":"2e400"}"#);
    check("[0.0]", "[-0.0]", "V[0] 0.0 -> -0.0");
    check(r#"{"a":1,"a":2}"#, r#"{"a":2}"#, "V.a 1 -> 2\nV.a 2 -> nothing");
    check("[1]", "[1.0]", "V[0] 1 -> 1.0");
    // The same JSON in other bytes.
    for (a, b, at) in [
        ("[1]", "[ 1]", 1),
        ("[1e2]", "[100.0]", 2),
        (r#"{"a":1,"b":2}"#, r#"{"b":2,"a":1}"#, 2),
        (r#"["A"]"#, r#"["\u0041"]"#, 2),
        ("[1]", "[1]\n", 3),
    ] {
        let (told, found) = bytes(a, b);
        let text = |json: &str| serde_json::to_string(json).unwrap();
        assert_eq!(told, format!("V {} -> {}\n", text(a), text(b)));
        assert_eq!(found.list[0].first_differing_byte, Some(at), "{a} {b}");
        assert_eq!(bytes(a, a).0, "");
    }
}

/// Each item is visited once, however many are listed. A quadratic algorithm would take minutes.
#[test]
fn long_lists_are_compared_in_one_pass() {
    let list = |from: u32| {
        let items: Vec<String> = (from..from + 60_000).map(|n| n.to_string()).collect();
        format!("[{}]", items.join(",")).into_bytes()
    };
    let (a, b) = (list(1), list(2));
    let (mut found, ignored) = (Changes::default(), IgnoredHeaders::default());
    let how =
        CompareOptions { ignored: &ignored, secret: false, has_one_key: true, why_masks_may_differ: None };
    // Longer than what is parsed, so it is one item.
    assert!(a.len() > MAX_JSON);
    bytes(&mut String::new(), &a, &b, how, &mut found);
    assert_eq!((found.list.len(), found.more), (1, 0));
    let nodes_of = |from: u32| Node::Seq((from..from + 250_000).map(|n| Node::Uint(n.into())).collect());
    let mut found = Changes::default();
    nodes(&mut String::new(), &nodes_of(1), &nodes_of(2), how, &mut found);
    assert_eq!((found.list.len(), found.more), (MAX_CHANGES, 250_000 - MAX_CHANGES));
}

#[test]
fn many_changes_are_counted() {
    let list = |n: u32| plain((0..1_000).map(|at| at * n).collect::<Vec<_>>());
    let (_, found) = changes(Some(&list(1)), Some(&list(2)), false);
    assert_eq!((found.list.len(), found.more), (200, 799));
}
