//! The trace context that other services receive: the call as the parent, and baggage only where it may go.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::thread::JoinHandle;

use zerver::Egress;
use zerver::effects::http;
use zerver::prelude::*;
use zerver_trace::{Event, SpanId};

use crate::collector::start;
use crate::raw_client::Client;

/// Answers these statuses, one for each connection, and returns the requests in lower case.
fn other_service(statuses: &'static [&'static str]) -> (SocketAddr, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serve = move |status: &&str| {
        let (mut socket, _) = listener.accept().unwrap();
        let mut received = Vec::new();
        while !received.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            socket.read_exact(&mut byte).unwrap();
            received.push(byte[0]);
        }
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 1\r\nconnection: close\r\n\r\n1");
        socket.write_all(answer.as_bytes()).unwrap();
        String::from_utf8(received).unwrap().to_ascii_lowercase()
    };
    (address, std::thread::spawn(move || statuses.iter().map(serve).collect()))
}

fn header(request: &str, name: &str) -> Option<String> {
    let line = request.lines().find(|line| line.starts_with(&format!("{name}:")))?;
    Some(line.split_once(": ")?.1.to_owned())
}

#[derive(Debug, Slot, Serialize, Deserialize)]
struct Figure(u32);

#[step]
fn ask(request: &Request) -> Result<Decision<Figure>, Failure> {
    let url = format!("http://{}/", request.param::<String>("to")?);
    let retry = Retry::attempts(3).pause(1.millis(), 1.millis());
    Ok(Need(http::get(url).json().retry(retry).map(Figure)))
}

#[step]
fn show(figure: &Figure) -> Response {
    Response::text(figure.0.to_string())
}

fn app(baggage: &[&str]) -> App {
    let egress = Egress { baggage: baggage.iter().map(ToString::to_string).collect(), ..Egress::default() };
    App::new().flow(flow!("ask", GET "/ask/{to}", steps: [ask, show])).egress(egress)
}

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

fn request(to: SocketAddr, headers: &str) -> String {
    format!("GET /ask/{to} HTTP/1.1\r\nhost: test\r\n{headers}\r\n")
}

#[test]
fn each_attempt_is_the_parent_of_what_the_other_service_does() {
    let (address, service) = other_service(&["503 Busy", "200 OK"]);
    let (server, collector) = start(app(&[]));
    let context =
        format!("traceparent: 00-{TRACE}-b7ad6b7169203331-01\r\ntracestate: rojo=1\r\nbaggage: user=ann\r\n");
    assert_eq!(Client::connect(server.addr()).request(request(address, &context)).status, 200);
    let capture = collector.one();
    let calls = capture.events.iter().filter_map(|event| match event {
        Event::EffectRequested { call, .. } => Some(*call),
        _ => None,
    });
    let expected: Vec<_> =
        calls.map(|call| format!("00-{TRACE}-{}-01", SpanId::of_call(capture.id, call))).collect();
    assert_eq!(expected.len(), 2);
    let requests = service.join().unwrap();
    let parents: Vec<_> = requests.iter().filter_map(|request| header(request, "traceparent")).collect();
    assert_eq!(parents, expected);
    for request in &requests {
        assert_eq!(header(request, "tracestate").as_deref(), Some("rojo=1"));
        assert_eq!(header(request, "baggage"), None, "no host is listed");
    }
}

#[test]
fn a_request_without_a_trace_context_starts_none() {
    let (address, service) = other_service(&["200 OK"]);
    let (server, _) = start(app(&["127.0.0.1"]));
    assert_eq!(
        Client::connect(server.addr()).request(request(address, "tracestate: rojo=1\r\n")).status,
        200
    );
    let [request] = service.join().unwrap().try_into().unwrap();
    assert!(!request.contains("trace") && !request.contains("baggage"), "{request}");
}

#[test]
fn baggage_goes_to_listed_hosts_only() {
    for (listed, expected) in [("127.0.0.1", Some("user=ann, tier=gold")), ("*.example.com", None)] {
        let (address, service) = other_service(&["200 OK"]);
        let (server, _) = start(app(&[listed]));
        let baggage = "baggage: user=ann, tier=gold\r\n";
        assert_eq!(Client::connect(server.addr()).request(request(address, baggage)).status, 200);
        let [request] = service.join().unwrap().try_into().unwrap();
        assert_eq!(header(&request, "baggage").as_deref(), expected, "{listed}");
    }
}
