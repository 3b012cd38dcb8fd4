//! Bodies of requests: forms, within a limit.

use std::time::Duration;

use http::StatusCode;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use tokio::time::timeout;

use crate::url::Params;

/// Maximum length of a form, in bytes. Values of slots and a body may be in it.
pub(super) const MAX_FORM: usize = 1 << 20;

/// Maximum time for a form.
const FORM_TIMEOUT: Duration = Duration::from_secs(30);

/// Reads a form.
pub(super) async fn read_form(body: Incoming) -> Result<Params, (StatusCode, &'static str)> {
    let read = Limited::new(body, MAX_FORM).collect();
    let Ok(read) = timeout(FORM_TIMEOUT, read).await else {
        return Err((StatusCode::REQUEST_TIMEOUT, "the form did not arrive in time"));
    };
    match read {
        Ok(collected) => Ok(Params::parse(&collected.to_bytes())),
        Err(error) if error.is::<LengthLimitError>() => {
            Err((StatusCode::PAYLOAD_TOO_LARGE, "the form is larger than 1 MiB"))
        }
        Err(_) => Err((StatusCode::BAD_REQUEST, "the form was not received completely")),
    }
}
