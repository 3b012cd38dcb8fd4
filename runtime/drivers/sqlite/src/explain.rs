//! Plans of statements, which SQLite describes in words. Nothing is performed.

use rusqlite::Connection;
use serde_json::json;
use zerver::effects::sql::{Plan, PlanNode, SqlValue, Statement};
use zerver::prelude::*;

use crate::error_mapping::Stop;
use crate::perform::bind;

/// Returns the plan of a statement.
pub(crate) fn plan(
    connection: &Connection,
    statement: &Statement,
    values: &[SqlValue],
) -> Result<Plan, Stop> {
    let mut prepared = connection.prepare_cached(&format!("explain query plan {}", statement.text))?;
    bind(&mut prepared, values)?;
    let mut rows = prepared.raw_query();
    let mut operations: Vec<Operation> = Vec::new();
    while let Some(row) = rows.next()? {
        operations.push(Operation { id: row.get(0)?, parent: row.get(1)?, detail: row.get(3)? });
    }
    let json = operations
        .iter()
        .map(|operation| json!({"id": operation.id, "parent": operation.parent, "detail": operation.detail}));
    let json = serde_json::Value::from_iter(json).to_string();
    Ok(Plan { nodes: children(&operations, 0), notes: Vec::new(), json })
}

struct Operation {
    id: i64,
    /// Id of the operation that uses this one, or 0.
    parent: i64,
    detail: String,
}

/// Returns the operations below a parent, which precedes all of them.
fn children(operations: &[Operation], parent: i64) -> Vec<PlanNode> {
    let below = operations.iter().enumerate().filter(|(_, operation)| operation.parent == parent);
    let node = |(at, operation): (usize, &Operation)| PlanNode {
        operation: operation.detail.clone(),
        children: children(&operations[at + 1..], operation.id),
        ..PlanNode::default()
    };
    below.map(node).collect()
}

/// Returns the error for a request to measure statements.
pub(crate) fn cannot_analyze() -> EffectError {
    EffectError::new(EffectErrorKind::Invalid, "SQLite cannot measure a plan: leave out --analyze")
}
