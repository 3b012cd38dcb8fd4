//! Validation of inputs.

use std::fmt::Display;

use super::body::{Form, Json};
use super::field_path::pointer_of;
use super::from_request::{FromRequest, InputDesc};
use super::named_values::{Cookies, Headers, Query};
use super::path::Path;
use crate::failure::Failure;
use crate::message::Request;

/// A value that can say which of its fields are invalid, for [`Valid`].
///
/// ```
/// use serde::Deserialize;
/// use zerver_engine::{FromRequest, InvalidFields, Json, Request, Response, Valid, Validate, step};
///
/// #[derive(Deserialize)]
/// struct NewTodo { title: String, tags: Vec<String> }
///
/// impl Validate for NewTodo {
///     fn validate(&self, invalid: &mut InvalidFields) {
///         invalid.unless(!self.title.trim().is_empty(), "title", "is empty");
///         for (at, tag) in self.tags.iter().enumerate() {
///             invalid.unless(tag.len() <= 20, format!("tags[{at}]"), "has more than 20 characters");
///         }
///     }
/// }
///
/// #[step]
/// fn create(Valid(Json(todo)): Valid<Json<NewTodo>>) -> Response {
///     Response::text(todo.title)
/// }
///
/// let body = r#"{"title": " ", "tags": ["ok", "a tag that is far too long"]}"#;
/// let request = Request::get("/").with_header("content-type", "application/json").with_body(body);
/// let failure = Valid::<Json<NewTodo>>::from_request(&request).map(|_| ()).unwrap_err();
/// assert_eq!(failure.to_string(), "unprocessable body: title is empty; tags[1] has more than 20 characters");
/// assert_eq!(failure.fields()[1].pointer, "#/tags/1");
/// ```
///
/// A library such as [garde](https://docs.rs/garde) can do the work; its report is a list of fields and messages:
///
/// ```
/// use garde::Validate as _;
/// use zerver_engine::{InvalidFields, Validate};
///
/// #[derive(serde::Deserialize, garde::Validate)]
/// struct NewUser {
///     #[garde(length(min = 1, max = 25))]
///     name: String,
/// }
///
/// impl Validate for NewUser {
///     fn validate(&self, invalid: &mut InvalidFields) {
///         if let Err(report) = garde::Validate::validate(self) {
///             invalid.extend(report.into_inner());
///         }
///     }
/// }
///
/// let mut invalid = InvalidFields::new();
/// Validate::validate(&NewUser { name: String::new() }, &mut invalid);
/// assert!(!invalid.is_empty());
/// ```
pub trait Validate {
    /// Adds the invalid fields.
    fn validate(&self, invalid: &mut InvalidFields);
}

/// The fields of a value that are invalid, with a message for each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InvalidFields(Vec<(String, String)>);

impl InvalidFields {
    /// Creates an empty list.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds a field, such as `title` or `items[2].count`, unless it is valid.
    pub fn unless(&mut self, is_valid: bool, field: impl Display, message: impl Display) {
        if !is_valid {
            self.add(field, message);
        }
    }

    /// Adds an invalid field.
    pub fn add(&mut self, field: impl Display, message: impl Display) {
        self.0.push((field.to_string(), message.to_string()));
    }

    /// Returns true if every field is valid.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<F: Display, M: Display> Extend<(F, M)> for InvalidFields {
    fn extend<I: IntoIterator<Item = (F, M)>>(&mut self, fields: I) {
        for (field, message) in fields {
            self.add(field, message);
        }
    }
}

/// A part of the request whose value is valid. An invalid one fails with 422, and names all invalid fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Valid<I>(pub I);

impl<I: FromRequest + Part> FromRequest for Valid<I> {
    const DESC: Option<InputDesc> = I::DESC;

    fn from_request(request: &Request) -> Result<Self, Failure> {
        let input = I::from_request(request)?;
        let mut invalid = InvalidFields::new();
        input.validate(&mut invalid);
        if invalid.is_empty() {
            return Ok(Self(input));
        }
        let failure = |failure: Failure, (field, message): (String, String)| match I::IS_JSON {
            true => failure.field_at(pointer_of(&field), field, message),
            false => failure.field(field, message),
        };
        Err(invalid.0.into_iter().fold(Failure::unprocessable(I::NAME), failure))
    }
}

/// A part of the request that holds one value.
pub trait Part {
    /// Name of the part in failures.
    #[doc(hidden)]
    const NAME: &'static str;
    /// True if fields have JSON pointers.
    #[doc(hidden)]
    const IS_JSON: bool = false;
    /// Validates the value.
    #[doc(hidden)]
    fn validate(&self, invalid: &mut InvalidFields);
}

macro_rules! parts {
    ($($part:ident $name:literal $is_json:literal)+) => {
        $(impl<T: Validate> Part for $part<T> {
            const NAME: &'static str = $name;
            const IS_JSON: bool = $is_json;

            fn validate(&self, invalid: &mut InvalidFields) {
                self.0.validate(invalid);
            }
        })+
    };
}

parts! {
    Path "path" false
    Query "query" false
    Form "form" false
    Json "body" true
    Headers "headers" false
    Cookies "cookies" false
}
