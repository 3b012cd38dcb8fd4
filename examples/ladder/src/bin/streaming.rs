//! Streams: a body that is sent while it is made. The client gets each event at once, and can leave at any time.
//!
//! `curl -N localhost:3000/countdown/5` shows server-sent events; in a browser, `new EventSource("/countdown/5")` receives them.

use zerver::prelude::*;

zerver::main!(app);

fn app() -> App {
    App::new().flow(flow!("countdown", GET "/countdown/{from}", steps: [start])).effect::<countdown>()
}

/// Counts down to zero, once a second. It waits while the client does not read, and ends when the client leaves.
#[stream]
async fn countdown(from: u64, to: StreamSender<ServerEvent>) {
    for number in (0..=from).rev() {
        to.send(ServerEvent::new(number.to_string()).id(number.to_string())).await;
        tokio::time::sleep(1.seconds()).await;
    }
}

/// Decides where to start: a client that lost its connection says which event it has received last.
#[step]
fn start(request: &Request, Path(from): Path<u64>) -> Response {
    let last = request.last_event_id().and_then(|id| id.parse().ok());
    match last.map_or(Some(from), |last: u64| last.checked_sub(1)) {
        Some(next) => Response::stream(countdown(next)),
        // This status tells a browser not to connect again (WHATWG HTML, section 9.2.3).
        None => Response::no_content(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_continues_after_its_last_event() {
        let stream = |last: &str| {
            let response = app().test("countdown").get("/countdown/5").header("last-event-id", last).run();
            response.stream().map(|stream| format!("{:?}", stream.call()))
        };
        assert_eq!(stream("").as_deref(), Some("countdown {from: 5}"));
        assert_eq!(stream("3").as_deref(), Some("countdown {from: 2}"));
        assert_eq!(stream("of another flow").as_deref(), Some("countdown {from: 5}"));
        assert_eq!(stream("0"), None);
    }
}
