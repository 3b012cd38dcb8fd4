//! The first request to suggest: one that the service answers.

use std::path::PathBuf;
use std::thread;

use zerver_trace::FlowInfo;

use crate::args::{Color, Global, Program};
use crate::service::query;

/// Asks the program for its flows, on a thread of its own, and calls `tell` with a command for one of them. Without a
/// suitable flow, or an answer, there is no suggestion.
pub(super) fn find(exe: PathBuf, folder: PathBuf, url: String, tell: impl FnOnce(String) + Send + 'static) {
    thread::spawn(move || {
        let global = Global { store: None, json: false, color: Color::Never, quiet: true, verbose: false };
        let program = Program { exe: Some(exe), ..Program::default() };
        let flows: Vec<FlowInfo> =
            query::program(&folder, &program, &global, query::CATALOG).unwrap_or_default();
        if let Some(command) = command(&flows, &url) {
            tell(command);
        }
    });
}

/// A request without anything to fill in comes first, then one that only reads.
fn command(flows: &[FlowInfo], url: &str) -> Option<String> {
    let rank = |flow: &&FlowInfo| (flow.method != "GET", flow.pattern.contains('{'), flow.pattern.len());
    let flow =
        flows.iter().filter(|flow| matches!(&*flow.method, "GET" | "POST" | "PUT")).min_by_key(rank)?;
    let path = filled(&flow.pattern);
    Some(match &*flow.method {
        "GET" => format!("curl {url}{path}"),
        method => format!("curl -X {method} {url}{path}"),
    })
}

/// A pattern with `1` in the place of each parameter.
fn filled(pattern: &str) -> String {
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
    fn the_suggestion_is_a_route_that_exists() {
        let check = |routes: &[(&str, &str)], expected: Option<&str>| {
            let flow = |(method, pattern): &(&str, &str)| FlowInfo {
                method: (*method).to_owned(),
                pattern: (*pattern).to_owned(),
                ..FlowInfo::default()
            };
            let flows: Vec<FlowInfo> = routes.iter().map(flow).collect();
            assert_eq!(command(&flows, "http://h:1").as_deref(), expected);
        };
        check(&[], None);
        check(&[("DELETE", "/todos")], None);
        check(&[("POST", "/todos"), ("GET", "/todos/{id}")], Some("curl http://h:1/todos/1"));
        check(&[("GET", "/a/{id}/{*rest}"), ("GET", "/reports")], Some("curl http://h:1/reports"));
        check(&[("POST", "/orders/{id}/pay")], Some("curl -X POST http://h:1/orders/1/pay"));
        check(&[("GET", "/")], Some("curl http://h:1/"));
    }
}
