//! First requests to suggest: routes that the service has.

use std::path::PathBuf;
use std::thread;

use zerver_trace::FlowInfo;

use crate::args::{Global, Program};
use crate::service::query::{self, query};

/// Maximum number of suggestions.
const MAX_SUGGESTIONS: usize = 3;

/// Queries the flows of the program on another thread, and calls `found` with a command for some of them. Without a
/// suitable flow, or without an answer, nothing is suggested.
pub(super) fn find(
    exe: PathBuf,
    folder: PathBuf,
    url: String,
    found: impl FnOnce(Vec<String>) + Send + 'static,
) {
    thread::spawn(move || {
        let program = Program { exe: Some(exe), ..Program::default() };
        let flows: Vec<FlowInfo> =
            query(&folder, &program, &Global::silent(), query::FLOWS).unwrap_or_default();
        let commands = commands(&flows, &url);
        if !commands.is_empty() {
            found(commands);
        }
    });
}

/// Returns one command per path: GET requests, those without parameters first. A service without any gets one other
/// command.
fn commands(flows: &[FlowInfo], url: &str) -> Vec<String> {
    let rank = |flow: &&FlowInfo| (flow.method != "GET", flow.pattern.contains('{'), flow.pattern.len());
    let mut flows: Vec<_> =
        flows.iter().filter(|flow| matches!(&*flow.method, "GET" | "POST" | "PUT")).collect();
    flows.sort_by_key(rank);
    let gets = flows.iter().filter(|flow| flow.method == "GET").count();
    flows.truncate(gets.clamp(1, MAX_SUGGESTIONS));
    let command = |flow: &FlowInfo| {
        let path = fill_parameters(&flow.pattern);
        match &*flow.method {
            "GET" => format!("curl {url}{path}"),
            method => format!("curl -X {method} {url}{path}"),
        }
    };
    flows.into_iter().map(command).collect()
}

/// Returns a pattern with `1` for each parameter.
fn fill_parameters(pattern: &str) -> String {
    let mut out = String::new();
    let mut rest = pattern;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((_, after)) = after.split_once('}') else { break };
        out += before;
        out.push('1');
        rest = after;
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggestions_are_routes_that_exist() {
        let check = |routes: &[(&str, &str)], expected: &[&str]| {
            let flow = |(method, pattern): &(&str, &str)| FlowInfo {
                method: (*method).to_owned(),
                pattern: (*pattern).to_owned(),
                ..FlowInfo::default()
            };
            let flows: Vec<FlowInfo> = routes.iter().map(flow).collect();
            assert_eq!(commands(&flows, "http://h:1"), expected);
        };
        check(&[], &[]);
        check(&[("DELETE", "/todos")], &[]);
        check(&[("POST", "/todos"), ("GET", "/todos/{id}")], &["curl http://h:1/todos/1"]);
        check(
            &[("GET", "/a/{id}/{*rest}"), ("GET", "/reports")],
            &["curl http://h:1/reports", "curl http://h:1/a/1/1"],
        );
        check(&[("POST", "/orders/{id}/pay")], &["curl -X POST http://h:1/orders/1/pay"]);
        check(
            &[("GET", "/a"), ("GET", "/b/{id}"), ("GET", "/"), ("GET", "/ccc"), ("PUT", "/a")],
            &["curl http://h:1/", "curl http://h:1/a", "curl http://h:1/ccc"],
        );
    }
}
