//! Lists that are read page by page: what is older than something, and what has come since.

use zerver_trace::{Cursor, Summary};

use crate::read::reader::{ReadError, Reader, View};

/// With so many blocks that cannot be read, a page ends: what is there is then no store that zerver wrote.
const DAMAGED: usize = 4096;

/// A page of a list.
#[derive(Debug)]
pub struct Page<C> {
    /// The requests.
    pub summaries: Vec<Summary>,
    /// How far that is.
    pub reached: C,
    /// Why requests that belong here are not, if any are not: the first block that cannot be read.
    pub damage: Option<ReadError>,
}

impl<C> Page<C> {
    fn whole(self) -> Result<(Vec<Summary>, C), ReadError> {
        self.damage.map_or(Ok((self.summaries, self.reached)), Err)
    }
}

impl Reader {
    /// The end of what is there now.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn newest(&self) -> Result<Cursor, ReadError> {
        let view = self.view()?;
        let Some(last) = view.last() else { return Ok(Cursor { block: view.meta.next, seen: 0 }) };
        // One that cannot be read has nothing that could be seen later.
        Ok(Cursor { block: last, seen: view.index(last).map_or(u32::MAX, |index| index.count) })
    }

    /// The start: everything there is comes after it.
    pub const fn oldest() -> Cursor {
        Cursor { block: 0, seen: 0 }
    }

    /// What has been recorded since, oldest first, by this process or another; and how far that is. What retention has
    /// removed meanwhile is passed over.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn since(&self, cursor: Cursor) -> Result<(Vec<Summary>, Cursor), ReadError> {
        self.since_at_most(cursor, usize::MAX)
    }

    /// The same, not much more than `limit` of it: a block is read whole.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn since_at_most(&self, cursor: Cursor, limit: usize) -> Result<(Vec<Summary>, Cursor), ReadError> {
        self.readable_since(cursor, limit)?.whole()
    }

    /// The same, without what is damaged.
    ///
    /// # Errors
    /// When the store cannot be read at all.
    pub fn readable_since(&self, cursor: Cursor, limit: usize) -> Result<Page<Cursor>, ReadError> {
        let view = self.view()?;
        let mut page = Page { summaries: Vec::new(), reached: cursor, damage: None };
        let mut damaged = 0;
        for key in view.meta.first.max(cursor.block)..view.meta.next {
            if page.summaries.len() >= limit {
                break;
            }
            let seen = if key == cursor.block { cursor.seen as usize } else { 0 };
            match block(&view, key) {
                Ok(mut block) => {
                    page.reached = Cursor { block: key, seen: block.len() as u32 };
                    page.summaries.extend(block.drain(seen.min(block.len())..));
                }
                // What was seen of it before it was damaged is told no more.
                Err(_) if cursor == (Cursor { block: key, seen: u32::MAX }) => {}
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

    /// What was recorded before a cursor, newest first; and where the rest of it ends, none if there is none. Not much
    /// more than `limit`: a block is read whole.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn before(&self, cursor: Cursor, limit: usize) -> Result<(Vec<Summary>, Option<Cursor>), ReadError> {
        self.readable_before(cursor, limit)?.whole()
    }

    /// The same, without what is damaged.
    ///
    /// # Errors
    /// When the store cannot be read at all.
    pub fn readable_before(&self, cursor: Cursor, limit: usize) -> Result<Page<Option<Cursor>>, ReadError> {
        let view = self.view()?;
        let mut page = Page { summaries: Vec::new(), reached: None, damage: None };
        let mut damaged = 0;
        for key in (view.meta.first..view.meta.next.min(cursor.block.saturating_add(1))).rev() {
            if page.summaries.len() >= limit {
                page.reached = Some(Cursor { block: key, seen: u32::MAX });
                break;
            }
            match block(&view, key) {
                Ok(block) => {
                    let seen = if key == cursor.block { cursor.seen as usize } else { block.len() };
                    page.summaries.extend(block.into_iter().take(seen).rev());
                }
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

fn block(view: &View, key: u64) -> Result<Vec<Summary>, ReadError> {
    view.summaries(key, view.index(key)?.count)
}
