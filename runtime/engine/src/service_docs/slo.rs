//! Burn rates of service level objectives: how many times faster than allowed requests use up the budget of their flow.
//!
//! The windows and the thresholds follow chapter 5, "Alerting on SLOs", of The Site Reliability Workbook (Google, 2018), its
//! sixth approach: multiwindow, multi-burn-rate alerts. A burn is reported if both a long window and a short one exceed the
//! threshold: the long one shows that it matters, and the short one that it still goes on. The book takes 5 minutes with an
//! hour, and 30 minutes with six hours; here, the hour serves as the short window of the six.

use serde::{Deserialize, Serialize};

/// Lengths of the windows, in minutes.
pub const SLO_WINDOWS_MIN: [u32; 3] = [5, 60, 360];

/// Burn rate from which the budget of 30 days loses 2 % within an hour.
const FAST: f64 = 14.4;
/// Burn rate from which it loses 5 % within six hours.
const SLOW: f64 = 6.0;

/// An objective of a flow, and how fast its budget burns.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SloMetrics {
    /// Name of the flow.
    pub flow: String,
    /// `p95`, `p99` or `errors`.
    pub objective: String,
    /// Longest time that meets the objective, in nanoseconds. `None` for errors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit_ns: Option<u64>,
    /// Share of the requests that may miss the objective, from 0 to 1.
    pub budget: f64,
    /// All requests so far.
    pub requests: u64,
    /// Requests that missed the objective.
    pub bad: u64,
    /// The last 5 minutes, hour and 6 hours.
    pub windows: Vec<BurnWindow>,
    /// Judgment.
    pub state: SloState,
}

/// The requests of a window.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct BurnWindow {
    /// Length, in minutes.
    pub minutes: u32,
    /// Requests that ended in it.
    pub requests: u64,
    /// Requests among them that missed the objective.
    pub bad: u64,
    /// Share of bad requests, relative to the budget: 1 uses up exactly the budget.
    pub burn_rate: f64,
}

/// Judgment of an objective.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SloState {
    /// The budget lasts.
    #[default]
    Ok,
    /// The burn rate of the last 6 hours and of the last hour is at least 6.
    SlowBurn,
    /// The burn rate of the last hour and of the last 5 minutes is at least 14.4.
    FastBurn,
}

impl SloState {
    /// Returns it in words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::SlowBurn => "slow burn",
            Self::FastBurn => "fast burn",
        }
    }
}

impl BurnWindow {
    /// Returns the window with these counts.
    pub fn new(minutes: u32, requests: u64, bad: u64, budget: f64) -> Self {
        let share = if requests == 0 { 0.0 } else { bad as f64 / requests as f64 };
        Self { minutes, requests, bad, burn_rate: if budget > 0.0 { share / budget } else { 0.0 } }
    }

    /// Returns the length as text, such as `5m`.
    pub const fn name(&self) -> &'static str {
        match self.minutes {
            5 => "5m",
            60 => "1h",
            _ => "6h",
        }
    }
}

impl SloMetrics {
    /// Returns the objective with its judgment. `counts` are the requests and the bad ones of each window.
    pub fn new(
        flow: &str,
        (objective, limit_ns, budget): (&str, Option<u64>, f64),
        (requests, bad): (u64, u64),
        counts: [(u64, u64); 3],
    ) -> Self {
        let windows = std::iter::zip(SLO_WINDOWS_MIN, counts);
        let windows: Vec<_> =
            windows.map(|(min, (all, bad))| BurnWindow::new(min, all, bad, budget)).collect();
        let burns = |at: usize, rate: f64| windows[at].burn_rate >= rate;
        let state = match () {
            () if burns(1, FAST) && burns(0, FAST) => SloState::FastBurn,
            () if burns(2, SLOW) && burns(1, SLOW) => SloState::SlowBurn,
            () => SloState::Ok,
        };
        let (flow, objective) = (flow.to_owned(), objective.to_owned());
        Self { flow, objective, limit_ns, budget, requests, bad, windows, state }
    }
}

/// Returns the objectives that have these limits, in nanoseconds, and this share of errors, in millionths: name, limit and
/// budget of each.
pub fn slo_objectives(
    p95_ns: Option<u64>,
    p99_ns: Option<u64>,
    errors_ppm: Option<u32>,
) -> impl Iterator<Item = (&'static str, Option<u64>, f64)> {
    let p95 = p95_ns.map(|ns| ("p95", Some(ns), 0.05));
    let p99 = p99_ns.map(|ns| ("p99", Some(ns), 0.01));
    let errors = errors_ppm.map(|ppm| ("errors", None, f64::from(ppm) / 1e6));
    [p95, p99, errors].into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(counts: [(u64, u64); 3]) -> SloState {
        SloMetrics::new("a", ("errors", None, 0.001), (0, 0), counts).state
    }

    #[test]
    fn a_burn_needs_a_long_and_a_short_window() {
        assert_eq!(state([(0, 0); 3]), SloState::Ok, "no requests");
        assert_eq!(state([(1_000, 15), (10_000, 150), (10_000, 150)]), SloState::FastBurn);
        // It is over: nothing has failed for five minutes.
        assert_eq!(state([(1_000, 0), (10_000, 150), (60_000, 150)]), SloState::Ok);
        // It has just begun, or was short.
        assert_eq!(state([(1_000, 1_000), (100_000, 1_000), (100_000, 1_000)]), SloState::SlowBurn);
        assert_eq!(state([(1_000, 20), (12_000, 20), (72_000, 20)]), SloState::Ok);
        assert_eq!(state([(1_000, 7), (12_000, 84), (72_000, 504)]), SloState::SlowBurn);
    }

    #[test]
    fn the_burn_rate_is_relative_to_the_budget() {
        let rate = |all, bad, budget| BurnWindow::new(5, all, bad, budget).burn_rate;
        assert!((rate(1_000, 1, 0.001) - 1.0).abs() < 1e-12);
        assert!((rate(100, 10, 0.05) - 2.0).abs() < 1e-12);
        assert!(rate(0, 0, 0.05) == 0.0);
    }
}
