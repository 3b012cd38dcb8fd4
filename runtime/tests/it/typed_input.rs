//! Parts of the request as parameters of steps.

use std::sync::atomic::{AtomicUsize, Ordering};

use zerver::prelude::*;
use zerver_trace::Outcome;

use crate::collector::start;
use crate::raw_client::Client;

static RUNS: AtomicUsize = AtomicUsize::new(0);

#[input]
#[derive(Debug)]
struct NewTodo {
    title: String,
    #[serde(default)]
    tags: Vec<String>,
}

impl Validate for NewTodo {
    fn validate(&self, invalid: &mut InvalidFields) {
        invalid.unless(!self.title.is_empty(), "title", "is empty");
        for (at, tag) in self.tags.iter().enumerate() {
            invalid.unless(!tag.is_empty(), format!("tags[{at}]"), "is empty");
        }
    }
}

#[derive(Debug, Deserialize)]
struct Options {
    notify: Option<bool>,
}

#[derive(Debug, Deserialize)]
struct Client1 {
    user_agent: String,
}

#[slot]
struct Summary(String);

#[step]
fn read(
    request: &Request,
    Path((list, id)): Path<(String, u64)>,
    Query(options): Query<Options>,
    Valid(Json(todo)): Valid<Json<NewTodo>>,
    Headers(client): Headers<Client1>,
) -> Summary {
    RUNS.fetch_add(1, Ordering::Relaxed);
    let (method, tags, agent) = (&request.method, todo.tags.join("+"), client.user_agent);
    Summary(format!("{method} {list} {id} {:?} {} {tags} {agent}", options.notify, todo.title))
}

#[step]
fn render(summary: &Summary) -> Response {
    Response::text(summary.0.clone())
}

fn app() -> App {
    App::new().flow(flow!("todo", PUT "/lists/{list}/todos/{id}", steps: [read, render]))
}

fn put(target: &str, body: &str) -> String {
    format!(
        "PUT {target} HTTP/1.1\r\nhost: localhost\r\nuser-agent: test\r\ncontent-type: application/json\r\ncontent-length: \
         {}\r\n\r\n{body}",
        body.len()
    )
}

#[test]
fn a_step_takes_several_parts_of_a_request_or_does_not_run() {
    let (server, collector) = start(app());
    let mut client = Client::connect(server.addr());
    let answer =
        client.request(put("/lists/a%20b/todos/7?notify=true", r#"{"title": "milk", "tags": ["x", "y"]}"#));
    assert_eq!((answer.status, answer.body.as_str()), (200, "PUT a b 7 Some(true) milk x+y test"));
    assert_eq!(RUNS.load(Ordering::Relaxed), 1);
    let mut failure = |target: &str, body: &str| {
        let answer = client.request(put(target, body));
        (answer.status, answer.body)
    };
    let (status, body) = failure("/lists/home/todos/x", "{}");
    assert_eq!(status, 404, "{body}");
    let (status, body) = failure("/lists/home/todos/7?notify=perhaps", "{}");
    assert_eq!(status, 400);
    assert!(body.contains(r#""what":"query","fields":[{"field":"notify","message":"#), "{body}");
    let (status, body) = failure("/lists/home/todos/7", r#"{"title": "", "tags": ["x", ""]}"#);
    assert_eq!(status, 422);
    let fields = r##""fields":[{"field":"title","message":"is empty","pointer":"#/title"},{"field":"tags[1]","message":"is empty","pointer":"#/tags/1"}]"##;
    assert!(body.contains(fields), "{body}");
    assert_eq!(RUNS.load(Ordering::Relaxed), 1, "the step has not run");
    let captures = collector.wait_for(4);
    assert!(matches!(&captures[3].outcome, Outcome::Failed { .. }), "{:?}", captures[3].outcome);
}
