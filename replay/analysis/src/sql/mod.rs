//! Views of effects of kind `sql`, whose recorded form the crate `zerver` defines: results as tables,
//! statements that one step repeats, and the selection of a call. A trace that does not have that form shows nothing here.

mod call_selection;
mod repeated_statements;
mod result_table;
mod statement_key;

pub use call_selection::{NoSqlCall, SqlCall};
pub use repeated_statements::RepeatedStatement;
pub use result_table::ResultTable;

/// Kind of the effects.
const KIND: &str = "sql";

#[cfg(test)]
mod tests;
