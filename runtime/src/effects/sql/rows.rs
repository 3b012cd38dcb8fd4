//! Results of statements.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use zerver_engine::{EffectError, EffectErrorKind, Failure};

use super::row::{Row, RowRef};
use super::to_value::ToSqlValue;
use super::value::SqlValue;

/// Column of a result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Name.
    pub name: String,
    /// Name of its type in the database: `int8`, `text`.
    #[serde(rename = "type", default)]
    pub type_name: String,
}

impl Column {
    /// Creates a column.
    pub fn new(name: impl Into<String>, type_name: impl Into<String>) -> Self {
        Self { name: name.into(), type_name: type_name.into() }
    }
}

/// Result of one statement: its rows, or the number of rows that it affected.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rows {
    pub(super) columns: Arc<[Column]>,
    pub(super) rows: Vec<Vec<SqlValue>>,
    pub(super) affected: u64,
    pub(super) is_truncated: bool,
}

impl Rows {
    /// Creates a result for a test: the names of the columns, and for each row a tuple of its cells.
    ///
    /// ```
    /// use zerver::effects::sql;
    /// let rows = sql::Rows::of(["id", "title"], [(1, "milk"), (2, "bread")]);
    /// assert_eq!(rows.to_string(), "2 rows");
    /// assert_eq!(rows.all::<(i64, String)>().unwrap()[1], (2, "bread".to_owned()));
    /// ```
    ///
    /// # Panics
    /// If a row has more or fewer cells than there are columns.
    #[track_caller]
    pub fn of<'c, R: Cells>(
        columns: impl IntoIterator<Item = &'c str>,
        rows: impl IntoIterator<Item = R>,
    ) -> Self {
        let rows: Vec<_> = rows.into_iter().map(Cells::into_cells).collect();
        let type_of = |at: usize| {
            let mut cells = rows.iter().filter_map(|row: &Vec<SqlValue>| row.get(at));
            cells.find(|cell| **cell != SqlValue::Null).unwrap_or(&SqlValue::Null).type_name()
        };
        let column = |(at, name)| Column::new(name, type_of(at));
        let columns: Arc<[Column]> = columns.into_iter().enumerate().map(column).collect();
        if let Some(row) = rows.iter().find(|row| row.len() != columns.len()) {
            panic!("a row with {} cells for {} columns", row.len(), columns.len());
        }
        Self { columns, affected: rows.len() as u64, rows, is_truncated: false }
    }

    /// Creates the result of a statement that affected this number of rows, and returned none.
    pub fn affecting(rows: u64) -> Self {
        Self { affected: rows, ..Self::default() }
    }

    /// Returns the columns.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Returns the number of rows.
    pub const fn len(&self) -> usize {
        self.rows.len()
    }

    /// Returns true if there are no rows.
    pub const fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Returns the number of rows that the statement affected or returned, as the database counted them.
    pub const fn affected(&self) -> u64 {
        self.affected
    }

    /// Returns true if there are more rows than these.
    pub const fn is_truncated(&self) -> bool {
        self.is_truncated
    }

    /// Returns a cell, or `None` if there is no such row or column.
    pub fn cell(&self, row: usize, column: &str) -> Option<&SqlValue> {
        let at = self.columns.iter().position(|known| known.name == column)?;
        self.rows.get(row)?.get(at)
    }

    /// Returns the rows.
    pub fn iter(&self) -> impl Iterator<Item = RowRef<'_>> {
        (1..).zip(&self.rows).map(|(number, cells)| RowRef::new(&self.columns, cells, number))
    }

    /// Reads all rows.
    ///
    /// # Errors
    /// `internal` if a row does not fit the type.
    pub fn all<T: Row>(&self) -> Result<Vec<T>, Failure> {
        self.iter().map(|row| read(row)).collect()
    }

    /// Reads the only row, or returns `None` if there is none.
    ///
    /// # Errors
    /// `internal` if there are several rows, or the row does not fit the type.
    pub fn optional<T: Row>(&self) -> Result<Option<T>, Failure> {
        if self.rows.len() > 1 || self.is_truncated {
            let message =
                "the statement returned several rows where one was expected: add a condition, or read all";
            let error = EffectError::new(EffectErrorKind::Malformed, message);
            return Err(Failure::internal("sql").because(&error));
        }
        self.iter().next().map(|row| read(row)).transpose()
    }

    /// Reads the only row.
    ///
    /// # Errors
    /// `not_found` if there is no row, and `internal` if there are several, or the row does not fit the type.
    pub fn one<T: Row>(&self) -> Result<T, Failure> {
        self.optional()?.ok_or_else(|| Failure::not_found("row", ""))
    }
}

fn read<T: Row>(row: RowRef<'_>) -> Result<T, Failure> {
    T::from_row(row).map_err(|error| Failure::internal("sql").because(&error))
}

/// Writes `3 rows` or `1 row affected`.
impl fmt::Display for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = |count: u64| if count == 1 { "row" } else { "rows" };
        if self.columns.is_empty() {
            return write!(f, "{} {} affected", self.affected, unit(self.affected));
        }
        let count = self.rows.len() as u64;
        write!(f, "{count} {}", unit(count))?;
        if self.is_truncated { f.write_str(", truncated") } else { Ok(()) }
    }
}

/// Cells of a row for [`Rows::of`]: a tuple of values.
pub trait Cells {
    /// Returns the cells.
    fn into_cells(self) -> Vec<SqlValue>;
}

macro_rules! tuples {
    ($($cell:ident)+) => {
        impl<$($cell: ToSqlValue),+> Cells for ($($cell,)+) {
            #[allow(non_snake_case)]
            fn into_cells(self) -> Vec<SqlValue> {
                let ($($cell,)+) = self;
                vec![$($cell.to_sql_value()),+]
            }
        }
    };
}

tuples!(A);
tuples!(A B);
tuples!(A B C);
tuples!(A B C D);
tuples!(A B C D E);
tuples!(A B C D E F);
tuples!(A B C D E F G);
tuples!(A B C D E F G H);
tuples!(A B C D E F G H I);
tuples!(A B C D E F G H I J);
tuples!(A B C D E F G H I J K);
tuples!(A B C D E F G H I J K L);
