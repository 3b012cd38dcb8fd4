//! Tests of the conversions, with independent decoders.

mod chrome;
mod folded;
mod har;
mod hostile;
mod http_and_sql;
mod import;
mod otlp;
mod samples;
mod schemas;
