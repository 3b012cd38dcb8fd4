//! Typed input: a step takes parts of the request, and a request without them fails with a message that names the field.
//!
//! `curl localhost:3000/lists/home/todos -H 'content-type: application/json' -d '{"title": ""}'`

use zerver::prelude::*;

zerver::main!(app);

fn app() -> App {
    App::new()
        .flow(flow!("todo-create", POST "/lists/{list}/todos", steps: [create]))
        .flow(flow!("todo-list", GET "/lists/{list}/todos", steps: [list]))
}

#[input]
struct NewTodo {
    title: String,
}

impl Validate for NewTodo {
    fn validate(&self, invalid: &mut InvalidFields) {
        invalid.unless(!self.title.is_empty(), "title", "is empty");
    }
}

#[step]
fn create(Path(list): Path<String>, Valid(Json(todo)): Valid<Json<NewTodo>>) -> Response {
    Response::text(format!("{} is on the list {list}\n", todo.title)).status(StatusCode::CREATED)
}

#[input]
struct Filter {
    limit: Option<u32>,
    #[serde(default)]
    tag: Vec<String>,
}

#[step]
fn list(Path(list): Path<String>, Query(filter): Query<Filter>) -> Response {
    Response::text(format!("{list}: at most {:?}, with tags {:?}\n", filter.limit, filter.tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_names_the_field() {
        let request = app().test("todo-create").request("POST", "/lists/home/todos");
        let response = request.header("content-type", "application/json").body(r#"{"title": ""}"#).run();
        assert_eq!(response.status(), 422);
        assert!(response.text().contains(r##""field":"title","message":"is empty","pointer":"#/title""##));
        let listed = app().test("todo-list").get("/lists/home/todos?tag=a&tag=b").run();
        assert_eq!(listed.text(), "home: at most None, with tags [\"a\", \"b\"]\n");
    }
}
