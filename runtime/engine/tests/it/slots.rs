//! Slots as `#[slot]` and `#[derive(Slot)]` define them. This file imports nothing from serde.

use std::collections::BTreeMap;

use zerver_engine::{Request, Response, Slot, Value, flow, slot, step};
use zerver_trace::SharedValue;

use crate::driver::{body, no_effects, run};

/// A slot of every shape.
#[slot]
struct Unit;

#[slot]
#[derive(Debug, Clone, PartialEq)]
struct Tuple(u64, String);

#[derive(Debug, Clone, PartialEq)]
#[slot(secret)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Named {
    first_name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_name: Option<String>,
}

#[slot]
#[derive(Debug, Clone, PartialEq)]
#[serde(tag = "kind")]
enum Shape {
    Circle {
        radius: u32,
    },
    #[serde(rename = "nothing")]
    Empty,
}

/// `Serialize` is the user's own; the rest is derived.
#[slot]
#[derive(Debug, PartialEq, zerver_engine::__private::serde::Serialize)]
#[serde(transparent)]
struct Counts(BTreeMap<String, u64>);

#[slot(index)]
#[serde(crate = "zerver_engine::__private::serde")]
struct OwnPath(u64);

#[step]
fn write_all() -> (Unit, Tuple, Named, Shape, Counts, OwnPath) {
    (
        Unit,
        Tuple(7, "x".to_owned()),
        Named { first_name: "Ann".to_owned(), last_name: None },
        Shape::Circle { radius: 2 },
        Counts(BTreeMap::from([("a".to_owned(), 1)])),
        OwnPath(3),
    )
}

#[step]
fn read_all(
    _unit: &Unit,
    tuple: &Tuple,
    named: &Named,
    shape: &Shape,
    counts: &Counts,
    own: &OwnPath,
) -> Response {
    Response::text(format!("{tuple:?} {named:?} {shape:?} {counts:?} {}", own.0))
}

#[test]
fn a_slot_of_any_shape_is_written_recorded_and_read() {
    let def = flow!("slots", GET "/", steps: [write_all, read_all]);
    let ended = run(&def, Request::get("/"), no_effects);
    assert_eq!(
        body(&ended),
        r#"Tuple(7, "x") Named { first_name: "Ann", last_name: None } Circle { radius: 2 } Counts({"a": 1}) 3"#
    );
    let written = ended.events.iter().filter_map(|event| match event {
        zerver_trace::Event::SlotWritten { value, .. } => Some(recorded(value)),
        _ => None,
    });
    insta::assert_snapshot!(written.collect::<Vec<_>>().join("\n"), @r#"
    ()
    [7, "x"]
    {firstName: "Ann"}
    {kind: "Circle", radius: 2}
    {"a": 1}
    3
    "#);
}

fn recorded(datum: &SharedValue) -> String {
    Value::from_recordable(&**datum).unwrap().to_string()
}

#[test]
fn a_recorded_slot_is_decoded_as_its_serde_attributes_say() {
    let named = Named { first_name: "Ann".to_owned(), last_name: None };
    assert_eq!(Value::from_serialize(&named).unwrap().to_typed::<Named>().unwrap(), named);
    for shape in [Shape::Circle { radius: 2 }, Shape::Empty] {
        assert_eq!(Value::from_serialize(&shape).unwrap().to_typed::<Shape>().unwrap(), shape);
    }
}

#[test]
fn a_slot_is_described_by_its_type() {
    let secret = [Unit::DESC, Tuple::DESC, Named::DESC, Shape::DESC].map(|desc| (desc.name, desc.is_secret));
    assert_eq!(secret, [("Unit", false), ("Tuple", false), ("Named", true), ("Shape", false)]);
    assert_eq!([Unit::DESC, Named::DESC, OwnPath::DESC].map(|desc| desc.is_indexed), [false, false, true]);
    assert_eq!(Named::DESC.path, concat!(module_path!(), "::Named"));
    assert_eq!([Unit::DESC, Request::DESC].map(|desc| desc.is_builtin), [false, true]);
    assert_eq!((Named::DESC.type_id)(), std::any::TypeId::of::<Named>());
}
