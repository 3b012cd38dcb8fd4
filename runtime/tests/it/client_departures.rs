//! Clients that go away, or that only say they are done with asking.

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

/// An effect that never ends, and says that it has begun.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Hang;

impl EffectKind for Hang {
    type Output = ();
    const KIND: &'static str = "hang";
}

struct Hangs(Sender<()>);

impl Interpreter<Hang> for Hangs {
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

/// Also what says that an effect hangs.
fn app() -> (App, Receiver<()>) {
    let (sender, hangs) = channel();
    let app = App::new()
        .interpreter::<Hang>(Hangs(sender))
        .flow(flow!("hang", GET "/hang", steps: [hang, done]))
        .flow(flow!("hang-batch", GET "/hang/batch", steps: [hang, done]).class(Class::Batch))
        .flow(flow!("hang-post", POST "/hang", steps: [hang, done]))
        .flow(flow!("wait", GET "/wait/{ms}", steps: [wait, done]))
        .flow(flow!("batch", GET "/batch/{ms}", steps: [wait, done]).class(Class::Batch))
        .flow(flow!("zeros", GET "/zeros/{bytes}", steps: [zeros]))
        .flow(flow!("echo", POST "/echo", steps: [echo]))
        // None of these is what ends a request here.
        .deadline(1.hours())
        .limits(Limits { keep_alive: Duration::from_secs(3600), ..Limits::default() });
    (app, hangs)
}

/// Whether a client that closes its side behind these requests gets these answers, and then the end.
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
fn who_only_asks_no_more_gets_the_answer() {
    let (server, collector) = start(app().0);
    let check = |requests: &str, answers: &[(u16, usize)]| {
        assert!(is_answered(server.addr(), requests, answers), "{requests}");
    };
    check(&get("/zeros/3"), &[(200, 3)]);
    check(&get("/nothing"), &[(404, 61)]);
    // A long one takes its time, and one that comes behind it is answered as well.
    check(&get("/zeros/30000000"), &[(200, 30_000_000)]);
    check(&[get("/zeros/3"), get("/zeros/4"), get("/zeros/5")].concat(), &[(200, 3), (200, 4), (200, 5)]);
    check("POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nhi", &[(200, 2)]);
    let chunked = "POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
    check(&format!("{chunked}2\r\nhi\r\n0\r\n\r\n"), &[(200, 2)]);
    // Half a body is none.
    let broken = r#"{"error":{"kind":"invalid","what":"body","message":"incomplete, or not HTTP"}}"#;
    check("POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nhi", &[(400, broken.len())]);
    check(&format!("{chunked}2\r\nh"), &[(400, broken.len())]);
    assert!(collector.wait_for(10).iter().all(|capture| !matches!(capture.outcome, Outcome::Gone { .. })));
}

#[test]
fn what_is_known_soon_is_answered_too() {
    let (server, _) = start(app().0);
    let pipelined = [get("/zeros/3"), get("/wait/1"), get("/zeros/5")].concat();
    for (requests, answers) in [
        (get("/wait/1"), &[(200, 4)][..]),
        (get("/batch/1"), &[(200, 4)]),
        (pipelined, &[(200, 3), (200, 4), (200, 5)]),
    ] {
        // A machine that stalls proves nothing: then once more.
        let in_time = (0..20).any(|_| is_answered(server.addr(), &requests, answers));
        assert!(in_time, "this machine is too slow for {requests}");
    }
}

/// What a client may have sent behind its request when it goes: nothing, an empty line, a request, half of one, none, and
/// many.
fn behind() -> [String; 6] {
    let many = get(&format!("/zeros/1?{}", "x".repeat(2000))).repeat(40);
    [String::new(), "\r\n".to_owned(), get("/zeros/1"), "GET /zer".to_owned(), "\0".to_owned(), many]
}

#[derive(Debug, Clone, Copy)]
enum How {
    Close,
    Reset,
    HalfClose,
}

/// Asks, waits until that is in flight, and goes away; the socket, if its half is still open.
fn asks_and_goes(addr: SocketAddr, bytes: &str, hangs: &Receiver<()>, how: How) -> Option<TcpStream> {
    let mut socket = TcpStream::connect(addr).unwrap();
    socket.write_all(bytes.as_bytes()).unwrap();
    hangs.recv_timeout(PATIENCE).unwrap();
    match how {
        How::Close => return None,
        How::Reset => rustix::net::sockopt::set_socket_linger(&socket, Some(Duration::ZERO)).unwrap(),
        How::HalfClose => socket.shutdown(Shutdown::Write).unwrap(),
    }
    matches!(how, How::HalfClose).then_some(socket)
}

#[test]
fn who_goes_away_ends_its_request_whatever_it_has_sent_behind_it() {
    let (app, hangs) = app();
    let (server, collector) = start(app);
    let posted = "POST /hang HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nhi".to_owned();
    let (mut asked, mut half_open) = (0, Vec::new());
    for request in [get("/hang"), get("/hang/batch"), posted] {
        for behind in behind() {
            for how in [How::Close, How::Reset, How::HalfClose] {
                asked += 1;
                half_open.extend(asks_and_goes(server.addr(), &format!("{request}{behind}"), &hangs, how));
            }
        }
    }
    for capture in collector.wait_for(asked) {
        assert_eq!((&capture.outcome, capture.status), (&Outcome::Gone { step: 0 }, 0));
    }
    for mut socket in half_open {
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let read = std::io::Read::read(&mut socket, &mut [0]);
        let is_reset = |error: &std::io::Error| error.kind() == std::io::ErrorKind::ConnectionReset;
        assert!(matches!(&read, Ok(0)) || read.as_ref().is_err_and(is_reset), "{read:?}");
    }
}

#[test]
fn who_sends_more_while_it_waits_is_seen_to_go_away() {
    let (app, hangs) = app();
    let (server, collector) = start(app);
    let mut socket = TcpStream::connect(server.addr()).unwrap();
    socket.write_all(get("/hang").as_bytes()).unwrap();
    hangs.recv_timeout(PATIENCE).unwrap();
    let mut other = Client::connect(server.addr());
    for piece in ["GET /ha", "ng HTTP/1.1\r\nhost: a\r\n", "\r\n"] {
        socket.write_all(piece.as_bytes()).unwrap();
        // Time for the other side to read it.
        assert_eq!(other.ask(get("/zeros/1")).body, "0");
    }
    drop(socket);
    let gone = |captures: &[std::sync::Arc<zerver_trace::Capture>]| {
        captures.iter().filter(|capture| capture.outcome == Outcome::Gone { step: 0 }).count()
    };
    let mut captures = collector.wait_for(4);
    while gone(&captures) == 0 {
        captures = collector.wait_for(captures.len() + 1);
    }
}
