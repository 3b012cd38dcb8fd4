//! A service of zerver with a database. Run it with `zerver dev`, and then:
//!
//! ```sh
//! curl localhost:3000/todos -H 'content-type: application/json' -d '{"title": "Buy milk"}'
//! curl localhost:3000/todos/1
//! ```

use zerver::effects::sql;
use zerver::prelude::*;
use zerver_sqlite::Sqlite;

zerver::main!(app);

fn app() -> App {
    App::new()
        .flow(flow!("todo-create", POST "/todos", steps: [insert, render_created]))
        .flow(flow!("todo-show", GET "/todos/{id}", steps: [load, render]))
        .on_startup_async(async |startup| {
            let database = Sqlite::open(std::env::var("DATABASE").unwrap_or_else(|_| "todos.db".to_owned()))?;
            database.migrate("migrations").await?;
            startup.interpreter(database);
            Ok(())
        })
}

#[slot]
#[derive(Debug, PartialEq, sql::Row)]
struct Todo {
    id: i64,
    title: String,
    is_done: bool,
}

#[input]
struct NewTodo {
    title: String,
}

impl Validate for NewTodo {
    fn validate(&self, invalid: &mut InvalidFields) {
        invalid.unless(!self.title.trim().is_empty(), "title", "is empty");
    }
}

#[step]
fn insert(Valid(Json(todo)): Valid<Json<NewTodo>>) -> Decision<Todo> {
    let insert = sql::query("insert into todos (title) values ($1) returning id, title, is_done");
    Need(insert.bind(todo.title).named("todo_insert").one())
}

#[step]
fn render_created(todo: &Todo) -> Response {
    Response::json(todo).status(StatusCode::CREATED)
}

#[step]
fn load(Path(id): Path<i64>) -> Decision<Todo> {
    let todo = sql::query("select id, title, is_done from todos where id = $1").bind(id).named("todo_by_id");
    Need(todo.optional().or_not_found("todo", id))
}

#[step]
fn render(todo: &Todo) -> Response {
    Response::json(todo)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_todo_without_a_title_is_refused() {
        let request = app().test("todo-create").request("POST", "/todos");
        let response = request.header("content-type", "application/json").body(r#"{"title": " "}"#).run();
        assert_eq!(response.status(), 422);
        assert!(response.text().contains("is empty"), "{}", response.text());
    }
}
