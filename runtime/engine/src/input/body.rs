//! Bodies as parameters of a step.

use http::header;
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use super::field_path::deserialize;
use super::from_request::{FromRequest, InputDesc, InputPart};
use super::named_values::from_urlencoded;
use crate::failure::Failure;
use crate::message::Request;
use crate::shape::Shape;

/// A body of JSON, of type `application/json` or another type that ends with `+json`.
///
/// Other types fail with 415: a browser sends them across origins without asking. Text that is not JSON fails with 400, and
/// JSON of another form with 422, the field and its JSON pointer.
///
/// ```
/// use serde::Deserialize;
/// use zerver_engine::{FromRequest, Json, Request};
///
/// #[derive(Debug, Deserialize)]
/// struct Order { items: Vec<Item> }
///
/// #[derive(Debug, Deserialize)]
/// struct Item { count: u32 }
///
/// let request = |body| Request::get("/").with_header("content-type", "application/json").with_body(body);
/// let Json(order) = Json::<Order>::from_request(&request(r#"{"items": [{"count": 2}]}"#))?;
/// assert_eq!(order.items[0].count, 2);
/// let failure = Json::<Order>::from_request(&request(r#"{"items": [{"count": "two"}]}"#)).unwrap_err();
/// assert_eq!(failure.fields()[0].field, "items[0].count");
/// assert_eq!(failure.fields()[0].pointer, "#/items/0/count");
/// # Ok::<(), zerver_engine::Failure>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned> FromRequest for Json<T> {
    const DESC: Option<InputDesc> =
        Some(InputDesc { part: InputPart::Body("application/json"), shape: Shape::of::<T> });

    fn from_request(request: &Request) -> Result<Self, Failure> {
        require_type(request, "application/json", |media_type| {
            media_type == "application/json" || media_type.ends_with("+json")
        })?;
        let mut deserializer = serde_json::Deserializer::from_slice(&request.body);
        let value = deserialize(&mut deserializer, describe).map_err(|(error, cause)| {
            let failure = match cause.classify() {
                Category::Data => Failure::unprocessable("body"),
                Category::Syntax | Category::Eof | Category::Io => {
                    return Failure::invalid("body").message(format!("not JSON: {cause}"));
                }
            };
            error.add_to(failure, true)
        })?;
        deserializer.end().map_err(|error| Failure::invalid("body").message(format!("not JSON: {error}")))?;
        Ok(Self(value))
    }
}

/// Returns the message of an error, without its position: the field says where.
fn describe(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rsplit_once(" at line ") {
        Some((message, _)) => message.to_owned(),
        None => text,
    }
}

/// A body of type `application/x-www-form-urlencoded`, as an HTML form sends it.
///
/// Other types fail with 415, and a form with an invalid field with 422.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Form<T>(pub T);

impl<T: DeserializeOwned> FromRequest for Form<T> {
    const DESC: Option<InputDesc> =
        Some(InputDesc { part: InputPart::Body("application/x-www-form-urlencoded"), shape: Shape::of::<T> });

    fn from_request(request: &Request) -> Result<Self, Failure> {
        let expected = "application/x-www-form-urlencoded";
        require_type(request, expected, |media_type| media_type == expected)?;
        from_urlencoded(&request.body, || Failure::unprocessable("form")).map(Self)
    }
}

/// Fails unless the body has a type that is accepted. `is_accepted` receives it in lower case and without parameters.
fn require_type(
    request: &Request,
    expected: &str,
    is_accepted: impl FnOnce(&str) -> bool,
) -> Result<(), Failure> {
    let header = request.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = header.and_then(|value| value.split(';').next()).unwrap_or_default().trim_ascii();
    if is_accepted(&media_type.to_ascii_lowercase()) {
        return Ok(());
    }
    let found = match media_type {
        "" => "the header content-type is missing".to_owned(),
        media_type => format!("the content-type is {media_type}"),
    };
    Err(Failure::unsupported_media_type("body").message(format!("{found}; expected {expected}")))
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    struct Order {
        customer: Customer,
        #[serde(default)]
        notes: Vec<String>,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Customer {
        name: String,
        #[serde(rename = "e-mail")]
        email: Option<String>,
    }

    fn json(media_type: &'static str, body: impl Into<bytes::Bytes>) -> Result<Order, Failure> {
        let request = Request::get("/").with_header("content-type", media_type).with_body(body);
        Json::from_request(&request).map(|Json(order)| order)
    }

    fn failure(body: &'static str) -> (u16, String, Vec<String>) {
        let failure = json("application/json", body).unwrap_err();
        let pointers = failure.fields().iter().map(|field| field.pointer.clone()).collect();
        (failure.status(), failure.to_string(), pointers)
    }

    #[test]
    fn json_of_the_right_form() {
        let order = json("Application/JSON; charset=utf-8", r#"{"customer": {"name": "ann"}}"#).unwrap();
        assert_eq!(order.customer, Customer { name: "ann".to_owned(), email: None });
        assert!(json("application/merge-patch+json", r#"{"customer": {"name": "ann"}}"#).is_ok());
    }

    #[test]
    fn the_failure_names_the_field() {
        let case = |body| {
            let (status, text, pointers) = failure(body);
            assert_eq!(status, 422, "{text}");
            (text, pointers.concat())
        };
        let of = |text: &str, pointer: &str| (format!("unprocessable body: {text}"), pointer.to_owned());
        assert_eq!(case("{}"), of("customer is missing", "#/customer"));
        assert_eq!(case(r#"{"customer": {}}"#), of("customer.name is missing", "#/customer/name"));
        assert_eq!(
            case(r#"{"customer": {"name": 7}}"#),
            of("customer.name invalid type: integer `7`, expected a string", "#/customer/name")
        );
        assert_eq!(
            case(r#"{"customer": {"name": "a"}, "notes": ["b", null]}"#),
            of("notes[1] invalid type: null, expected a string", "#/notes/1")
        );
        assert_eq!(
            case(r#"{"customer": {"name": "a", "x": 1}}"#),
            of("customer.x is unknown, expected `name` or `e-mail`", "#/customer/x")
        );
        assert_eq!(case("7").0, "unprocessable body: invalid type: integer `7`, expected struct Order");
    }

    #[test]
    fn text_that_is_not_json() {
        for (body, text) in [
            ("", "invalid body: not JSON: EOF while parsing a value at line 1 column 0"),
            ("{\"customer\"", "invalid body: not JSON: EOF while parsing an object at line 1 column 11"),
            (
                "{\"customer\": {\"name\": \"a\"}} x",
                "invalid body: not JSON: trailing characters at line 1 column 29",
            ),
        ] {
            assert_eq!(failure(body), (400, text.to_owned(), vec![]));
        }
        // Nesting is bounded, so that it cannot overflow the stack.
        let deep = format!("{{\"notes\": {}", "[".repeat(100_000));
        assert_eq!(json("application/json", deep).unwrap_err().status(), 422, "a list in place of a text");
        let deep = format!("{{\"ignored\": {}", "[".repeat(100_000));
        assert_eq!(json("application/json", deep).unwrap_err().status(), 400);
        assert_eq!(
            json("application/json", &b"{\"customer\": {\"name\": \"\xff\""[..]).unwrap_err().status(),
            400
        );
    }

    #[test]
    fn other_types_are_refused() {
        let text = |media_type| json(media_type, "{}").unwrap_err().to_string();
        assert_eq!(
            text("text/plain"),
            "unsupported_media_type body: the content-type is text/plain; expected application/json"
        );
        let missing = Json::<Order>::from_request(&Request::get("/").with_body("{}")).unwrap_err();
        assert_eq!(missing.status(), 415);
        assert!(missing.to_string().contains("the header content-type is missing"), "{missing}");
    }

    #[test]
    fn forms() {
        #[derive(Debug, Deserialize, PartialEq)]
        struct Login {
            name: String,
            #[serde(default)]
            keep: bool,
        }
        let form = |body: &str| {
            let request = Request::get("/")
                .with_header("content-type", "application/x-www-form-urlencoded")
                .with_body(body.to_owned());
            Form::<Login>::from_request(&request).map(|Form(login)| login)
        };
        assert_eq!(form("name=a+b&keep=true"), Ok(Login { name: "a b".to_owned(), keep: true }));
        let failure = form("keep=true").unwrap_err();
        assert_eq!(
            (failure.status(), failure.to_string().as_str()),
            (422, "unprocessable form: name is missing")
        );
        assert_eq!(form(&"name=a&".repeat(10_000)).unwrap_err().status(), 422);
        let json = Request::get("/").with_header("content-type", "application/json").with_body("{}");
        assert_eq!(Form::<Login>::from_request(&json).unwrap_err().status(), 415);
    }
}
