//! Where one request stands among the others of its flow, and which fields of requests and slots go with slowness
//! there. A pure function over traces.
//!
//! `standing` compares times, `usual` says what is usual for a flow, `fields` takes the fields out of a trace, `ranks` is the statistics, `finding` says which
//! fields matter, `document` is the form for other programs.

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
pub use population::{MIN_POPULATION, Why};
pub use ranked_times::{RankedTime, TimePart};
