//! Bodies of answers, up to a limit.

use bytes::{Bytes, BytesMut};
use http::{Response, header};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;

/// The reason why a body was not read.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The body has more bytes than the limit.
    #[error("the object has more than {0} bytes")]
    TooLarge(u64),
    /// The connection ended before the body did.
    #[error("the connection was lost: {0}")]
    Lost(String),
}

/// Reads a body of at most this size. A larger one is not read to its end.
///
/// # Errors
/// If the body is larger, or the connection is lost.
pub async fn read_body(response: Response<Incoming>, max_bytes: u64) -> Result<Bytes, BodyError> {
    let announced = response.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    let announced: Option<u64> = announced.and_then(|text| text.parse().ok());
    if announced.is_some_and(|size| size > max_bytes) {
        return Err(BodyError::TooLarge(max_bytes));
    }
    let mut body = response.into_body();
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| BodyError::Lost(error.to_string()))?;
        if let Ok(data) = frame.into_data() {
            if bytes.len() as u64 + data.len() as u64 > max_bytes {
                return Err(BodyError::TooLarge(max_bytes));
            }
            bytes.extend_from_slice(&data);
        }
    }
    Ok(bytes.freeze())
}
