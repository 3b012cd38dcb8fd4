//! Everything known about all requests: their columns, filters, order, rates and baselines. Nothing here draws or reads
//! a store.

mod baseline;
mod chunked_column;
mod filter;
mod flow_totals;
mod histogram;
mod id_buckets;
mod rates;
mod request_index;
mod request_list;
mod selection_totals;
mod sequence_number;
mod string_table;

pub(crate) use baseline::{Baseline, Verdict};
pub(crate) use filter::Filter;
pub(crate) use flow_totals::{FlowTotal, FlowTotals};
pub(crate) use id_buckets::TIME_DIGITS;
pub(crate) use rates::{Metric, Metrics, Rates};
pub(crate) use request_index::{RequestIndex, RequestRow};
pub(crate) use request_list::{RequestList, SCAN_CHUNK, SortOrder};
pub(crate) use selection_totals::SelectionTotals;
pub(crate) use sequence_number::Seq;
