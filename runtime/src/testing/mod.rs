//! Tests of flows without a server.
//!
//! [`App::test`](crate::App::test) starts a test of one flow. [`TestRequest`] describes the request and the results of its
//! effects; [`TestRequest::run`] runs the flow on the current thread and returns a [`TestResponse`]. Nothing listens on a
//! socket, and only the interpreters that the test itself adds perform I/O. The clock and the random seed are fixed, so a
//! test gives the same result each time.
//!
//! ```
//! use zerver::effects::kv;
//! use zerver::prelude::*;
//!
//! #[derive(Clone, Debug, PartialEq, Slot, Serialize, Deserialize)]
//! struct Todo { title: String }
//!
//! #[step]
//! fn load(request: &Request) -> Result<Decision<Todo>, Failure> {
//!     let id: u64 = request.param("id")?;
//!     Ok(Need(kv::get(("todo", id)).or_not_found("todo", id)))
//! }
//!
//! #[step]
//! fn render(todo: &Todo) -> Response {
//!     Response::json(todo)
//! }
//!
//! fn app() -> App {
//!     App::new().flow(flow!("todo", GET "/todos/{id}", steps: [load, render]))
//! }
//!
//! let milk = Todo { title: "milk".to_owned() };
//! let store = kv::Memory::new().entry(("todo", 7), milk.clone());
//! let response = app().test("todo").get("/todos/7").kv(store).run();
//! response.assert_steps(&[("load", "need"), ("render", "done")]);
//! assert_eq!(response.json::<Todo>(), milk);
//!
//! let absent = app().test("todo").get("/todos/7").answer(kv::get::<Todo>(("todo", 7)), kv::Answer::Absent).run();
//! absent.assert_status(404);
//! ```
//!
//! `zerver export --test` writes such a test from a recorded request. It uses the methods that take JSON
//! ([`TestRequest::answer_json`] and the assertions), in the form that `zerver trace --json` prints.

mod assertions;
mod json_comparison;
mod planned_answer;
mod recorded_json;
mod requested_calls;
mod test_request;
mod test_response;

pub use test_request::TestRequest;
pub use test_response::TestResponse;
