//! Facts about effects of kind `sql`, whose recorded form the crate `zerver` defines: results as tables, and
//! statements that one step repeats. A trace that does not have that form shows nothing here.

mod repeated_statements;
mod result_table;
mod statement_key;

pub use repeated_statements::RepeatedStatement;
pub use result_table::ResultTable;

/// Kind of the effects.
const KIND: &str = "sql";

#[cfg(test)]
mod tests;
