//! The debugger of an editor (`zerver dap`), and native ones (`zerver replay --debugger`).

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value as Json, json};

use crate::demo_store::DemoStore;
use crate::harness::{Place, Ran, programs, root};

/// A client of the protocol, by hand.
struct Client {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    sent: u64,
    /// Events since the last request was sent.
    events: Vec<Json>,
}

impl Client {
    fn start(place: &Place) -> Self {
        let mut command = place.command(&["dap", "--app", root().to_str().unwrap()]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (input, output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, input, output, sent: 0, events: Vec::new() }
    }

    fn send(&mut self, text: &str) {
        write!(self.input, "Content-Length: {}\r\n\r\n{text}", text.len()).unwrap();
        self.input.flush().unwrap();
    }

    fn receive(&mut self) -> Json {
        let mut length = 0;
        loop {
            let mut line = String::new();
            assert!(self.output.read_line(&mut line).unwrap() > 0, "the adapter has ended");
            match line.trim_end().split_once(": ") {
                Some(("Content-Length", value)) => length = value.parse().unwrap(),
                _ => break,
            }
        }
        let mut bytes = vec![0; length];
        self.output.read_exact(&mut bytes).unwrap();
        serde_json::from_slice(&bytes).unwrap()
    }

    fn response(&mut self, command: &str, arguments: Json) -> Json {
        self.sent += 1;
        let request =
            json!({ "seq": self.sent, "type": "request", "command": command, "arguments": arguments });
        self.send(&request.to_string());
        loop {
            let message = self.receive();
            if message["type"] == "response" {
                assert_eq!(
                    (&message["request_seq"], &message["command"]),
                    (&json!(self.sent), &json!(command))
                );
                return message;
            }
            self.events.push(message);
        }
    }

    fn ask(&mut self, command: &str, arguments: Json) -> Json {
        let mut response = self.response(command, arguments);
        assert_eq!(response["success"], true, "{response}");
        response["body"].take()
    }

    /// Waits for an event.
    fn event(&mut self, name: &str) -> Json {
        loop {
            if let Some(at) = self.events.iter().position(|event| event["event"] == name) {
                return self.events.remove(at)["body"].take();
            }
            let event = self.receive();
            self.events.push(event);
        }
    }

    /// Moves, and returns the event of the stop and the innermost frame.
    fn go(&mut self, command: &str) -> (Json, Json) {
        self.ask(command, json!({ "threadId": 1 }));
        let stop = self.event("stopped");
        (stop, self.ask("stackTrace", json!({ "threadId": 1 }))["stackFrames"][0].take())
    }

    /// Disconnects, and returns the exit code.
    fn end(mut self) -> Option<i32> {
        self.ask("disconnect", json!({}));
        self.child.wait().unwrap().code()
    }
}

#[test]
fn an_editor_steps_through_a_recorded_request_in_both_directions() {
    let demo = DemoStore::unpack();
    let mut client = Client::start(&demo.place);
    let capabilities = client.ask("initialize", json!({ "adapterID": "zerver", "linesStartAt1": true }));
    assert_eq!(capabilities["supportsStepBack"], true);
    let missing = client.response("launch", json!({ "id": "@last:todos-itm", "store": demo.dir }));
    let why = missing["body"]["error"]["variables"]["why"].as_str().unwrap();
    assert!(why.contains("did you mean todos-item?"), "{missing}");
    client.ask("launch", json!({ "id": "@last:todos-item", "store": demo.dir }));
    client.event("initialized");

    // A breakpoint in a source file of today.
    let (file, line) = find_function(&root().join("examples/todos/src"), "lookup_user").unwrap();
    let line = line + 1;
    let placed = client.ask(
        "setBreakpoints",
        json!({ "source": { "path": file }, "breakpoints": [{ "line": line }, { "line": 1 }] }),
    );
    assert_eq!(placed["breakpoints"][0]["verified"], true, "{placed}");
    assert_eq!(placed["breakpoints"][1]["verified"], false, "{placed}");
    client.ask("setFunctionBreakpoints", json!({ "breakpoints": [{ "name": "kv" }] }));
    client.ask("setExceptionBreakpoints", json!({ "filters": ["failed"] }));
    client.ask("configurationDone", json!({}));
    assert_eq!(client.event("stopped")["reason"], "entry");
    let threads = client.ask("threads", json!({}));
    assert!(threads["threads"][0]["name"].as_str().unwrap().starts_with("GET "), "{threads}");

    let (stop, frame) = client.go("continue");
    assert_eq!(stop["hitBreakpointIds"], json!([placed["breakpoints"][0]["id"]]));
    assert_eq!(frame["source"]["path"], file.to_str().unwrap(), "{frame}");
    let (stop, effect) = client.go("continue");
    assert_eq!(stop["reason"], "function breakpoint");
    let scopes = client.ask("scopes", json!({ "frameId": effect["id"] }));
    let names: Vec<_> = scopes["scopes"].as_array().unwrap().iter().map(|scope| &scope["name"]).collect();
    assert_eq!(names[0], "Effect");
    let values =
        client.ask("variables", json!({ "variablesReference": scopes["scopes"][0]["variablesReference"] }));
    let text =
        values.to_string() + &client.ask("evaluate", json!({ "expression": "request.headers" })).to_string();
    assert!(text.contains("arguments") && !text.contains("ann-token"), "{text}");
    let (_, frame) = client.go("stepBack");
    assert_ne!(frame["id"], effect["id"]);
    let (_, again) = client.go("next");
    assert_eq!(again["id"], effect["id"], "stepping on leads back to it");
    let (stop, frame) = client.go("reverseContinue");
    assert_eq!(stop["hitBreakpointIds"], json!([placed["breakpoints"][0]["id"]]), "{frame}");
    assert_eq!(client.end(), Some(0));
}

/// Returns the file and the line of a step, as they are now.
fn find_function(folder: &Path, name: &str) -> Option<(std::path::PathBuf, u32)> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.into_iter().find_map(|path| {
        if path.is_dir() {
            return find_function(&path, name);
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let line = (1..).zip(text.lines()).find(|(_, line)| line.contains(&format!("fn {name}(")))?.0;
        Some((path, line))
    })
}

#[test]
fn the_adapter_survives_what_no_editor_sends() {
    let demo = DemoStore::unpack();
    let mut client = Client::start(&demo.place);
    for garbage in ["", "{", "[]", "null", "\"x\"", &"[".repeat(10_000), r#"{"type":"response"}"#] {
        client.send(garbage);
        assert_eq!(client.receive()["event"], "output", "{garbage}");
    }
    assert_eq!(client.response("threads", json!({}))["success"], false);
    client.ask("initialize", json!({}));
    assert_eq!(client.response("reboot", json!({ "now": true }))["success"], false);
    assert_eq!(client.response("launch", json!({ "id": "/etc/passwd" }))["success"], false);
    assert_eq!(client.response("launch", json!({ "id": "-" }))["success"], false);
    assert_eq!(client.end(), Some(0));

    // The end of the input is the end; a frame without an end is an error.
    let run = |input: &[u8]| {
        let mut command = demo.place.command(&["dap"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        Ran::of(child.wait_with_output().unwrap())
    };
    assert_eq!(run(b"").code, Some(0));
    for broken in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        b"Content-Length: 7\r\n\r\n{}",
        b"Content-Length: 9999999999\r\n\r\n",
    ] {
        let ran = run(broken);
        assert!(ran.code == Some(2) && ran.err.contains("an editor starts this command"), "{ran:?}");
    }
}

/// Replays a request of the demo store in a debugger.
fn debugged(demo: &DemoStore, debugger: &str, more: &[&str]) -> Command {
    let todos = programs().todos.to_str().unwrap();
    let store = &demo.dir;
    let arguments = ["replay", "@last:todos-item", "--store", store, "--exe", todos, "--debugger", debugger];
    let mut command = demo.place.command(&[&arguments[..], more].concat());
    command.current_dir(root()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

#[test]
fn a_command_runs_the_replay_and_its_report_follows() {
    let demo = DemoStore::unpack();
    let run = |debugger: &str, more: &[&str]| Ran::of(debugged(&demo, debugger, more).output().unwrap());
    let ran = run("env", &[]);
    assert!(ran.code == Some(0) && ran.out.starts_with("same"), "{ran:?}");
    let ran = run("env", &["--answer", "kv get todo:1=\"Absent\""]);
    assert!(ran.code == Some(1) && ran.out.contains("404"), "{ran:?}");
    let ran = run("true", &[]);
    assert!(ran.code == Some(0) && ran.err.contains("ended before the replay"), "{ran:?}");
    let ran = run("no-such-debugger", &[]);
    assert!(ran.code == Some(2) && ran.err.contains("is it installed?"), "{ran:?}");
    let ran = run("env", &["--json"]);
    assert!(ran.code == Some(2) && ran.err.contains("leave one of them out"), "{ran:?}");
}

#[test]
fn a_program_waits_for_a_debugger_to_attach() {
    let demo = DemoStore::unpack();
    let mut child = debugged(&demo, "attach", &[]).stdin(Stdio::piped()).spawn().unwrap();
    let mut err = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("waits: attach a debugger") {
        line.clear();
        assert!(err.read_line(&mut line).unwrap() > 0);
    }
    child.stdin.take().unwrap().write_all(b"\n").unwrap();
    let ran = Ran::of(child.wait_with_output().unwrap());
    assert!(ran.code == Some(0) && ran.out.starts_with("same"), "{ran:?}");
    let ran = Ran::of(debugged(&demo, "attach", &[]).stdin(Stdio::null()).output().unwrap());
    assert!(ran.code == Some(2) && ran.err.contains("standard input has ended"), "{ran:?}");
}

/// Skipped without gdb.
#[test]
fn gdb_stops_in_the_steps_with_their_recorded_inputs() {
    if Command::new("gdb").arg("--version").output().is_err() {
        writeln!(std::io::stderr(), "skipped: gdb is not installed").unwrap();
        return;
    }
    let demo = DemoStore::unpack();
    let script = demo.place.path().join("stop.gdb");
    std::fs::write(&script, "set debuginfod enabled off\ndefine hook-stop\nbacktrace 1\ninfo args\nend\n")
        .unwrap();
    let ran =
        Ran::of(debugged(&demo, &format!("gdb -batch -nx -x {}", script.display()), &[]).output().unwrap());
    assert!(ran.out.contains("Breakpoint 1, ") && ran.out.contains("examples/todos/src"), "{ran:?}");
    assert!(ran.err.contains("ended before the replay"), "{ran:?}");
}
