//! A client that speaks the protocol to the adapter, over samples.

use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;

use proptest::prelude::*;
use serde_json::{Value, json};
use zerver_testkit::{hostile, sample};
use zerver_trace::Trace;
use zerver_trace::text::is_dangerous;

use crate::adapter::Adapter;
use crate::protocol::framing::{self, Received};
use crate::recordings::{Recordings, SourceText};
use crate::request::loaded::LoadedRequest;
use crate::request::variable_tree::VariableTree;
use crate::source_files::SourceFiles;

/// Samples, and the sources of their steps: each function is where it was recorded, and three lines long.
struct Samples;

impl Recordings for Samples {
    fn load(&self, request: &str, _: Option<&str>) -> Result<Trace, String> {
        match request {
            "@failed" => Ok(sample::failed()),
            "@last" => Ok(sample::slow()),
            other => Err(format!("no request {other}")),
        }
    }

    fn source(&self, file: &str) -> Option<SourceText> {
        let steps = ["parse_auth", "lookup_user", "verify_roles", "load_todo", "render_todo"];
        let mut lines = vec![String::new(); 60];
        for (at, step) in steps.iter().enumerate() {
            lines[10 * at + 9] = format!("fn {step}() {{");
            lines[10 * at + 11] = "}".to_owned();
        }
        Some(SourceText { path: PathBuf::from("/here").join(file), text: lines.join("\n") })
    }
}

#[derive(Clone, Default)]
struct Sent(Rc<RefCell<Vec<u8>>>);

impl std::io::Write for Sent {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

struct Client {
    adapter: Adapter<'static, Sent>,
    sent: Sent,
    seq: u64,
    events: Vec<Value>,
    /// Body of the last stop.
    stop: Value,
}

impl Client {
    fn new() -> Self {
        let sent = Sent::default();
        Self {
            adapter: Adapter::new(sent.clone(), &Samples),
            sent,
            seq: 0,
            events: Vec::new(),
            stop: Value::Null,
        }
    }

    /// Launches a request, and returns the client at its beginning.
    fn at(request: &str) -> Self {
        let mut client = Self::new();
        client.ask("initialize", json!({ "adapterID": "zerver" }));
        client.ask("launch", json!({ "id": request }));
        assert!(client.events.iter().any(|event| event["event"] == "initialized"));
        client.ask("configurationDone", Value::Null);
        assert_eq!(client.stop["reason"], "entry");
        client
    }

    fn received(&mut self) -> Vec<Value> {
        let bytes = std::mem::take(&mut *self.sent.0.borrow_mut());
        let (mut input, mut all) = (&bytes[..], Vec::new());
        while let Some(received) = framing::receive(&mut input).unwrap() {
            let Received::Message(message) = received else { panic!("malformed") };
            all.push(message);
        }
        all
    }

    fn response(&mut self, command: &str, arguments: Value) -> Value {
        self.seq += 1;
        self.events.clear();
        let message =
            json!({ "seq": self.seq, "type": "request", "command": command, "arguments": arguments });
        let _ = self.adapter.handle(message).unwrap();
        let mut all = self.received();
        let response = all.remove(0);
        assert_eq!((&response["type"], &response["request_seq"]), (&json!("response"), &json!(self.seq)));
        assert!(all.iter().all(|other| other["type"] == "event"), "{all:?}");
        for event in all.iter().filter(|event| event["event"] == "stopped") {
            self.stop = event["body"].clone();
        }
        self.events = all;
        response
    }

    fn ask(&mut self, command: &str, arguments: Value) -> Value {
        let mut response = self.response(command, arguments);
        assert_eq!(response["success"], true, "{response}");
        response["body"].take()
    }

    fn refused(&mut self, command: &str, arguments: Value) -> String {
        let response = self.response(command, arguments);
        assert_eq!(response["success"], false, "{response}");
        response["message"].as_str().unwrap().to_owned()
    }

    fn go(&mut self, command: &str) -> String {
        self.ask(command, json!({ "threadId": 1 }));
        self.top()
    }

    fn frames(&mut self) -> Vec<Value> {
        self.ask("stackTrace", json!({ "threadId": 1 }))["stackFrames"].as_array().unwrap().clone()
    }

    /// Returns the name of the innermost frame, up to the first colon.
    fn top(&mut self) -> String {
        let name = self.frames()[0]["name"].as_str().unwrap().to_owned();
        name.split(": ").next().unwrap().to_owned()
    }

    /// Returns a scope of the innermost frame, as names and values.
    fn scope(&mut self, name: &str) -> Vec<(String, String)> {
        let frame = self.frames()[0]["id"].clone();
        let scopes = self.ask("scopes", json!({ "frameId": frame }))["scopes"].take();
        let found = scopes.as_array().unwrap().iter().find(|scope| scope["name"] == name);
        let reference = found.unwrap_or_else(|| panic!("no {name}: {scopes}"))["variablesReference"].clone();
        self.parts(&reference)
    }

    fn parts(&mut self, reference: &Value) -> Vec<(String, String)> {
        let variables = self.ask("variables", json!({ "variablesReference": reference }))["variables"].take();
        let text = |variable: &Value, key: &str| variable[key].as_str().unwrap().to_owned();
        let all = variables.as_array().unwrap().iter();
        all.map(|variable| (text(variable, "name"), text(variable, "value"))).collect()
    }
}

#[test]
fn a_request_is_stepped_through_in_both_directions() {
    let mut client = Client::at("@last");
    assert_eq!(client.go("next"), "parse_auth");
    assert_eq!(client.go("next"), "lookup_user");
    assert_eq!(client.go("stepIn"), "http GET idp.example.com/verify");
    assert_eq!(client.go("stepOut"), "verify_roles");
    assert_eq!(client.go("stepBack"), "lookup_user");
    assert_eq!(client.go("stepBack"), "parse_auth");
    assert!(client.go("continue").starts_with("response"));
    assert_eq!(client.stop["description"], "at the end of the request");
    assert_eq!(client.go("stepBack"), "render_todo");
    assert!(client.go("reverseContinue").starts_with("GET "));
    client.ask("continue", json!({}));
    client.ask("continue", json!({}));
    assert_eq!(client.events[0]["event"], "terminated");
}

#[test]
fn frames_are_the_steps_so_far_with_their_sources() {
    let mut client = Client::at("@last");
    client.ask("setFunctionBreakpoints", json!({ "breakpoints": [{ "name": "kv" }] }));
    assert_eq!(client.go("continue"), "kv get todo:456");
    let frames = client.frames();
    let names: Vec<_> =
        frames.iter().map(|frame| frame["name"].as_str().unwrap().split(": ").next().unwrap()).collect();
    let steps = ["kv get todo:456", "load_todo", "verify_roles", "lookup_user", "parse_auth"];
    assert_eq!(names[..5], steps);
    assert!(names[5].starts_with("GET "));
    assert_eq!(
        (&frames[0]["line"], &frames[0]["source"]["path"]),
        (&json!(40), &json!("/here/src/todos.rs"))
    );
    assert_eq!(
        (&frames[1]["presentationHint"], &frames[2]["presentationHint"]),
        (&json!("normal"), &json!("subtle"))
    );
    let part = client.ask("stackTrace", json!({ "startFrame": 1, "levels": 2 }));
    assert_eq!((part["totalFrames"].clone(), part["stackFrames"].as_array().unwrap().len()), (json!(6), 2));
    client.ask("restartFrame", json!({ "frameId": frames[4]["id"] }));
    assert_eq!(client.top(), "parse_auth");
}

#[test]
fn scopes_have_what_was_known_at_that_time_and_no_secret() {
    let mut client = Client::at("@last");
    client.ask("setFunctionBreakpoints", json!({ "breakpoints": [{ "name": "lookup_user" }] }));
    client.go("continue");
    let read = client.scope("Slots read");
    assert!(read[0].0 == "AuthHeader" && read[0].1.contains("secret"), "{read:?}");
    client.go("stepIn");
    assert_eq!(client.scope("Effect")[1], ("output".to_owned(), "200".to_owned()));
    let written = client.scope("Slots written");
    assert!(written[0].0 == "Claims" && written[0].1.contains("user-123"), "{written:?}");
    assert!(client.scope("All slots").iter().all(|(name, _)| name != "Claims"), "not yet");
    let claims = client.ask("evaluate", json!({ "expression": "Claims" }));
    assert_eq!(client.parts(&claims["variablesReference"])[0], ("sub".to_owned(), "\"user-123\"".to_owned()));
    for (expression, wanted) in [
        ("slot.Claims.roles.0", "\"admin\""),
        ("effect.1.args.1", "456"),
        ("response.status", "200"),
        ("request.method", "\"GET\""),
    ] {
        let value = client.ask("evaluate", json!({ "expression": expression }))["result"].take();
        assert_eq!(value.as_str().unwrap().trim_matches('"'), wanted.trim_matches('"'), "{expression}");
    }
    assert!(client.refused("evaluate", json!({ "expression": "Todo" })).contains("names nothing here"));
    let frame = client.frames()[0]["id"].clone();
    let scopes = client.ask("scopes", json!({ "frameId": frame }));
    let again = client.ask("scopes", json!({ "frameId": frame }));
    assert_eq!(scopes, again, "asking twice creates nothing");
}

#[test]
fn breakpoints_are_hit_from_both_sides() {
    let mut client = Client::at("@last");
    let set = |client: &mut Client, lines: &[u32]| {
        let lines: Vec<_> = lines.iter().map(|line| json!({ "line": line })).collect();
        let arguments = json!({ "source": { "path": "/here/src/todos.rs" }, "breakpoints": lines });
        client.ask("setBreakpoints", arguments)["breakpoints"].take()
    };
    let placed = set(&mut client, &[11, 42, 15]);
    assert_eq!((&placed[0]["line"], &placed[1]["line"]), (&json!(10), &json!(40)));
    assert_eq!(placed[2]["message"], "this line is in no step of todos-item");
    assert_eq!(client.go("continue"), "parse_auth");
    assert_eq!(client.go("continue"), "load_todo");
    assert_eq!(client.stop["hitBreakpointIds"], json!([placed[1]["id"]]));
    client.go("continue");
    assert_eq!(client.go("reverseContinue"), "load_todo");
    set(&mut client, &[]);
    assert!(client.go("continue").starts_with("response"));
    let locations = json!({ "source": { "path": "/here/src/todos.rs" }, "line": 1, "endLine": 25 });
    let locations = client.ask("breakpointLocations", locations);
    assert_eq!(locations["breakpoints"], json!([{ "line": 10 }, { "line": 20 }]));

    let placed = client.ask("setFunctionBreakpoints", json!({ "breakpoints": [{ "name": "load_tod" }] }));
    let why = placed["breakpoints"][0]["message"].as_str().unwrap();
    assert!(why.ends_with("did you mean load_todo?"), "{why}");
    let info = client.ask("dataBreakpointInfo", json!({ "name": "Todo" }));
    let slots = json!({ "breakpoints": [{ "dataId": info["dataId"] }] });
    assert_eq!(client.ask("setDataBreakpoints", slots)["breakpoints"][0]["verified"], true);
    assert_eq!(client.go("reverseContinue"), "kv get todo:456");
    assert_eq!(client.stop["reason"], "data breakpoint");
}

#[test]
fn failures_and_slow_parts_stop() {
    let mut client = Client::at("@failed");
    let filters = client.ask("setExceptionBreakpoints", json!({ "filters": ["client_error"] }));
    assert_eq!(filters["breakpoints"], json!([{ "verified": true }]));
    assert_eq!(client.go("continue"), "load_todo");
    let info = client.ask("exceptionInfo", json!({ "threadId": 1 }));
    assert_eq!(info["exceptionId"], "not_found");
    assert_eq!(info["details"]["innerException"][0]["message"], "the store has no todo:456");
    let slow = |condition: &str| json!({ "filterOptions": [{ "filterId": "slow", "condition": condition }] });
    client.ask("setExceptionBreakpoints", slow("550us"));
    assert_eq!(client.go("reverseContinue"), "http GET idp.example.com/verify");
    assert!(client.stop["text"].as_str().unwrap().contains("longer than 550us"));
    for wrong in ["", "fast"] {
        let answer = client.ask("setExceptionBreakpoints", slow(wrong));
        assert_eq!(answer["breakpoints"][0]["verified"], false, "{wrong}");
    }
}

#[test]
fn mistakes_are_answered_and_nothing_is_changed() {
    let mut client = Client::new();
    assert!(client.refused("threads", json!({})).contains("first request must be initialize"));
    assert!(client.refused("initialize", json!({ "pathFormat": "uri" })).contains("by paths"));
    client.ask("initialize", json!({}));
    assert!(client.refused("threads", json!({})).contains("launch one first"));
    assert_eq!(client.refused("launch", json!({ "id": "ffff" })), "no request ffff");
    assert!(client.refused("launch", json!({ "id": 7 })).contains("wrong arguments"));
    client.ask("launch", json!({}));
    assert!(client.refused("launch", json!({})).contains("already"));
    client.ask("configurationDone", json!({}));
    for (command, arguments, wanted) in [
        ("scopes", json!({ "frameId": -1 }), "no frame -1"),
        ("scopes", json!({ "frameId": 1_000 }), "no frame 1000"),
        ("scopes", json!({}), "wrong arguments"),
        ("variables", json!({ "variablesReference": i64::MIN }), "no variables"),
        ("exceptionInfo", json!({}), "not stopped at a failure"),
        ("disassemble\u{1b}[31m", json!({}), "has no request disassemble\\u{1b}[31m"),
    ] {
        let message = client.refused(command, arguments);
        assert!(message.contains(wanted), "{wanted}: {message}");
    }
    client.ask("setFunctionBreakpoints", json!({ "breakpoints": [{ "name": "render_todo" }] }));
    client.go("continue");
    let frame = client.frames()[0]["id"].clone();
    let scopes = client.ask("scopes", json!({ "frameId": frame }));
    let todo = json!({
        "variablesReference": scopes["scopes"][0]["variablesReference"], "name": "Todo", "value": "{\"it's\": 1}",
    });
    let message = client.refused("setVariable", todo);
    assert!(message.contains("--set 'Todo={\"it'\\''s\": 1}'"), "{message}");
    assert_eq!(client.top(), "render_todo");
}

#[test]
fn what_is_no_request_is_ignored() {
    let mut client = Client::new();
    for message in
        [json!(null), json!([]), json!({ "type": "event" }), json!({ "type": "response", "seq": 1 })]
    {
        assert!(client.adapter.handle(message).unwrap().is_continue());
        assert_eq!(client.received()[0]["body"]["category"], "stderr");
    }
    assert!(client.adapter.handle(json!({ "type": "request" })).unwrap().is_continue());
    assert_eq!(client.received()[0]["success"], false);
}

fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<i64>().prop_map(Value::from),
        (-3..12_i64).prop_map(Value::from),
        "[a-zT@.0-9]{0,6}".prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
    ];
    let keys = prop_oneof![
        Just("frameId"),
        Just("variablesReference"),
        Just("expression"),
        Just("breakpoints"),
        Just("line"),
        Just("source"),
        Just("path"),
        Just("name"),
        Just("value"),
        Just("start"),
        Just("count"),
        Just("levels"),
        Just("filters"),
        Just("startFrame"),
        Just("dataId"),
        Just("endLine"),
        Just("id"),
    ];
    leaf.prop_recursive(3, 24, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((keys.clone().prop_map(str::to_owned), inner), 0..5)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

proptest! {
    /// Any requests in any order are answered, each once.
    #[test]
    fn any_conversation_goes_on(
        asked in prop::collection::vec((0..24_usize, anything()), 0..40),
    ) {
        let commands = [
            "initialize", "launch", "configurationDone", "threads", "stackTrace", "scopes", "variables",
            "evaluate", "setVariable", "setBreakpoints", "setFunctionBreakpoints", "setExceptionBreakpoints",
            "dataBreakpointInfo", "setDataBreakpoints", "breakpointLocations", "exceptionInfo", "continue",
            "reverseContinue", "next", "stepIn", "stepOut", "stepBack", "restartFrame", "pause",
        ];
        let mut client = Client::at("@failed");
        for (command, arguments) in asked {
            client.response(commands[command], arguments);
        }
    }

    /// A trace may contain anything. Nothing of it reaches an editor as it is.
    #[test]
    fn any_trace_is_shown_in_safe_text(trace in hostile::any_trace()) {
        let request = LoadedRequest::new(trace);
        let mut sources = SourceFiles::default();
        for row in 0..request.rows.len() {
            for of_frame in request.frame_rows(row) {
                let frame = request.frame(of_frame, row, &mut sources, &Samples);
                prop_assert!(!frame.name.chars().any(is_dangerous), "{:?}", frame.name);
            }
            let mut trees: Vec<VariableTree> =
                request.scopes(row).into_iter().flat_map(|scope| scope.variables).collect();
            while let Some(tree) = trees.pop() {
                let texts = [Some(&tree.name), Some(&tree.text), tree.path.as_ref()];
                prop_assert!(!texts.into_iter().flatten().any(|text| text.chars().any(is_dangerous)), "{tree:?}");
                trees.extend(tree.parts);
            }
        }
    }
}
