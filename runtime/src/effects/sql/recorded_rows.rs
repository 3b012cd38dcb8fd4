//! The recorded form of rows: a list of columns, and for each row a map from the names of the columns to the cells.
//!
//! Each cell stands under the name of its column, so that the rule for secrets recognizes a column such as
//! `password_hash`, and the differences of two results are named by column.

use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::ser::{SerializeMap, SerializeStruct};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::rows::{Column, Rows};
use super::value::SqlValue;

/// Rows as they are read from a recording or a test. Everything may be missing.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct RecordedRows {
    pub(super) columns: Vec<Column>,
    pub(super) rows: Vec<RecordedRow>,
    pub(super) affected: u64,
    pub(super) truncated: bool,
}

/// Names and cells of one row, in the order in which they were read.
pub(super) struct RecordedRow(Vec<(String, SqlValue)>);

impl<'de> Deserialize<'de> for RecordedRow {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct RowVisitor;

        impl<'de> Visitor<'de> for RowVisitor {
            type Value = RecordedRow;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a row: columns with their cells")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RecordedRow, A::Error> {
                let mut cells = Vec::with_capacity(map.size_hint().unwrap_or_default().min(64));
                while let Some(cell) = map.next_entry()? {
                    cells.push(cell);
                }
                Ok(RecordedRow(cells))
            }
        }

        deserializer.deserialize_map(RowVisitor)
    }
}

impl TryFrom<RecordedRows> for Rows {
    type Error = String;

    /// Puts the cells into the order of the columns, which JSON may have changed. Without columns, those of the first row
    /// count.
    fn try_from(recorded: RecordedRows) -> Result<Self, String> {
        let mut columns = recorded.columns;
        if let (true, Some(RecordedRow(first))) = (columns.is_empty(), recorded.rows.first()) {
            columns = first.iter().map(|(name, cell)| Column::new(name, cell.type_name())).collect();
        }
        let mut rows = Vec::with_capacity(recorded.rows.len());
        for (RecordedRow(mut cells), number) in recorded.rows.into_iter().zip(1..) {
            let mut row = Vec::with_capacity(columns.len());
            for column in &columns {
                let at = cells.iter().position(|(name, _)| *name == column.name);
                let at = at.ok_or_else(|| format!("row {number} has no column {}", column.name))?;
                row.push(cells.remove(at).1);
            }
            if let Some((name, _)) = cells.first() {
                return Err(format!("row {number} has another column, {name}"));
            }
            rows.push(row);
        }
        let (affected, is_truncated) = (recorded.affected, recorded.truncated);
        Ok(Self { columns: columns.into(), rows, affected, is_truncated })
    }
}

impl Serialize for Rows {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Rows", 4)?;
        fields.serialize_field("columns", &self.columns)?;
        fields.serialize_field("rows", &RowMaps(self))?;
        fields.serialize_field("affected", &self.affected)?;
        fields.serialize_field("truncated", &self.is_truncated)?;
        fields.end()
    }
}

impl<'de> Deserialize<'de> for Rows {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        RecordedRows::deserialize(deserializer)?.try_into().map_err(serde::de::Error::custom)
    }
}

struct RowMaps<'r>(&'r Rows);

impl Serialize for RowMaps<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Rows { columns, rows, .. } = self.0;
        serializer.collect_seq(rows.iter().map(|cells| RowMap { columns, cells }))
    }
}

struct RowMap<'r> {
    columns: &'r [Column],
    cells: &'r [SqlValue],
}

impl Serialize for RowMap<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Not a struct, because columns may have equal names, and names of any length.
        let mut map = serializer.serialize_map(Some(self.cells.len()))?;
        for (column, cell) in self.columns.iter().zip(self.cells) {
            map.serialize_entry(&*column.name, cell)?;
        }
        map.end()
    }
}
