//! The public part: the Todo-Backend API.

use ::http::StatusCode;
use zerver::effects::kv;
use zerver::prelude::*;

use crate::model::{Todo, TodoId};

/// All todos, in display order.
#[slot]
#[derive(Debug)]
pub struct Todos(Vec<Todo>);

/// Body of a request that creates a todo.
#[slot]
#[derive(Debug, Clone, PartialEq)]
pub struct NewTodo {
    pub title: String,
    pub order: Option<u64>,
}

/// Body of a request that changes a todo.
#[slot]
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    title: Option<String>,
    completed: Option<bool>,
    order: Option<u64>,
}

/// The changed todo.
#[slot]
#[derive(Debug)]
pub struct Changed(Todo);

#[step]
pub fn list_todos() -> Decision<Todos> {
    Need(kv::list::<Todo>("todo").map(|entries| {
        let mut todos: Vec<_> = entries.into_iter().map(|(_, todo)| todo).collect();
        todos.sort_by_key(|todo| (todo.order, todo.id));
        Todos(todos)
    }))
}

#[step]
pub fn render_list(todos: &Todos, request: &Request) -> Response {
    let views: Vec<_> = todos.0.iter().map(|todo| todo.view(request)).collect();
    allow_any_origin(Response::json(&views), request)
}

#[step]
pub fn parse_new_todo(request: &Request) -> Result<NewTodo, Failure> {
    let new: NewTodo = request.json()?;
    check_title(&new.title)?;
    Ok(new)
}

#[step]
pub fn next_id() -> Decision<TodoId> {
    Need(kv::add("last-todo", 1).map(|id| TodoId(id.unsigned_abs())))
}

#[step]
pub fn make_todo(id: &TodoId, new: &NewTodo) -> Todo {
    new_todo(*id, new)
}

/// Creates a todo, which comes last unless the client sets its position.
pub fn new_todo(id: TodoId, new: &NewTodo) -> Todo {
    Todo { id: id.0, title: new.title.clone(), completed: false, order: new.order.unwrap_or(id.0) }
}

#[step]
pub fn store_todo(todo: &Todo) -> Decision<()> {
    Need(kv::put(("todo", todo.id), todo.clone()))
}

#[step]
pub fn render_created(todo: &Todo, request: &Request) -> Response {
    allow_any_origin(created(todo, request), request)
}

/// Returns the response for a created todo.
pub fn created(todo: &Todo, request: &Request) -> Response {
    Response::json(&todo.view(request)).status(StatusCode::CREATED).header("location", &todo.url(request))
}

#[step]
pub fn clear_todos() -> Decision<()> {
    Need(kv::delete_all("todo").map(drop))
}

#[step]
pub fn render_gone(request: &Request) -> Response {
    allow_any_origin(Response::no_content(), request)
}

#[step]
pub fn parse_id(request: &Request) -> Result<TodoId, Failure> {
    let text = request.param_str("id").unwrap_or_default();
    text.parse().map(TodoId).map_err(|_| Failure::not_found("todo", text))
}

#[step]
pub fn load_todo(id: &TodoId) -> Decision<Todo> {
    Need(kv::get(("todo", id.0)).or_not_found("todo", id.0))
}

#[step]
pub fn render_todo(todo: &Todo, request: &Request) -> Response {
    allow_any_origin(Response::json(&todo.view(request)), request)
}

#[step]
pub fn parse_change(request: &Request) -> Result<Change, Failure> {
    let change: Change = request.json()?;
    change.title.as_deref().map_or(Ok(()), check_title)?;
    Ok(change)
}

#[step]
pub fn change_todo(todo: &Todo, change: &Change) -> Changed {
    Changed(Todo {
        id: todo.id,
        title: change.title.clone().unwrap_or_else(|| todo.title.clone()),
        completed: change.completed.unwrap_or(todo.completed),
        order: change.order.unwrap_or(todo.order),
    })
}

#[step]
pub fn store_changed(changed: &Changed) -> Decision<()> {
    Need(kv::put(("todo", changed.0.id), changed.0.clone()))
}

#[step]
pub fn render_changed(changed: &Changed, request: &Request) -> Response {
    allow_any_origin(Response::json(&changed.0.view(request)), request)
}

/// Deletes a todo; deleting one that does not exist succeeds.
#[step]
pub fn delete_todo(id: &TodoId) -> Decision<()> {
    Need(kv::delete(("todo", id.0)).map(drop))
}

#[step]
pub fn preflight(request: &Request) -> Response {
    allow_any_origin(Response::no_content(), request)
}

/// Adds CORS headers for any origin (Fetch standard): the API is public and uses no cookies.
pub fn allow_any_origin(response: Response, request: &Request) -> Response {
    let response = response.header("access-control-allow-origin", "*");
    if request.method != ::http::Method::OPTIONS {
        return response;
    }
    response
        .header("access-control-allow-methods", "GET, POST, PATCH, DELETE, OPTIONS")
        .header("access-control-allow-headers", "content-type, authorization, idempotency-key")
        .header("access-control-max-age", "86400")
}

fn check_title(title: &str) -> Result<(), Failure> {
    match title.chars().count() {
        0 => Err(Failure::invalid("title").message("a todo needs a title")),
        1..=500 => Ok(()),
        _ => Err(Failure::invalid("title").message("longer than 500 characters")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_is_not_a_number_is_not_found() {
        assert_eq!(parse_id(&Request::get("/").with_param("id", "7")), Ok(TodoId(7)));
        assert_eq!(parse_id(&Request::get("/").with_param("id", "x")), Err(Failure::not_found("todo", "x")));
    }

    #[test]
    fn a_new_todo_comes_last_unless_the_client_sets_its_order() {
        let parse = |body: &'static str| parse_new_todo(&Request::get("/todos").with_body(body));
        let new = parse(r#"{"title": "milk"}"#).unwrap();
        assert_eq!(make_todo(&TodoId(3), &new).order, 3);
        let new = parse(r#"{"title": "milk", "order": 1}"#).unwrap();
        assert_eq!(make_todo(&TodoId(3), &new).order, 1);
        for invalid in
            ["", "{}", "[]", r#"{"title": ""}"#, r#"{"title": 7}"#, r#"{"title": "a", "order": -1}"#]
        {
            assert!(parse(invalid).is_err(), "{invalid}");
        }
    }

    #[test]
    fn a_change_leaves_the_rest_as_it_is() {
        let todo = Todo { id: 1, title: "milk".into(), completed: false, order: 4 };
        let change = parse_change(&Request::get("/").with_body(r#"{"completed": true}"#)).unwrap();
        assert_eq!(change_todo(&todo, &change).0, Todo { completed: true, ..todo });
    }
}
