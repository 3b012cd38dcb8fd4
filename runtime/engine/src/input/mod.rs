//! Typed input of steps: parts of a request as parameters, such as `Json<NewTodo>`.
//!
//! A step takes them by value. They are derived from the request each time, so that nothing but the request is recorded. If
//! the request does not have the form that the type requires, the step does not run, and the request fails with a
//! [`Failure`](crate::Failure) that names the field.
//!
//! | parameter | reads | failure |
//! |---|---|---|
//! | [`Path<T>`] | the path parameters: one value, a tuple in the order of the route, or a struct with their names | 404 |
//! | [`Query<T>`] | the query | 400 |
//! | [`Form<T>`] | a body of type `application/x-www-form-urlencoded` | 415, 400, or 422 with the field |
//! | [`Json<T>`] | a body of a JSON type | 415, 400, or 422 with the field and its JSON pointer |
//! | [`Headers<T>`] | headers; the field `user_agent` is the header `user-agent` | 400 |
//! | [`Cookies<T>`] | cookies | 400 |
//! | [`Valid<I>`] | one of these, whose value [validates](Validate) itself | as of the part, or 422 with all invalid fields |
//!
//! `T` is any type with serde's `Deserialize`, which [`#[input]`](macro@crate::input) derives. A field may be an `Option`, have a `#[serde(default)]`, or be a `Vec` if it may be
//! repeated.
//!
//! ```
//! use serde::Deserialize;
//! use zerver_engine::{Failure, Json, Query, Response, step};
//!
//! #[derive(Deserialize)]
//! struct NewTodo { title: String, #[serde(default)] tags: Vec<String> }
//!
//! #[derive(Deserialize)]
//! struct Options { notify: Option<bool> }
//!
//! #[step]
//! fn create(Json(todo): Json<NewTodo>, Query(options): Query<Options>) -> Response {
//!     Response::text(format!("{} {:?} {:?}", todo.title, todo.tags, options.notify))
//! }
//!
//! // A step is still a function.
//! let todo = NewTodo { title: "milk".to_owned(), tags: vec![] };
//! assert_eq!(create(Json(todo), Query(Options { notify: None })).body, "milk [] None");
//! ```

mod body;
mod field_path;
mod from_request;
mod named_values;
mod path;
mod text_value;
mod validation;

pub use body::{Form, Json};
pub use from_request::{FromRequest, InputDesc, InputPart};
pub use named_values::{Cookies, Headers, Query};
pub use path::Path;
pub use validation::{InvalidFields, Valid, Validate};
