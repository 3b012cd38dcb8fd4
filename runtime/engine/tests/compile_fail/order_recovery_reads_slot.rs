#![allow(unused)]
use zerver_engine::{Failure, FlowDef, Request, Response, flow, slot, step};

#[slot]
struct TodoId(u64);

#[step]
fn parse_id(_request: &Request) -> TodoId {
    TodoId(1)
}

#[step]
fn render(id: &TodoId) -> Response {
    Response::text(id.0.to_string())
}

#[step]
fn apologize(_failure: &Failure, id: &TodoId) -> Response {
    Response::text(id.0.to_string())
}

fn app() -> FlowDef {
    flow!("todos-item", GET "/v1/todos/{id}", steps: [parse_id, render], recover: apologize)
}

fn main() {
    app();
}
