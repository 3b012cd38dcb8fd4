//! Plans: how a database performs a statement. Drivers read them from their database.

use std::fmt::Write as _;

use xxhash_rust::xxh3::xxh3_64;
use zerver_engine::{EffectError, EffectErrorKind};
use zerver_trace::PlanShape;

use super::rows::Rows;
use super::sql_kind::{Sql, Statement};
use super::value::SqlValue;
use crate::effects::{Explain, Explanation};

/// Plan of a statement.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// Nodes at the top. PostgreSQL has one.
    pub nodes: Vec<PlanNode>,
    /// Facts about the whole, such as `execution 1.20 ms`.
    pub notes: Vec<String>,
    /// Plan as the database gave it, as JSON.
    pub json: String,
}

/// Operation of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PlanNode {
    /// Operation: `Index Scan using todos_pkey on todos`. It is the same for each plan of the same form.
    pub operation: String,
    /// Numbers, estimated or measured: `cost 0.29..8.30`, `1 row`.
    pub numbers: Vec<String>,
    /// Expressions, in which values of parameters can appear: `Index Cond: (id = 7)`.
    pub expressions: Vec<String>,
    /// Operations that provide its input.
    pub children: Vec<Self>,
}

impl Plan {
    /// Returns the lines of the plan for a reader, each level indented by two blanks.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        self.nodes.iter().for_each(|node| node.write(0, &mut lines));
        lines.extend(self.notes.iter().cloned());
        lines
    }

    /// Returns the form of the plan without numbers and expressions: `Nested Loop(Seq Scan on a, Index Scan using b_pkey on
    /// b)`.
    pub fn shape(&self) -> String {
        let mut shape = String::new();
        write_shapes(&self.nodes, &mut shape);
        shape
    }

    /// Returns the name of the point that records the form of the plan.
    pub(super) fn point(&self) -> String {
        let shape = self.shape();
        PlanShape::point(xxh3_64(shape.as_bytes()), &shape)
    }

    /// Removes all expressions, in which values of parameters appear.
    #[must_use]
    pub fn without_expressions(mut self) -> Self {
        self.nodes.iter_mut().for_each(PlanNode::remove_expressions);
        self
    }

    /// Returns the plan as the explanation of a statement.
    pub fn into_explanation(self, statement: &Statement) -> Explanation {
        Explanation { subject: statement.text.clone().into_owned(), lines: self.lines(), json: self.json }
    }
}

impl PlanNode {
    fn write(&self, depth: usize, lines: &mut Vec<String>) {
        let indent = "  ".repeat(depth);
        let numbers = self.numbers.join(", ");
        let gap = if numbers.is_empty() { "" } else { "   " };
        lines.push(format!("{indent}{}{gap}{numbers}", self.operation));
        lines.extend(self.expressions.iter().map(|expression| format!("{indent}    {expression}")));
        self.children.iter().for_each(|child| child.write(depth + 1, lines));
    }

    fn remove_expressions(&mut self) {
        self.expressions.clear();
        self.children.iter_mut().for_each(Self::remove_expressions);
    }
}

fn write_shapes(nodes: &[PlanNode], out: &mut String) {
    for (at, node) in nodes.iter().enumerate() {
        let separator = if at > 0 { ", " } else { "" };
        let _ = write!(out, "{separator}{}", node.operation);
        if !node.children.is_empty() {
            out.push('(');
            write_shapes(&node.children, out);
            out.push(')');
        }
    }
}

/// Returns the statements of a recorded call with the values of their parameters, for a driver that explains them.
///
/// # Errors
/// `invalid` if the statements may be performed to measure them and one of them is not recognized as a SELECT, or a
/// parameter comes from a result that was not recorded.
pub fn explained_statements(call: &Explain<'_, Sql>) -> Result<Vec<(Statement, Vec<SqlValue>)>, EffectError> {
    let earlier: &[Rows] = call.output.and_then(|reply| reply.result.as_deref().ok()).unwrap_or_default();
    let statement = |(number, statement): (usize, &Statement)| {
        if call.analyze && !statement.is_read() {
            let message = format!(
                "--analyze performs the statement, and statement {number} is not recognized as one that only reads"
            );
            return Err(EffectError::new(EffectErrorKind::Invalid, message));
        }
        Ok((statement.clone(), statement.resolved_params(&earlier[..number.min(earlier.len())])?))
    };
    call.args.statements.iter().enumerate().map(statement).collect()
}

#[cfg(test)]
mod tests {
    use super::super::{Reply, batch, out, query};
    use super::*;

    fn node(operation: &str, children: Vec<PlanNode>) -> PlanNode {
        PlanNode {
            operation: operation.to_owned(),
            numbers: vec!["cost 0..1".to_owned(), "1 row".to_owned()],
            expressions: vec!["Filter: (a = 7)".to_owned()],
            children,
        }
    }

    #[test]
    fn a_plan_is_a_tree_and_its_shape_has_no_values() {
        let scans = vec![node("Seq Scan on a", vec![]), node("Index Scan using b_pkey on b", vec![])];
        let notes = vec!["execution 1.00 ms".to_owned()];
        let plan = Plan { nodes: vec![node("Nested Loop", scans)], notes, json: "[]".to_owned() };
        assert_eq!(plan.shape(), "Nested Loop(Seq Scan on a, Index Scan using b_pkey on b)");
        assert_eq!(
            plan.lines()[..3],
            ["Nested Loop   cost 0..1, 1 row", "    Filter: (a = 7)", "  Seq Scan on a   cost 0..1, 1 row",]
        );
        let point = plan.point();
        let plan = plan.without_expressions();
        assert!(plan.lines().iter().all(|line| !line.contains('7')), "{plan:?}");
        assert_eq!(plan.point(), point);
        assert_eq!(PlanShape::parse(&point).unwrap().text, plan.shape());
    }

    #[test]
    fn parameters_come_from_recorded_results() {
        let insert = || query("insert into t values (1) returning id");
        let args = batch([insert(), query("select $1").bind(out(0, "id"))]).into_kind();
        let reply = Reply::new(Ok(vec![Rows::of(["id"], [(7,)]), Rows::of(["a"], [(7,)])]));
        let of = |output, analyze| explained_statements(&Explain { args: &args, output, analyze });
        assert_eq!(of(Some(&reply), false).unwrap()[1].1, [SqlValue::Int(7)]);
        assert!(of(None, false).unwrap_err().message.contains("does not exist"));
        assert!(of(Some(&reply), true).unwrap_err().message.contains("statement 0 is not recognized"));
    }
}
