//! A test made from a recorded request.
//!
//! `zerver export @last --test` wrote the test below from a request to this service, and says where it belongs. It
//! needs neither the store nor the network: effects give what they gave when the request was recorded.

use zerver::effects::kv;
use zerver::prelude::*;

zerver::main!(app);

fn app() -> App {
    App::new().flow(flow!("visit", GET "/visits/{name}", steps: [count, greet]))
}

#[slot]
struct Visits(i64);

#[step]
fn count(request: &Request) -> Decision<Visits> {
    Need(kv::add(("visits", request.param_str("name").unwrap_or_default()), 1).map(Visits))
}

#[step]
fn greet(request: &Request, visits: &Visits) -> Response {
    let name = request.param_str("name").unwrap_or_default();
    Response::text(format!("welcome, {name}; visit {}\n", visits.0))
}

#[cfg(test)]
mod visit_200 {
    use std::time::{Duration, UNIX_EPOCH};

    use crate::app;

    #[test]
    fn visit_200() {
        let run = app()
            .test("visit")
            .request("GET", "/visits/ann")
            .header("host", "localhost:3000")
            .id("01a226f2-bb6a-7cf1-8aa5-49554c4580c5")
            .at(UNIX_EPOCH + Duration::from_nanos(1_795_949_771_626_809_034))
            .seed(6_680_082_407_543_998_963)
            .answer_json(
                "kv",
                r#"{"Add":{"key":"visits:ann","delta":1,"expires_in_ms":null}}"#,
                r#"{"Number":3}"#,
            )
            .run();
        run.assert_steps(&[("count", "need"), ("greet", "done")]);
        run.assert_slot("Visits", "3");
        run.assert_header("content-type", "text/plain; charset=utf-8");
        run.assert_response(200, "welcome, ann; visit 3\n");
    }
}
