//! Compares two sets of requests, such as those of two builds, days or tenants: what has changed, and by how much.
//!
//! `selection` separates the sets and samples them. `measurement` extracts what is compared from one request,
//! `samples` collects it over each set, and `set_change` compares two samples: amounts with `rank_test` and
//! `median_interval`, shares with `share_test`, both corrected for `dependence`. `flow_comparison` does so for one flow,
//! and `set_comparison` for all of them, where `false_discovery` decides what counts as a change. `document` is the JSON
//! form.

mod dependence;
mod document;
mod false_discovery;
mod flow_comparison;
mod measurement;
mod median_interval;
mod normal_distribution;
mod rank_test;
mod samples;
mod selection;
mod set_change;
mod set_comparison;
mod share_test;
#[cfg(test)]
mod tests;

pub use document::SetComparisonJson;
pub use flow_comparison::{FlowComparison, FlowSet};
pub use measurement::{ChangeMeasure, ChangeSubject};
pub use selection::{SeparatedSets, sample_evenly};
pub use set_change::{SetChange, TestedChange};
pub use set_comparison::{FALSE_DISCOVERY_RATE, SetComparison, SetPeriod};
