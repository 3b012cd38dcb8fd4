//! The programs under test, as processes, and a client for them.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value as Json;
use tempfile::TempDir;

/// Maximum time that a test waits for anything. Nothing should come close. Building a program takes longest, on a busy
/// machine and after other builds in the same folder.
pub(crate) const PATIENCE: Duration = Duration::from_secs(1200);

/// Settings without load shedding: on a busy machine, requests may wait for long, especially at low priority.
const PATIENT: [(&str, &str); 5] = [
    ("ZERVER_BATCH_WORKERS", "0"),
    ("ZERVER_INTERACTIVE_TARGET", "60s"),
    ("ZERVER_INTERACTIVE_INTERVAL", "60s"),
    ("ZERVER_DEFAULT_TARGET", "60s"),
    ("ZERVER_DEFAULT_INTERVAL", "60s"),
];

/// Repeats a test until the machine does not interfere. If it always fails, the property that it tests is broken.
pub(crate) fn undisturbed<T>(story: impl FnMut() -> Option<T>) -> T {
    std::iter::repeat_with(story).take(20).find_map(|told| told).expect("never as it is to be")
}

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

pub(crate) struct Programs {
    pub(crate) zerver: PathBuf,
    pub(crate) todos: PathBuf,
    pub(crate) conduit: PathBuf,
    pub(crate) misbehaving: PathBuf,
    /// A service of axum that a layer records.
    pub(crate) mounted: PathBuf,
    pub(crate) payments: PathBuf,
    pub(crate) orders: PathBuf,
    /// Next version of the same service.
    pub(crate) orders_next: PathBuf,
}

/// Builds the programs, once per process.
pub(crate) fn programs() -> &'static Programs {
    static PROGRAMS: OnceLock<Programs> = OnceLock::new();
    PROGRAMS.get_or_init(|| {
        // The next version is built first, because both have the same path. Everything else is equal in both builds.
        let built =
            executable(&build(&["--features", "zerver-example-orders/next"]), "zerver-example-orders");
        let orders_next = built.with_file_name("zerver-example-orders-next");
        let copy = orders_next.with_extension(std::process::id().to_string());
        std::fs::copy(&built, &copy).unwrap();
        std::fs::rename(&copy, &orders_next).unwrap();
        let messages = build(&[]);
        Programs {
            zerver: executable(&messages, "zerver"),
            todos: executable(&messages, "zerver-example-todos"),
            conduit: executable(&messages, "zerver-example-conduit"),
            mounted: executable(&messages, "zerver-example-mounted"),
            misbehaving: executable(&messages, "zerver-tests-misbehaving"),
            payments: executable(&messages, "zerver-tests-payments"),
            orders: executable(&messages, "zerver-example-orders"),
            orders_next,
        }
    })
}

/// Returns the command `cargo` without the variables that describe the package of this test. Build scripts depend on them, so that
/// everything would be compiled again.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    let of_package = |name: &str| {
        ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_", "CARGO_PRIMARY_"]
            .iter()
            .any(|start| name.starts_with(start))
    };
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(of_package)) {
        command.env_remove(name);
    }
    command
}

/// Builds all programs, and returns the output of Cargo. The tests are built as well, which they have been already: without
/// them, Cargo would choose other features of the dependencies, and compile 150 crates again.
fn build(more: &[&str]) -> String {
    let output = cargo()
        .args(["build", "--workspace", "--bins", "--tests", "--offline", "--message-format=json"])
        .args(more)
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Builds of packages outside of this workspace. They share what they depend on, and would wait for one another, so that a test
/// holds this while it needs them.
pub(crate) struct OtherBuilds(#[expect(dead_code, reason = "held")] MutexGuard<'static, ()>);

impl OtherBuilds {
    /// Waits until no other test builds packages.
    pub(crate) fn begin() -> Self {
        static ONE: Mutex<()> = Mutex::new(());
        Self(ONE.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns the environment in which Cargo builds them.
    pub(crate) fn environment(&self) -> [(&'static str, PathBuf); 4] {
        [
            ("CARGO_TARGET_DIR", root().join("target/new")),
            ("CARGO_PROFILE_DEV_DEBUG", "0".into()),
            ("CARGO_INCREMENTAL", "0".into()),
            ("CARGO_NET_OFFLINE", "true".into()),
        ]
    }
}

fn executable(messages: &str, name: &str) -> PathBuf {
    let found = messages.lines().find_map(|line| {
        let message: Json = serde_json::from_str(line).ok()?;
        let is_test = message["profile"]["test"] == true;
        let ours = message["target"]["name"] == name && message["executable"].is_string() && !is_test;
        ours.then(|| PathBuf::from(message["executable"].as_str().unwrap()))
    });
    found.unwrap_or_else(|| panic!("no executable called {name}"))
}

/// A folder for one test, and the `zerver` command in it.
pub(crate) struct Place {
    folder: TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.path().join("store")
    }

    /// Runs `zerver` with these arguments on the store in this folder.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&programs().zerver);
        command
            .args(arguments)
            .current_dir(self.path())
            .env("ZERVER_STORE", self.store())
            .env("TODOS_DATA", "memory")
            .envs(PATIENT)
            .env_remove("NO_COLOR")
            .env_remove("ZERVER_TUI_CONFIG")
            .env("XDG_CONFIG_HOME", self.path())
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn zerver(&self, arguments: &[&str]) -> Ran {
        Ran::of(self.command(arguments).output().unwrap())
    }

    /// Returns the output, parsed as JSON.
    pub(crate) fn json(&self, arguments: &[&str]) -> Json {
        let ran = self.zerver(arguments);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {}", ran.out))
    }

    /// Returns the durations of the recorded requests of this flow, newest first.
    pub(crate) fn durations_ns(&self, flow: &str) -> Vec<u64> {
        let listed = self.json(&["ls", "--json", "--flow", flow, "--limit", "100000"]);
        let requests = listed["requests"].as_array().unwrap();
        requests.iter().map(|request| request["duration_ns"].as_u64().unwrap()).collect()
    }

    /// Starts `zerver dev` with the todo service on a free port, and waits until it serves.
    pub(crate) fn dev(&self) -> Dev {
        self.dev_of(&programs().todos)
    }

    /// Starts `zerver dev` with another service.
    pub(crate) fn dev_of(&self, exe: &Path) -> Dev {
        let exe = exe.to_str().unwrap();
        Dev::start(self.command(&["dev", "--exe", exe, "--no-watch", "--addr", "127.0.0.1:0"]))
    }

    /// Starts only the todo service, recording everything, on a free port.
    pub(crate) fn service(&self) -> Command {
        self.service_of(&programs().todos)
    }

    /// Starts only this service, likewise.
    pub(crate) fn service_of(&self, exe: &Path) -> Command {
        let mut command = Command::new(exe);
        command
            .current_dir(self.path())
            .env("ZERVER_STORE", self.store())
            .env("ZERVER_RECORD", "all")
            .env("ZERVER_ADDR", "127.0.0.1:0")
            .env("TODOS_DATA", "memory")
            .envs(PATIENT)
            .stdin(Stdio::null());
        command
    }

    /// Waits until the store has this number of requests, and returns them, newest first.
    pub(crate) fn wait_for(&self, count: usize) -> Vec<Json> {
        let start = Instant::now();
        loop {
            let ran = self.zerver(&["ls", "--json", "--limit", "100000"]);
            let found: Json = serde_json::from_str(&ran.out).unwrap_or_default();
            let requests = found["requests"].as_array().cloned().unwrap_or_default();
            if requests.len() >= count {
                return requests;
            }
            assert!(start.elapsed() < PATIENCE, "{} of {count} requests: {ran:?}", requests.len());
        }
    }
}

/// Result of a command.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    pub(crate) fn of(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// A running `zerver dev`.
pub(crate) struct Dev {
    child: Child,
    pub(crate) addr: String,
    lines: Receiver<String>,
}

impl Dev {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stdout = child.stdout.take().unwrap();
        Self::ready(child, vec![Box::new(stdout)])
    }

    /// Starts it without a reader of its standard output.
    pub(crate) fn start_unread(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        Self::ready(child, vec![])
    }

    fn ready(mut child: Child, mut streams: Vec<Box<dyn Read + Send>>) -> Self {
        streams.push(Box::new(child.stderr.take().unwrap()));
        let (sender, lines) = channel();
        for stream in streams {
            let sender = sender.clone();
            std::thread::spawn(move || {
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    if sender.send(line).is_err() {
                        break;
                    }
                }
            });
        }
        let mut dev = Self { child, addr: String::new(), lines };
        let line = dev.wait_for_line("listening on http://");
        dev.addr = line.split("http://").nth(1).unwrap().trim().to_owned();
        dev
    }

    /// Returns the next line that contains this text.
    pub(crate) fn wait_for_line(&mut self, part: &str) -> String {
        let start = Instant::now();
        let mut seen = Vec::new();
        while let Ok(line) = self.lines.recv_timeout(PATIENCE.saturating_sub(start.elapsed())) {
            if line.contains(part) {
                return line;
            }
            seen.push(line);
        }
        panic!("no line with {part:?}:\n{}", seen.join("\n"));
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: &str) {
        let status = Command::new("kill").args([signal, &self.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// Terminates the process. Returns the output that was not read before.
    pub(crate) fn said_to_the_end(mut self) -> Vec<String> {
        self.signal("-TERM");
        self.wait();
        // The process has closed its ends of the pipes.
        self.lines.iter().collect()
    }

    /// Terminates the process, and waits for it.
    pub(crate) fn stop(mut self) -> ExitStatus {
        self.signal("-TERM");
        self.wait()
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(start.elapsed() < PATIENCE, "it does not end");
            std::thread::yield_now();
        }
    }

    pub(crate) fn ask(&self, method: &str, target: &str) -> Asking<'_> {
        Asking::new(&self.addr, method, target)
    }

    pub(crate) fn get(&self, target: &str) -> Answer {
        self.ask("GET", target).send()
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A request to be sent.
pub(crate) struct Asking<'a> {
    addr: &'a str,
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl<'a> Asking<'a> {
    pub(crate) fn new(addr: &'a str, method: &str, target: &str) -> Self {
        Self { addr, method: method.into(), target: target.into(), headers: vec![], body: vec![] }
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    pub(crate) fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    pub(crate) fn json(mut self, body: Json) -> Self {
        self.body = body.to_string().into_bytes();
        self.header("content-type", "application/json")
    }

    pub(crate) fn send(self) -> Answer {
        let mut head = format!(
            "{} {} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-length: {}\r\n",
            self.method,
            self.target,
            self.addr,
            self.body.len()
        );
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        let mut stream = TcpStream::connect(self.addr).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(&[head.as_bytes(), b"\r\n", &self.body].concat()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        Answer::parse(&String::from_utf8(answer).unwrap())
    }
}

/// A response.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Answer {
    fn parse(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let header = |line: &str| {
            let (name, value) = line.split_once(':').unwrap();
            (name.to_lowercase(), value.trim().to_owned())
        };
        Self { status, headers: lines.map(header).collect(), body: body.to_owned() }
    }

    /// Returns true if the response is the expected one. It is not if the identity provider timed out.
    pub(crate) fn is_in_time(&self) -> bool {
        assert!(matches!(self.status, 200 | 504), "{self:?}");
        self.status == 200
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn id(&self) -> &str {
        self.header("x-request-id").unwrap()
    }

    pub(crate) fn json(&self) -> Json {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}
