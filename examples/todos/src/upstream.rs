//! The upstreams of the service: an identity provider, and figures with a latency and failures as requested.
//!
//! They are a separate service on a separate port, in the same process, so that the example needs no setup.

use zerver::effects::sleep;
use zerver::prelude::*;

#[slot]
#[derive(Debug)]
struct Latency(u64);

#[derive(Serialize)]
struct Claims {
    sub: &'static str,
    roles: &'static [&'static str],
}

/// Returns the user of a token.
fn claims_of(token: &str) -> Option<Claims> {
    Some(match token {
        "ann-token" => Claims { sub: "ann", roles: &["admin", "writer"] },
        "bob-token" => Claims { sub: "bob", roles: &["reader"] },
        "eve-token" => Claims { sub: "eve", roles: &[] },
        _ => return None,
    })
}

#[step]
fn verify(request: &Request) -> Result<Response, Failure> {
    let token = request.bearer().ok_or_else(|| Failure::unauthorized("token"))?;
    claims_of(token).map(|claims| Response::json(&claims)).ok_or_else(|| Failure::not_found("token", ""))
}

/// Fails for the requested number of attempts.
#[step]
fn fail_first(request: &Request) -> Result<(), Failure> {
    let fails: u32 = request.query_as("fails")?.unwrap_or(0);
    let attempt = request.header("x-attempt").and_then(|attempt| attempt.parse().ok()).unwrap_or(1);
    if attempt <= fails { Err(Failure::unavailable("figures")) } else { Ok(()) }
}

#[step]
fn take_time(request: &Request) -> Decision<Latency> {
    match request.query_as("latency_ms") {
        Ok(latency_ms) => {
            let latency_ms = latency_ms.unwrap_or(0);
            Need(sleep(latency_ms.millis()).map(move |()| Latency(latency_ms)))
        }
        Err(failure) => Fail(failure),
    }
}

#[step]
fn render_figures(latency: &Latency) -> Response {
    Response::json(&serde_json::json!({ "visitors": 4711, "took_ms": latency.0 }))
}

/// Starts the upstreams on any free port.
pub fn serve() -> Result<zerver::Server, zerver::StartError> {
    App::new()
        .flow(flow!("verify", GET "/verify", steps: [verify]))
        .flow(flow!("figures", GET "/figures", steps: [fail_first, take_time, render_figures]))
        .workers(1)
        .start(zerver::StartOptions { addr: Some("127.0.0.1:0".into()), ..Default::default() })
}
