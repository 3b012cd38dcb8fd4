//! Printed text: pure functions from data to strings with styles.
//!
//! Recorded text is sanitized here, before it is measured and styled.

mod bar;
pub(crate) mod catalog;
pub(crate) mod catalog_diff;
pub(crate) mod compare_sets;
pub(crate) mod config;
pub(crate) mod diff;
pub(crate) mod duration_histogram;
pub(crate) mod explain;
pub(crate) mod flow_list;
pub(crate) mod layout;
pub(crate) mod replay;
pub(crate) mod request_groups;
pub(crate) mod request_list;
pub(crate) mod simulate;
pub(crate) mod slo;
mod status;
pub(crate) mod style;
pub(crate) mod table;
mod text;
pub(crate) mod timeline;
mod title_line;
pub(crate) mod top;
pub(crate) mod why;
pub(crate) mod why_value;

use zerver_analysis::display as value;

pub(crate) use self::text::{bytes, count, fill, fit, fold, fold_words, paint, width};
