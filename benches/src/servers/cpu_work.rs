//! Processor work: rounds of arithmetic, calibrated in rounds per millisecond. A thread that loses its core meanwhile still
//! runs the same number of rounds, so that every server does the same work.

use std::hint::black_box;
use std::sync::OnceLock;
use std::time::Instant;

/// Environment variable that passes the calibration to the servers.
pub(crate) const ENV: &str = "ZERVER_BENCH_ROUNDS_PER_MS";

static ROUNDS_PER_MS: OnceLock<u64> = OnceLock::new();

/// Returns the number of rounds per millisecond: from the parent process, or else measured, the fastest of several runs.
pub(crate) fn rounds_per_ms() -> u64 {
    *ROUNDS_PER_MS.get_or_init(|| {
        let inherited = std::env::var(ENV).ok().and_then(|text| text.parse().ok());
        inherited.unwrap_or_else(|| (0..50).map(|_| measure()).max().unwrap_or(1))
    })
}

/// Runs as many rounds as take `us` microseconds on an undisturbed core.
pub(crate) fn work(us: u64) -> u64 {
    black_box(rounds(rounds_per_ms() * us / 1000))
}

fn measure() -> u64 {
    const ROUNDS: u64 = 200_000;
    let begun = Instant::now();
    black_box(rounds(ROUNDS));
    (ROUNDS as f64 / (begun.elapsed().as_secs_f64() * 1000.0)) as u64
}

fn rounds(rounds: u64) -> u64 {
    (0..rounds)
        .fold(black_box(1), |x: u64, round| (x ^ round).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(7))
}
