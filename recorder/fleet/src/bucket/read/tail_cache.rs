//! Tails that were read, up to a limit of bytes. They never change.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;

use crate::bucket::format::segment::Tail;
use crate::bucket::read::catalog::Source;

/// Limit of the bytes of all tails.
const MAX_BYTES: usize = 64 << 20;

/// A tail, and the bodies if they were read with it.
#[derive(Debug)]
pub(super) struct LoadedTail {
    pub(super) tail: Tail,
    pub(super) bodies: Option<Bytes>,
}

impl LoadedTail {
    fn bytes(&self) -> usize {
        self.tail.length() + self.bodies.as_ref().map_or(0, Bytes::len)
    }
}

/// Tails by the key of their object and their place in it.
#[derive(Debug, Default)]
pub(super) struct TailCache {
    tails: HashMap<(String, u64), Arc<LoadedTail>>,
    oldest_first: VecDeque<(String, u64)>,
    bytes: usize,
}

impl TailCache {
    pub(super) fn get(&self, source: &Source) -> Option<Arc<LoadedTail>> {
        self.tails.get(&(source.key.clone(), source.tail.start)).cloned()
    }

    pub(super) fn add(&mut self, source: &Source, tail: Arc<LoadedTail>) {
        let place = (source.key.clone(), source.tail.start);
        self.bytes += tail.bytes();
        if let Some(replaced) = self.tails.insert(place.clone(), tail) {
            self.bytes = self.bytes.saturating_sub(replaced.bytes());
        } else {
            self.oldest_first.push_back(place);
        }
        while self.bytes > MAX_BYTES && self.oldest_first.len() > 1 {
            let Some(removed) = self.oldest_first.pop_front().and_then(|oldest| self.tails.remove(&oldest))
            else {
                break;
            };
            self.bytes = self.bytes.saturating_sub(removed.bytes());
        }
    }
}
