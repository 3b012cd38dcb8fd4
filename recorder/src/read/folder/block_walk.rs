//! Walks over the indexes of the blocks of a store. Groups of blocks are skipped as a whole if their index allows it.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::ops::{ControlFlow, RangeInclusive};

use crate::backend::table::Table;
use crate::block::block_group::{self, blocks_of, group_of};
use crate::block::block_index::BlockIndex;
use crate::read::blocks::Order;
use crate::read::folder::folder_view::{FolderView, damaged};
use crate::read::read_error::ReadError;

impl FolderView {
    fn last_key(&self) -> Option<u64> {
        (self.meta.first < self.meta.next).then(|| self.meta.next - 1)
    }

    /// Calls `f` with the index of every block until it breaks. Skips every group of blocks for whose index `may_contain`
    /// returns false, unless each block is to be looked at. A missing or damaged block is an error.
    pub(super) fn walk_all(
        &self,
        each: bool,
        order: Order,
        may_contain: &mut dyn FnMut(&BlockIndex) -> bool,
        f: &mut dyn FnMut(u64, BlockIndex) -> ControlFlow<()>,
    ) -> Result<(), ReadError> {
        let groups = if each { BTreeMap::new() } else { self.groups()? };
        self.walk_groups(order == Order::NewestFirst, &groups, may_contain, f)
    }

    /// Returns the number of requests that were dropped since the oldest request in the store.
    pub(super) fn dropped_since_oldest(&self) -> Result<u64, ReadError> {
        let dropped = Cell::new(0u64);
        let add = |index: &BlockIndex| dropped.set(dropped.get().saturating_add(index.dropped));
        let mut add_group = |index: &BlockIndex| {
            add(index);
            false
        };
        self.walk_all(false, Order::OldestFirst, &mut add_group, &mut |_, index| {
            add(&index);
            ControlFlow::Continue(())
        })?;
        Ok(dropped.get())
    }

    /// Calls `f` with the index of every block that can be read, newest first. Skips every group of blocks for whose
    /// index `may_contain` returns false.
    pub(super) fn walk_all_readable(
        &self,
        may_contain: &dyn Fn(&BlockIndex) -> bool,
        f: &mut dyn FnMut(u64, BlockIndex),
    ) -> Result<(), ReadError> {
        let groups = self.groups()?;
        let mut left = self.last_key().map(|last| self.meta.first..=last);
        // Damaged metadata may state any range, so only blocks that exist are counted.
        while let Some(range) = left.take() {
            let mut newest = None;
            self.snapshot.scan(Table::BlockIndexes, range.clone(), true, |key, _| {
                newest = Some(key);
                ControlFlow::Break(())
            })?;
            let Some(group) = newest.map(group_of) else { break };
            let first = *blocks_of(group).start().max(range.start());
            left = first.checked_sub(1).filter(|last| range.contains(last)).map(|last| *range.start()..=last);
            if groups.get(&group).is_some_and(|index| !may_contain(index)) {
                continue;
            }
            self.snapshot.scan(Table::BlockIndexes, first..=*range.end(), true, |key, record| {
                if let Ok(index) = BlockIndex::read(key, record) {
                    f(key, index);
                }
                ControlFlow::Continue(())
            })?;
        }
        Ok(())
    }

    /// Reads the indexes of the groups of which all blocks are in the store. Those that cannot be read are left out,
    /// because they repeat what the blocks state.
    fn groups(&self) -> Result<BTreeMap<u64, BlockIndex>, ReadError> {
        let mut groups = BTreeMap::new();
        let first = self.meta.first.div_ceil(block_group::GROUP_BLOCKS);
        let Some(last) = group_of(self.meta.next).checked_sub(1).filter(|last| first <= *last) else {
            return Ok(groups);
        };
        self.snapshot.scan(Table::BlockGroups, first..=last, false, |group, record| {
            if let Ok(index) = block_group::read(group, record) {
                groups.insert(group, index);
            }
            ControlFlow::Continue(())
        })?;
        Ok(groups)
    }

    /// Iterates over the groups of the store, each with the keys of its blocks in the store.
    fn ranges(&self, newest_first: bool) -> impl Iterator<Item = (u64, RangeInclusive<u64>)> + use<> {
        let (first, last) = (self.meta.first, self.last_key());
        let groups = last.map(|last| group_of(first)..=group_of(last)).into_iter().flatten();
        let (mut ascending, mut descending) = (groups.clone(), groups.rev());
        std::iter::from_fn(move || if newest_first { descending.next() } else { ascending.next() }).map(
            move |group| {
                let blocks = blocks_of(group);
                (group, first.max(*blocks.start())..=last.unwrap_or(0).min(*blocks.end()))
            },
        )
    }

    fn walk_groups(
        &self,
        newest_first: bool,
        groups: &BTreeMap<u64, BlockIndex>,
        may_contain: &mut dyn FnMut(&BlockIndex) -> bool,
        f: &mut dyn FnMut(u64, BlockIndex) -> ControlFlow<()>,
    ) -> Result<(), ReadError> {
        let mut traces = 0;
        for (group, blocks) in self.ranges(newest_first) {
            if let Some(index) = groups.get(&group)
                && !may_contain(index)
            {
                traces += u64::from(index.count);
                continue;
            }
            if self.walk_blocks(newest_first, blocks, &mut traces, f)?.is_break() {
                return Ok(());
            }
        }
        if traces == self.meta.traces || self.last_key().is_none() {
            return Ok(());
        }
        let counted = format!("it contains {traces} traces instead of {}", self.meta.traces);
        Err(damaged(&self.snapshot, "list of blocks", &counted))
    }

    /// Calls `f` with the index of every block of a range, and adds up their traces.
    fn walk_blocks(
        &self,
        newest_first: bool,
        blocks: RangeInclusive<u64>,
        traces: &mut u64,
        f: &mut dyn FnMut(u64, BlockIndex) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, ReadError> {
        let mut wanted = Some(if newest_first { *blocks.end() } else { *blocks.start() });
        let (mut failed, mut flow) = (None, ControlFlow::Continue(()));
        self.snapshot.scan(Table::BlockIndexes, blocks.clone(), newest_first, |key, record| {
            let index = match wanted {
                Some(wanted) if wanted == key => {
                    BlockIndex::read(key, record).map_err(|error| error.to_string())
                }
                _ => Err(format!("block {} is missing", wanted.unwrap_or(key))),
            };
            let next = if newest_first { key.checked_sub(1) } else { key.checked_add(1) };
            wanted = next.filter(|key| blocks.contains(key));
            match index {
                Ok(index) => {
                    *traces += u64::from(index.count);
                    flow = f(key, index);
                    flow
                }
                Err(why) => {
                    failed = Some(format!("index of block {key}: {why}"));
                    ControlFlow::Break(())
                }
            }
        })?;
        match (failed, wanted) {
            (Some(why), _) => Err(damaged(&self.snapshot, "block", &why)),
            (None, Some(key)) if flow.is_continue() => {
                Err(damaged(&self.snapshot, &format!("block {key}"), &"missing"))
            }
            (None, _) => Ok(flow),
        }
    }
}
