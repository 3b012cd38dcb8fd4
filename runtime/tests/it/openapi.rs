//! OpenAPI documents: what follows from the flows, and that a public validator accepts them.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use zerver::prelude::*;

#[derive(Serialize, Deserialize)]
struct NewOrder {
    items: Vec<Item>,
    note: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Item {
    sku: String,
    count: u32,
}

#[derive(Deserialize)]
#[expect(dead_code)]
struct Filter {
    limit: Option<u32>,
    #[serde(default)]
    tag: Vec<String>,
}

#[derive(Deserialize)]
#[expect(dead_code)]
struct Client {
    x_tenant: String,
    authorization: Option<String>,
}

#[derive(Deserialize)]
#[expect(dead_code)]
struct Session {
    session: Option<String>,
}

#[step]
fn list(_filter: Query<Filter>, _client: Headers<Client>, _cookies: Cookies<Session>) -> Response {
    Response::no_content()
}

#[step]
fn create(Path(_shop): Path<u64>, Json(_order): Json<NewOrder>) -> Response {
    Response::no_content()
}

#[step]
fn show(Path(_ids): Path<(String, u64)>) -> Response {
    Response::no_content()
}

/// Returns the document of an app.
fn document(app: &App) -> Value {
    serde_json::from_str(&app.openapi_document()).unwrap()
}

fn example() -> Value {
    let flows = [
        flow!("order-list", GET "/shops/{shop}/orders", owner: "checkout", summary: "Lists orders", steps: [list]),
        flow!("order-create", POST "/shops/{id}/orders", steps: [create],
            responses: [ResponseDoc::empty(201, "The order was created")]),
        flow!("order-show" v2, GET "/v2/{shop}/{id}",
            aliases: [Alias::redirect("/o/{id}/{shop}").deprecated("2026-12-01").until("2027-03-01")],
            steps: [show],
            responses: [ResponseDoc::json::<NewOrder>(200, "The order")]),
        flow!("order-changes", GET "/shops/{shop}/changes", steps: [talk],
            responses: [ResponseDoc::websocket("Orders as they change")]),
    ];
    document(&App::new().api("Orders", "1").flows(flows))
}

#[test]
fn parameters_are_those_of_the_types() {
    let document = example();
    let list = &document["paths"]["/shops/{shop}/orders"]["get"];
    assert_eq!((&list["tags"][0], &list["summary"]), (&"checkout".into(), &"Lists orders".into()));
    let parameters: Vec<String> = list["parameters"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| format!("{} {} {} {}", p["in"], p["name"], p["required"], p["schema"]).replace('"', ""))
        .collect();
    assert_eq!(
        parameters,
        [
            "path shop true {type:string}",
            "query limit false {maximum:4294967295,minimum:0,type:integer}",
            "query tag false {items:{type:string},type:array}",
            "header x-tenant true {type:string}",
            "cookie session false {type:string}",
        ]
    );
}

#[test]
fn flows_of_one_path_share_the_names_of_its_parameters() {
    let document = example();
    let create = &document["paths"]["/shops/{shop}/orders"]["post"];
    assert_eq!(
        create["parameters"],
        json!([{
            "name": "shop", "in": "path", "required": true, "schema": { "type": "integer", "minimum": 0 },
        }])
    );
    let body = &create["requestBody"]["content"]["application/json"]["schema"];
    assert_eq!(body["required"], json!(["items"]));
    assert_eq!(body["properties"]["items"]["items"]["title"], "Item");
    let statuses: Vec<_> = create["responses"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(statuses, ["201", "400", "404", "415", "422", "default"]);
}

#[test]
fn an_alias_is_an_operation_of_its_own() {
    let document = example();
    let alias = &document["paths"]["/o/{id}/{shop}"]["get"];
    assert_eq!(alias["operationId"], "order-show-alias-1");
    assert_eq!((&alias["deprecated"], &alias["x-version"]), (&true.into(), &2.into()));
    assert_eq!(alias["description"], "Alias of /v2/{shop}/{id}, until 2027-03-01");
    let types: Vec<_> = alias["parameters"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| format!("{} {}", p["name"], p["schema"]["type"]))
        .collect();
    assert_eq!(types, [r#""id" "integer""#, r#""shop" "string""#]);
    assert_eq!(alias["responses"].as_object().unwrap().keys().collect::<Vec<_>>(), ["308"]);
}

#[test]
fn failures_are_described_unless_the_service_renders_them() {
    let flow = flow!("order-show", GET "/{shop}/{id}", steps: [show]);
    let has_content = |app: App| {
        document(&app)["paths"]["/{shop}/{id}"]["get"]["responses"]["404"].get("content").is_some()
    };
    assert!(has_content(App::new().flow(flow)));
    assert!(!has_content(App::new().flow(flow).on_failure(|failure, _| failure.to_response())));
    assert!(!has_content(App::new().flow(flow.on_failure(|failure, _| failure.to_response()))));
}

/// Has the public validator `@seriousme/openapi-schema-validator` check a document. Returns its verdict.
fn validate(document: &Value) -> Value {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/browser");
    assert!(
        folder.join("node_modules/@seriousme/openapi-schema-validator").is_dir(),
        "the validator of OpenAPI documents is missing; run tests/install-services.sh"
    );
    let mut command = Command::new("node");
    command.arg("openapi.mjs").current_dir(folder).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut node = command.spawn().expect("node is needed; run tests/install-services.sh");
    node.stdin.take().unwrap().write_all(document.to_string().as_bytes()).unwrap();
    let output = node.wait_with_output().unwrap();
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_public_validator_accepts_the_documents() {
    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Event {
        Opened,
        Moved(i16, f64),
        Renamed { to: Option<String> },
        Nested(Box<Event>),
    }

    #[derive(Serialize, Deserialize)]
    enum Color {
        Red,
        Green,
    }

    #[derive(Serialize, Deserialize)]
    struct All {
        event: Event,
        color: Option<Color>,
        any: Value,
        map: std::collections::BTreeMap<String, i64>,
        bytes: [u8; 32],
        unit: (),
        flags: Option<Vec<bool>>,
        maybe: Option<Value>,
    }

    #[step]
    fn change(Path(_rest): Path<String>, Json(_all): Json<All>) -> Response {
        Response::no_content()
    }

    let accepted = json!({ "valid": true });
    assert_eq!(validate(&document(&App::new())), accepted);
    assert_eq!(validate(&example()), accepted);
    let flow = flow!("change", PUT "/a{{b}}/{*rest}", steps: [change], idempotent,
    responses: [
        ResponseDoc::json::<All>(200, "All of it"),
        ResponseDoc::of_type(206, "A part", "application/octet-stream"),
        ResponseDoc::empty(204, "Nothing"),
    ]);
    let all = document(&App::new().flow(flow));
    assert_eq!(validate(&all), accepted, "{all:#}");
    // It does refuse.
    let mut broken = example();
    broken["paths"]["/shops/{shop}/orders"]["get"]["parameters"][0]["in"] = "nowhere".into();
    assert_eq!(validate(&broken)["valid"], false);
}

#[step]
fn talk() -> Response {
    Response::no_content()
}

#[test]
fn a_websocket_is_described_with_its_refusals() {
    let flow = flow!("room", GET "/rooms/{room}",
        responses: [ResponseDoc::websocket("The messages of the room")], steps: [talk]);
    let document = document(&App::new().api("Rooms", "1").flow(flow));
    let responses = &document["paths"]["/rooms/{room}"]["get"]["responses"];
    assert_eq!(responses["101"]["description"], "The messages of the room");
    assert_eq!(responses["101"]["headers"]["upgrade"]["description"], "`websocket`");
    assert_eq!(responses["101"]["content"], Value::Null);
    let statuses: Vec<_> = responses.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(statuses, ["101", "403", "426", "default"]);
}
