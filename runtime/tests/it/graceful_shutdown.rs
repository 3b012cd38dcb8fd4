//! How a service starts and stops, in this process and as one of its own.

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
    // A machine that stalls proves nothing: then once more.
    assert!((0..20).any(|_| stops_with_requests_in_flight()), "this machine is too slow");
}

/// Whether it came to that before any of them had its answer.
fn stops_with_requests_in_flight() -> bool {
    let (running, collector) = start(app());
    let addr = running.addr();
    let mut idle = Client::connect(addr);
    assert_eq!(idle.ask(get("/done")).status, 200);
    let mut clients: Vec<_> = (0..10).map(|_| Client::connect(addr)).collect();
    let begun = Instant::now();
    for client in &mut clients {
        client.send(get("/wait/300"));
    }
    // One that has connected, and says what it wants only when the service stops already.
    let mut late = Client::connect(addr);
    let stopping = std::thread::spawn(move || running.stop());
    // From here on nobody is let in.
    while TcpStream::connect(addr).is_ok() {
        std::thread::yield_now();
    }
    late.send(get("/done"));
    let late = (late.answer(), begun.elapsed());
    let answers: Vec<_> = clients.iter_mut().map(Client::answer).collect();
    stopping.join().unwrap();
    if late.1 > Duration::from_millis(150) {
        return false;
    }
    assert_eq!(late.0.unwrap().header("connection"), Some("close"));
    for answer in answers {
        let answer = answer.expect("dropped");
        assert_eq!((answer.status, answer.header("connection")), (200, Some("close")));
    }
    assert!(idle.is_closed() && clients.iter_mut().all(|client| client.is_closed()));
    assert_eq!(collector.wait_for(12).len(), 12);
    true
}

/// Asks for this again and again, and gives each answer away, until one says that the connection closes. Whether it came
/// to that: not so if it took so long to go on with the next that an idle connection may be closed meanwhile.
fn asks_until_closed(addr: SocketAddr, path: &str, mut give: impl FnMut(Answer)) -> bool {
    let mut client = Client::connect(addr);
    let mut before = Instant::now();
    for answered in 0.. {
        let is_sent = client.try_send(get(path).as_bytes()).is_ok();
        let now = Instant::now();
        // The answer to the one before is not older than that one.
        let idle_at_most = now - std::mem::replace(&mut before, now);
        let Some(answer) = client.answer().filter(|_| is_sent) else {
            assert!(idle_at_most > Duration::from_millis(150), "dropped after {answered}");
            return false;
        };
        let is_over = answer.header("connection") == Some("close");
        give(answer);
        if is_over {
            return true;
        }
    }
    unreachable!("it asks for ever")
}

#[test]
fn under_load_nobody_is_dropped() {
    let stops = || {
        let (running, collector) = start(app());
        let addr = running.addr();
        let load = move || asks_until_closed(addr, "/done", |answer| assert_eq!(answer.status, 200));
        let clients: Vec<_> = (0..4).map(|_| std::thread::spawn(load)).collect();
        collector.wait_for(500);
        running.stop();
        let ended: Vec<_> = clients.into_iter().map(|client| client.join().unwrap()).collect();
        ended.into_iter().all(|in_time| in_time)
    };
    // A machine that stalls proves nothing: then once more.
    assert!((0..20).any(|_| stops()), "this machine is too slow");
}

#[test]
fn what_takes_too_long_is_dropped_and_captured() {
    let limits = zerver::Limits { drain: Duration::from_millis(50), ..zerver::Limits::default() };
    let (running, collector) = start(app().limits(limits));
    let mut client = Client::connect(running.addr());
    client.send(get("/wait/60000"));
    let mut other = Client::connect(running.addr());
    assert_eq!(other.ask(get("/done")).status, 200);
    running.stop();
    assert!(client.is_closed());
    let captures = collector.wait_for(2);
    let outcomes: Vec<_> = captures.iter().map(|capture| capture.outcome.clone()).collect();
    assert!(outcomes.contains(&Outcome::Gone { step: 0 }), "{outcomes:?}");
}

#[test]
fn a_service_starts_and_stops_many_times() {
    for _ in 0..20 {
        let (running, _) = start(app());
        assert_eq!(Client::connect(running.addr()).ask(get("/done")).status, 200);
        running.stop();
    }
}

/// `examples/hello.rs`, which Cargo builds along with the tests.
fn hello() -> Command {
    let mut path: PathBuf = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    let mut command = Command::new(path.join("examples/hello"));
    command.env_clear().stderr(Stdio::piped()).stdout(Stdio::piped());
    command
}

/// Starts it in a folder of its own, and waits until it says where it listens.
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
fn a_signal_drains_and_a_second_one_does_not_wait() {
    let dir = tempfile::tempdir().unwrap();
    for signalled in [Signal::TERM, Signal::INT] {
        let (mut child, addr) = serving(dir.path(), |_| {});
        let mut client = Client::connect(addr);
        assert_eq!(client.ask(get("/hello/you")).body, "hello, you");
        client.send(get("/slow/200"));
        let mut other = Client::connect(addr);
        other.ask(get("/hello/you"));
        signal(&child, signalled);
        assert_eq!(client.answer().expect("dropped").body, "hello, you");
        assert_eq!(child.wait().unwrap().code(), Some(0));
    }
    let (mut child, addr) = serving(dir.path(), |_| {});
    let mut client = Client::connect(addr);
    client.send(get("/slow/60000"));
    let mut other = Client::connect(addr);
    other.ask(get("/hello/you"));
    signal(&child, Signal::TERM);
    while TcpStream::connect(addr).is_ok() {
        std::thread::yield_now();
    }
    signal(&child, Signal::TERM);
    assert_eq!(child.wait().unwrap().code(), Some(1));
}

#[test]
fn without_file_descriptors_it_waits_for_some() {
    let dir = tempfile::tempdir().unwrap();
    let program = hello().get_program().to_owned();
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "ulimit -n 40; exec \"$0\""]).arg(program).env_clear();
    command.env("ZERVER_ADDR", "127.0.0.1:0").env("ZERVER_RECORD", "off");
    let mut child = command.current_dir(dir.path()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let line = lines.next().unwrap().unwrap();
    let addr: SocketAddr = line.strip_prefix("listening on http://").unwrap().parse().unwrap();
    let crowd: Vec<_> = (0..60).map(|_| Client::connect(addr)).collect();
    let line = lines.next().unwrap().unwrap();
    assert!(line.starts_with("warning: cannot accept a connection: "), "{line}");
    drop(crowd);
    assert_eq!(Client::connect(addr).ask(get("/hello/you")).status, 200);
    signal(&child, Signal::TERM);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn what_is_recorded_is_in_the_store_when_it_has_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let (mut child, addr) = serving(dir.path(), |command| {
        command.env("ZERVER_RECORD", "all").env("ZERVER_STORE", "traces");
    });
    let answer = Client::connect(addr).ask(get("/hello/you"));
    signal(&child, Signal::TERM);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let reader = zerver_recorder::Reader::open(&dir.path().join("traces")).unwrap();
    let id = answer.header("x-request-id").unwrap().parse().unwrap();
    let trace = zerver_trace::TraceSource::load(&reader, id).unwrap().expect("not recorded");
    assert_eq!((trace.flow.name.as_str(), trace.status, trace.build.len()), ("hello", 200, 16));
}

/// What a deployment does: the signal comes while everybody asks.
#[test]
fn a_signal_under_load_fails_nobody_and_all_of_it_is_recorded() {
    assert!((0..20).any(|_| is_signalled_under_load()), "this machine is too slow");
}

/// Whether everybody was quick enough to be answered.
fn is_signalled_under_load() -> bool {
    let dir = tempfile::tempdir().unwrap();
    let (mut child, addr) = serving(dir.path(), |command| {
        command.env("ZERVER_RECORD", "all").env("ZERVER_STORE", "traces");
    });
    let (sender, answered) = std::sync::mpsc::channel();
    let load = |path: &'static str| {
        let sender = sender.clone();
        std::thread::spawn(move || {
            asks_until_closed(addr, path, |answer| {
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
    assert_eq!(recorded, ids, "each once, and no other");
    true
}

#[test]
fn what_a_manager_hands_over_is_used_and_it_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let notified = UnixDatagram::bind(dir.path().join("notify")).unwrap();
    notified.set_read_timeout(Some(PATIENCE)).unwrap();
    let told = || {
        let mut buffer = [0; 64];
        // A read with a time limit is not taken up again after a signal.
        let len = loop {
            match notified.recv(&mut buffer) {
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
    assert_eq!(told(), "READY=1");
    assert_eq!(Client::connect(listener.local_addr().unwrap()).ask(get("/hello/you")).status, 200);
    signal(&child, Signal::TERM);
    assert_eq!(told(), "STOPPING=1");
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let mut said = String::new();
    child.stderr.unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(said, "", "dev says it itself");
}

#[test]
fn trouble_is_said_and_the_code_is_2() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("foreign")).unwrap();
    std::fs::write(dir.path().join("foreign/traces.redb"), "no store").unwrap();
    std::os::unix::fs::symlink("foreign", dir.path().join(".zerver")).unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap();
    let check = |vars: &[(&str, &str)], said: &str| {
        let output = hello().current_dir(dir.path()).envs(vars.iter().copied()).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(stderr.starts_with(said) && stderr.lines().count() == 1, "{stderr}");
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
    // Nobody asked for a recording, so that the service is what matters.
    let mut child = hello().current_dir(dir.path()).envs([any]).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().starts_with("warning: recording is off: "));
    assert!(lines.next().unwrap().unwrap().starts_with("listening on http://127.0.0.1:"));
    signal(&child, Signal::TERM);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn the_catalog_is_printed_and_no_more() {
    let dir = tempfile::tempdir().unwrap();
    let output = hello().current_dir(dir.path()).env("ZERVER_CATALOG", "1").output().unwrap();
    let flows: Vec<zerver_trace::FlowInfo> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(flows.iter().map(|flow| flow.name.as_str()).collect::<Vec<_>>(), ["hello", "slow"]);
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}
