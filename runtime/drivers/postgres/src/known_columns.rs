//! Columns of the results of statements, shared by all results of a statement.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use tokio_postgres::Statement as Prepared;
use zerver::effects::sql::Column;

/// Maximum number of statements whose columns are kept. A service whose statements have changing texts gains nothing.
const MAX_STATEMENTS: usize = 256;

thread_local! {
    /// Columns by the text of the statement. Few threads perform effects, so each has its own.
    static KNOWN: RefCell<HashMap<Box<str>, Arc<[Column]>>> = RefCell::default();
}

/// Returns the columns of a prepared statement with this text.
pub(crate) fn columns_of(text: &str, prepared: &Prepared) -> Arc<[Column]> {
    KNOWN.with_borrow_mut(|known| {
        // The same text has other columns in another database, or after a change of the table.
        if let Some(columns) = known.get(text).filter(|columns| is_of(columns, prepared)) {
            return Arc::clone(columns);
        }
        if known.len() >= MAX_STATEMENTS {
            known.clear();
        }
        let columns =
            prepared.columns().iter().map(|column| Column::new(column.name(), column.type_().name()));
        let columns: Arc<[Column]> = columns.collect();
        known.insert(text.into(), Arc::clone(&columns));
        columns
    })
}

fn is_of(columns: &[Column], prepared: &Prepared) -> bool {
    let same = |(known, column): (&Column, &tokio_postgres::Column)| {
        known.name == column.name() && known.type_name == column.type_().name()
    };
    columns.len() == prepared.columns().len() && columns.iter().zip(prepared.columns()).all(same)
}
