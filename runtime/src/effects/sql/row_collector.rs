//! Collects rows within limits, for drivers.

use std::sync::Arc;

use zerver_engine::{EffectError, EffectErrorKind};

use super::rows::{Column, Rows};
use super::sql_kind::{Fetch, Limits};
use super::value::SqlValue;

/// Size of a result without its rows and columns, in bytes.
const FRAME: usize = 256;

/// Collects the rows of one result within its limits. The driver reads row by row and stops as soon as
/// [`push`](Self::push) returns false or an error, so that memory stays bounded however large the result is.
#[derive(Debug)]
pub struct RowCollector {
    rows: Rows,
    limits: Limits,
    fetch: Fetch,
    size: usize,
    /// Size of the names of the columns, which each row repeats.
    names_size: usize,
}

impl RowCollector {
    /// Creates a collector for a result with these columns.
    pub fn new(columns: impl Into<Arc<[Column]>>, fetch: Fetch, limits: Limits) -> Self {
        let columns = columns.into();
        let names_size = columns.iter().map(|column| column.name.len() + 6).sum();
        let types: usize = columns.iter().map(|column| column.type_name.len() + 24).sum();
        let rows = Rows { columns, ..Rows::default() };
        Self { rows, limits, fetch, size: FRAME + names_size + types, names_size }
    }

    /// Adds a row. Returns false if no more rows are wanted.
    ///
    /// # Errors
    /// `too_large` if the row exceeds a limit and the result may not be cut.
    pub fn push(&mut self, cells: Vec<SqlValue>) -> Result<bool, EffectError> {
        if self.fetch == Fetch::Affected {
            return Ok(true);
        }
        if self.fetch == Fetch::One && self.rows.rows.len() == 1 {
            self.rows.is_truncated = true;
            return Ok(false);
        }
        let size = self.names_size + 4 + cells.iter().map(SqlValue::recorded_len).sum::<usize>();
        let Limits { rows: max_rows, bytes: max_bytes, truncate } = self.limits;
        let exceeded = if self.rows.rows.len() >= max_rows as usize {
            Some(format!("more than {max_rows} rows: narrow the statement, or raise max_rows"))
        } else if self.size + size > max_bytes as usize {
            let row = self.rows.rows.len() + 1;
            Some(format!(
                "row {row} exceeds {max_bytes} bytes: select fewer columns or rows, or raise max_bytes"
            ))
        } else {
            None
        };
        match exceeded {
            Some(message) if !truncate => Err(EffectError::new(EffectErrorKind::TooLarge, message)),
            Some(_) => {
                self.rows.is_truncated = true;
                Ok(false)
            }
            None => {
                self.size += size;
                self.rows.rows.push(cells);
                Ok(true)
            }
        }
    }

    /// Returns the result. `affected` is the number of rows that the database counted, if it did.
    pub fn finish(self, affected: Option<u64>) -> Rows {
        let mut rows = self.rows;
        rows.affected = affected.unwrap_or(rows.rows.len() as u64);
        if self.fetch == Fetch::Affected {
            rows.columns = Arc::default();
        }
        rows
    }
}

#[cfg(test)]
mod tests {
    use zerver_trace::Value;
    use zerver_trace::value::MAX_LEN;

    use super::super::Reply;
    use super::*;

    #[test]
    fn a_result_within_the_default_limits_fits_into_a_trace() {
        let columns = vec![Column::new("a", "text"), Column::new("a longer name", "numeric")];
        for len in [0, 1, 17, 1000, 100_000] {
            let limits = Limits { rows: u32::MAX, truncate: true, ..Limits::DEFAULT };
            let mut collector = RowCollector::new(columns.clone(), Fetch::Rows, limits);
            let row = || vec![SqlValue::Text("x".repeat(len)), SqlValue::Numeric("1".repeat(len / 2))];
            while collector.push(row()).unwrap() {}
            let rows = collector.finish(None);
            assert!(rows.is_truncated && !rows.is_empty());
            let value = Value::from_serialize(&Reply::new(Ok(vec![rows.clone()]))).unwrap();
            assert!(value.tokens().len() > MAX_LEN / 4, "{len}");
            assert_eq!(value.to_typed::<Reply>().unwrap(), Reply::new(Ok(vec![rows])));
        }
    }

    #[test]
    fn a_result_beyond_a_limit_fails_unless_it_may_be_cut() {
        let limits = Limits { rows: 2, ..Limits::DEFAULT };
        let mut collector = RowCollector::new(vec![Column::new("n", "int8")], Fetch::Rows, limits);
        assert_eq!(collector.push(vec![SqlValue::Int(1)]), Ok(true));
        assert_eq!(collector.push(vec![SqlValue::Int(2)]), Ok(true));
        let error = collector.push(vec![SqlValue::Int(3)]).unwrap_err();
        assert_eq!(error.to_string(), "too_large: more than 2 rows: narrow the statement, or raise max_rows");
        assert_eq!(collector.finish(None).len(), 2);
    }
}
