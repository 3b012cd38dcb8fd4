//! Clients that leave, and clients that close only their side of the connection.

use std::io::Write;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use zerver::Limits;
use zerver::effects::sleep;
use zerver::effects::{EffectContext, EffectResult as Performed, Interpreter, Started};
use zerver::prelude::*;
use zerver_trace::Outcome;

use crate::collector::start;
use crate::raw_client::{Client, PATIENCE, get};

#[step]
fn wait(request: &Request) -> Result<Decision<()>, Failure> {
    Ok(Need(sleep(request.param::<u64>("ms")?.millis())))
}

/// An effect that never completes.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Hang;

impl EffectKind for Hang {
    type Output = ();
    const KIND: &'static str = "hang";
}

/// Reports each effect that it starts.
struct HangInterpreter(Sender<()>);

impl Interpreter<Hang> for HangInterpreter {
    fn start(&self, _: &Hang, _: &EffectContext) -> Started<Performed<Hang>> {
        self.0.send(()).unwrap();
        Started::Pending(Box::pin(std::future::pending()))
    }
}

#[step]
fn hang() -> Decision<()> {
    Need(effect(Hang))
}

#[step]
fn done() -> Response {
    Response::text("done")
}

#[step]
fn zeros(request: &Request) -> Result<Response, Failure> {
    Ok(Response::text("0".repeat(request.param("bytes")?)))
}

#[step]
fn echo(request: &Request) -> Response {
    Response::text(String::from_utf8_lossy(&request.body).into_owned())
}

/// Returns the app, and a receiver of one message for each effect that has started.
fn app() -> (App, Receiver<()>) {
    let (sender, started) = channel();
    let app = App::new()
        .interpreter::<Hang>(HangInterpreter(sender))
        .flow(flow!("hang", GET "/hang", steps: [hang, done]))
        .flow(flow!("hang-batch", GET "/hang/batch", steps: [hang, done]).class(Class::Batch))
        .flow(flow!("hang-post", POST "/hang", steps: [hang, done]))
        .flow(flow!("wait", GET "/wait/{ms}", steps: [wait, done]))
        .flow(flow!("batch", GET "/batch/{ms}", steps: [wait, done]).class(Class::Batch))
        .flow(flow!("zeros", GET "/zeros/{bytes}", steps: [zeros]))
        .flow(flow!("echo", POST "/echo", steps: [echo]))
        // Long enough that neither limit ends a request.
        .deadline(1.hours())
        .limits(Limits { keep_alive: Duration::from_secs(3600), ..Limits::default() });
    (app, started)
}

/// Returns true if a client that closes its side after these requests receives these answers, followed by the end of the
/// stream.
fn is_answered(addr: SocketAddr, requests: &str, answers: &[(u16, usize)]) -> bool {
    let mut client = Client::connect(addr);
    client.send(requests);
    client.half_close();
    let is_answered = |expected: &(u16, usize)| {
        client.answer().is_some_and(|answer| (answer.status, answer.body.len()) == *expected)
    };
    answers.iter().all(is_answered) && client.is_closed()
}

#[test]
fn after_a_half_close_requests_that_do_not_wait_are_answered() {
    let (server, collector) = start(app().0);
    let check = |requests: &str, answers: &[(u16, usize)]| {
        assert!(is_answered(server.addr(), requests, answers), "{requests}");
    };
    check(&get("/zeros/3"), &[(200, 3)]);
    check(&get("/nothing"), &[(404, 105)]);
    // A long response takes time to write. Pipelined requests are all answered.
    check(&get("/zeros/30000000"), &[(200, 30_000_000)]);
    check(&[get("/zeros/3"), get("/zeros/4"), get("/zeros/5")].concat(), &[(200, 3), (200, 4), (200, 5)]);
    check("POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nhi", &[(200, 2)]);
    let chunked = "POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
    check(&format!("{chunked}2\r\nhi\r\n0\r\n\r\n"), &[(200, 2)]);
    // An incomplete body is rejected.
    let broken = r#"{"type":"about:blank","title":"Bad Request","status":400,"detail":"incomplete, or not HTTP","kind":"invalid","what":"body"}"#;
    check("POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nhi", &[(400, broken.len())]);
    check(&format!("{chunked}2\r\nh"), &[(400, broken.len())]);
    assert!(
        collector.wait_for(10).iter().all(|capture| !matches!(capture.outcome, Outcome::ClientLeft { .. }))
    );
}

#[test]
fn after_a_half_close_requests_that_wait_briefly_are_answered() {
    let (server, _) = start(app().0);
    let pipelined = [get("/zeros/3"), get("/wait/1"), get("/zeros/5")].concat();
    for (requests, answers) in [
        (get("/wait/1"), &[(200, 4)][..]),
        (get("/batch/1"), &[(200, 4)]),
        (pipelined, &[(200, 3), (200, 4), (200, 5)]),
    ] {
        // Repeated, because a failure proves nothing if the machine has stalled.
        let in_time = (0..20).any(|_| is_answered(server.addr(), &requests, answers));
        assert!(in_time, "this machine is too slow for {requests}");
    }
}

/// Returns bytes that a client may have sent after its request when it leaves: nothing, an empty line, a request, half a
/// request, an invalid request, and many requests.
fn trailing_bytes() -> [String; 6] {
    let many = get(&format!("/zeros/1?{}", "x".repeat(2000))).repeat(40);
    [String::new(), "\r\n".to_owned(), get("/zeros/1"), "GET /zer".to_owned(), "\0".to_owned(), many]
}

#[derive(Debug, Clone, Copy)]
enum Departure {
    Close,
    Reset,
    HalfClose,
}

/// Sends a request, waits until its effect has started, and leaves. Returns the socket if it is still half open.
fn send_and_leave(
    addr: SocketAddr,
    bytes: &str,
    started: &Receiver<()>,
    departure: Departure,
) -> Option<TcpStream> {
    let mut socket = TcpStream::connect(addr).unwrap();
    socket.write_all(bytes.as_bytes()).unwrap();
    started.recv_timeout(PATIENCE).unwrap();
    match departure {
        Departure::Close => return None,
        Departure::Reset => rustix::net::sockopt::set_socket_linger(&socket, Some(Duration::ZERO)).unwrap(),
        Departure::HalfClose => socket.shutdown(Shutdown::Write).unwrap(),
    }
    matches!(departure, Departure::HalfClose).then_some(socket)
}

#[test]
fn a_client_that_leaves_ends_its_request_whatever_it_sent_afterwards() {
    let (app, started) = app();
    let (server, collector) = start(app);
    let posted = "POST /hang HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nhi".to_owned();
    let (mut requests, mut half_open) = (0, Vec::new());
    for request in [get("/hang"), get("/hang/batch"), posted] {
        for trailing in trailing_bytes() {
            for departure in [Departure::Close, Departure::Reset, Departure::HalfClose] {
                requests += 1;
                let bytes = format!("{request}{trailing}");
                half_open.extend(send_and_leave(server.addr(), &bytes, &started, departure));
            }
        }
    }
    for capture in collector.wait_for(requests) {
        assert_eq!((&capture.outcome, capture.status), (&Outcome::ClientLeft { step: 0 }, 0));
    }
    for mut socket in half_open {
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let read = std::io::Read::read(&mut socket, &mut [0]);
        let is_reset = |error: &std::io::Error| error.kind() == std::io::ErrorKind::ConnectionReset;
        assert!(matches!(&read, Ok(0)) || read.as_ref().is_err_and(is_reset), "{read:?}");
    }
}

#[test]
fn a_departure_is_noticed_after_the_client_has_sent_more() {
    let (app, started) = app();
    let (server, collector) = start(app);
    let mut socket = TcpStream::connect(server.addr()).unwrap();
    socket.write_all(get("/hang").as_bytes()).unwrap();
    started.recv_timeout(PATIENCE).unwrap();
    let mut other = Client::connect(server.addr());
    for piece in ["GET /ha", "ng HTTP/1.1\r\nhost: a\r\n", "\r\n"] {
        socket.write_all(piece.as_bytes()).unwrap();
        // Gives the service time to read the piece.
        assert_eq!(other.request(get("/zeros/1")).body, "0");
    }
    drop(socket);
    let gone = |captures: &[std::sync::Arc<zerver_trace::Capture>]| {
        captures.iter().filter(|capture| capture.outcome == Outcome::ClientLeft { step: 0 }).count()
    };
    let mut captures = collector.wait_for(4);
    while gone(&captures) == 0 {
        captures = collector.wait_for(captures.len() + 1);
    }
}
