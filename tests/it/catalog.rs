//! Definitions of flows, as commands show them: catalogs and how they differ, OpenAPI, objectives.

use std::fs;

use serde_json::{Value as Json, json};

use crate::harness::{Place, programs};

#[test]
fn two_catalogs_are_compared() {
    let place = Place::new();
    let (old, new) = (programs().orders.to_str().unwrap(), programs().orders_next.to_str().unwrap());
    let file = place.path().join("old.json");
    fs::write(&file, place.json(&["catalog", "--exe", old, "--json"]).to_string()).unwrap();
    let file = file.to_str().unwrap();
    let same = place.zerver(&["catalog", "diff", file, old]);
    assert_eq!((same.code, same.out.as_str()), (Some(0), "no difference\n"), "{same:?}");
    let other = place.zerver(&["catalog", "diff", file, new]);
    assert_eq!(other.code, Some(1), "{other:?}");
    assert!(other.out.contains("steps") || other.out.contains("step "), "{}", other.out);
    assert!(
        other.out.contains("nothing here breaks clients") || other.out.contains("clients ("),
        "{}",
        other.out
    );
    let removed = place.path().join("none.json");
    fs::write(&removed, r#"{"flows": []}"#).unwrap();
    let diff = place.zerver(&["catalog", "diff", file, removed.to_str().unwrap(), "--json"]);
    assert_eq!(diff.code, Some(1), "{diff:?}");
    let diff: Json = serde_json::from_str(&diff.out).unwrap();
    assert_eq!((&diff["breaking"], &diff["changes"][0]["subject"]), (&json!("yes"), &json!("flow")));
}

#[test]
fn the_catalog_of_a_store_says_what_flows_call() {
    let place = Place::new();
    let service = place.dev();
    assert_eq!(service.get("/reports/todos").status, 200);
    place.wait_for(1);
    let catalog = place.json(&["catalog", "--json"]);
    let flows = catalog["flows"].as_array().unwrap();
    let targets = |name: &str| flows.iter().find(|flow| flow["name"] == name).unwrap()["targets"].clone();
    assert_eq!(targets("report"), json!([{"kind": "http", "host": "figures.internal"}, {"kind": "kv"}]));
    assert_eq!(targets("todos-clear"), json!([]));
    let text = place.zerver(&["catalog"]).out;
    assert!(text.contains("calls http figures.internal, kv\n"), "{text}");
    // A definition does not say it.
    let program = programs().todos.to_str().unwrap();
    assert_eq!(place.json(&["catalog", "--exe", program, "--json"])["flows"][0].get("targets"), None);
}

#[test]
fn what_is_no_catalog_is_an_error() {
    let place = Place::new();
    let file = place.path().join("other.json");
    fs::write(&file, "{\"flows\": 7}").unwrap();
    let file = file.to_str().unwrap();
    for (old, part) in [(file, "zerver catalog --json"), ("/nowhere", "cannot read the catalog /nowhere")] {
        let diff = place.zerver(&["catalog", "diff", old, file]);
        assert_eq!(diff.code, Some(2), "{diff:?}");
        assert!(diff.err.contains(part), "{diff:?}");
    }
}

#[test]
fn the_openapi_document_of_a_program_is_printed() {
    let place = Place::new();
    let document = place.json(&["openapi", "--exe", programs().todos.to_str().unwrap()]);
    assert_eq!((&document["openapi"], &document["info"]["title"]), (&json!("3.1.1"), &json!("Todos")));
    let item = &document["paths"]["/v1/todos/{id}"]["get"];
    assert_eq!((&item["operationId"], &item["tags"]), (&json!("todos-item"), &json!(["accounts"])));
}

#[test]
fn two_openapi_documents_are_compared() {
    let place = Place::new();
    let program = programs().todos.to_str().unwrap();
    let document = place.json(&["openapi", "--exe", program]);
    let file = place.path().join("old.json");
    fs::write(&file, document.to_string()).unwrap();
    let file = file.to_str().unwrap();
    let same = place.zerver(&["openapi", "diff", file, program]);
    assert_eq!((same.code, same.out.as_str()), (Some(0), "no difference\n"), "{same:?}");
    let mut changed = document;
    changed["paths"]["/v1/todos/{id}"]["get"]["parameters"][0]["schema"] = json!({ "type": "null" });
    let other = place.path().join("new.json");
    fs::write(&other, changed.to_string()).unwrap();
    let diff = place.zerver(&["openapi", "diff", file, other.to_str().unwrap(), "--json"]);
    assert_eq!(diff.code, Some(1), "{diff:?}");
    let diff: Json = serde_json::from_str(&diff.out).unwrap();
    assert_eq!(
        (&diff["breaking"], &diff["changes"][0]["operation"]),
        (&json!("yes"), &json!("GET /v1/todos/{id}"))
    );
    fs::write(&other, "{}").unwrap();
    let diff = place.zerver(&["openapi", "diff", file, other.to_str().unwrap()]);
    assert_eq!(diff.code, Some(2), "{diff:?}");
    assert!(diff.err.contains("no member `openapi`"), "{diff:?}");
}

#[test]
fn a_store_tells_how_the_objectives_of_its_flows_are_met() {
    let place = Place::new();
    let dev = place.dev();
    let made = dev.ask("POST", "/todos").json(json!({ "title": "Buy milk" })).send();
    let path = format!("/v1/todos/{}", made.json()["id"]);
    dev.ask("GET", &path).bearer("ann-token").send();
    dev.ask("GET", &path).send();
    place.wait_for(3);
    let told = place.json(&["slo", "--json"]);
    let objectives = told["objectives"].as_array().unwrap();
    let names: Vec<_> =
        objectives.iter().map(|slo| (&slo["flow"], &slo["objective"], &slo["owner"])).collect();
    let (flow, owner) = (json!("todos-item"), json!("accounts"));
    assert_eq!(names, [(&flow, &json!("p95"), &owner), (&flow, &json!("errors"), &owner)]);
    // A client without a token is no failure of the service.
    assert_eq!((&objectives[1]["requests"], &objectives[1]["bad"]), (&json!(2), &json!(0)));
    assert_eq!(objectives[1]["windows"][0]["requests"], 2);
    let text = place.zerver(&["slo"]).out;
    assert!(text.contains("errors 1%") && text.contains("burn rates until"), "{text}");
    let catalog = place.json(&["catalog", "--json"]);
    let flows = catalog["flows"].as_array().unwrap();
    let item = flows.iter().find(|flow| flow["name"] == "todos-item").unwrap();
    assert_eq!((&item["owner"], &item["version"]), (&owner, &json!(1)));
    assert_eq!(item["plan_hash"].as_str().unwrap().len(), 16);
    let unknown = place.zerver(&["slo", "nothing"]);
    assert_eq!(unknown.code, Some(2), "{unknown:?}");
    let without = place.zerver(&["slo", "todo-show"]);
    assert!(without.code == Some(2) && without.err.contains("no objectives"), "{without:?}");
}
