#![allow(unused)]
use zerver_engine::{FlowDef, Request, Response, flow, slot, step};

#[slot]
struct TodoId(u64);

#[slot]
struct Todo(String);

#[step]
fn parse_id(_request: &Request) -> TodoId {
    TodoId(1)
}

#[step]
fn load_todo(id: &TodoId) -> Todo {
    Todo(id.0.to_string())
}

#[step]
fn render_todo(todo: &Todo) -> Response {
    Response::text(todo.0.clone())
}

fn app() -> FlowDef {
    flow!("todos-item", GET "/v1/todos/{id}", steps: [parse_id, load_todo])
}

fn main() {
    app();
}
