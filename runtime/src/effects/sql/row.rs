//! Rows as types of the service.

use super::from_value::FromSqlValue;
use super::rows::Column;
use super::value::SqlValue;

/// A type that a row can be read as. `#[derive(sql::Row)]` implements it for a struct with a field for each column;
/// tuples of up to 12 cells implement it by position, and single values for results with one column.
///
/// ```
/// use zerver::effects::sql;
///
/// #[derive(sql::Row)]
/// struct Article {
///     id: i64,
///     title: String,
///     #[row(rename = "published_at")]
///     published: Option<sql::Timestamp>,
///     #[row(flatten)]
///     author: Author,
/// }
///
/// #[derive(sql::Row)]
/// struct Author {
///     name: String,
/// }
/// ```
///
/// A field of type `Option` is `None` for NULL. A column without a field is ignored, and a field without a column is an
/// error, unless it has `#[row(default)]`. `#[row(flatten)]` reads a field that is a row itself from the same columns.
pub trait Row: Sized {
    /// Reads a row.
    ///
    /// # Errors
    /// A [`RowError`] that names the column, its type and the value.
    fn from_row(row: RowRef<'_>) -> Result<Self, RowError>;
}

/// Error for a row that does not fit its type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct RowError(String);

/// A row of a result.
#[derive(Debug, Clone, Copy)]
pub struct RowRef<'r> {
    columns: &'r [Column],
    cells: &'r [SqlValue],
    number: u32,
}

impl<'r> RowRef<'r> {
    pub(super) const fn new(columns: &'r [Column], cells: &'r [SqlValue], number: u32) -> Self {
        Self { columns, cells, number }
    }

    /// Returns the cells.
    pub const fn cells(&self) -> &'r [SqlValue] {
        self.cells
    }

    /// Reads the cell of a column. If several have this name, the first counts.
    ///
    /// # Errors
    /// If there is no such column, or its value is not a `T`.
    pub fn get<T: FromSqlValue>(&self, column: &str) -> Result<T, RowError> {
        match self.find(column)? {
            Some(value) => Ok(value),
            None => {
                let known: Vec<_> = self.columns.iter().map(|column| column.name.as_str()).collect();
                Err(RowError(format!("the result has no column {column}; it has {}", known.join(", "))))
            }
        }
    }

    /// Reads the cell of a column, or returns `None` if there is no such column.
    ///
    /// # Errors
    /// If its value is not a `T`.
    pub fn find<T: FromSqlValue>(&self, column: &str) -> Result<Option<T>, RowError> {
        let at = self.columns.iter().position(|known| known.name == column);
        at.map(|at| self.at(at)).transpose()
    }

    /// Reads the cell at a position, from 0.
    ///
    /// # Errors
    /// If there is no such column, or its value is not a `T`.
    pub fn at<T: FromSqlValue>(&self, position: usize) -> Result<T, RowError> {
        let (Some(column), Some(cell)) = (self.columns.get(position), self.cells.get(position)) else {
            return Err(RowError(format!("the result has no column {position}")));
        };
        T::from_sql_value(cell).map_err(|reason| {
            let Column { name, type_name } = column;
            RowError(format!("column {name} ({type_name}) of row {} is {cell}: {reason}", self.number))
        })
    }

    fn check_width(&self, width: usize) -> Result<(), RowError> {
        if self.columns.len() == width {
            return Ok(());
        }
        let columns = self.columns.len();
        Err(RowError(format!(
            "the result has {columns} columns, but {width} are read: name the columns to select"
        )))
    }
}

macro_rules! tuples {
    ($($cell:ident)+) => {
        impl<$($cell: FromSqlValue),+> Row for ($($cell,)+) {
            #[allow(non_snake_case)]
            fn from_row(row: RowRef<'_>) -> Result<Self, RowError> {
                let mut width = 0;
                $(let $cell = width; width += 1;)+
                row.check_width(width)?;
                Ok(($(row.at::<$cell>($cell)?,)+))
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

/// Implements [`Row`] for single values, of a result with one column.
macro_rules! single_values {
    ($($type:ty),+) => {$(
        impl Row for $type {
            fn from_row(row: RowRef<'_>) -> Result<Self, RowError> {
                row.check_width(1)?;
                row.at(0)
            }
        }

        impl Row for Option<$type> {
            fn from_row(row: RowRef<'_>) -> Result<Self, RowError> {
                row.check_width(1)?;
                row.at(0)
            }
        }
    )+};
}

single_values!(
    bool,
    i16,
    i32,
    i64,
    u16,
    u32,
    u64,
    f32,
    f64,
    String,
    Vec<u8>,
    bytes::Bytes,
    super::Uuid,
    super::Timestamp,
    super::Date,
    super::Time,
    serde_json::Value,
    std::time::SystemTime,
    SqlValue
);
