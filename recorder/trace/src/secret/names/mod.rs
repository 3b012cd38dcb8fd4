//! Names of secrets: a name is split into words, and the words decide.

mod lists;
pub(super) mod name_memo;
mod sensitivity;
mod words;

pub use sensitivity::Sensitivity;
pub(super) use sensitivity::{
    child, classify, contains, is_credentials_header, is_header, is_parameter, is_plural,
};
pub(super) use words::{MAX_NAME, NameWords};
