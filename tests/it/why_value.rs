//! `zerver why-value` on the demo store, and on a service whose steps do what no step should.

use serde_json::Value as Json;

use crate::demo_store::DemoStore;
use crate::harness::{Place, Ran, programs};

fn todos() -> &'static str {
    programs().todos.to_str().unwrap()
}

/// The newest request for a todo in the demo store.
struct Todo(DemoStore);

impl Todo {
    fn new() -> Self {
        Self(DemoStore::unpack())
    }

    fn why(&self, arguments: &[&str]) -> Ran {
        let ran = self.0.zerver(&[&["why-value", "@last:todos-item"], arguments].concat());
        assert!(!ran.out.contains("ann-token") && !ran.err.contains("ann-token"), "a secret: {ran:?}");
        ran
    }

    fn json(&self, value: &str) -> Json {
        let ran = self.why(&[value, "--exe", todos(), "--json"]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        serde_json::from_str(&ran.out).unwrap()
    }
}

/// Returns the names of the inputs with this relation.
fn sources<'j>(slice: &'j Json, relation: &str) -> Vec<&'j str> {
    let all = slice["sources"].as_array().unwrap().iter();
    all.filter(|source| source["relation"] == relation)
        .map(|source| source["input"].as_str().unwrap())
        .collect()
}

#[test]
fn a_value_is_followed_to_the_request_and_to_the_answers_of_effects() {
    let todo = Todo::new();
    let url = todo.json("response.body.url");
    assert_eq!(sources(&url, "flows_into"), ["header.host", "effect.2.output.Found.id"]);
    assert_eq!(sources(&url, "asks"), ["param.id"]);
    assert_eq!(url["slots"][1]["slot"], "slot.Todo.id");
    assert_eq!(url["steps"][2]["step"], "render_for_user");
    let ruled_out = url["ruled_out"].as_array().unwrap();
    let title = ruled_out.iter().find(|of| of["input"] == "effect.2.output.Found.title").unwrap();
    assert!(title["tried"].as_u64().unwrap() > 3, "{title}");
    assert!(url["undecided"].as_array().unwrap().is_empty(), "{url}");

    let used = todo.json("response.header.x-ratelimit-used");
    assert_eq!(sources(&used, "flows_into"), ["effect.1.output.Number"]);
    let asked = sources(&used, "asks");
    assert!(asked.contains(&"header.authorization") && asked.contains(&"effect.0.output.body.sub"), "{used}");
    let token = used["sources"].as_array().unwrap().iter().find(|of| of["input"] == "header.authorization");
    assert!(token.unwrap()["shown_by"]["to"].get("secret").is_some(), "{used}");

    // The key decides about the status: without a todo there is none.
    let status = todo.json("response.status");
    assert!(sources(&status, "decides").contains(&"header.authorization"), "{status}");

    let text = todo.why(&["effect.2.args.Get.key", "--exe", todos()]);
    assert_eq!(text.code, Some(0), "{text:?}");
    assert!(text.out.contains("from     param.id  \"1\" -> \"2\" makes it \"todo:2\""), "{text:?}");
}

#[test]
fn without_the_program_the_declarations_narrow_the_sources() {
    let todo = Todo::new();
    let ran = todo.why(&["slot.Claims.sub", "--static", "--json"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let slice: Json = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((&slice["method"], &slice["step"]), (&"declarations".into(), &"lookup_user".into()));
    assert_eq!(slice["may_flow_into"], serde_json::json!(["request", "slot.AuthHeader"]));
    let ruled_out = slice["ruled_out"].as_array().unwrap();
    assert!(ruled_out.contains(&"slot.Todo".into()), "{slice}");
}

#[test]
fn mistakes_are_explained_before_anything_is_built() {
    let todo = Todo::new();
    for (value, message) in [
        ("response.body.titel", "did you mean title?"),
        ("slot.Clams.sub", "did you mean Claims?"),
        ("effect.9.args", "this request has no effect 9"),
        ("param.id", "a part of the request comes from the client"),
        ("nonsense", "write response.status"),
    ] {
        let ran = todo.why(&[value, "--exe", "/nowhere"]);
        assert!(ran.code == Some(2) && ran.err.contains(message), "{value}: {ran:?}");
    }
}

#[test]
fn a_trial_that_ends_the_service_is_left_out() {
    let place = Place::new();
    let exe = &programs().misbehaving;
    let dev = place.dev_of(exe);
    let id = dev.get("/picky?n=5").id().to_owned();
    let aborts = dev.get("/abort").id().to_owned();
    place.wait_for(2);
    dev.stop();
    let exe = exe.to_str().unwrap();
    let why = |id: &str, value: &str| place.zerver(&["why-value", id, value, "--exe", exe, "--json"]);
    let ran = why(&id, "response.body.1");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(sources(&serde_json::from_str(&ran.out).unwrap(), "flows_into"), ["query.n"]);
    let ran = why(&id, "response.body.0");
    let slice: Json = serde_json::from_str(&ran.out).unwrap();
    let query = slice["ruled_out"].as_array().unwrap().iter().find(|of| of["input"] == "query.n").unwrap();
    assert!(query["reason"].as_str().unwrap().contains("ends the service"), "{slice}");
    // A request that cannot be run at all has no sources to find.
    let ran = why(&aborts, "response.status");
    assert!(ran.code == Some(2) && ran.err.contains("did not find the sources"), "{ran:?}");
}
