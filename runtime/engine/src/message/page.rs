//! Pagination by `limit` and `offset`.

use serde::{Deserialize, Serialize};

use super::request::Request;
use crate::failure::Failure;

/// Part of a list that a client asks for. [`Request::page`] reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// Maximum number of items.
    pub limit: u32,
    /// Number of items that precede it.
    pub offset: u32,
}

impl Request {
    /// Reads the query parameters `limit` and `offset`. Without a limit, the default counts, and a larger one than the
    /// maximum counts as the maximum.
    ///
    /// ```
    /// use zerver_engine::{Page, Request};
    /// let page = |target| Request::get(target).page(20, 100);
    /// assert_eq!(page("/todos"), Ok(Page { limit: 20, offset: 0 }));
    /// assert_eq!(page("/todos?limit=500&offset=40"), Ok(Page { limit: 100, offset: 40 }));
    /// assert!(page("/todos?limit=0").is_err());
    /// ```
    ///
    /// # Errors
    /// `invalid` if the limit is not a positive number, or the offset is not a number.
    pub fn page(&self, default: u32, max: u32) -> Result<Page, Failure> {
        let limit = self.query_as("limit")?.unwrap_or(default);
        if limit == 0 {
            return Err(Failure::invalid("limit").key(limit));
        }
        Ok(Page { limit: limit.min(max), offset: self.query_as("offset")?.unwrap_or(0) })
    }
}
