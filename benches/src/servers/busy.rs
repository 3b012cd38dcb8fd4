//! A zerver service for load tests: a small answer, work in each class, long batch work, a wait, and flows of many steps.

use std::net::SocketAddr;
use std::time::Duration;

use zerver::effects::sleep;
use zerver::prelude::*;
use zerver::{Limits, SchedulingSettings, StartOptions};

use super::cpu_work::work;

/// Processor time of a request to `/report`.
pub(crate) const REPORT_US: u64 = 5_000;

/// Processor time of a request to `/work/..`.
pub(crate) const WORK_US: u64 = 1_000;

/// Number of steps that `/steps/many` has more than `/steps/one`, and number of yields of `/steps/yields`.
pub(crate) const MORE_STEPS: u32 = 64;

/// Duration of `/sleep`.
pub(crate) const SLEEP: Duration = Duration::from_secs(600);

#[step]
fn quick() -> Response {
    Response::text("ok")
}

#[step]
fn report() -> Response {
    Response::text(work(REPORT_US).to_string())
}

#[step]
fn some_work() -> Response {
    Response::text(work(WORK_US).to_string())
}

#[step]
fn wait() -> Decision<()> {
    Need(sleep(SLEEP))
}

#[step]
fn nothing() {}

#[step]
fn many_yields(progress: Option<u32>) -> Decision<(), u32> {
    match progress.unwrap_or(0) {
        MORE_STEPS => Continue(()),
        times => Yield(times + 1),
    }
}

/// A chain of `MORE_STEPS` steps.
#[rustfmt::skip]
const MANY: Chain = chain![
    nothing, nothing, nothing, nothing, nothing, nothing, nothing, nothing,
    nothing, nothing, nothing, nothing, nothing, nothing, nothing, nothing,
    nothing, nothing, nothing, nothing, nothing, nothing, nothing, nothing,
    nothing, nothing, nothing, nothing, nothing, nothing, nothing, nothing,
    nothing, nothing, nothing, nothing, nothing, nothing, nothing, nothing,
    nothing, nothing, nothing, nothing, nothing, nothing, nothing, nothing,
    nothing, nothing, nothing, nothing, nothing, nothing, nothing, nothing,
    nothing, nothing, nothing, nothing, nothing, nothing, nothing, nothing,
];

pub(crate) fn serve(ready: impl FnOnce(SocketAddr)) -> Result<(), String> {
    let mut scheduling = SchedulingSettings::default();
    // The defaults let the batch queue stand for many seconds; here they have to take effect within a run.
    scheduling.batch.target_ns = 200_000_000;
    scheduling.batch.interval_ns = 1_000_000_000;
    let day = Duration::from_secs(24 * 60 * 60);
    let running = App::new()
        .flow(flow!("quick", GET "/quick", steps: [quick]).class(Class::Interactive))
        .flow(flow!("report", GET "/report", steps: [report]).class(Class::Batch))
        .flow(
            flow!("work-interactive", GET "/work/interactive", steps: [some_work]).class(Class::Interactive),
        )
        .flow(flow!("work-default", GET "/work/default", steps: [some_work]).class(Class::Default))
        .flow(flow!("work-batch", GET "/work/batch", steps: [some_work]).class(Class::Batch))
        .flow(flow!("sleep", GET "/sleep", steps: [wait, quick]))
        .flow(flow!("steps-one", GET "/steps/one", steps: [quick]))
        .flow(flow!("steps-many", GET "/steps/many", before: MANY, steps: [quick]))
        .flow(flow!("steps-yields", GET "/steps/yields", steps: [many_yields, quick]))
        .scheduling(scheduling)
        .limits(Limits { connections: 1_000_000, keep_alive: day, ..Limits::default() })
        .deadline(day)
        .workers(1)
        .batch_workers(1)
        .start(StartOptions { addr: Some("127.0.0.1:0".to_owned()), ..StartOptions::default() })
        .map_err(|error| error.to_string())?;
    ready(running.addr());
    running.stop();
    Ok(())
}
