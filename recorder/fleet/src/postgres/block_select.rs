//! Statements that select blocks.

use tokio_postgres::types::{ToSql, Type};
use zerver_recorder::{BlockBounds, Order, Wanted, slot_keys};
use zerver_trace::{Query, RequestId};

use crate::postgres::block_columns::{NARROW_MS, day_of, id_bytes, number};
use crate::postgres::connection::Parameter;

/// Columns of a selected block.
const COLUMNS: &str = "b.at, b.day, b.node, b.seq, b.max_ns, b.head, b.summaries";

/// A statement and its parameters, which are numbered as they are added.
pub(super) struct BlockSelect {
    from: String,
    conditions: Vec<String>,
    parameters: Vec<(Box<dyn ToSql + Sync>, Type)>,
    order: Order,
    /// Statement that limits the result to the first of another order.
    only_first_by: Option<&'static str>,
}

impl BlockSelect {
    /// Returns the selection of the blocks that are wanted and lie before the position `end`.
    pub(super) fn new(wanted: &Wanted<'_>, order: Order, end: u64) -> Self {
        let mut select = Self {
            from: "{ns}.block b".to_owned(),
            conditions: Vec::new(),
            parameters: Vec::new(),
            order,
            only_first_by: None,
        };
        let end = select.add(number(end), Type::INT8);
        select.conditions.push(format!("b.at < {end}"));
        match wanted {
            Wanted::Every => {}
            Wanted::Matching(query) => select.add_query(query),
            Wanted::Ids(first, last) => select.add_ids(*first, *last),
            Wanted::AnyOf(ids) => select.add_any_of(ids, ""),
            Wanted::Around(ids) => select.add_any_of(
                ids,
                " union all (select c.day, c.at from {ns}.block c where c.max_id < w.id and c.at < $1 \
                 order by c.max_id desc limit 1) \
                 union all (select c.day, c.at from {ns}.block c where c.min_id > w.id and c.at < $1 \
                 order by c.min_id limit 1)",
            ),
            Wanted::Slowest(flow) => {
                select.add_extreme(*flow, "p.slowest_ns", "p.slowest_ns desc, p.max_ns desc, p.at desc");
            }
            Wanted::Fastest(flow) => {
                select.add_extreme(*flow, "p.fastest_ns", "p.fastest_ns, p.max_ns desc, p.at desc");
            }
        }
        select
    }

    fn add(&mut self, value: impl ToSql + Sync + 'static, of: Type) -> String {
        self.parameters.push((Box::new(value), of));
        format!("${}", self.parameters.len())
    }

    fn add_query(&mut self, query: &Query) {
        if let Some(since) = query.since_unix_ns {
            let (ns, day) = (self.add(number(since), Type::INT8), self.add(day_of(since), Type::INT4));
            self.conditions.push(format!("b.max_ns >= {ns} and b.day >= {day}"));
        }
        if let Some(until) = query.until_unix_ns {
            let ns = self.add(number(until), Type::INT8);
            self.conditions.push(format!("b.min_ns < {ns}"));
        }
        if let Some((from, until)) = query.in_progress_unix_ns {
            let (from, until) = (self.add(number(from), Type::INT8), self.add(number(until), Type::INT8));
            self.conditions.push(format!("b.min_ns <= {until} and b.max_ns >= {from} - b.longest_ns"));
        }
        if let Some(status) = query.status {
            let bit = self.add(i16::from(BlockBounds::status_bit(status)), Type::INT2);
            self.conditions.push(format!("(b.statuses & {bit}) <> 0"));
        }
        for keys in query.slots.iter().filter_map(slot_keys) {
            let keys: Vec<i64> = keys.into_iter().map(u64::cast_signed).collect();
            let keys = self.add(keys, Type::INT8_ARRAY);
            self.conditions.push(format!("b.slots && {keys}"));
        }
        let mut of_part = Vec::new();
        if let Some(flow) = &query.flow {
            let flow = self.add(flow.clone(), Type::TEXT);
            of_part.push(format!("p.flow = {flow}"));
        }
        if query.only_failed {
            of_part.push("p.failed > 0".to_owned());
        }
        if let Some(ns) = query.slower_than_ns {
            let ns = self.add(number(ns), Type::INT8);
            of_part.push(format!("p.longest_ns > {ns}"));
        }
        if !of_part.is_empty() {
            let of_part = of_part.join(" and ");
            self.conditions.push(format!(
                "exists (select from {{ns}}.part p where p.day = b.day and p.at = b.at and {of_part})"
            ));
        }
    }

    fn add_ids(&mut self, first: RequestId, last: RequestId) {
        let low = self.add(id_bytes(before(first)), Type::BYTEA);
        let first = self.add(id_bytes(first), Type::BYTEA);
        let last = self.add(id_bytes(last), Type::BYTEA);
        self.conditions.push(format!(
            "((b.min_id >= {low} and b.min_id <= {last} and b.max_id >= {first}) or (b.wide and b.max_id >= {first} \
             and b.min_id <= {last}))"
        ));
    }

    /// Selects blocks that may contain one of the ids, and more of them.
    fn add_any_of(&mut self, ids: &[RequestId], more: &str) {
        let lows: Vec<Vec<u8>> = ids.iter().map(|id| id_bytes(before(*id))).collect();
        let lows = self.add(lows, Type::BYTEA_ARRAY);
        let ids = self.add(ids.iter().map(|id| id_bytes(*id)).collect::<Vec<_>>(), Type::BYTEA_ARRAY);
        self.conditions.push(format!(
            "(b.day, b.at) in (select f.day, f.at from unnest({lows}, {ids}) as w(low, id), lateral (\
             select c.day, c.at from {{ns}}.block c where c.min_id >= w.low and c.min_id <= w.id and c.max_id >= w.id \
             union all select c.day, c.at from {{ns}}.block c where c.wide and c.max_id >= w.id and c.min_id <= w.id\
             {more}) f)"
        ));
    }

    fn add_extreme(&mut self, flow: Option<&str>, column: &str, order: &'static str) {
        self.from.push_str(" join {ns}.part p on p.day = b.day and p.at = b.at");
        self.conditions.push(format!("{column} is not null"));
        if let Some(flow) = flow {
            let flow = self.add(flow.to_owned(), Type::TEXT);
            self.conditions.push(format!("p.flow = {flow}"));
        }
        self.only_first_by = Some(order);
    }

    /// Returns the statement for the next `limit` blocks, after that with this time and position.
    pub(super) fn statement(&self, after: Option<(i64, i64)>, limit: usize) -> String {
        let conditions = self.conditions.join(" and ");
        if let Some(order) = self.only_first_by {
            let none = if after.is_some() { " and false" } else { "" };
            return format!(
                "select {COLUMNS} from {} where {conditions}{none} order by {order} limit 1",
                self.from
            );
        }
        let (sign, direction) = match self.order {
            Order::NewestFirst => ("<", " desc"),
            Order::OldestFirst => (">", ""),
        };
        let page = after.map_or_else(String::new, |(max_ns, at)| {
            format!(" and (b.max_ns, b.at) {sign} ({max_ns}, {at})")
        });
        format!(
            "select {COLUMNS} from {} where {conditions}{page} order by b.max_ns{direction}, b.at{direction} limit {limit}",
            self.from
        )
    }

    pub(super) fn parameters(&self) -> Vec<Parameter<'_>> {
        self.parameters.iter().map(|(value, of)| (&**value, of.clone())).collect()
    }
}

/// Returns the lowest id that a narrow block may begin with, if it contains this id.
fn before(id: RequestId) -> RequestId {
    RequestId::from_u128(id.as_u128().saturating_sub(u128::from(NARROW_MS + 1) << 80))
}

/// Statement for positions within a range, in the order of arrival.
pub(super) fn by_position(order: Order, limit: usize) -> String {
    let direction = if order == Order::NewestFirst { " desc" } else { "" };
    format!(
        "select {COLUMNS} from {{ns}}.block b where b.at >= $1 and b.at < $2 order by b.at{direction} limit {limit}"
    )
}

#[cfg(test)]
mod tests {
    use zerver_trace::SlotCondition;

    use super::*;

    #[test]
    fn values_of_slots_are_looked_for_in_their_index() {
        let condition = |values: &[&str]| SlotCondition {
            slot: "UserId".to_owned(),
            path: Vec::new(),
            values: values.iter().map(|value| (*value).to_owned()).collect(),
        };
        // The text of a list is no key.
        let query =
            Query { slots: vec![condition(&["ann", "bob"]), condition(&["[1]"])], ..Query::default() };
        let select = BlockSelect::new(&Wanted::Matching(&query), Order::NewestFirst, 10);
        let statement = select.statement(None, 5);
        assert!(statement.contains("b.slots && $2 order"), "{statement}");
        assert_eq!(select.parameters().len(), 2);
    }
}
