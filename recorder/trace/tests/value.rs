//! Round trips of values, and the rejection of invalid tokens.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use zerver_trace::value::{MAX_DEPTH, MAX_LEN};
use zerver_trace::{Value, ValueError};

fn check<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(value: T, shown: &str) {
    let encoded = Value::from_serialize(&value).unwrap();
    assert_eq!(encoded.to_typed::<T>().as_ref(), Ok(&value));
    assert_eq!(encoded.to_string(), shown);
    assert_eq!(Value::from_tokens(encoded.tokens().to_vec()), Ok(encoded));
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Shape {
    Unit,
    New(u64),
    NewUnit(()),
    Pair(i8, Option<Box<Shape>>),
    Named { a: String, b: Vec<Shape> },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Everything {
    bits: u64,
    float: f64,
    wide: u128,
    signed: i128,
    text: String,
    letter: char,
    map: BTreeMap<(i32, bool), Option<Option<u8>>>,
    bytes: Bytes,
    shapes: Vec<Shape>,
    unit: (),
}

/// Bytes that serialize as bytes, not as a sequence.
#[derive(Debug, Clone, PartialEq)]
struct Bytes(Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Bytes;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes")
            }
            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Bytes, E> {
                Ok(Bytes(bytes.to_vec()))
            }
        }
        deserializer.deserialize_bytes(Visitor)
    }
}

#[test]
fn values_round_trip_and_can_be_displayed() {
    check((), "()");
    check(true, "true");
    check(-129i64, "-129");
    check(u128::MAX, "340282366920938463463374607431768211455");
    check(i128::MIN, "-170141183460469231731687303715884105728");
    check(1.5f32, "1.5");
    check('\u{1b}', "'\\u{1b}'");
    check("esc \u{1b}[2J".to_owned(), "\"esc \\u{1b}[2J\"");
    check(vec![1u8, 2], "[1, 2]");
    check(Bytes(b"a\xff".to_vec()), "b\"a\\xff\"");
    check(Some(Some(3u8)), "3");
    check(Some(None::<u8>), "none");
    check(BTreeMap::from([((1, true), 'x')]), "{[1, true]: 'x'}");
    check(Shape::Unit, "Unit");
    check(Shape::New(7), "New(7)");
    check(Shape::NewUnit(()), "NewUnit(())");
    check(Shape::Pair(-1, Some(Box::new(Shape::Unit))), "Pair([-1, Unit])");
    check(Shape::Named { a: "x".into(), b: vec![Shape::Unit] }, "Named {a: \"x\", b: [Unit]}");
}

#[test]
fn nan_keeps_its_bits() {
    let nan = f64::from_bits(0x7ff8_dead_beef_0001);
    let value = Value::from_serialize(&(nan, f32::NAN, -0.0f64)).unwrap();
    let (a, b, c) = value.to_typed::<(f64, f32, f64)>().unwrap();
    assert_eq!((a.to_bits(), b.to_bits()), (nan.to_bits(), f32::NAN.to_bits()));
    assert!(c.is_sign_negative());
    assert_eq!(value.to_string(), "[NaN, NaN, -0.0]");
}

#[test]
fn serde_attributes_that_need_self_description_work() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(untagged)]
    enum Untagged {
        Number(i64),
        Text(String),
        Shape { shape: Shape },
    }
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(tag = "kind")]
    enum Tagged {
        Point { x: f64 },
        Empty,
    }
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Flat {
        a: u8,
        #[serde(flatten)]
        rest: BTreeMap<String, u32>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        gone: Option<String>,
    }
    check(Untagged::Number(-4), "-4");
    check(Untagged::Text("t".into()), "\"t\"");
    check(
        Untagged::Shape { shape: Shape::Named { a: "q".into(), b: vec![] } },
        "{shape: Named {a: \"q\", b: []}}",
    );
    check(Tagged::Point { x: 0.5 }, "{kind: \"Point\", x: 0.5}");
    check(Tagged::Empty, "{kind: \"Empty\"}");
    check(Flat { a: 1, rest: BTreeMap::from([("b".into(), 2)]), gone: None }, "{\"a\": 1, \"b\": 2}");
}

#[test]
fn a_variant_can_be_read_in_the_form_of_json() {
    use std::collections::BTreeMap;
    let from = |value: Value| value.to_typed::<Shape>();
    assert_eq!(from(Value::from_serialize("Unit").unwrap()), Ok(Shape::Unit));
    assert_eq!(from(Value::from_serialize(&BTreeMap::from([("New", 7u8)])).unwrap()), Ok(Shape::New(7)));
    assert!(from(Value::from_serialize(&BTreeMap::from([("New", 7u8), ("Unit", 0)])).unwrap()).is_err());
    assert!(from(Value::from_serialize(&BTreeMap::<&str, u8>::new()).unwrap()).is_err());
    assert!(from(Value::from_serialize(&BTreeMap::from([(1u8, 7u8)])).unwrap()).is_err());
}

#[test]
fn depth_and_size_are_limited_when_reading_and_writing() {
    #[derive(Serialize)]
    struct Deep(Option<Box<Deep>>);
    let nest = |levels: usize| (0..levels).fold(Deep(None), |inner, _| Deep(Some(Box::new(inner))));
    assert!(Value::from_serialize(&nest(MAX_DEPTH)).is_ok());
    assert_eq!(Value::from_serialize(&nest(MAX_DEPTH + 1)), Err(ValueError::TooDeep));
    assert_eq!(Value::from_tokens(vec![14; 1_000_000]), Err(ValueError::TooLong));
    assert_eq!(Value::from_tokens(vec![14; 100_000]), Err(ValueError::TooDeep));
    assert_eq!(Value::from_tokens(vec![2; 100_000]), Err(ValueError::TooDeep));
    assert_eq!(Value::from_serialize(&"x".repeat(MAX_LEN)), Err(ValueError::TooLong));
}

#[test]
fn invalid_tokens_are_refused() {
    for (tokens, error) in [
        (vec![], ValueError::Truncated),
        (vec![0, 0], ValueError::Trailing),
        (vec![14], ValueError::Truncated),
        (vec![255], ValueError::Malformed("an unexpected end")),
        (vec![12, 1, 0xff], ValueError::Malformed("text that is not UTF-8")),
        (vec![12, 0xff, 0xff, 0xff, 0xff, 0x0f], ValueError::Truncated),
        (
            vec![5, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02],
            ValueError::Malformed("a number over 64 bits"),
        ),
        (vec![11, 0x80, 0xb0, 0x03], ValueError::Malformed("an invalid character")),
        (vec![200], ValueError::Malformed("an unknown tag")),
        // A map with a key but no value.
        (vec![15, 0, 255], ValueError::Malformed("an unexpected end")),
    ] {
        assert_eq!(Value::from_tokens(tokens.clone()), Err(error), "{tokens:?}");
    }
}

#[test]
fn the_wrong_type_is_an_error_that_names_both_types() {
    let value = Value::from_serialize(&("a", 1)).unwrap();
    assert!(value.to_typed::<(String,)>().is_err());
    assert!(value.to_typed::<(String, u8, u8)>().is_err());
    let error = value.to_typed::<u8>().unwrap_err().to_string();
    assert!(error.contains("invalid type: sequence, expected u8"), "{error}");
}

fn shapes() -> impl Strategy<Value = Shape> {
    let leaf = prop_oneof![Just(Shape::Unit), any::<u64>().prop_map(Shape::New), Just(Shape::NewUnit(()))];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            (any::<i8>(), proptest::option::of(inner.clone()))
                .prop_map(|(a, b)| Shape::Pair(a, b.map(Box::new))),
            (any::<String>(), proptest::collection::vec(inner, 0..4))
                .prop_map(|(a, b)| Shape::Named { a, b }),
        ]
    })
}

prop_compose! {
    fn everything()(
        bits in any::<u64>(),
        float in any::<u64>().prop_map(f64::from_bits),
        wide in any::<u128>(),
        signed in any::<i128>(),
        text in any::<String>(),
        letter in any::<char>(),
        map in proptest::collection::btree_map(any::<(i32, bool)>(), any::<Option<Option<u8>>>(), 0..5),
        bytes in any::<Vec<u8>>().prop_map(Bytes),
        shapes in proptest::collection::vec(shapes(), 0..4),
    ) -> Everything {
        Everything { bits, float, wide, signed, text, letter, map, bytes, shapes, unit: () }
    }
}

proptest! {
    #[test]
    fn any_value_round_trips(value in everything()) {
        let encoded = Value::from_serialize(&value).unwrap();
        let back: Everything = encoded.to_typed().unwrap();
        prop_assert_eq!(back.float.to_bits(), value.float.to_bits());
        // Encoding again gives the same bits. NaN would hide a difference in a comparison of values.
        prop_assert_eq!(Value::from_serialize(&back).unwrap(), encoded.clone());
        prop_assert_eq!(Value::from_tokens(encoded.tokens().to_vec()), Ok(encoded.clone()));
        let config = bincode::config::standard();
        let stored = bincode::encode_to_vec(&encoded, config).unwrap();
        let (loaded, len): (Value, usize) = bincode::decode_from_slice(&stored, config).unwrap();
        prop_assert_eq!((loaded, len), (encoded.clone(), stored.len()));
        drop(encoded.to_string());
    }

    #[test]
    fn any_bytes_are_a_value_or_an_error(bytes in proptest::collection::vec(prop_oneof![0u8..19, Just(255), any::<u8>()], 0..200)) {
        if let Ok(value) = Value::from_tokens(bytes) {
            drop(value.to_string());
            drop(value.to_typed::<serde::de::IgnoredAny>());
            drop(value.to_typed::<Everything>());
            drop(value.to_typed::<Shape>());
        }
    }
}

#[test]
fn a_tree_is_written_as_it_was_read_and_texts_can_be_replaced() {
    let everything = (
        vec![Shape::Unit, Shape::New(7), Shape::NewUnit(()), Shape::Pair(-3, Some(Box::new(Shape::Unit)))],
        Shape::Named { a: "secret".to_owned(), b: vec![] },
        (BTreeMap::from([(("secret", true), -1.5f64)]), Bytes(b"secret".to_vec()), None::<()>),
        (b"secret".to_vec(), u128::MAX, i128::MIN, 2.5f32, '\u{1f389}'),
    );
    let value = Value::from_serialize(&everything).unwrap();
    let rewrite = |replace: &mut dyn FnMut(&[u8]) -> Option<String>| {
        let mut encoder = zerver_trace::value::Encoder::new();
        encoder.node(&value.root(), replace).unwrap();
        encoder.finish().unwrap()
    };
    assert_eq!(rewrite(&mut |_| None), value);
    let masked = rewrite(&mut |bytes| (bytes == b"secret").then(|| "***".to_owned())).to_string();
    assert_eq!(masked.matches("\"***\"").count(), 4, "{masked}");
    assert!(!masked.contains("secret") && !masked.contains("115, 101"), "{masked}");
}

#[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
struct Holder {
    before: u8,
    held: Option<Value>,
    after: Vec<Value>,
}

#[test]
fn a_value_within_a_value_is_not_marked_as_encoded() {
    let inner = Value::from_serialize(&Shape::Named { a: "x".to_owned(), b: vec![Shape::New(1)] }).unwrap();
    let holder = Holder {
        before: 1,
        held: Some(inner.clone()),
        after: vec![Value::from_serialize(&()).unwrap(), inner],
    };
    let value = Value::from_serialize(&holder).unwrap();
    assert_eq!(
        value.to_string(),
        r#"{before: 1, held: Named {a: "x", b: [New(1)]}, after: [(), Named {a: "x", b: [New(1)]}]}"#
    );
    assert_eq!(value.to_typed::<Holder>().unwrap(), holder);
    // Bytes after it are still a byte string.
    let pair = (Value::from_serialize(&7u8).unwrap(), Bytes(vec![5, 7]));
    assert_eq!(Value::from_serialize(&pair).unwrap().to_string(), r#"[7, b"\u{5}\u{7}"]"#);
}

#[test]
fn a_value_within_a_value_counts_towards_the_depth() {
    let mut value = Value::from_serialize(&0u8).unwrap();
    let mut depth = 0;
    let error = loop {
        match Value::from_serialize(&vec![value]) {
            Ok(deeper) => value = deeper,
            Err(error) => break error,
        }
        depth += 1;
    };
    assert_eq!((depth, error), (MAX_DEPTH, ValueError::TooDeep));
}

#[test]
fn all_texts_and_numbers_are_visited() {
    let value = Value::from_serialize(&(
        BTreeMap::from([("key".to_owned(), Some(7u8))]),
        (u128::MAX, i128::MIN, -3i64),
        vec!["a", "b"],
    ));
    let mut visited = Vec::new();
    value
        .unwrap()
        .root()
        .for_each_text(&mut |bytes| visited.push(String::from_utf8(bytes.to_vec()).unwrap()));
    let (most, least) = (u128::MAX.to_string(), i128::MIN.to_string());
    assert_eq!(visited, ["key", "7", &most, &least, "-3", "a", "b"]);
}
