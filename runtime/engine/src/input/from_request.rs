//! The trait of parameters that are derived from the request.

use crate::failure::Failure;
use crate::message::Request;
use crate::shape::Shape;

/// A parameter that a step takes by value, and that is derived from the request.
///
/// Implement it for your own types, such as a tenant that a header names. It must depend on nothing but the request, so that
/// a replay derives the same.
///
/// ```
/// use zerver_engine::{Failure, FromRequest, Request, Response, step};
///
/// struct Tenant(String);
///
/// impl FromRequest for Tenant {
///     fn from_request(request: &Request) -> Result<Self, Failure> {
///         let name = request.header("x-tenant").ok_or_else(|| Failure::invalid("x-tenant").message("is missing"))?;
///         Ok(Self(name.to_owned()))
///     }
/// }
///
/// #[step]
/// fn greet(tenant: Tenant) -> Response {
///     Response::text(tenant.0)
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "a step cannot take `{Self}` by value",
    label = "neither a slot nor a part of the request",
    note = "a step takes the slots that it reads as `&Slot` or `Option<&Slot>`, and its own progress as `Option<Progress>`",
    note = "by value, it takes parts of the request: `Path<T>`, `Query<T>`, `Json<T>`, `Form<T>`, `Headers<T>`, `Cookies<T>`, or a \
            type that implements `FromRequest`"
)]
pub trait FromRequest: Sized {
    /// Description of the part that is read, for OpenAPI. `None` if it is unknown.
    const DESC: Option<InputDesc> = None;

    /// Derives the value.
    ///
    /// # Errors
    /// The failure of the request, if it does not have what the type requires.
    fn from_request(request: &Request) -> Result<Self, Failure>;
}

/// Description of a part of the request that a step takes.
#[derive(Debug, Clone, Copy)]
pub struct InputDesc {
    /// The part.
    pub part: InputPart,
    /// Returns the shape of its value.
    pub shape: fn() -> Shape,
}

/// A part of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InputPart {
    /// Parameters of the path.
    Path,
    /// The query.
    Query,
    /// Headers, with underscores in place of hyphens.
    Headers,
    /// Cookies.
    Cookies,
    /// The body, of this media type.
    Body(&'static str),
}
