//! Compares one request with the others of its flow, and finds fields that correlate with latency.
//!
//! `population` is the comparison. `ranked_times` ranks the request's times, `baseline` computes typical times,
//! `fields` extracts the fields of traces, `associations` finds those that correlate with latency, with
//! `rank_statistics`, and `document` is the JSON form.

mod associations;
mod baseline;
mod document;
mod fields;
mod population;
mod rank_statistics;
mod ranked_times;
#[cfg(test)]
mod tests;

pub use associations::{Association, Correlation, ValueGroup};
pub use baseline::{Baseline, Distribution};
pub use document::WhyJson;
pub(crate) use fields::{Scalar, fields};
pub use population::{MIN_POPULATION, Why};
pub use ranked_times::{RankedTime, TimePart};
