//! Retries and time limits.
//!
//! The upstream is a flow of the same service that fails every other time; `curl localhost:3000/price` succeeds.

use zerver::effects::http;
use zerver::prelude::*;

zerver::main!(app);

fn app() -> App {
    App::new()
        .flow(flow!("rate", GET "/rate", steps: [unreliable_rate]))
        .flow(flow!("price", GET "/price", steps: [load_rate, render]).deadline(2.seconds()))
}

#[slot]
struct Rate {
    cents: u64,
}

/// Randomness is an input of the request, so that a replay gets the same.
#[step]
fn unreliable_rate(random: &Random) -> Result<Response, Failure> {
    if random.u64(0).is_multiple_of(2) {
        return Err(Failure::unavailable("rate"));
    }
    Ok(Response::json(&Rate { cents: 112 }))
}

fn rate(request: &Request) -> Effect<Rate> {
    http::get(format!("{}/rate", request.origin())).timeout(300.millis()).json()
}

/// Each attempt has 300 ms. Between attempts there is a random pause, of up to 50 ms, then 100 ms, and so on.
#[step]
fn load_rate(request: &Request) -> Decision<Rate> {
    Need(rate(request).retry(Retry::attempts(5).pause(50.millis(), 1.seconds())))
}

#[step]
fn render(rate: &Rate) -> Response {
    Response::text(format!("{} cents\n", rate.cents))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_attempt_takes_the_next_answer() {
        let rate = || rate(&Request::get("/price"));
        let test = app().test("price").get("/price").fail(rate(), EffectErrorKind::Timeout, "too slow");
        let test = test.answer(rate(), http::Reply::new(503));
        let response = test.answer(rate(), http::Reply::from_json(&Rate { cents: 99 }).unwrap()).run();
        assert_eq!((response.status(), response.text().as_str()), (200, "99 cents\n"));
    }
}
