//! Start and stop of a service, in this process and as a separate process.

use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use zerver::effects::sleep;
use zerver::prelude::*;
use zerver_trace::Outcome;

use crate::collector::start;
use crate::raw_client::{Answer, Client, PATIENCE, get};

#[step]
fn wait(request: &Request) -> Result<Decision<()>, Failure> {
    Ok(Need(sleep(request.param::<u64>("ms")?.millis())))
}

#[step]
fn done() -> Response {
    Response::text("done")
}

fn app() -> App {
    App::new()
        .flow(flow!("wait", GET "/wait/{ms}", steps: [wait, done]))
        .flow(flow!("done", GET "/done", steps: [done]))
}

#[test]
fn requests_in_flight_are_answered() {
    // Repeated, because a failure proves nothing if the machine has stalled.
    assert!((0..20).any(|_| stops_with_requests_in_flight()), "this machine is too slow");
}

/// Returns true if the service began to stop before any request was answered.
fn stops_with_requests_in_flight() -> bool {
    let (running, collector) = start(app());
    let addr = running.addr();
    let mut idle = Client::connect(addr);
    assert_eq!(idle.request(get("/done")).status, 200);
    let mut clients: Vec<_> = (0..10).map(|_| Client::connect(addr)).collect();
    let started = Instant::now();
    for client in &mut clients {
        client.send(get("/wait/300"));
    }
    // A client that connects before the service stops, and sends its request afterwards.
    let mut late = Client::connect(addr);
    let stopping = std::thread::spawn(move || running.stop());
    // Once this fails, the service accepts no more connections.
    while TcpStream::connect(addr).is_ok() {
        std::thread::yield_now();
    }
    late.send(get("/done"));
    let late = (late.answer(), started.elapsed());
    let answers: Vec<_> = clients.iter_mut().map(Client::answer).collect();
    stopping.join().unwrap();
    if late.1 > Duration::from_millis(150) {
        return false;
    }
    assert_eq!(late.0.unwrap().header("connection"), Some("close"));
    for answer in answers {
        let answer = answer.expect("no answer");
        assert_eq!((answer.status, answer.header("connection")), (200, Some("close")));
    }
    assert!(idle.is_closed() && clients.iter_mut().all(|client| client.is_closed()));
    assert_eq!(collector.wait_for(12).len(), 12);
    true
}

/// Sends requests and passes each answer to `check`, until an answer announces that the connection closes. Returns false if
/// the next request was sent so late that the service may have closed the connection as idle.
fn request_until_closed(addr: SocketAddr, path: &str, mut check: impl FnMut(Answer)) -> bool {
    let mut client = Client::connect(addr);
    let mut last_sent = Instant::now();
    for answered in 0.. {
        let is_sent = client.try_send(get(path).as_bytes()).is_ok();
        let now = Instant::now();
        // The connection has been idle for at most the time since the last request.
        let idle_at_most = now - std::mem::replace(&mut last_sent, now);
        let Some(answer) = client.answer().filter(|_| is_sent) else {
            assert!(idle_at_most > Duration::from_millis(150), "no answer after {answered} answers");
            return false;
        };
        let is_last = answer.header("connection") == Some("close");
        check(answer);
        if is_last {
            return true;
        }
    }
    unreachable!("the loop is endless")
}

#[test]
fn under_load_every_request_is_answered_before_the_stop() {
    let stops = || {
        let (running, collector) = start(app());
        let addr = running.addr();
        let load = move || request_until_closed(addr, "/done", |answer| assert_eq!(answer.status, 200));
        let clients: Vec<_> = (0..4).map(|_| std::thread::spawn(load)).collect();
        collector.wait_for(500);
        running.stop();
        let ended: Vec<_> = clients.into_iter().map(|client| client.join().unwrap()).collect();
        ended.into_iter().all(|in_time| in_time)
    };
    // Repeated, because a failure proves nothing if the machine has stalled.
    assert!((0..20).any(|_| stops()), "this machine is too slow");
}

#[test]
fn a_request_that_outlasts_the_drain_time_is_dropped_and_captured() {
    let limits = zerver::Limits { drain: Duration::from_millis(50), ..zerver::Limits::default() };
    let (running, collector) = start(app().limits(limits));
    let mut client = Client::connect(running.addr());
    client.send(get("/wait/60000"));
    let mut other = Client::connect(running.addr());
    assert_eq!(other.request(get("/done")).status, 200);
    running.stop();
    assert!(client.is_closed());
    let captures = collector.wait_for(2);
    let outcomes: Vec<_> = captures.iter().map(|capture| capture.outcome.clone()).collect();
    assert!(outcomes.contains(&Outcome::ClientLeft { step: 0 }), "{outcomes:?}");
}

#[test]
fn a_service_starts_and_stops_many_times() {
    for _ in 0..20 {
        let (running, _) = start(app());
        assert_eq!(Client::connect(running.addr()).request(get("/done")).status, 200);
        running.stop();
    }
}

/// Returns a command that runs `examples/hello.rs`, which Cargo builds with the tests.
fn hello() -> Command {
    let mut path: PathBuf = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    let mut command = Command::new(path.join("examples/hello"));
    command.env_clear().stderr(Stdio::piped()).stdout(Stdio::piped());
    command
}

/// Starts the example in a folder, and waits until it prints its address.
fn serving(dir: &std::path::Path, set_up: impl FnOnce(&mut Command)) -> (Child, SocketAddr) {
    let mut command = hello();
    command.current_dir(dir).env("ZERVER_ADDR", "127.0.0.1:0");
    set_up(&mut command);
    let mut child = command.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stderr.as_mut().unwrap()).read_line(&mut line).unwrap();
    let addr = line.trim().strip_prefix("listening on http://").unwrap_or_else(|| panic!("{line}"));
    (child, addr.parse().unwrap())
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

#[test]
fn a_first_signal_drains_and_a_second_one_does_not_wait() {
    let dir = tempfile::tempdir().unwrap();
    for signaled in [Signal::TERM, Signal::INT] {
        let (mut child, addr) = serving(dir.path(), |_| {});
        let mut client = Client::connect(addr);
        assert_eq!(client.request(get("/hello/you")).body, "hello, you");
        client.send(get("/slow/200"));
        let mut other = Client::connect(addr);
        other.request(get("/hello/you"));
        signal(&child, signaled);
        assert_eq!(client.answer().expect("no answer").body, "hello, you");
        assert_eq!(child.wait().unwrap().code(), Some(0));
    }
    let (mut child, addr) = serving(dir.path(), |_| {});
    let mut client = Client::connect(addr);
    client.send(get("/slow/60000"));
    let mut other = Client::connect(addr);
    other.request(get("/hello/you"));
    signal(&child, Signal::TERM);
    while TcpStream::connect(addr).is_ok() {
        std::thread::yield_now();
    }
    signal(&child, Signal::TERM);
    assert_eq!(child.wait().unwrap().code(), Some(1));
}

#[test]
fn a_service_without_free_file_descriptors_recovers() {
    let dir = tempfile::tempdir().unwrap();
    let program = hello().get_program().to_owned();
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "ulimit -n 40; exec \"$0\""]).arg(program).env_clear();
    command.env("ZERVER_ADDR", "127.0.0.1:0").env("ZERVER_RECORD", "off");
    let mut child = command.current_dir(dir.path()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let line = lines.next().unwrap().unwrap();
    let addr: SocketAddr = line.strip_prefix("listening on http://").unwrap().parse().unwrap();
    let clients: Vec<_> = (0..60).map(|_| Client::connect(addr)).collect();
    let line = lines.next().unwrap().unwrap();
    assert!(line.starts_with("warning: cannot accept a connection: "), "{line}");
    drop(clients);
    assert_eq!(Client::connect(addr).request(get("/hello/you")).status, 200);
    signal(&child, Signal::TERM);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_stopped_service_has_stored_what_it_recorded() {
    let dir = tempfile::tempdir().unwrap();
    let (mut child, addr) = serving(dir.path(), |command| {
        command.env("ZERVER_RECORD", "all").env("ZERVER_STORE", "traces");
    });
    let answer = Client::connect(addr).request(get("/hello/you"));
    signal(&child, Signal::TERM);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let reader = zerver_recorder::Reader::open(&dir.path().join("traces")).unwrap();
    let id = answer.header("x-request-id").unwrap().parse().unwrap();
    let trace = zerver_trace::TraceSource::load(&reader, id).unwrap().expect("not recorded");
    assert_eq!((trace.flow.name.as_str(), trace.status, trace.build.len()), ("hello", 200, 16));
}

/// Simulates a deployment: the signal arrives while clients send requests.
#[test]
fn a_signal_under_load_fails_no_request_and_each_request_is_recorded() {
    assert!((0..20).any(|_| stops_on_a_signal_under_load()), "this machine is too slow");
}

/// Returns true if no client was too slow.
fn stops_on_a_signal_under_load() -> bool {
    let dir = tempfile::tempdir().unwrap();
    let (mut child, addr) = serving(dir.path(), |command| {
        command.env("ZERVER_RECORD", "all").env("ZERVER_STORE", "traces");
    });
    let (sender, answered) = std::sync::mpsc::channel();
    let load = |path: &'static str| {
        let sender = sender.clone();
        std::thread::spawn(move || {
            request_until_closed(addr, path, |answer| {
                assert_eq!((answer.status, answer.body.as_str()), (200, "hello, you"));
                let id: RequestId = answer.header("x-request-id").unwrap().parse().unwrap();
                sender.send(id).unwrap();
            })
        })
    };
    let clients = ["/hello/you", "/hello/you", "/hello/you", "/slow/1", "/slow/20"].map(load);
    drop(sender);
    let mut ids: Vec<_> = answered.iter().take(300).collect();
    signal(&child, Signal::TERM);
    ids.extend(answered.iter());
    let ended = clients.map(|client| client.join().unwrap());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    if ended.contains(&false) {
        return false;
    }
    let reader = zerver_recorder::Reader::open(&dir.path().join("traces")).unwrap();
    let listed = zerver_trace::TraceSource::list(&reader, &zerver_trace::Query::default()).unwrap();
    let mut recorded: Vec<_> = listed.iter().map(|summary| summary.id).collect();
    ids.sort_unstable();
    recorded.sort_unstable();
    assert_eq!(recorded, ids, "each request is recorded once, and nothing else is");
    true
}

#[test]
fn an_inherited_socket_is_used_and_the_service_manager_is_notified() {
    let dir = tempfile::tempdir().unwrap();
    let notify_socket = UnixDatagram::bind(dir.path().join("notify")).unwrap();
    notify_socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let notification = || {
        let mut buffer = [0; 64];
        // The system does not restart a read with a time limit after a signal.
        let len = loop {
            match notify_socket.recv(&mut buffer) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                received => break received.unwrap(),
            }
        };
        String::from_utf8_lossy(&buffer[..len]).into_owned()
    };
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    rustix::io::fcntl_setfd(&listener, rustix::io::FdFlags::empty()).unwrap();
    let fd = std::os::fd::AsRawFd::as_raw_fd(&listener).to_string();
    let mut command = hello();
    command.current_dir(dir.path()).env("NOTIFY_SOCKET", dir.path().join("notify")).envs([
        ("ZERVER_DEV", "1"),
        ("LISTEN_FDS", "1"),
        ("LISTEN_FDS_FIRST_FD", &fd),
    ]);
    let mut child = command.spawn().unwrap();
    assert_eq!(notification(), "READY=1");
    assert_eq!(Client::connect(listener.local_addr().unwrap()).request(get("/hello/you")).status, 200);
    signal(&child, Signal::TERM);
    assert_eq!(notification(), "STOPPING=1");
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let mut printed = String::new();
    child.stderr.unwrap().read_to_string(&mut printed).unwrap();
    assert_eq!(printed, "", "`zerver dev` prints the address");
}

#[test]
fn a_service_that_cannot_start_prints_the_reason_and_exits_with_2() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("foreign")).unwrap();
    std::fs::write(dir.path().join("foreign/traces.redb"), "not a store").unwrap();
    std::os::unix::fs::symlink("foreign", dir.path().join(".zerver")).unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap();
    let check = |vars: &[(&str, &str)], message: &str| {
        let output = hello().current_dir(dir.path()).envs(vars.iter().copied()).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(stderr.starts_with(message) && stderr.lines().count() == 1, "{stderr}");
        assert_eq!(output.status.code(), Some(2), "{vars:?}");
    };
    check(&[("ZERVER_RECORD", "none")], "error: invalid ZERVER_RECORD=\"none\": must be all, tail or off");
    check(&[("ZERVER_ADDR", "3000")], "error: invalid ZERVER_ADDR=\"3000\": must be HOST:PORT");
    let in_use = format!("error: port {} of 127.0.0.1 is in use; port ", taken.port());
    check(&[("ZERVER_ADDR", &taken.to_string())], &in_use);
    let any = ("ZERVER_ADDR", "127.0.0.1:0");
    check(&[any, ("ZERVER_STORE", "foreign")], "error: cannot record: foreign");
    check(&[any, ("ZERVER_DEV", "1")], "error: cannot record: .zerver");
    check(
        &[any, ("LISTEN_FDS", "1"), ("LISTEN_FDS_FIRST_FD", "0")],
        "error: cannot use the socket from LISTEN_FDS: ",
    );
    // Recording was not requested explicitly, so the service runs without it.
    let mut child = hello().current_dir(dir.path()).envs([any]).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().starts_with("warning: recording is off: "));
    assert!(lines.next().unwrap().unwrap().starts_with("listening on http://127.0.0.1:"));
    signal(&child, Signal::TERM);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn only_the_catalog_is_printed() {
    let dir = tempfile::tempdir().unwrap();
    let output = hello().current_dir(dir.path()).env("ZERVER_CATALOG", "1").output().unwrap();
    let flows: Vec<zerver_trace::FlowInfo> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(flows.iter().map(|flow| flow.name.as_str()).collect::<Vec<_>>(), ["hello", "slow"]);
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}
