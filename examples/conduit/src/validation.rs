//! Rules for the texts that clients send, and failures as the specification renders them.

use std::collections::BTreeMap;

use zerver::effects::sql::SqlError;
use zerver::prelude::*;

/// Maximum number of characters of a text. All are far below the size at which an index of PostgreSQL refuses a value.
pub const NAME: usize = 100;
pub const PASSWORD: usize = 200;
pub const TITLE: usize = 250;
pub const TAG: usize = 60;
pub const TEXT: usize = 200_000;

/// Reads a text that must be there.
pub fn text(fields: &mut JsonObject, name: &'static str, max: usize) -> String {
    let text = fields.required::<String>(name);
    check(fields, name, &text, max);
    text
}

/// Reads a text that may be missing.
pub fn optional_text(fields: &mut JsonObject, name: &'static str, max: usize) -> Option<String> {
    let text = fields.optional::<String>(name)?;
    check(fields, name, &text, max);
    Some(text)
}

/// Checks the length of a text, and that PostgreSQL can store it.
pub fn check(fields: &mut JsonObject, name: &'static str, text: &str, max: usize) {
    let is_short = text.chars().nth(max).is_none();
    fields.check(name, is_short, format_args!("is too long (maximum is {max} characters)"));
    fields.check(name, !text.contains('\0'), "can't contain the character NUL");
}

/// Returns a query parameter. An empty one counts as missing.
pub fn query_text(request: &Request, name: &'static str) -> Result<Option<String>, Failure> {
    match request.query(name) {
        Some(text) if text.contains('\0') => Err(Failure::invalid(name)),
        text => Ok(text.filter(|text| !text.is_empty()).map(std::borrow::Cow::into_owned)),
    }
}

/// Names the field for which another row has the same value.
pub fn taken(failure: Failure) -> Failure {
    let constraint = failure.error::<SqlError>().and_then(|error| error.constraint.as_deref());
    let field = match constraint {
        Some("users_username_key") => "username",
        Some("users_email_key") => "email",
        // Equal slugs come from equal titles.
        Some("articles_slug_key") => "title",
        _ => return failure,
    };
    Failure::conflict(field, "").message("has already been taken")
}

/// Renders `{"errors": {"title": ["can't be blank"]}}`. The specification has no status 400.
pub fn render_failure(failure: &Failure, _: &Request) -> Response {
    let mut errors = BTreeMap::<&str, Vec<String>>::new();
    for invalid in failure.fields() {
        errors.entry(&invalid.field).or_default().push(invalid.message.clone());
    }
    if errors.is_empty() {
        let message = match (failure.message_text(), failure.status()) {
            ("", 400) => "is invalid".to_owned(),
            ("", _) => failure.kind().as_str().replace('_', " "),
            (message, _) => message.to_owned(),
        };
        errors.insert(failure.what(), vec![message]);
    }
    let response = failure.to_response_with(&BTreeMap::from([("errors", errors)]));
    match response.status {
        StatusCode::BAD_REQUEST => response.status(StatusCode::UNPROCESSABLE_ENTITY),
        StatusCode::UNAUTHORIZED => response.header("www-authenticate", "Token"),
        _ => response,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(failure: &Failure) -> (u16, String) {
        let response = render_failure(failure, &Request::get("/"));
        (response.status.as_u16(), String::from_utf8(response.body.to_vec()).unwrap())
    }

    #[test]
    fn failures_look_like_those_of_the_specification() {
        let expect = |failure: Failure, status, body: &str| {
            assert_eq!(rendered(&failure), (status, format!(r#"{{"errors":{body}}}"#)));
        };
        expect(Failure::not_found("article", "x"), 404, r#"{"article":["not found"]}"#);
        expect(Failure::forbidden("comment"), 403, r#"{"comment":["forbidden"]}"#);
        expect(Failure::unauthorized("token").message("is missing"), 401, r#"{"token":["is missing"]}"#);
        expect(Failure::invalid("limit").key("x"), 422, r#"{"limit":["is invalid"]}"#);
        let unique = SqlError::new(SqlError::UNIQUE_VIOLATION, "").constraint("users_email_key").to_failure();
        expect(taken(unique), 409, r#"{"email":["has already been taken"]}"#);
        let both = Failure::unprocessable("user").field("email", "a").field("email", "b").field("bio", "c");
        expect(both, 422, r#"{"bio":["c"],"email":["a","b"]}"#);
    }
}
