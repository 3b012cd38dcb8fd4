//! A long computation that lets other requests run.
//!
//! `curl localhost:3000/primes/200000` counts primes; meanwhile other requests are answered.

use zerver::prelude::*;

zerver::main!(app);

fn app() -> App {
    App::new().flow(flow!("primes", GET "/primes/{below}", steps: [parse, count, render]))
}

#[slot]
struct Below(u64);

#[slot]
struct Primes(u64);

#[step]
fn parse(request: &Request) -> Result<Below, Failure> {
    match request.param("below")? {
        below @ 0..=1_000_000 => Ok(Below(below)),
        _ => Err(Failure::invalid("below").message("at most 1000000")),
    }
}

/// Checks a thousand numbers, then yields. The progress comes back as `Some` when the step is entered again.
#[step]
fn count(below: &Below, progress: Option<(u64, u64)>) -> Decision<Primes, (u64, u64)> {
    let (next, mut found) = progress.unwrap_or((2, 0));
    let end = below.0.min(next + 1000);
    found += (next..end).filter(|n| is_prime(*n)).count() as u64;
    if end == below.0 { Continue(Primes(found)) } else { Yield((end, found)) }
}

fn is_prime(n: u64) -> bool {
    (2..).take_while(|d| d * d <= n).all(|d| !n.is_multiple_of(d))
}

#[step]
fn render(primes: &Primes) -> Response {
    Response::text(format!("{}\n", primes.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn primes_are_counted_over_many_runs_of_the_step() {
        let response = app().test("primes").get("/primes/10000").run();
        assert_eq!(response.text(), "1229\n");
        assert!(response.events.len() > 10, "the step yields ten times");
    }
}
