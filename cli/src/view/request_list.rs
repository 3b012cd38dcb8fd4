//! Lists of requests, one line each.

use anstyle::Style;
use zerver_analysis::{Utc, rfc3339};
use zerver_trace::text::clean;
use zerver_trace::{Summary, implies_outcome};

use super::table::{Column, Table};
use super::{paint, style};
use crate::args::RequestColumn;
use crate::requests::fleet_nodes::FleetNodes;
use zerver_trace::duration;

/// Minimum width of a path, in columns.
const MIN_PATH: usize = 8;

/// Columns of a list, unless others are asked for.
const DEFAULT_COLUMNS: [RequestColumn; 9] = [
    RequestColumn::Id,
    RequestColumn::Age,
    RequestColumn::Method,
    RequestColumn::Path,
    RequestColumn::Status,
    RequestColumn::Took,
    RequestColumn::Flow,
    RequestColumn::Class,
    RequestColumn::Outcome,
];

/// Minimum number of digits of an id.
pub(crate) const MIN_DIGITS: usize = 8;

/// Returns a table of requests.
pub(crate) fn table(requests: &[Summary], digits: usize, now_unix_ns: u64, columns: Option<usize>) -> String {
    table_of_fleet(requests, None, digits, now_unix_ns, columns)
}

/// Returns a table of requests, with their nodes if there are some.
pub(crate) fn table_of_fleet(
    requests: &[Summary],
    nodes: Option<&FleetNodes>,
    digits: usize,
    now_unix_ns: u64,
    columns: Option<usize>,
) -> String {
    let mut shown = DEFAULT_COLUMNS.to_vec();
    if nodes.is_some() {
        shown.insert(2, RequestColumn::Node);
    }
    let mut table = Table::new(&shown.iter().map(|column| title(*column)).collect::<Vec<_>>());
    table.optional("class", 24);
    // Next to the status, most outcomes add nothing.
    let is_plain = |request: &Summary| match &*request.outcome {
        "done" => true,
        "failed" => request.status >= 400,
        _ => false,
    };
    let all_plain = requests.iter().all(is_plain);
    if all_plain {
        table.optional("outcome", 24);
    }
    table.optional("age", 12);
    table.optional("flow", 12);
    if !all_plain {
        table.optional("outcome", MIN_PATH);
    }
    for request in requests {
        table.row(shown.iter().map(|column| cell(*column, request, nodes, digits, now_unix_ns)).collect());
    }
    table.draw(columns)
}

/// Returns a table with these columns of requests.
pub(crate) fn table_of(
    shown: &[RequestColumn],
    requests: &[Summary],
    nodes: Option<&FleetNodes>,
    digits: usize,
    now_unix_ns: u64,
    columns: Option<usize>,
) -> String {
    let titles: Vec<_> = shown.iter().map(|column| title(*column)).collect();
    let mut table = Table::new(&titles);
    for request in requests {
        table.row(shown.iter().map(|column| cell(*column, request, nodes, digits, now_unix_ns)).collect());
    }
    table.draw(columns)
}

const fn title(column: RequestColumn) -> Column {
    match column {
        RequestColumn::Id => Column::Left("id"),
        RequestColumn::Age => Column::Right("age"),
        RequestColumn::Started => Column::Left("started"),
        RequestColumn::Method => Column::Left("method"),
        RequestColumn::Host => Column::Left("host"),
        RequestColumn::Path => Column::Shrinks("path"),
        RequestColumn::Status => Column::Right("status"),
        RequestColumn::Took => Column::Right("took"),
        RequestColumn::Flow => Column::Left("flow"),
        RequestColumn::Class => Column::Left("class"),
        RequestColumn::Outcome => Column::Left("outcome"),
        RequestColumn::Worker => Column::Right("worker"),
        RequestColumn::Node => Column::Left("node"),
    }
}

fn cell(
    column: RequestColumn,
    request: &Summary,
    nodes: Option<&FleetNodes>,
    digits: usize,
    now_unix_ns: u64,
) -> (Style, String) {
    let text = |text: &str| if text.is_empty() { "-".to_owned() } else { clean(text).into_owned() };
    match column {
        RequestColumn::Id => (style::ID, request.id.short(digits)),
        RequestColumn::Age => (style::FAINT, duration::age(now_unix_ns, request.started_unix_ns)),
        RequestColumn::Started => (style::FAINT, rfc3339(request.started_unix_ns)),
        RequestColumn::Method => (style::PLAIN, text(&request.method)),
        RequestColumn::Host => (style::PLAIN, text(&request.authority)),
        RequestColumn::Path => (style::PLAIN, text(&request.path)),
        RequestColumn::Status => (style::status(request.status), status(request.status)),
        RequestColumn::Took => (style::PLAIN, duration::show(request.duration_ns)),
        RequestColumn::Flow => (style::PLAIN, text(&request.flow)),
        RequestColumn::Class => (style::FAINT, request.class.as_str().to_owned()),
        RequestColumn::Outcome => {
            let style = if request.is_failed { style::failure(request.status) } else { style::FAINT };
            (style, text(&request.outcome))
        }
        RequestColumn::Node => {
            (style::FAINT, nodes.and_then(|nodes| nodes.of(request.id)).map_or_else(|| "-".to_owned(), text))
        }
        RequestColumn::Worker => {
            (style::PLAIN, request.worker.map_or_else(|| "-".to_owned(), |worker| worker.to_string()))
        }
    }
}

/// Returns a passing request on one line: `019aa4c2  10:43:01.123Z  GET /v1/todos/456  200  5.40 ms  todos-item`.
pub(crate) fn line(request: &Summary, digits: usize) -> String {
    let Utc { hour, minute, second, nanos, .. } = Utc::from_unix_ns(request.started_unix_ns);
    let time = format!("{hour:02}:{minute:02}:{second:02}.{:03}Z", nanos / 1_000_000);
    let mut line = format!(
        "{}  {}  {} {}  {}  {}",
        paint(style::ID, &request.id.short(digits)),
        paint(style::FAINT, &time),
        clean(&request.method),
        clean(&request.path),
        paint(style::status(request.status), &status(request.status)),
        duration::show(request.duration_ns),
    );
    if !request.flow.is_empty() {
        line += &format!("  {}", clean(&request.flow));
    }
    if !implies_outcome(request.status, &request.outcome) {
        line += &format!("  {}", paint(style::failure(request.status), &clean(&request.outcome)));
    }
    line
}

/// Returns the status code, or `-` if no response was sent.
fn status(status: u16) -> String {
    if status == 0 { "-".to_owned() } else { status.to_string() }
}

#[cfg(test)]
mod tests {
    use zerver_trace::{Outcome, RequestId};

    use super::*;
    use zerver_testkit::sample;

    fn requests() -> Vec<Summary> {
        let mut failed = sample::failed();
        failed.id = RequestId::from_u128(failed.id.as_u128() + (1 << 68));
        let mut rejected = sample::slow().summary();
        rejected.id = RequestId::from_u128(0x019a_a4c3 << 96);
        rejected.flow.clear();
        rejected.status = 0;
        rejected.outcome = Outcome::Rejected { reason: String::new() }.as_str().to_owned();
        rejected.is_failed = true;
        rejected.path = "/漢字/and/a/path/that/is/longer/than/there/is/room/for/on/a/line".into();
        vec![rejected, failed.summary(), sample::slow().summary()]
    }

    fn plain(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    #[test]
    fn a_table_of_requests_fits() {
        let now = sample::slow().started_unix_ns + 90_000_000_000;
        insta::assert_snapshot!(plain(&table(&requests(), 15, now, Some(100))), @r"
        id                 age  method  path                           status     took  flow        outcome
        019aa4c3-0000-000   1m  GET     /漢字/and/a/path/that/is/lon…       -  5.40 ms  -           rejected
        019aa4c2-1f3b-7ac   1m  GET     /v1/todos/456                     404   900 µs  todos-item  failed
        019aa4c2-1f3b-7ab   1m  GET     /v1/todos/456                     200  5.40 ms  todos-item  done
        ");
        insta::assert_snapshot!(plain(&table(&requests(), 15, now, None)), @r"
        id                 age  method  path                                                              status     took  flow        class        outcome
        019aa4c3-0000-000   1m  GET     /漢字/and/a/path/that/is/longer/than/there/is/room/for/on/a/line       -  5.40 ms  -           interactive  rejected
        019aa4c2-1f3b-7ac   1m  GET     /v1/todos/456                                                        404   900 µs  todos-item  interactive  failed
        019aa4c2-1f3b-7ab   1m  GET     /v1/todos/456                                                        200  5.40 ms  todos-item  interactive  done
        ");
        for columns in [60, 70, 80] {
            let widest = |requests: &[Summary]| {
                let drawn = plain(&table(requests, 15, now, Some(columns)));
                drawn.lines().map(super::super::width).max().unwrap_or(0)
            };
            assert!(widest(&requests()) <= columns && widest(&requests()[1..]) <= columns, "{columns}");
        }
        insta::assert_snapshot!(plain(&table(&requests(), 15, now, Some(80))), @r"
        id                 method  path            status     took  flow        outcome
        019aa4c3-0000-000  GET     /漢字/and/a/p…       -  5.40 ms  -           rejected
        019aa4c2-1f3b-7ac  GET     /v1/todos/456      404   900 µs  todos-item  failed
        019aa4c2-1f3b-7ab  GET     /v1/todos/456      200  5.40 ms  todos-item  done
        ");
        insta::assert_snapshot!(plain(&table(&requests()[1..], 15, now, Some(60))), @r"
        id                 method  path           status     took
        019aa4c2-1f3b-7ac  GET     /v1/todos/456     404   900 µs
        019aa4c2-1f3b-7ab  GET     /v1/todos/456     200  5.40 ms
        ");
        insta::assert_snapshot!(plain(&table(&[], 15, now, Some(100))), @"id  age  method  path  status  took  flow  class  outcome");
    }

    #[test]
    fn a_passing_request_takes_one_line() {
        let lines: Vec<String> = requests().iter().map(|request| plain(&line(request, 12))).collect();
        insta::assert_snapshot!(lines.join("\n"), @r"
        019aa4c3-0000  10:43:01.123Z  GET /漢字/and/a/path/that/is/longer/than/there/is/room/for/on/a/line  -  5.40 ms  rejected
        019aa4c2-1f3b  10:43:01.123Z  GET /v1/todos/456  404  900 µs  todos-item
        019aa4c2-1f3b  10:43:01.123Z  GET /v1/todos/456  200  5.40 ms  todos-item
        ");
    }
}
