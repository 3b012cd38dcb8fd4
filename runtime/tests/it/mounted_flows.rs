//! Flows that another HTTP server serves.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::task::{Context, Poll, Waker};

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use http_body::Frame;
use tokio::runtime::Runtime;
use tower_service::Service as _;
use zerver::prelude::*;
use zerver::{Limits, MountedFlows, StartOptions};
use zerver_trace::{Capture, CaptureSink, Event, MessageInfo, Outcome, Value};

use crate::collector::{Collector, start_on};
use crate::raw_client::{Client, get};
use crate::scheduling::{Gate, OpenOnDrop};

static GATES: [Gate; 3] = [Gate::new(), Gate::new(), Gate::new()];

#[derive(Debug, Slot, Serialize, Deserialize)]
struct Name(String);

#[step]
fn read_name(request: &Request) -> Result<Name, Failure> {
    Ok(Name(request.param("name")?))
}

#[step]
fn greet(request: &Request, name: &Name) -> Response {
    let body = String::from_utf8_lossy(&request.body).into_owned();
    Response::text(format!("hello, {}{body}", name.0)).header("x-greeting", "yes")
}

#[step]
fn pass(request: &Request) -> Result<Response, Failure> {
    GATES[request.param::<usize>("gate")?].pass();
    Ok(Response::no_content())
}

#[step]
fn sleep_long() -> Decision<()> {
    Need(zerver::effects::sleep(1.hours()))
}

#[step]
fn panics() -> Response {
    panic!("a bug")
}

fn app() -> App {
    App::new()
        .flow(flow!("hello", GET "/hello/{name}", steps: [read_name, greet]))
        .flow(flow!("echo", POST "/echo/{name}", steps: [read_name, greet]))
        .flow(flow!("pass", GET "/pass/{gate}", steps: [pass]))
        .flow(flow!("slow", GET "/slow", steps: [sleep_long, panics]))
        .flow(flow!("bug", GET "/bug", steps: [panics]))
        .stuck_after(1.hours())
}

fn mount(app: App) -> (MountedFlows, Arc<Collector>) {
    let collector = Arc::new(Collector::default());
    let sink: Arc<dyn CaptureSink> = collector.clone();
    let options = StartOptions { sink: Some(sink), ..StartOptions::default() };
    (app.workers(2).mount_with(options).unwrap(), collector)
}

fn router(flows: &MountedFlows) -> Router {
    Router::new()
        .route("/plain", axum::routing::get(|| async { "axum" }))
        .route_service("/hello/{name}", flows.service("hello"))
        .route_service("/echo/{name}", flows.service("echo"))
        .route_service("/pass/{gate}", flows.service("pass"))
        .route_service("/slow", flows.service("slow"))
        .route_service("/bug", flows.service("bug"))
        .nest("/api", Router::new().route_service("/hello/{name}", flows.service("hello")))
        .route_service("/misplaced/{name}", flows.service("hello"))
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

fn request(method: Method, path: &str, body: impl Into<Body>) -> http::Request<Body> {
    http::Request::builder().method(method).uri(path).body(body.into()).unwrap()
}

async fn call(router: &mut Router, request: http::Request<Body>) -> Answer {
    let (parts, body) = router.call(request).await.unwrap().into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    Answer { status: parts.status, headers: parts.headers, body: String::from_utf8(body.into()).unwrap() }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Calls the router once, on a runtime of its own.
fn call_once(router: Router, request: http::Request<Body>) -> Answer {
    let mut router = router;
    runtime().block_on(call(&mut router, request))
}

#[test]
fn flows_answer_beside_the_routes_of_the_host() {
    let (flows, collector) = mount(app());
    let mut router = router(&flows);
    runtime().block_on(async {
        assert_eq!(call(&mut router, request(Method::GET, "/plain", "")).await.body, "axum");
        let hello = call(&mut router, request(Method::GET, "/hello/J%C3%B6rg?x=1", "")).await;
        assert_eq!((hello.status, hello.body.as_str()), (StatusCode::OK, "hello, Jörg"));
        assert_eq!(hello.header("x-greeting"), "yes");
        let id = hello.header("x-request-id").parse().unwrap();
        assert_eq!(collector.of(id).flow.name, "hello");
        let nested = call(&mut router, request(Method::GET, "/api/hello/ann", "")).await;
        assert_eq!(nested.body, "hello, ann");
        let echo = call(&mut router, request(Method::POST, "/echo/ann", " and bob")).await;
        assert_eq!(echo.body, "hello, ann and bob");
    });
    let targets: Vec<_> =
        collector.wait_for(3).iter().map(|capture| crate::collector::request(capture)).collect();
    assert_eq!(targets[0].0, "/hello/J%C3%B6rg?x=1");
    assert_eq!(targets[2], ("/echo/ann".to_owned(), b" and bob".to_vec()));
}

#[test]
fn methods_are_answered_as_by_a_service_that_listens() {
    let (flows, _) = mount(app());
    let mut router = router(&flows);
    runtime().block_on(async {
        let head = call(&mut router, request(Method::HEAD, "/hello/ann", "")).await;
        assert_eq!((head.status, head.body.as_str()), (StatusCode::OK, ""));
        assert_eq!(head.header("content-length"), "10");
        let options = call(&mut router, request(Method::OPTIONS, "/hello/ann", "")).await;
        assert_eq!((options.status, options.header("allow")), (StatusCode::NO_CONTENT, "GET, HEAD, OPTIONS"));
        let post = call(&mut router, request(Method::POST, "/hello/ann", "x")).await;
        assert_eq!(post.status, StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(post.header("allow"), "GET, HEAD, OPTIONS");
    });
}

#[test]
fn a_flow_at_a_path_of_another_route_says_so() {
    let (flows, collector) = mount(app());
    let answer = call_once(router(&flows), request(Method::GET, "/misplaced/ann", ""));
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    let expected = "the flow hello is mounted here, but its route is GET /hello/{name}; mount it at that path, or nest it \
                    so that the prefix is removed";
    assert!(answer.body.contains(expected), "{}", answer.body);
    assert!(matches!(&collector.one().outcome, Outcome::Rejected { reason } if reason.contains(expected)));
}

#[test]
fn a_fallback_routes_to_all_flows() {
    let (flows, _) = mount(app());
    let mut router = Router::new().fallback_service(flows.all());
    runtime().block_on(async {
        assert_eq!(call(&mut router, request(Method::GET, "/hello/ann", "")).await.body, "hello, ann");
        assert_eq!(
            call(&mut router, request(Method::GET, "/nothing", "")).await.status,
            StatusCode::NOT_FOUND
        );
    });
}

#[test]
#[should_panic(expected = "there is no flow \"helo\"; did you mean \"hello\"?")]
fn an_unknown_flow_is_refused_at_once() {
    let _ = mount(app()).0.service("helo");
}

/// Returns the parts of a trace, except for ids and times.
fn content(capture: &Capture) -> (MessageInfo, Option<MessageInfo>, Outcome, Vec<String>) {
    let event = |event: &Event<zerver_trace::SharedValue>| match event {
        Event::StepRan { step, .. } => Some(format!("step {step}")),
        Event::SlotWritten { step, slot, value, .. } => {
            Some(format!("{step} writes {slot}: {:?}", Value::from_recordable(&**value).unwrap()))
        }
        _ => None,
    };
    (
        capture.request.describe(usize::MAX),
        capture.response.as_ref().map(|response| response.describe(usize::MAX)),
        capture.outcome.clone(),
        capture.events.iter().filter_map(event).collect(),
    )
}

fn take_peer(message: &mut MessageInfo) -> String {
    let MessageInfo::Request(request) = message else { panic!("a response instead of a request") };
    std::mem::take(&mut request.peer)
}

#[test]
fn a_host_can_say_who_the_client_is() {
    let (flows, collector) = mount(app());
    let mut hello = flows.service("hello").peer(|extensions| extensions.get::<SocketAddr>().copied());
    let mut request = request(Method::GET, "/hello/ann", "");
    request.extensions_mut().insert(SocketAddr::from(([192, 0, 2, 1], 80)));
    runtime().block_on(hello.call(request)).unwrap();
    assert_eq!(take_peer(&mut content(&collector.one()).0), "192.0.2.1:80");
}

#[test]
fn a_mounted_flow_is_recorded_like_one_that_listens() {
    let (flows, mounted) = mount(app());
    let mut request = request(Method::GET, "/hello/ann?x=1", "");
    request.headers_mut().insert("host", "localhost".parse().unwrap());
    request.headers_mut().insert("authorization", "Bearer secret".parse().unwrap());
    call_once(router(&flows), request);
    let (server, listening) = start_on(2, app());
    let head = "GET /hello/ann?x=1 HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer secret\r\n\r\n";
    Client::connect(server.addr()).request(head);
    let (mounted, listening) = (mounted.one(), listening.one());
    let (mut mounted_content, mut listening_content) = (content(&mounted), content(&listening));
    assert_eq!(take_peer(&mut mounted_content.0), "");
    assert!(take_peer(&mut listening_content.0).starts_with("127.0.0.1:"));
    assert_eq!(mounted_content, listening_content);
    assert_eq!((mounted.is_undelivered, mounted.class), (false, listening.class));
}

#[test]
fn a_request_that_the_host_drops_is_canceled() {
    let (flows, collector) = mount(app());
    runtime().block_on(async {
        let mut service = flows.service("slow");
        let mut response = service.call(request(Method::GET, "/slow", ""));
        // The first poll sends the request to a worker.
        let mut cx = Context::from_waker(Waker::noop());
        assert!(Pin::new(&mut response).poll(&mut cx).is_pending());
    });
    assert!(matches!(collector.one().outcome, Outcome::ClientLeft { .. }), "{:?}", collector.one().outcome);
}

#[test]
fn a_response_that_the_host_drops_is_undelivered() {
    let (flows, collector) = mount(app());
    let response = runtime().block_on(flows.service("hello").call(request(Method::GET, "/hello/ann", "")));
    drop(response.unwrap());
    assert_eq!((collector.one().status, collector.one().is_undelivered), (200, true));
    // A response without a body is delivered once the host has it.
    let _guard = OpenOnDrop(&GATES[0]);
    GATES[0].open();
    let (flows, collector) = mount(app());
    drop(runtime().block_on(flows.service("pass").call(request(Method::GET, "/pass/0", ""))));
    assert_eq!((collector.one().status, collector.one().is_undelivered), (204, false));
}

/// A body whose last frame is an error.
struct Broken(Option<Bytes>);

impl http_body::Body for Broken {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Poll::Ready(Some(self.0.take().map(Frame::data).ok_or("broken")))
    }
}

/// A body that never ends.
struct Endless;

impl http_body::Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Pending
    }
}

#[test]
fn bodies_have_the_limits_of_the_service() {
    let limits = Limits { body_bytes: 10, body_stall: 10.millis(), ..Limits::default() };
    let (flows, collector) = mount(app().limits(limits));
    let mut echo = flows.service("echo");
    let mut status = |body: Body| {
        let request = request(Method::POST, "/echo/ann", body);
        runtime().block_on(echo.call(request)).unwrap().status().as_u16()
    };
    assert_eq!(status(Body::from("0123456789")), 200);
    assert_eq!(status(Body::from("0123456789a")), 413);
    assert_eq!(status(Body::new(Broken(Some(Bytes::from_static(b"01"))))), 400);
    assert_eq!(status(Body::new(Endless)), 408);
    assert_eq!(collector.wait_for(4).iter().filter(|capture| capture.flow.name == "echo").count(), 4);
}

/// Wakes a thread.
struct Unpark(std::thread::Thread);

impl std::task::Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

#[test]
fn a_host_without_tokio_can_serve_flows() {
    let (flows, _) = mount(app());
    let mut response = pin!(flows.service("hello").call(request(Method::GET, "/hello/ann", "a body")));
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let status = loop {
        match response.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(response) => break response.unwrap().status(),
            Poll::Pending => std::thread::park(),
        }
    };
    assert_eq!(status, StatusCode::OK);
}

#[test]
fn a_step_that_panics_fails_only_its_request() {
    let (flows, collector) = mount(app());
    let mut router = router(&flows);
    runtime().block_on(async {
        let bug = call(&mut router, request(Method::GET, "/bug", "")).await;
        assert_eq!(bug.status, StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(call(&mut router, request(Method::GET, "/hello/ann", "")).await.status, StatusCode::OK);
    });
    assert!(matches!(collector.wait_for(2)[0].outcome, Outcome::Panicked { .. }));
}

#[test]
fn deadlines_apply() {
    let (flows, collector) = mount(app().deadline(5.millis()));
    let answer = call_once(router(&flows), request(Method::GET, "/slow", ""));
    assert_eq!(answer.status, StatusCode::GATEWAY_TIMEOUT);
    assert_eq!(collector.one().status, 504);
}

#[test]
fn requests_in_flight_are_answered_before_the_flows_stop() {
    let _guard = OpenOnDrop(&GATES[1]);
    let (flows, collector) = mount(app());
    let host = runtime();
    let response = host.spawn(flows.service("pass").call(request(Method::GET, "/pass/1", "")));
    GATES[1].wait_for(1);
    let stopping = std::thread::spawn(move || drop(flows));
    GATES[1].open();
    assert_eq!(host.block_on(response).unwrap().unwrap().status(), StatusCode::NO_CONTENT);
    stopping.join().unwrap();
    assert_eq!(collector.one().outcome, Outcome::Done);
}

/// Serves the router on a socket until the sender is dropped.
fn serve(router: Router) -> (SocketAddr, Sender<()>) {
    let (address, addresses) = std::sync::mpsc::channel();
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    std::thread::spawn(move || {
        let runtime = runtime();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            address.send(listener.local_addr().unwrap()).unwrap();
            let stopped = async { drop(tokio::task::spawn_blocking(move || stopped.recv()).await) };
            axum::serve(listener, router).with_graceful_shutdown(stopped).await.unwrap();
        });
    });
    (addresses.recv().unwrap(), stop)
}

#[test]
fn a_client_that_leaves_cancels_its_request() {
    let (flows, collector) = mount(app());
    let (addr, _stop) = serve(router(&flows));
    let mut client = Client::connect(addr);
    assert_eq!(client.request(get("/hello/ann")).body, "hello, ann");
    client.send(get("/slow"));
    let mut other = Client::connect(addr);
    // The request of the other client has arrived after the one to /slow, on the same server.
    other.request(get("/hello/bob"));
    drop(client);
    let outcomes = collector.wait_for(3);
    assert!(matches!(outcomes[2].outcome, Outcome::ClientLeft { .. }), "{:?}", outcomes[2].outcome);
}

#[test]
fn a_large_response_reaches_a_client() {
    #[step]
    fn zeros() -> Response {
        Response::text("0".repeat(8 << 20))
    }
    let app = App::new().flow(flow!("zeros", GET "/zeros", steps: [zeros]));
    let (flows, collector) = mount(app);
    let (addr, _stop) = serve(Router::new().route_service("/zeros", flows.service("zeros")));
    assert_eq!(Client::connect(addr).request(get("/zeros")).body.len(), 8 << 20);
    assert!(!collector.one().is_undelivered);
}
