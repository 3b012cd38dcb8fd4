/// The wall clock, later than the request's arrival.
pub mod clock;
/// HTTP requests to others.
pub mod http;
/// A store of keys and values.
pub mod kv;
/// Waiting.
pub mod sleep;
