//! Decompresses the bodies of requests, within the limit of their size.

use std::io::{self, Read};

use bytes::Bytes;
use http::{HeaderMap, header};
use tokio::runtime::Handle;
use zerver_engine::Request;

use super::encoder::Coding;
use crate::http::rejection::Rejection;

/// Size of the window that a client may make the service allocate for zstd, as a power of two: 8 MiB, as RFC 9659 requires.
const MAX_ZSTD_WINDOW: u32 = 23;

/// Returns true if the body of a request is compressed, or claims to be.
pub(in crate::http) fn is_encoded(headers: &HeaderMap) -> bool {
    headers.contains_key(header::CONTENT_ENCODING)
}

/// Decompresses a body of a request that [is compressed](is_encoded), and removes the header that says so. The result has at most
/// `limit` bytes.
///
/// # Errors
/// If the coding is not known, the body is not of this coding, or its content is too long.
pub(in crate::http) async fn decode(
    request: &mut Request,
    body: Bytes,
    limit: usize,
    runtime: &Handle,
) -> Result<Bytes, Rejection> {
    let mut codings = Vec::new();
    for line in request.headers.get_all(header::CONTENT_ENCODING) {
        for name in line.to_str().unwrap_or("?").split(',').map(str::trim_ascii) {
            match Coding::named(name) {
                Some(coding) => codings.push(coding),
                None if name.is_empty() || name.eq_ignore_ascii_case("identity") => {}
                None => return Err(Rejection::UnsupportedEncoding),
            }
        }
    }
    // More than one coding only serves to multiply the work.
    let coding = match *codings {
        [] => None,
        [coding] => Some(coding),
        _ => return Err(Rejection::UnsupportedEncoding),
    };
    request.headers.remove(header::CONTENT_ENCODING);
    request.headers.remove(header::CONTENT_LENGTH);
    match coding {
        None => Ok(body),
        Some(coding) => {
            let decoding = runtime.spawn_blocking(move || decompress(coding, &body, limit));
            decoding.await.unwrap_or(Err(Rejection::BodyMalformed(coding.name())))
        }
    }
}

fn decompress(coding: Coding, body: &[u8], limit: usize) -> Result<Bytes, Rejection> {
    let mut decoded = Vec::new();
    // One byte more shows that there is too much.
    let room = (limit as u64).saturating_add(1);
    let result: io::Result<usize> = match coding {
        Coding::Gzip => flate2::read::MultiGzDecoder::new(body).take(room).read_to_end(&mut decoded),
        Coding::Brotli => brotli::Decompressor::new(body, 4096).take(room).read_to_end(&mut decoded),
        Coding::Zstd => zstd::stream::read::Decoder::new(body).and_then(|mut decoder| {
            decoder.window_log_max(MAX_ZSTD_WINDOW)?;
            decoder.take(room).read_to_end(&mut decoded)
        }),
    };
    match result {
        Ok(length) if length > limit => Err(Rejection::BodyTooLarge(limit)),
        Ok(_) => Ok(decoded.into()),
        Err(_) => Err(Rejection::BodyMalformed(coding.name())),
    }
}
