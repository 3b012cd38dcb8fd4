//! Lines that effects log, in the captures of a service.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::{Arc, mpsc};

use tracing_subscriber::layer::SubscriberExt as _;
use zerver::prelude::*;
use zerver::{Server, StartOptions};
use zerver_trace::{Capture, CaptureSink, Event, LogLevel};
use zerver_tracing::LogLines;

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Work(u32);

impl EffectKind for Work {
    type Output = u32;
    const KIND: &'static str = "work";
}

async fn work(number: u32) -> u32 {
    tracing::info!(number, "begins");
    tracing::debug!("a detail");
    zerver::effects::report_point("half way");
    std::future::ready(()).await;
    tracing::warn!(password = "hunter2", "slow");
    if number > 1 {
        for repeated in 0..100 {
            tracing::error!("again {repeated}");
        }
    }
    number
}

#[derive(Debug, Slot, Serialize, Deserialize)]
struct Worked(u32);

#[step]
fn ask(request: &Request) -> Result<Decision<Worked>, Failure> {
    tracing::error!("a step logs nothing");
    Ok(Need(effect(Work(request.param("number")?)).map(Worked)))
}

#[step]
fn show(done: &Worked) -> Response {
    Response::text(done.0.to_string())
}

struct Captures(mpsc::Sender<Box<Capture>>);

impl CaptureSink for Captures {
    fn accept(&self, capture: Box<Capture>) {
        let _ = self.0.send(capture);
    }
}

fn start() -> (Server, mpsc::Receiver<Box<Capture>>) {
    let (sender, captures) = mpsc::channel();
    let app = App::new()
        .interpreter(|work: &Work| {
            let number = work.0;
            async move { Ok(self::work(number).await) }
        })
        .flow(flow!("work", GET "/work/{number}", steps: [ask, show]));
    let sink: Arc<dyn CaptureSink> = Arc::new(Captures(sender));
    let options =
        StartOptions { addr: Some("127.0.0.1:0".to_owned()), sink: Some(sink), ..StartOptions::default() };
    (app.start(options).unwrap(), captures)
}

fn get(server: &Server, path: &str) -> String {
    let mut socket = TcpStream::connect(server.addr()).unwrap();
    write!(socket, "GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n").unwrap();
    let mut response = String::new();
    socket.read_to_string(&mut response).unwrap();
    response
}

fn lines(capture: &Capture) -> Vec<(u32, LogLevel, String)> {
    let line = |event: &Event<_>| match event {
        Event::Logged { call, level, target, line, .. } => {
            assert_eq!(&**target, "it");
            let line: &zerver_trace::SharedValue = line;
            let text = zerver_trace::Value::from_recordable(&**line).unwrap().to_typed::<String>().unwrap();
            Some((*call, *level, text))
        }
        _ => None,
    };
    capture.events.iter().filter_map(line).collect()
}

#[test]
fn lines_of_effects_are_recorded_up_to_a_limit() {
    let subscriber = tracing_subscriber::registry().with(LogLines::new());
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let (server, captures) = start();
    assert!(get(&server, "/work/1").ends_with('1'));
    let capture = captures.recv().unwrap();
    let expected = [
        (0, LogLevel::Info, "begins number=1".to_owned()),
        (0, LogLevel::Warn, "slow password=\"hunter2\"".to_owned()),
    ];
    assert_eq!(lines(&capture), expected);
    let at = |is: fn(&Event<_>) -> bool| capture.events.iter().position(is).unwrap();
    let point = at(|event| matches!(event, Event::EffectPoint { .. }));
    assert!(at(|event| matches!(event, Event::Logged { .. })) < point);
    assert!(point < at(|event| matches!(event, Event::EffectCompleted { .. })));
    assert!(get(&server, "/work/2").ends_with('2'));
    let capture = captures.recv().unwrap();
    assert_eq!(lines(&capture).len(), 32);
    server.stop();
}
