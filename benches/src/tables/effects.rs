//! effects: what an SQL effect costs beyond its driver, and what a circuit breaker costs for each call.

use std::hint::black_box;
use std::time::Instant;

use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod};
use tokio_postgres::NoTls;
use zerver::TargetPolicy;
use zerver::effects::{EffectContext, Interpreters, Started, sql};
use zerver::engine::{Breaker, Random, StandaloneEffect};
use zerver_local_server as local;
use zerver_postgres::Postgres;

use crate::plan::Plan;
use crate::report::{median, print_line};
use crate::servers::process::thread_cpu;

/// A statement that costs its driver as little as possible.
const STATEMENT: &str = "select $1::int8";

/// Checks of the breaker for each statement.
const CHECKS: u64 = 1_000;

pub(crate) fn compare(plan: &Plan) -> Result<(), String> {
    let database = local::Postgres::start().map_err(|error| error.to_string())?;
    let url = database.url();
    // One thread for the driver, its connection and the effect, so that its processor time is all there is.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let count = plan.count.max(1);
    let (mut driver, mut effect, mut check) = (Vec::new(), Vec::new(), Vec::new());
    runtime.block_on(async {
        let pool = pool(&url)?;
        let mut interpreters = Interpreters::new();
        interpreters.set(Postgres::from_url(&url).map_err(|error| error.to_string())?.pool_size(1));
        let context = EffectContext::default();
        // The first round opens the connections and prepares the statement.
        for round in 0..=plan.rounds {
            let by_driver = micros(count, || query(&pool)).await?;
            let by_effect = micros(count, || perform(&interpreters, &context)).await?;
            if round > 0 {
                driver.push(by_driver);
                effect.push(by_effect);
                check.push(breaker_nanos(count as u64 * CHECKS));
            }
        }
        Ok::<_, String>(())
    })?;
    let (driver, effect) = (median(driver.into_iter()), median(effect.into_iter()));
    print_line(&format!("{STATEMENT}, one after another, {} rounds of {count}", plan.rounds));
    print_line("| | CPU us of the thread | aim |");
    print_line("|---|---|---|");
    print_line(&format!("| deadpool-postgres | {driver:.2} | |"));
    print_line(&format!("| SQL effect of zerver-postgres | {effect:.2} | |"));
    print_line(&format!("| difference | {:.2} | 3 |", effect - driver));
    print_line(&format!("| check of a breaker, ns | {:.1} | 50 |", median(check.into_iter())));
    Ok(())
}

fn pool(url: &str) -> Result<Pool, String> {
    let config = url.parse::<tokio_postgres::Config>().map_err(|error| error.to_string())?;
    let manager_config = ManagerConfig { recycling_method: RecyclingMethod::Fast };
    let manager = Manager::from_config(config, NoTls, manager_config);
    Pool::builder(manager).max_size(1).build().map_err(|error| error.to_string())
}

async fn query(pool: &Pool) -> Result<i64, String> {
    let client = pool.get().await.map_err(|error| error.to_string())?;
    let statement = client.prepare_cached(STATEMENT).await.map_err(|error| error.to_string())?;
    let row = client.query_one(&statement, &[&7_i64]).await.map_err(|error| error.to_string())?;
    row.try_get(0).map_err(|error| error.to_string())
}

/// Performs the effect as a request does: the engine, the interpreter, and the engine again.
async fn perform(interpreters: &Interpreters, context: &EffectContext) -> Result<i64, String> {
    let mut effect =
        StandaloneEffect::new(sql::query(STATEMENT).bind(7_i64).one::<i64>(), Random { seed: 0 });
    let mut output = effect.advance(None, 0);
    while output.is_none() {
        let calls = effect.take_requested_calls();
        let [call] = calls.as_slice() else { return Err("not exactly one call".to_owned()) };
        let result = match interpreters.start(&call.call, context) {
            Started::Ready(result) => result,
            Started::Pending(future) => future.await,
        };
        output = effect.advance(Some((call.number, result)), 0);
    }
    let output = output.ok_or("no output")?;
    output.map_err(|failure| failure.causes().join(": "))
}

/// Returns the processor time of this thread for each call, in microseconds.
async fn micros<F: Future<Output = Result<i64, String>>>(
    count: usize,
    call: impl Fn() -> F,
) -> Result<f64, String> {
    let before = thread_cpu()?;
    for _ in 0..count {
        black_box(call().await?);
    }
    Ok((thread_cpu()? - before).as_secs_f64() * 1e6 / count as f64)
}

/// Returns the nanoseconds of a breaker that lets a call through and counts its success.
fn breaker_nanos(times: u64) -> f64 {
    let mut breaker = Breaker::new(TargetPolicy::default().breaker(), 0);
    let began = Instant::now();
    for at in 0..times {
        // A call each microsecond.
        let now_ns = at * 1_000;
        if let Ok(pass) = black_box(&mut breaker).request(now_ns) {
            black_box(breaker.record(pass, false, now_ns));
        }
    }
    began.elapsed().as_nanos() as f64 / times as f64
}
