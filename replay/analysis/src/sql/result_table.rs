//! Results of statements as tables.

use zerver_trace::{Node, Recorded};

use super::KIND;
use crate::{Effect, EffectEnd};

/// The rows that one statement returned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResultTable {
    /// Names of the columns.
    pub columns: Vec<String>,
    /// Cells of each row, as text. NULL is `None`.
    pub rows: Vec<Vec<Option<String>>>,
    /// True if there were more rows than were read.
    pub is_truncated: bool,
}

impl ResultTable {
    /// Returns the results of an effect, one for each statement that returned rows. Empty for other effects, for
    /// statements that failed, and for results that contain a secret.
    pub fn of(effect: &Effect) -> Vec<Self> {
        match &effect.end {
            EffectEnd::Ok { output, .. } if effect.kind == KIND => Self::of_output(output),
            _ => Vec::new(),
        }
    }

    fn of_output(output: &Recorded) -> Vec<Self> {
        let Some(value) = output.value() else { return Vec::new() };
        let root = value.root();
        let results = root.field("results");
        let Some(Node::Seq(results)) = results.map(unwrapped) else { return Vec::new() };
        results.iter().filter_map(Self::of_result).collect()
    }

    fn of_result(result: &Node<'_>) -> Option<Self> {
        let Node::Seq(columns) = result.field("columns")? else { return None };
        let columns: Vec<_> = columns
            .iter()
            .map(|column| match column.field("name") {
                Some(Node::Str(name)) => Some((*name).to_owned()),
                _ => None,
            })
            .collect::<Option<_>>()?;
        if columns.is_empty() {
            return None;
        }
        let rows = match result.field("rows")? {
            Node::Seq(rows) => rows.iter().map(cells).collect::<Option<Vec<_>>>()?,
            _ => return None,
        };
        let is_truncated = matches!(result.field("truncated"), Some(Node::Bool(true)));
        // A row with other columns than the result is not one that the runtime has written.
        rows.iter().all(|row| row.len() == columns.len()).then_some(Self { columns, rows, is_truncated })
    }
}

fn unwrapped<'n, 'v>(node: &'n Node<'v>) -> &'n Node<'v> {
    match node {
        Node::Some(inner) => inner,
        other => other,
    }
}

/// Returns the cells of a row, which is recorded as a map from the names of the columns.
fn cells(row: &Node<'_>) -> Option<Vec<Option<String>>> {
    match row {
        Node::Map(cells) => Some(cells.iter().map(|(_, cell)| text(cell)).collect()),
        Node::Struct(cells) => Some(cells.iter().map(|(_, cell)| text(cell)).collect()),
        _ => None,
    }
}

fn text(cell: &Node<'_>) -> Option<String> {
    match cell {
        Node::Unit | Node::None => None,
        Node::Some(inner) | Node::Variant(_, Some(inner)) => text(inner),
        Node::Str(text) => Some((*text).to_owned()),
        other => Some(other.to_string()),
    }
}
