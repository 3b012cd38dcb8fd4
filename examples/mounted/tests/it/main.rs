//! The ten minutes of docs/how-to/existing-axum-service.md: what they say is what happens.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use zerver_analysis::Timeline;
use zerver_recorder::Reader;
use zerver_trace::{Outcome, Query, RecordedBy};

const UNTOUCHED: &str = include_str!("../../src/untouched.rs");
const RECORDED: &str = include_str!("../../src/recorded.rs");
const PAGE: &str = include_str!("../../../../docs/how-to/existing-axum-service.md");

/// Returns the lines of a program without the comment that opens it.
fn code(program: &str) -> Vec<&str> {
    program.lines().filter(|line| !line.starts_with("//!")).collect()
}

/// A program that serves, until it is dropped.
struct Serving {
    program: Child,
    addr: String,
}

impl Serving {
    fn start(program: &str, folder: &Path) -> Self {
        let mut program = Command::new(program)
            .current_dir(folder)
            .envs([("ADDR", "127.0.0.1:0"), ("NO_COLOR", "1")])
            .env_remove("ZERVER_STORE")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(program.stdout.take().unwrap()).lines();
        let listening = lines.find(|line| line.as_ref().unwrap().contains("listening on")).unwrap().unwrap();
        // What follows must not fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        let (_, addr) = listening.rsplit_once("http://").unwrap();
        Self { addr: addr.trim().to_owned(), program }
    }

    fn send(&self, method: &str, path: &str, body: &str) -> String {
        let mut socket = TcpStream::connect(&self.addr).unwrap();
        let len = body.len();
        let head =
            format!("{method} {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {len}\r\n");
        write!(socket, "{head}Content-Type: application/json\r\n\r\n{body}").unwrap();
        let mut response = String::new();
        socket.read_to_string(&mut response).unwrap();
        response
    }

    /// Ends the program as `zerver dev` and service managers do.
    fn stop(mut self) {
        let ended = Command::new("kill").args(["-TERM", &self.program.id().to_string()]).status().unwrap();
        assert!(ended.success());
        assert!(self.program.wait().unwrap().success());
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

/// Sends the requests of the page, and returns the responses without their ids and dates.
fn responses(serving: &Serving) -> Vec<String> {
    let requests = [
        ("POST", "/notes", r#"{"text":"buy milk","tags":["home","shop"]}"#),
        ("POST", "/notes", r#"{"text":"call Ann","tags":["work"]}"#),
        ("GET", "/notes", ""),
        ("GET", "/notes/9", ""),
    ];
    let is_same = |line: &&str| !line.starts_with("x-request-id") && !line.starts_with("date");
    let response = |(method, path, body)| {
        serving.send(method, path, body).lines().filter(is_same).collect::<Vec<_>>().join("\n")
    };
    requests.into_iter().map(response).collect()
}

#[test]
fn recording_takes_at_most_four_lines() {
    let (before, after) = (code(UNTOUCHED), code(RECORDED));
    let changed = after.iter().filter(|line| !before.contains(line)).count();
    assert_eq!(changed, 3, "and one in Cargo.toml");
    let removed = before.iter().filter(|line| !after.contains(line)).count();
    assert!(removed <= changed, "{removed}");
    // Nothing but these lines differs, and their order does not either.
    let kept = |lines: &[&str], of: &[&str]| {
        lines.iter().filter(|line| of.contains(line)).map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(kept(&before, &after), kept(&after, &before));
}

#[test]
fn the_code_of_the_page_is_that_of_the_example() {
    let blocks: Vec<_> =
        PAGE.split("```rust\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(blocks.len() >= 3);
    for block in blocks {
        for line in block.lines().filter(|line| !line.trim().is_empty()) {
            assert!(RECORDED.lines().any(|known| known.trim() == line.trim()), "not in recorded.rs: {line}");
        }
    }
}

#[test]
fn the_service_answers_as_before_and_each_request_has_a_timeline() {
    let folder = tempfile::tempdir().unwrap();
    let untouched = Serving::start(env!("CARGO_BIN_EXE_zerver-example-untouched"), folder.path());
    let before = responses(&untouched);
    untouched.stop();
    assert!(!folder.path().join(".zerver").exists());
    let recorded = Serving::start(env!("CARGO_BIN_EXE_zerver-example-mounted"), folder.path());
    assert_eq!(responses(&recorded), before);
    recorded.stop();

    let reader = Reader::open(&folder.path().join(".zerver")).unwrap();
    let flows: Vec<_> = reader
        .list(&Query::default())
        .unwrap()
        .iter()
        .rev()
        .map(|request| (request.flow.clone(), request.status))
        .collect();
    let expected = [("post-notes", 201), ("post-notes", 201), ("get-notes", 200), ("get-notes-id", 404)];
    assert_eq!(flows, expected.map(|(flow, status)| (flow.to_owned(), status)));
    let list = reader.list(&Query { flow: Some("get-notes".to_owned()), ..Query::default() }).unwrap();
    let trace = reader.load(list[0].id).unwrap().unwrap();
    assert_eq!((trace.recorded_by, &trace.outcome), (RecordedBy::Layer, &Outcome::Done));
    let timeline = Timeline::of(&trace);
    let rows: Vec<_> = timeline.runs[0]
        .effects
        .iter()
        .map(|effect| format!("{} = {}", effect.label(), effect.end))
        .collect();
    // The queries run on a thread of sqlx.
    let expected = [
        "sql SELECT id FROM notes ORDER BY id = 2 rows",
        "span load = ok",
        "sql · SELECT text FROM notes WHERE id = ? = 1 row",
        "sql · SELECT name FROM tags WHERE note = ? = 2 rows",
        "span load = ok",
        "sql · SELECT text FROM notes WHERE id = ? = 1 row",
        "sql · SELECT name FROM tags WHERE note = ? = 1 row",
    ];
    assert_eq!(rows, expected);
}

#[test]
fn zerver_gets_settings_and_no_flows_and_is_told_that_it_cannot_replay() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("zerver.toml"), "[recording]\nbody_bytes = \"1KiB\"\n").unwrap();
    let ask = |variable: &str, value: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_zerver-example-mounted"));
        let output =
            command.current_dir(folder.path()).env(variable, value).env_remove("CARGO_MANIFEST_DIR").output();
        let output = output.unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    assert_eq!(ask("ZERVER_CATALOG", "1"), (Some(0), "[]\n".to_owned(), String::new()));
    let (code, settings, _) = ask("ZERVER_SETTINGS", "1");
    assert!(code == Some(0) && settings.contains("recording.body_bytes"), "{settings}");
    let (code, _, error) = ask("ZERVER_IPC", "/nothing");
    assert_eq!(code, Some(2));
    assert!(error.contains("this program is recorded by a layer; zerver cannot run its steps"), "{error}");
    assert!(!folder.path().join(".zerver").exists());
}
