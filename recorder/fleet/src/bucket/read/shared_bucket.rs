//! State that all views of a bucket share: its objects as they are known, and the tails that were read.

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use zerver_recorder::ReadError;

use crate::bucket::format::pack::read_directory;
use crate::bucket::format::segment::{PlacedBlock, Tail};
use crate::bucket::format::segment_name::{PackName, SegmentName, live_since};
use crate::bucket::inventory::{Inventory, directory_part};
use crate::bucket::object_store::{ObjectStore, Part};
use crate::bucket::read::catalog::{Catalog, ClosedPack, Segment, Source, Unit};
use crate::bucket::read::tail_cache::{LoadedTail, TailCache};
use crate::bucket::{LIVE, PACKS};
use crate::fleet_error::FleetError;

/// Time for which a list is taken as new.
const FRESH: Duration = Duration::from_secs(2);
/// The parts of the keys that are listed again: those of the last minutes each time, more of them now and then, and all of
/// them rarely. A node that catches up after an outage adds to older hours.
const RECENT_MS: u64 = 10 * 60 * 1000;
const WIDE_MS: u64 = 3 * 60 * 60 * 1000;
const WIDE_INTERVAL: Duration = Duration::from_secs(60);
const FULL_INTERVAL: Duration = Duration::from_secs(10 * 60);
/// Size up to which an object is read as a whole, in bytes.
const SMALL: u64 = 128 << 10;
/// Most bytes that are read at once for tails that lie next to each other.
const MAX_JOINED: u64 = 8 << 20;

/// A segment and its tail; none if it is gone; or what is wrong with it.
pub(super) type Loaded = Result<Option<(Arc<Segment>, Arc<LoadedTail>)>, ReadError>;

/// A namespace that several views read.
pub(super) struct SharedBucket {
    store: ObjectStore,
    catalog: Mutex<Catalog>,
    tails: Mutex<TailCache>,
    listed: Mutex<Listed>,
}

/// Times of the last lists.
#[derive(Debug, Default)]
struct Listed {
    recent: Option<Instant>,
    wide: Option<Instant>,
    full: Option<Instant>,
    /// Time of the server at the last list, in milliseconds since the Unix epoch.
    now_ms: u64,
}

impl SharedBucket {
    pub(super) fn new(store: ObjectStore) -> Self {
        Self { store, catalog: Mutex::default(), tails: Mutex::default(), listed: Mutex::default() }
    }

    pub(super) fn place(&self) -> String {
        self.store.url.to_string()
    }

    pub(super) const fn store(&self) -> &ObjectStore {
        &self.store
    }

    fn catalog(&self) -> MutexGuard<'_, Catalog> {
        self.catalog.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tails(&self) -> MutexGuard<'_, TailCache> {
        self.tails.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the error of a request.
    pub(super) fn outage(&self, error: FleetError) -> ReadError {
        error.into_read_error(&self.store.url)
    }

    /// Returns the error for an object that is not what was written.
    pub(super) fn damaged(&self, key: &str, reason: impl ToString) -> ReadError {
        let block = format!("the object {}{key}", self.store.url.prefix);
        ReadError::Altered { place: self.place(), block, reason: reason.to_string() }
    }

    pub(super) fn range(&self) -> Range<u64> {
        self.catalog().range()
    }

    pub(super) fn units(&self, range: Range<u64>) -> Vec<Unit> {
        self.catalog().units(range).cloned().collect()
    }

    /// Lists the objects that may be new.
    pub(super) fn refresh(&self) -> Result<(), ReadError> {
        let mut listed = self.listed.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = |last: Option<Instant>, interval| last.is_none_or(|at| at.elapsed() >= interval);
        if !is_due(listed.recent, FRESH) {
            return Ok(());
        }
        if is_due(listed.full, FULL_INTERVAL) {
            return self.list_all(&mut listed);
        }
        let is_wide = is_due(listed.wide, WIDE_INTERVAL);
        let since = listed.now_ms.saturating_sub(if is_wide { WIDE_MS } else { RECENT_MS });
        let listing = self.store.list(LIVE, Some(&live_since(since)));
        let listing = listing.map_err(|error| self.outage(error))?;
        let live = listing.objects.into_iter();
        let live = live.filter_map(|object| Some((SegmentName::parse(&object.key)?, object.size)));
        self.catalog().add(live.collect(), Vec::new());
        let now = Some(Instant::now());
        listed.now_ms = milliseconds(listing.now);
        listed.recent = now;
        if is_wide {
            listed.wide = now;
        }
        Ok(())
    }

    fn list_all(&self, listed: &mut Listed) -> Result<(), ReadError> {
        let inventory = Inventory::read(&self.store).map_err(|error| self.outage(error))?;
        let live = inventory.live.into_iter().map(|(name, object)| (name, object.size)).collect();
        let packs = inventory.packs.into_iter().map(|(name, object)| (name, object.size)).collect();
        self.catalog().add(live, packs);
        // For a while, segments are there a second time in a pack.
        let overlapping = self.catalog().overlapping_packs();
        self.open_packs(&overlapping)?;
        let now = Some(Instant::now());
        *listed = Listed { recent: now, wide: now, full: now, now_ms: milliseconds(inventory.now) };
        Ok(())
    }

    /// Reads the directories of packs. One that cannot be read is kept with the reason.
    pub(super) fn open_packs(&self, packs: &[Arc<ClosedPack>]) -> Result<(), ReadError> {
        let closed: Vec<_> = packs.iter().filter(|pack| pack.damage.is_none()).collect();
        let parts: Vec<Part> = closed.iter().map(|pack| directory_part(&pack.name, pack.size)).collect();
        for (pack, bytes) in closed.into_iter().zip(self.store.get_parts(&parts)) {
            match bytes.map_err(|error| self.outage(error))? {
                Some(bytes) => {
                    let directory = read_directory(&pack.name, &bytes, pack.size);
                    self.catalog().open(pack, directory.map_err(|error| error.to_string()));
                }
                None => self.catalog().forget(pack),
            }
        }
        Ok(())
    }

    /// Returns the segment that has a position.
    pub(super) fn segment_at(&self, at: u64) -> Result<Option<Arc<Segment>>, ReadError> {
        let unit = self.catalog().unit_at(at).cloned();
        let pack = match unit {
            Some(Unit::Segment(segment)) => return Ok(Some(segment)),
            Some(Unit::Pack(pack)) => pack,
            None => return Ok(None),
        };
        self.open_packs(&[Arc::clone(&pack)])?;
        match self.catalog().unit_at(at).cloned() {
            Some(Unit::Segment(segment)) => Ok(Some(segment)),
            Some(Unit::Pack(pack)) => {
                Err(self.damaged(&pack.name.key(), pack.damage.as_deref().unwrap_or("unknown")))
            }
            None => Ok(None),
        }
    }

    /// Returns the segment that has a position, if it is known without a request.
    pub(super) fn known_segment_at(&self, at: u64) -> Option<Arc<Segment>> {
        match self.catalog().unit_at(at) {
            Some(Unit::Segment(segment)) => Some(Arc::clone(segment)),
            _ => None,
        }
    }

    /// Reads the tails of segments, those that lie next to each other at once. The error is that of a server which cannot be
    /// reached.
    pub(super) fn load(&self, segments: &[Arc<Segment>]) -> Result<Vec<Loaded>, ReadError> {
        let mut loaded: Vec<Option<Loaded>> = Vec::new();
        let mut missing: Vec<usize> = Vec::new();
        for (number, segment) in segments.iter().enumerate() {
            let known = self.tails().get(&segment.source);
            if known.is_none() {
                missing.push(number);
            }
            loaded.push(known.map(|tail| Ok(Some((Arc::clone(segment), tail)))));
        }
        let source = |number: &usize| &segments[*number].source;
        missing.sort_by(|one, other| {
            (&source(one).key, source(one).tail.start).cmp(&(&source(other).key, source(other).tail.start))
        });
        let mut joined: Vec<(Part, Vec<usize>)> = Vec::new();
        for number in missing {
            let source = source(&number);
            let tail = source.tail.clone();
            if let Some((part, numbers)) = joined.last_mut()
                && part.key == source.key
                && let Some(range) = part.range.as_mut()
                && range.start <= tail.start
                && tail.start <= range.end
                && tail.end.max(range.end) - range.start <= MAX_JOINED
            {
                range.end = range.end.max(tail.end);
                numbers.push(number);
                continue;
            }
            let is_small = source.bodies_at == 0 && source.tail.end <= SMALL && source.key.starts_with(LIVE);
            let range = if is_small { 0..tail.end } else { tail };
            joined.push((Part { key: source.key.clone(), range: Some(range) }, vec![number]));
        }
        let parts: Vec<Part> = joined.iter().map(|(part, _)| part.clone()).collect();
        for ((part, numbers), bytes) in joined.into_iter().zip(self.store.get_parts(&parts)) {
            let bytes = bytes.map_err(|error| self.outage(error))?;
            let start = part.range.map_or(0, |range| range.start);
            for number in numbers {
                let result = match &bytes {
                    Some(bytes) => self.read_tail(&segments[number], bytes, start),
                    None => self.load_elsewhere(&segments[number]),
                };
                loaded[number] = Some(match result {
                    Err(outage @ ReadError::Fleet { .. }) => return Err(outage),
                    result => result,
                });
            }
        }
        Ok(loaded.into_iter().map(|loaded| loaded.unwrap_or(Ok(None))).collect())
    }

    /// Reads the tail of a segment from bytes of its object, the first of which has this place.
    fn read_tail(&self, segment: &Arc<Segment>, bytes: &Bytes, start: u64) -> Loaded {
        let source = &segment.source;
        let place =
            |at: u64| usize::try_from(at.saturating_sub(start)).unwrap_or(usize::MAX).min(bytes.len());
        let tail = Tail::read(bytes.slice(place(source.tail.start)..place(source.tail.end)), segment.node);
        let tail = tail.map_err(|error| self.damaged(&source.key, error))?;
        // What another object holds too is left out of the range, which may then lie between two blocks of this one.
        let ends =
            (tail.blocks().first().map(|block| block.seq), tail.blocks().last().map(|block| block.seq));
        let is_whole =
            matches!(ends, (Some(first), Some(last)) if first <= segment.first && segment.last <= last);
        if !is_whole || source.bodies_at + tail.bodies_length() > source.tail.start {
            return Err(self.damaged(&source.key, "it holds other blocks than its name says"));
        }
        let bodies =
            (start == 0 && source.tail.start > 0 && source.bodies_at == 0 && source.key.starts_with(LIVE))
                .then(|| bytes.slice(..place(source.tail.start)));
        let loaded = Arc::new(LoadedTail { tail, bodies });
        self.tails().add(source, Arc::clone(&loaded));
        Ok(Some((Arc::clone(segment), loaded)))
    }

    /// Reads the tail of a segment whose object is gone, from the pack that has taken its place.
    fn load_elsewhere(&self, segment: &Arc<Segment>) -> Loaded {
        let Some(found) = self.find_elsewhere(segment)? else { return Ok(None) };
        let part = Part { key: found.source.key.clone(), range: Some(found.source.tail.clone()) };
        let bytes = self.store.get_parts(std::slice::from_ref(&part)).pop();
        match bytes.transpose().map_err(|error| self.outage(error))?.flatten() {
            Some(bytes) => self.read_tail(&found, &bytes, found.source.tail.start),
            None => Err(self.damaged(&found.source.key, "it is missing")),
        }
    }

    /// Finds the place of a segment whose object is gone. Returns `None` if it was removed for its age.
    fn find_elsewhere(&self, segment: &Segment) -> Result<Option<Arc<Segment>>, ReadError> {
        let start = format!("{PACKS}{}/", segment.hour);
        let listing = self.store.list(&start, None).map_err(|error| self.outage(error))?;
        let packs = listing.objects.into_iter();
        let packs = packs.filter_map(|object| Some((PackName::parse(&object.key)?, object.size)));
        self.catalog().add(Vec::new(), packs.collect());
        let closed = self.catalog().closed_packs(&segment.hour);
        self.open_packs(&closed)?;
        Ok(self.catalog().replace(segment))
    }

    /// Reads the body of a block. Returns `None` if it was removed for its age.
    pub(super) fn body(
        &self,
        segment: &Segment,
        tail: &LoadedTail,
        block: &PlacedBlock,
    ) -> Result<Option<Bytes>, ReadError> {
        if let Some(bodies) = &tail.bodies {
            let place = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(bodies.len());
            return Ok(Some(bodies.slice(place(block.body.start)..place(block.body.end))));
        }
        let read = |source: &Source, body: &Range<u64>| {
            let range = Some(source.bodies_at + body.start..source.bodies_at + body.end);
            let part = Part { key: source.key.clone(), range };
            let bytes = self.store.get_parts(std::slice::from_ref(&part)).pop();
            Ok(bytes.transpose().map_err(|error| self.outage(error))?.flatten())
        };
        if let Some(bytes) = read(&segment.source, &block.body)? {
            return Ok(Some(bytes));
        }
        let Some(found) = self.find_elsewhere(segment)? else { return Ok(None) };
        let Some((found, tail)) = self.load(&[found])?.pop().transpose()?.flatten() else { return Ok(None) };
        match tail.tail.block(block.seq) {
            Some(block) => read(&found.source, &block.body),
            None => Err(self.damaged(&found.source.key, "it holds other blocks than its name says")),
        }
    }
}

fn milliseconds(time: jiff::Timestamp) -> u64 {
    u64::try_from(time.as_millisecond()).unwrap_or_default()
}
