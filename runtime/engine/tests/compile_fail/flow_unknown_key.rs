#![allow(unused)]
use zerver_engine::{FlowDef, Request, Response, flow, step};

#[step]
fn render(_request: &Request) -> Response {
    Response::no_content()
}

fn app() -> FlowDef {
    flow!("todos", GET "/v1/todos", after: [render], steps: [render])
}

fn no_steps() -> FlowDef {
    flow!("todos", GET "/v1/todos")
}

fn main() {}
