//! Errors of the handlers, as the specification renders them.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

pub(super) struct ApiError(StatusCode, BTreeMap<&'static str, Vec<String>>);

impl ApiError {
    pub(super) fn new(status: StatusCode, field: &'static str, message: impl Into<String>) -> Self {
        Self(status, BTreeMap::from([(field, vec![message.into()])]))
    }

    pub(super) fn unauthorized(field: &'static str, message: &str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, field, message)
    }

    pub(super) fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "server", "internal error")
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        (self.0, Json(BTreeMap::from([("errors", self.1)]))).into_response()
    }
}

impl From<sqlx::Error> for ApiError {
    fn from(error: sqlx::Error) -> Self {
        match error.as_database_error().and_then(|error| error.constraint()) {
            Some("articles_slug_key") => Self::new(StatusCode::CONFLICT, "title", "has already been taken"),
            _ => Self::internal(),
        }
    }
}

impl From<JsonRejection> for ApiError {
    fn from(error: JsonRejection) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "body", error.body_text())
    }
}

/// Collects the invalid fields of a body.
#[derive(Default)]
pub(super) struct Invalid(BTreeMap<&'static str, Vec<String>>);

impl Invalid {
    pub(super) fn text(&mut self, field: &'static str, text: &str, max: usize) {
        if text.trim().is_empty() {
            self.add(field, "can't be blank");
        } else if text.chars().nth(max).is_some() {
            self.add(field, format!("is too long (maximum is {max} characters)"));
        } else if text.contains('\0') {
            self.add(field, "can't contain the character NUL");
        }
    }

    pub(super) fn add(&mut self, field: &'static str, message: impl Into<String>) {
        self.0.entry(field).or_default().push(message.into());
    }

    pub(super) fn finish(self) -> Result<(), ApiError> {
        if self.0.is_empty() { Ok(()) } else { Err(ApiError(StatusCode::UNPROCESSABLE_ENTITY, self.0)) }
    }
}
