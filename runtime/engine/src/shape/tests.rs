//! Shapes of types, as text.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::num::NonZeroU32;

use serde::Deserialize;

use super::*;

fn of<T: DeserializeOwned>() -> String {
    Shape::of::<T>().to_string()
}

#[test]
fn plain_types() {
    assert_eq!(of::<u8>(), "u8");
    assert_eq!(of::<i64>(), "i64");
    assert_eq!(of::<f32>(), "number");
    assert_eq!(of::<String>(), "text");
    assert_eq!(of::<char>(), "text");
    assert_eq!(of::<()>(), "null");
    assert_eq!(of::<Option<bool>>(), "bool or null");
    assert_eq!(of::<Vec<Option<u16>>>(), "[u16 or null]");
    assert_eq!(of::<(u8, String)>(), "(u8, text)");
    assert_eq!(of::<[u8; 20]>(), "[u8]");
    assert_eq!(of::<BTreeMap<String, Vec<u8>>>(), "map of [u8]");
    assert_eq!(of::<BTreeMap<u64, bool>>(), "map of bool");
    assert_eq!(of::<BTreeSet<String>>(), "[text]");
    assert_eq!(of::<serde_json::Value>(), "any");
}

#[test]
fn samples_are_tried_until_one_is_accepted() {
    #[derive(Deserialize)]
    #[serde(try_from = "String")]
    struct Day(#[expect(dead_code)] String);

    impl TryFrom<String> for Day {
        type Error = &'static str;

        fn try_from(text: String) -> Result<Self, Self::Error> {
            match text.len() == 10 && text.as_bytes()[4] == b'-' {
                true => Ok(Self(text)),
                false => Err("not a day"),
            }
        }
    }

    #[derive(Deserialize)]
    #[expect(dead_code)]
    struct Visit {
        from: IpAddr,
        count: NonZeroU32,
        day: Day,
        #[serde(default)]
        note: String,
    }

    assert_eq!(of::<Visit>(), "Visit { from: ipv4, count: u32, day: date, note?: text }");
    assert_eq!(of::<std::num::NonZeroU8>(), "u8");
}

#[test]
fn a_type_that_refuses_everything_hides_no_other() {
    #[derive(Deserialize)]
    #[serde(try_from = "u8")]
    struct Never;

    impl TryFrom<u8> for Never {
        type Error = &'static str;

        fn try_from(_: u8) -> Result<Self, Self::Error> {
            Err("never")
        }
    }

    #[derive(Deserialize)]
    #[expect(dead_code)]
    struct Outer {
        never: Never,
        inner: Inner,
        last: Option<bool>,
    }

    #[derive(Deserialize)]
    #[expect(dead_code)]
    struct Inner {
        never: Vec<Never>,
        name: String,
    }

    assert_eq!(
        of::<Outer>(),
        "Outer { never: u8, inner: Inner { never: [u8], name: text }, last?: bool or null }"
    );
}

#[test]
fn fields_are_those_of_serde() {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    #[expect(dead_code)]
    struct Order {
        order_id: u64,
        #[serde(default)]
        items: Vec<Item>,
        #[serde(rename = "e-mail", alias = "email", alias = "mail")]
        email: String,
        #[serde(skip)]
        cached: u8,
        note: Option<String>,
        #[serde(deserialize_with = "Option::deserialize")]
        must_say: Option<u8>,
    }

    #[derive(Deserialize)]
    #[expect(dead_code)]
    struct Item(u32, String);

    assert_eq!(
        of::<Order>(),
        "Order { orderId: u64, items?: [(u32, text)], e-mail: text, note?: text or null, mustSay: u8 or null }"
    );
}

#[test]
fn enums_have_all_their_variants() {
    #[derive(Deserialize)]
    #[serde(rename_all = "snake_case")]
    #[expect(dead_code)]
    enum Event {
        Opened,
        MovedTo(u8, u8),
        Renamed {
            to: String,
            #[serde(default)]
            by: u8,
        },
        Nested(Option<Color>),
    }

    #[derive(Deserialize)]
    enum Color {
        Red,
        Green,
    }

    assert_eq!(
        of::<Vec<Event>>(),
        "[Event < opened | moved_to: (u8, u8) | renamed: renamed { to: text, by?: u8 } | nested: Color < Red | Green > or null >]"
    );
}

#[test]
fn types_that_contain_themselves_end() {
    #[derive(Deserialize)]
    #[expect(dead_code)]
    struct Tree {
        left: Option<Box<Tree>>,
        more: Vec<Tree>,
        named: BTreeMap<String, Tree>,
        value: u8,
    }

    #[derive(Deserialize)]
    #[expect(dead_code)]
    enum List {
        Next(Box<List>),
        End,
    }

    assert_eq!(
        of::<Tree>(),
        "Tree { left?: Tree again or null, more: [Tree again], named: map of Tree again, value: u8 }"
    );
    assert_eq!(of::<List>(), "List < Next: List again | End >");
}

#[test]
fn what_a_type_does_not_say_is_unknown() {
    #[derive(Deserialize)]
    #[expect(dead_code)]
    struct Flat {
        a: u8,
        #[serde(flatten)]
        rest: BTreeMap<String, u8>,
    }

    #[derive(Deserialize)]
    #[serde(untagged)]
    #[expect(dead_code)]
    enum Either {
        Number(u8),
        Text(String),
    }

    #[derive(Deserialize)]
    #[expect(dead_code)]
    struct Both {
        flat: Flat,
        either: Either,
        name: String,
    }

    assert_eq!(of::<Both>(), "Both { flat: object, either: any, name: text }");
}

#[test]
fn a_panic_is_contained() {
    struct Bad;

    impl<'de> Deserialize<'de> for Bad {
        fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
            panic!("on purpose")
        }
    }

    assert_eq!(of::<Vec<Bad>>(), "any");
}

#[test]
fn a_tree_of_large_types_stays_cheap() {
    macro_rules! level {
        ($name:ident $inner:ty) => {
            #[derive(Deserialize)]
            #[expect(dead_code)]
            struct $name {
                a: $inner,
                b: Option<$inner>,
                c: Vec<$inner>,
                d: BTreeMap<String, $inner>,
                e: Option<$inner>,
            }
        };
    }
    level!(A u8);
    level!(B A);
    level!(C B);
    level!(D C);
    level!(E D);
    level!(F E);
    // 15,625 leaves.
    let text = of::<F>();
    assert!(text.starts_with("F { a: E { a: D {") && text.contains("any"), "{text}");
    assert!(text.len() < 100_000, "{} bytes", text.len());
}
