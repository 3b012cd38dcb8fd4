//! The documents for other tools, checked against JSON schemas: that of HAR 1.2 which `har-validator` uses (`har-schema` 2.0.0),
//! and one after the description of the trace event format.

use boon::{Compiler, SchemaIndex, Schemas};
use proptest::prelude::*;
use serde_json::{Value, json};
use zerver_otel::{chrome_trace, har};
use zerver_testkit::{hostile, sample};
use zerver_trace::Trace;

use crate::samples;

/// Place of the schemas. Nothing is fetched from there.
const BASE: &str = "http://schemas.test/";

struct Schema {
    schemas: Schemas,
    index: SchemaIndex,
}

impl Schema {
    /// Compiles a schema, with those that it refers to.
    fn new(all: &[(&str, Value)], name: &str) -> Self {
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        compiler.enable_format_assertions();
        for (name, schema) in all {
            compiler.add_resource(&format!("{BASE}{name}"), schema.clone()).unwrap();
        }
        let index = compiler.compile(&format!("{BASE}{name}"), &mut schemas).unwrap();
        Self { schemas, index }
    }

    fn har() -> Self {
        let all: Value = serde_json::from_str(include_str!("../schemas/har-1.2.json")).unwrap();
        let all: Vec<_> =
            all.as_object().unwrap().iter().map(|(name, schema)| (name.as_str(), schema.clone())).collect();
        Self::new(&all, "har.json")
    }

    fn chrome() -> Self {
        let schema = serde_json::from_str(include_str!("../schemas/chrome-trace.json")).unwrap();
        Self::new(&[("chrome.json", schema)], "chrome.json")
    }

    /// Returns what is wrong with a document.
    fn mistakes(&self, document: &Value) -> Option<String> {
        self.schemas.validate(document, self.index).err().map(|error| format!("{error:#}"))
    }

    fn check(&self, document: &Value) {
        assert_eq!(self.mistakes(document), None, "{document:#}");
    }
}

fn all_samples() -> Vec<Trace> {
    vec![
        sample::slow(),
        sample::failed(),
        sample::held(),
        sample::late(),
        sample::rate_limited(30),
        sample::report(7),
        sample::of_layer(),
        samples::calls(),
        samples::bodies(),
    ]
}

#[test]
fn archives_fit_the_public_schema() {
    let schema = Schema::har();
    all_samples().iter().for_each(|trace| schema.check(&har([trace])));
    schema.check(&har(&all_samples()));
    schema.check(&har([]));
}

#[test]
fn chrome_traces_fit_the_schema() {
    let schema = Schema::chrome();
    all_samples().iter().for_each(|trace| schema.check(&chrome_trace([trace])));
    schema.check(&chrome_trace(&all_samples()));
    schema.check(&chrome_trace(&[]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn hostile_traces_fit_as_well(trace in hostile::any_trace()) {
        let mistakes = Schema::har().mistakes(&har([&trace]));
        prop_assert_eq!(mistakes, None);
        let mistakes = Schema::chrome().mistakes(&chrome_trace([&trace]));
        prop_assert_eq!(mistakes, None);
    }
}

/// A schema that accepts everything would not be noticed otherwise.
#[test]
fn the_schemas_refuse_what_is_wrong() {
    let (archive, document) = (har([&samples::calls()]), chrome_trace([&samples::calls()]));
    for (pointer, wrong) in [
        ("/log/version", json!(1.2)),
        ("/log/entries/0/startedDateTime", json!("yesterday")),
        ("/log/entries/0/request/url", json!("not a URL")),
        ("/log/entries/0/request/headers", json!({})),
        ("/log/entries/0/response/content/size", json!("7")),
        ("/log/entries/0/timings", json!({ "send": 1 })),
    ] {
        let mut archive = archive.clone();
        *archive.pointer_mut(pointer).unwrap() = wrong;
        assert!(Schema::har().mistakes(&archive).is_some(), "{pointer}");
    }
    let slice =
        document["traceEvents"].as_array().unwrap().iter().position(|event| event["ph"] == "X").unwrap();
    for (key, wrong) in [
        ("ph", json!("Z")),
        ("ts", json!(-1)),
        ("dur", json!("1")),
        ("name", json!("")),
        ("pid", Value::Null),
    ] {
        let mut document = document.clone();
        document["traceEvents"][slice][key] = wrong;
        assert!(Schema::chrome().mistakes(&document).is_some(), "{key}");
    }
}
