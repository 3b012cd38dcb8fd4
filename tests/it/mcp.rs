//! The tools for assistants (`zerver mcp`).

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use serde_json::{Value as Json, json};

use crate::harness::Place;

/// A client of the protocol, by hand.
struct Client {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    sent: u64,
}

impl Client {
    fn start(place: &Place, store: &str) -> Self {
        let mut command = place.command(&["mcp", "--store", store]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (input, output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let mut client = Self { child, input, output, sent: 0 };
        let hello = json!({
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": { "name": "test", "version": "1" },
        });
        let server = client.ask("initialize", hello);
        assert_eq!(server["result"]["serverInfo"]["name"], "zerver", "{server}");
        assert!(server["result"]["instructions"].as_str().unwrap().contains("untrusted"), "{server}");
        client.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        client
    }

    fn send(&mut self, message: &Json) {
        writeln!(self.input, "{message}").unwrap();
        self.input.flush().unwrap();
    }

    fn ask(&mut self, method: &str, params: Json) -> Json {
        self.sent += 1;
        self.send(&json!({"jsonrpc": "2.0", "id": self.sent, "method": method, "params": params}));
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        let answer: Json = serde_json::from_str(&line).unwrap();
        assert_eq!(answer["id"], self.sent, "{answer}");
        answer
    }

    /// Calls a tool. Returns the text of its answer, and true if it is an error.
    fn call(&mut self, tool: &str, arguments: Json) -> (String, bool) {
        let answer = self.ask("tools/call", json!({"name": tool, "arguments": arguments}));
        let result = &answer["result"];
        let text = result["content"][0]["text"].as_str().unwrap_or_else(|| panic!("{answer}"));
        (text.to_owned(), result["isError"] == true)
    }

    fn document(&mut self, tool: &str, arguments: Json) -> Json {
        let (text, is_error) = self.call(tool, arguments);
        assert!(!is_error, "{text}");
        let answer: Json = serde_json::from_str(&text).unwrap();
        answer["untrusted"].clone()
    }
}

#[test]
fn an_assistant_finds_and_reads_requests_and_nothing_else() {
    let place = Place::new();
    let store = place.path().join("demo");
    let store = store.to_str().unwrap();
    assert_eq!(place.zerver(&["demo", "--dir", store]).code, Some(0));
    let mut client = Client::start(&place, store);
    let tools = client.ask("tools/list", json!({}));
    let tools = tools["result"]["tools"].as_array().unwrap();
    assert!(
        tools.len() == 10 && tools.iter().all(|tool| tool["annotations"]["readOnlyHint"] == true),
        "{tools:?}"
    );

    let flows = client.document("list_flows", json!({}));
    assert_eq!(flows["flows"][0]["flow"], "report");
    let failed = client.document("list_requests", json!({"query": "flow:report status:5xx"}));
    let id = failed["requests"][0]["id"].as_str().unwrap().to_owned();
    assert!(failed["requests"][0].get("slots").is_none());
    let timeline = client.document("get_timeline", json!({ "id": id }));
    assert_eq!((&timeline["id"], &timeline["status"]), (&json!(id), &json!(502)));
    let kind = client.document("get_value", json!({"id": id, "pointer": "/failure/kind"}));
    assert_eq!(kind, timeline["failure"]["kind"]);
    let diff = client.document("diff", json!({"a": "@fastest:report", "b": "@slowest:report"}));
    assert!(diff.is_object(), "{diff}");
    assert!(client.document("why", json!({"id": "@slowest:report"})).is_object());
    let slo = client.document("slo", json!({"limit": 2}));
    assert!(slo["objectives"].is_array(), "{slo}");
    let test = client.document("export_test", json!({"id": "@last:todo-show"}));
    assert!(test.as_str().is_some_and(|text| text.contains("#[test]")), "{test}");

    // A secret stays one.
    let authorized = client.document("list_requests", json!({"query": "header.authorization:=", "limit": 5}));
    assert_eq!(authorized["requests"], json!([]));
    for (tool, arguments, part) in [
        ("get_timeline", json!({"id": "/etc/passwd"}), "must be a request id"),
        ("get_timeline", json!({"id": "ffff"}), "no request ffff"),
        ("list_requests", json!({"query": "statsu:500"}), "did you mean status?"),
        ("replay", json!({"id": "@last", "live": ["http"]}), "has no parameter live"),
    ] {
        let (text, is_error) = client.call(tool, arguments);
        assert!(is_error && text.contains(part), "{part}: {text}");
    }
    let unknown = client.ask("tools/call", json!({"name": "remove_store", "arguments": {}}));
    assert!(unknown["error"]["message"].as_str().unwrap().contains("no tool remove_store"), "{unknown}");
    drop(client.input);
    assert!(client.child.wait().unwrap().success(), "it ends with its input");
}
