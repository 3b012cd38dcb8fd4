//! Groups of requests, one line each.

use zerver_trace::duration;
use zerver_trace::text::clean;

use super::style;
use super::table::{Column, Table};
use crate::args::GroupKey;
use crate::requests::groups::RequestGroup;

/// Returns a table of groups. `only_count` leaves out how long the requests took.
pub(crate) fn table(
    groups: &[RequestGroup],
    keys: &[GroupKey],
    only_count: bool,
    columns: Option<usize>,
) -> String {
    let mut titles: Vec<_> = keys
        .iter()
        .map(|key| match key {
            GroupKey::Path => Column::Shrinks(key.name()),
            _ => Column::Left(key.name()),
        })
        .collect();
    titles.push(Column::Right("requests"));
    if !only_count {
        titles.extend([Column::Right("p50"), Column::Right("p99")]);
    }
    let mut table = Table::new(&titles);
    for group in groups {
        let values = keys.iter().map(|key| match group.key.get(key.name()).map(String::as_str) {
            None | Some("") => (style::FAINT, "-".to_owned()),
            Some(value) => (style::PLAIN, clean(value).into_owned()),
        });
        let mut cells: Vec<_> = values.collect();
        cells.push((style::PLAIN, group.count.to_string()));
        if !only_count {
            cells.extend([group.p50_ns, group.p99_ns].map(|ns| (style::PLAIN, duration::show(ns))));
        }
        table.row(cells);
    }
    table.draw(columns)
}
