//! Reads the fields of a JSON object in the body of a request, and collects everything that is wrong with them.

use std::fmt;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value as Json};

use super::request::Request;
use crate::failure::Failure;

/// Message for a field without a value.
const BLANK: &str = "can't be blank";

/// Fields of a JSON object in the body of a request. Each is read as a type, and all that are invalid are reported
/// together, as a failure with status 422. [`Request::json_object`] creates it.
///
/// ```
/// use zerver_engine::{Failure, Request};
///
/// struct Article { title: String, tags: Vec<String> }
///
/// fn parse(request: &Request) -> Result<Article, Failure> {
///     let mut fields = request.json_object("article")?;
///     let article = Article {
///         title: fields.required("title"),
///         tags: fields.optional("tags").unwrap_or_default(),
///     };
///     fields.check("tags", article.tags.len() <= 10, "are too many");
///     fields.finish(article)
/// }
///
/// let request = Request::get("/").with_body(r#"{"article": {"title": "Milk"}}"#);
/// assert_eq!(parse(&request).map(|article| article.title), Ok("Milk".to_owned()));
///
/// let request = Request::get("/").with_body(r#"{"article": {"title": " ", "tags": 5}}"#);
/// let expected = Failure::unprocessable("article")
///     .field("title", "can't be blank")
///     .field("tags", "is not a sequence");
/// assert_eq!(parse(&request).map(|article| article.title), Err(expected));
/// ```
#[derive(Debug)]
#[must_use = "`finish` reports the invalid fields"]
pub struct JsonObject {
    fields: Map<String, Json>,
    failure: Failure,
}

impl Request {
    /// Reads the object that the body has in this field: `{"article": {..}}`.
    ///
    /// # Errors
    /// `invalid body` if the body is not a JSON object, and `unprocessable` if the field is missing or is no object.
    pub fn json_object(&self, name: &'static str) -> Result<JsonObject, Failure> {
        let mut body: Map<String, Json> = self.json()?;
        let failure = Failure::unprocessable(name);
        match body.remove(name) {
            Some(Json::Object(fields)) => Ok(JsonObject { fields, failure }),
            None | Some(Json::Null) => Err(failure.field(name, BLANK)),
            Some(_) => Err(failure.field(name, "is not an object")),
        }
    }
}

impl JsonObject {
    /// Returns a field that must have a value. If it is missing, null or blank, or has another type, the default value is
    /// returned, and [`finish`](Self::finish) fails.
    pub fn required<T: DeserializeOwned + Default>(&mut self, name: &'static str) -> T {
        if !self.fields.contains_key(name) {
            self.invalid(name, BLANK);
        }
        self.optional(name).unwrap_or_default()
    }

    /// Returns a field that may be missing. If it is there, it must have a value, as with [`required`](Self::required).
    pub fn optional<T: DeserializeOwned>(&mut self, name: &'static str) -> Option<T> {
        let is_blank = |value: &Json| match value {
            Json::Null => true,
            Json::String(text) => text.trim().is_empty(),
            _ => false,
        };
        let value = self.fields.remove(name)?;
        if is_blank(&value) {
            self.invalid(name, BLANK);
            return None;
        }
        self.typed(name, value)
    }

    /// Returns a field that may be missing, null or blank. `Some(None)` is null.
    pub fn nullable<T: DeserializeOwned>(&mut self, name: &'static str) -> Option<Option<T>> {
        let value = self.fields.remove(name)?;
        self.typed(name, value)
    }

    /// Adds a failure of a field unless the condition holds.
    pub fn check(&mut self, name: &'static str, holds: bool, message: impl fmt::Display) {
        if !holds {
            self.invalid(name, message);
        }
    }

    /// Returns the value that was made of the fields.
    ///
    /// # Errors
    /// `unprocessable`, with all invalid fields.
    pub fn finish<T>(self, value: T) -> Result<T, Failure> {
        if self.failure.fields().is_empty() { Ok(value) } else { Err(self.failure) }
    }

    fn typed<T: DeserializeOwned>(&mut self, name: &'static str, value: Json) -> Option<T> {
        match serde_json::from_value(value) {
            Ok(value) => Some(value),
            Err(error) => {
                // The error quotes the value, which may be a secret.
                let error = error.to_string();
                match error.split_once(", expected ") {
                    Some((_, expected)) => self.invalid(name, format_args!("is not {expected}")),
                    None => self.invalid(name, "is invalid"),
                }
                None
            }
        }
    }

    fn invalid(&mut self, name: &'static str, message: impl fmt::Display) {
        let failure = std::mem::replace(&mut self.failure, Failure::unprocessable(""));
        self.failure = failure.field(name, message);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(body: &'static str) -> Result<JsonObject, Failure> {
        Request::get("/").with_body(body).json_object("user")
    }

    #[test]
    fn a_body_without_the_object_is_a_failure() {
        let blank = Failure::unprocessable("user").field("user", "can't be blank");
        assert_eq!(object("{}").err(), Some(blank.clone()));
        assert_eq!(object(r#"{"user": null}"#).err(), Some(blank));
        let other = Failure::unprocessable("user").field("user", "is not an object");
        assert_eq!(object(r#"{"user": [1]}"#).err(), Some(other));
        for body in ["", "[]", "{", "5"] {
            assert_eq!(object(body).err().map(|failure| failure.status()), Some(400), "{body}");
        }
    }

    #[test]
    fn a_missing_field_and_null_differ() {
        let mut fields = object(r#"{"user": {"bio": null, "image": ""}}"#).unwrap();
        assert_eq!(fields.nullable::<String>("bio"), Some(None));
        assert_eq!(fields.nullable::<String>("image"), Some(Some(String::new())));
        assert_eq!(fields.nullable::<String>("name"), None);
        assert_eq!(fields.optional::<String>("name"), None);
        assert_eq!(fields.finish(()), Ok(()));
        let mut fields = object(r#"{"user": {"bio": null, "image": ""}}"#).unwrap();
        assert_eq!(fields.optional::<String>("bio"), None);
        assert_eq!(fields.optional::<String>("image"), None);
        let expected = Failure::unprocessable("user").field("bio", BLANK).field("image", BLANK);
        assert_eq!(fields.finish(()), Err(expected));
    }
}
