//! Lists that are read page by page, in both directions.

use zerver_trace::{Cursor, Summary};

use crate::read::blocks::Order;
use crate::read::read_error::ReadError;
use crate::read::reader::Reader;
use crate::read::store_view::StoreView;

/// Maximum number of unreadable blocks in a page. No store of zerver has more.
const DAMAGED: usize = 4096;

/// A page of a list.
#[derive(Debug)]
pub struct Page<C> {
    /// Summaries of the requests.
    pub summaries: Vec<Summary>,
    /// Position after this page.
    pub reached: C,
    /// Reason why requests are missing from this page: the first unreadable block. `None` if the page is complete.
    pub damage: Option<ReadError>,
}

impl<C> Page<C> {
    fn whole(self) -> Result<(Vec<Summary>, C), ReadError> {
        self.damage.map_or(Ok((self.summaries, self.reached)), Err)
    }
}

impl Reader {
    /// Returns the position after the newest request.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn end(&self) -> Result<Cursor, ReadError> {
        let view = self.view()?;
        let Some(last) = view.last_position() else {
            return Ok(Cursor { block: view.blocks.range().end, seen: 0 });
        };
        // Only the newest block of a folder grows.
        if view.blocks.is_merged() {
            return Ok(Cursor { block: last, seen: u32::MAX });
        }
        // A damaged block will not show anything new.
        Ok(Cursor { block: last, seen: view.index(last).map_or(u32::MAX, |index| index.count) })
    }

    /// Returns the position before the oldest request.
    pub const fn start() -> Cursor {
        Cursor { block: 0, seen: 0 }
    }

    /// Returns what any process recorded since `cursor`, oldest first, and the position after it. Requests that were
    /// removed meanwhile are skipped.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn list_since(&self, cursor: Cursor) -> Result<(Vec<Summary>, Cursor), ReadError> {
        self.list_since_at_most(cursor, usize::MAX)
    }

    /// Like [`Reader::list_since`], but stops soon after `limit` requests. Blocks are always read as a whole.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn list_since_at_most(
        &self,
        cursor: Cursor,
        limit: usize,
    ) -> Result<(Vec<Summary>, Cursor), ReadError> {
        self.list_readable_since(cursor, limit)?.whole()
    }

    /// Like [`Reader::list_since_at_most`], but skips damaged blocks.
    ///
    /// # Errors
    /// If nothing in the store can be read.
    pub fn list_readable_since(&self, cursor: Cursor, limit: usize) -> Result<Page<Cursor>, ReadError> {
        let view = self.view()?;
        let mut page = Page { summaries: Vec::new(), reached: cursor, damage: None };
        let mut damaged = 0;
        let all = view.blocks.range();
        for key in view.blocks.positions(all.start.max(cursor.block)..all.end, Order::OldestFirst) {
            let key = key?;
            if page.summaries.len() >= limit {
                break;
            }
            let seen = if key == cursor.block { cursor.seen as usize } else { 0 };
            match block(&view, key) {
                Ok(mut block) => {
                    page.reached = Cursor { block: key, seen: block.len() as u32 };
                    page.summaries.extend(block.drain(seen.min(block.len())..));
                }
                // The block was readable when it was listed, and is damaged now.
                Err(_) if cursor == (Cursor { block: key, seen: u32::MAX }) => {}
                Err(error) if error.is_outage() => return Err(error),
                Err(error) => {
                    page.reached = Cursor { block: key, seen: u32::MAX };
                    page.damage.get_or_insert(error);
                    damaged += 1;
                    if damaged >= DAMAGED {
                        break;
                    }
                }
            }
        }
        Ok(page)
    }

    /// Returns what was recorded before `cursor`, newest first, and the position of the rest, or `None` if there is
    /// none. Stops soon after `limit` requests. Blocks are always read as a whole.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn list_before(
        &self,
        cursor: Cursor,
        limit: usize,
    ) -> Result<(Vec<Summary>, Option<Cursor>), ReadError> {
        self.list_readable_before(cursor, limit)?.whole()
    }

    /// Like [`Reader::list_before`], but skips damaged blocks.
    ///
    /// # Errors
    /// If nothing in the store can be read.
    pub fn list_readable_before(
        &self,
        cursor: Cursor,
        limit: usize,
    ) -> Result<Page<Option<Cursor>>, ReadError> {
        let view = self.view()?;
        let mut page = Page { summaries: Vec::new(), reached: None, damage: None };
        let mut damaged = 0;
        let all = view.blocks.range();
        let range = all.start..all.end.min(cursor.block.saturating_add(1));
        for key in view.blocks.positions(range, Order::NewestFirst) {
            let key = key?;
            if page.summaries.len() >= limit {
                page.reached = Some(Cursor { block: key, seen: u32::MAX });
                break;
            }
            match block(&view, key) {
                Ok(block) => {
                    let seen = if key == cursor.block { cursor.seen as usize } else { block.len() };
                    page.summaries.extend(block.into_iter().take(seen).rev());
                }
                Err(error) if error.is_outage() => return Err(error),
                Err(error) => {
                    page.damage.get_or_insert(error);
                    damaged += 1;
                    if damaged >= DAMAGED {
                        break;
                    }
                }
            }
        }
        Ok(page)
    }
}

/// Returns the summaries of a block. A fleet may have removed it since its positions were read, and a folder cannot.
fn block(view: &StoreView, key: u64) -> Result<Vec<Summary>, ReadError> {
    if view.blocks.is_merged() && !view.is_there(key)? {
        return Ok(Vec::new());
    }
    view.summaries(key, view.index(key)?.count)
}
