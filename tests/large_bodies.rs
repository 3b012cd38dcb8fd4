//! A service whose bodies do not fit in memory, in both directions, and whose events have many clients.

use zerver::effects::EffectContext;
use zerver::effects::stream::BodyError;
use zerver::prelude::*;

zerver::main!(app);

/// Sends zeros.
#[stream]
async fn zeros(mib: u64, to: StreamSender<String>) {
    let block = "0".repeat(64 << 10);
    for _ in 0..mib * 16 {
        to.send(block.clone()).await;
    }
}

/// Sends this number of events of a kilobyte.
#[stream]
async fn events(count: u64, to: StreamSender<ServerEvent>) {
    let data = "0".repeat(1000);
    for id in 0..count {
        to.send(ServerEvent::new(data.as_str()).id(id.to_string())).await;
    }
}

/// Counts the bytes of the body.
#[effect]
async fn count(#[context] context: &EffectContext) -> Result<u64, BodyError> {
    let mut body = context.request_body()?;
    let mut bytes = 0;
    while let Some(piece) = body.next().await? {
        bytes += piece.len() as u64;
    }
    Ok(bytes)
}

#[slot]
struct Length(u64);

#[step]
fn send_zeros(Path(mib): Path<u64>) -> Response {
    Response::stream(zeros(mib).length(mib << 20))
}

#[step]
fn send_events(Path(number): Path<u64>) -> Response {
    Response::stream(events(number))
}

#[step]
fn receive() -> Decision<Length> {
    Need(count().map(Length))
}

#[step]
fn show(length: &Length) -> Response {
    Response::json(&length.0)
}

fn app() -> App {
    let upload = flow!("upload", PUT "/upload", steps: [receive, show]);
    App::new()
        .flow(flow!("zeros", GET "/zeros/{mib}", steps: [send_zeros]))
        .flow(flow!("events", GET "/events/{count}", steps: [send_events]))
        .flow(upload.streamed_body(10 << 30).deadline(1.hours()))
        .effect::<zeros>()
        .effect::<events>()
        .effect::<count>()
}
