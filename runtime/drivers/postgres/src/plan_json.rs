//! Reads the plans that PostgreSQL gives as JSON.

use serde_json::{Map, Value};
use zerver::effects::sql::{Plan, PlanNode};

/// Fields that contain expressions, and so possibly values of parameters.
const EXPRESSIONS: [&str; 12] = [
    "Index Cond",
    "Recheck Cond",
    "TID Cond",
    "Hash Cond",
    "Merge Cond",
    "Join Filter",
    "One-Time Filter",
    "Filter",
    "Order By",
    "Sort Key",
    "Group Key",
    "Cache Key",
];

/// Fields with text that no parameter determines.
const NAMES: [&str; 22] = [
    "Node Type",
    "Parent Relationship",
    "Subplan Name",
    "Strategy",
    "Partial Mode",
    "Operation",
    "Join Type",
    "Scan Direction",
    "Relation Name",
    "Schema",
    "Alias",
    "Index Name",
    "CTE Name",
    "Function Name",
    "Tuplestore Name",
    "Command",
    "Cache Mode",
    "Sort Method",
    "Sort Space Type",
    "Async Capable",
    "Presorted Key",
    "Custom Plan Provider",
];

/// Reads a plan. Without `has_secret`, its JSON is the one that the server gave.
pub(crate) fn parse(json: &str, has_secret: bool) -> Result<Plan, String> {
    let mut parsed: Value = serde_json::from_str(json).map_err(|error| error.to_string())?;
    if has_secret {
        remove_texts(&mut parsed);
    }
    let explained = parsed.get(0).and_then(Value::as_object).ok_or("it is not a list with an object")?;
    let root = explained.get("Plan").and_then(Value::as_object).ok_or("it has no plan")?;
    let time = |field: &str| explained.get(field).and_then(Value::as_f64);
    let times = [("planning", time("Planning Time")), ("execution", time("Execution Time"))];
    let notes = times.into_iter().filter_map(|(name, ms)| Some(format!("{name} {:.3} ms", ms?)));
    let plan = Plan { nodes: vec![node(root)], notes: notes.collect(), json: parsed.to_string() };
    Ok(if has_secret { plan.without_expressions() } else { plan })
}

/// Removes all texts that a parameter may determine.
fn remove_texts(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, field| match field {
                Value::String(_) => NAMES.contains(&name.as_str()),
                Value::Array(items) => !items.iter().any(Value::is_string),
                _ => true,
            });
            fields.values_mut().for_each(remove_texts);
        }
        Value::Array(items) => items.iter_mut().for_each(remove_texts),
        _ => {}
    }
}

fn node(fields: &Map<String, Value>) -> PlanNode {
    let children = fields.get("Plans").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    PlanNode {
        operation: operation(fields),
        numbers: numbers(fields),
        expressions: EXPRESSIONS.iter().filter_map(|name| expression(fields, name)).collect(),
        children: children.iter().filter_map(Value::as_object).map(node).collect(),
    }
}

/// Returns the operation in the words that the server uses in plans as text.
fn operation(fields: &Map<String, Value>) -> String {
    let text = |name: &str| fields.get(name).and_then(Value::as_str);
    let kind = text("Node Type").unwrap_or("unknown operation");
    let mut operation = match (kind, text("Strategy"), text("Join Type")) {
        ("ModifyTable", ..) => text("Operation").unwrap_or(kind).to_owned(),
        ("Aggregate", Some("Hashed"), _) => "HashAggregate".to_owned(),
        ("Aggregate", Some("Sorted"), _) => "GroupAggregate".to_owned(),
        ("Aggregate", Some("Mixed"), _) => "MixedAggregate".to_owned(),
        (_, _, Some("Inner") | None) => kind.to_owned(),
        ("Nested Loop", _, Some(join)) => format!("{kind} {join} Join"),
        (_, _, Some(join)) => kind.replacen(" Join", &format!(" {join} Join"), 1),
    };
    if fields.get("Parallel Aware").and_then(Value::as_bool) == Some(true) {
        operation.insert_str(0, "Parallel ");
    }
    if text("Scan Direction") == Some("Backward") {
        operation += " Backward";
    }
    if let Some(index) = text("Index Name") {
        operation += if kind == "Bitmap Index Scan" { " on " } else { " using " };
        operation += index;
    }
    let relation = text("Relation Name").or(text("Function Name")).or(text("CTE Name"));
    let alias = text("Alias");
    match (relation, alias) {
        (Some(relation), Some(alias)) if alias != relation => operation += &format!(" on {relation} {alias}"),
        (Some(name), _) | (None, Some(name)) => operation += &format!(" on {name}"),
        (None, None) => {}
    }
    match text("Subplan Name") {
        Some(name) => format!("{name}: {operation}"),
        None => operation,
    }
}

fn numbers(fields: &Map<String, Value>) -> Vec<String> {
    let number = |name: &str| fields.get(name).and_then(Value::as_f64);
    let rows = |count: f64| if count == 1.0 { "1 row".to_owned() } else { format!("{count} rows") };
    let mut numbers = Vec::new();
    if let (Some(start), Some(total)) = (number("Startup Cost"), number("Total Cost")) {
        numbers.push(format!("cost {start:.2}..{total:.2}"));
    }
    if let Some(count) = number("Plan Rows") {
        numbers.push(format!("{} expected", rows(count)));
    }
    let loops = number("Actual Loops");
    match (number("Actual Total Time"), number("Actual Rows")) {
        _ if loops == Some(0.0) => numbers.push("never performed".to_owned()),
        (Some(ms), Some(count)) => numbers.push(format!("{} in {ms:.3} ms", rows(count))),
        _ => {}
    }
    if let Some(loops) = loops.filter(|loops| *loops > 1.0) {
        numbers.push(format!("{loops} times"));
    }
    for name in ["Rows Removed by Filter", "Rows Removed by Index Recheck", "Rows Removed by Join Filter"] {
        if let Some(count) = number(name).filter(|count| *count > 0.0) {
            numbers.push(format!("{} {}", rows(count), name.trim_start_matches("Rows ").to_lowercase()));
        }
    }
    numbers
}

fn expression(fields: &Map<String, Value>, name: &str) -> Option<String> {
    match fields.get(name)? {
        Value::String(text) => Some(format!("{name}: {text}")),
        Value::Array(items) => {
            let items: Vec<_> = items.iter().filter_map(Value::as_str).collect();
            Some(format!("{name}: {}", items.join(", ")))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From PostgreSQL 17.
    const PLAN: &str = r#"[{"Plan": {"Node Type": "Hash Join", "Parallel Aware": false, "Join Type": "Left",
        "Startup Cost": 1.045, "Total Cost": 2.1, "Plan Rows": 3, "Plan Width": 8,
        "Hash Cond": "(a.id = b.id)", "Plans": [
            {"Node Type": "Seq Scan", "Parent Relationship": "Outer", "Parallel Aware": true, "Relation Name": "a",
             "Alias": "a", "Startup Cost": 0, "Total Cost": 1, "Plan Rows": 1, "Filter": "(token = 'hunter2'::text)",
             "Actual Startup Time": 0.1, "Actual Total Time": 0.25, "Actual Rows": 1, "Actual Loops": 2,
             "Rows Removed by Filter": 7},
            {"Node Type": "Index Scan", "Scan Direction": "Backward", "Index Name": "b_pkey", "Relation Name": "b",
             "Alias": "other", "Index Cond": "(id = 7)", "Actual Loops": 0, "Output": ["hunter2"]}]},
        "Planning Time": 0.5, "Query Identifier": 1}]"#;

    #[test]
    fn a_plan_reads_like_one_of_the_server() {
        let plan = parse(PLAN, false).unwrap();
        assert_eq!(
            plan.lines(),
            [
                "Hash Left Join   cost 1.04..2.10, 3 rows expected",
                "    Hash Cond: (a.id = b.id)",
                "  Parallel Seq Scan on a   cost 0.00..1.00, 1 row expected, 1 row in 0.250 ms, 2 times, 7 rows removed by filter",
                "      Filter: (token = 'hunter2'::text)",
                "  Index Scan Backward using b_pkey on b other   never performed",
                "      Index Cond: (id = 7)",
                "planning 0.500 ms",
            ]
        );
        assert_eq!(plan.json, serde_json::from_str::<Value>(PLAN).unwrap().to_string());
    }

    #[test]
    fn a_plan_with_a_secret_has_no_expressions() {
        let (plan, open) = (parse(PLAN, true).unwrap(), parse(PLAN, false).unwrap());
        let shown = format!("{plan:?}");
        assert!(!shown.contains("hunter2") && !shown.contains("= 7"), "{shown}");
        assert!(shown.contains("b_pkey") && shown.contains("Total Cost"), "{shown}");
        assert_eq!(plan.shape(), open.shape());
    }

    #[test]
    fn anything_else_is_an_error() {
        for json in ["", "7", "[]", "[{}]", "[{\"Plan\": 1}]"] {
            assert!(parse(json, false).is_err(), "{json}");
        }
        assert_eq!(parse("[{\"Plan\": {}}]", false).unwrap().shape(), "unknown operation");
    }
}
