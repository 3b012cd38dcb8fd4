//! A namespace in a bucket, open for reading.

use std::collections::BTreeMap;
use std::sync::Arc;

use zerver_recorder::{BlocksView, NodeId, ReadError};

use crate::bucket::bucket_url::BucketUrl;
use crate::bucket::format::segment::Run;
use crate::bucket::init::settings;
use crate::bucket::keys::wrapped_key;
use crate::bucket::object_store::ObjectStore;
use crate::bucket::read::bucket_view::BucketView;
use crate::bucket::read::catalog::Unit;
use crate::bucket::read::shared_bucket::SharedBucket;
use crate::fleet_blocks::SealedBlocks;
use crate::keys::pair::KeyId;

/// Number of tails that are read at the same time.
const AT_ONCE: usize = 64;

/// The blocks of a namespace in a bucket.
pub(crate) struct BucketBlocks {
    shared: Arc<SharedBucket>,
}

impl BucketBlocks {
    /// Connects to a bucket. Its objects are listed by the first view.
    pub(crate) fn open(url: &BucketUrl) -> Result<Self, ReadError> {
        let store = ObjectStore::new(url).map_err(|error| error.into_read_error(url))?;
        settings(&store).map_err(|error| error.into_read_error(url))?;
        Ok(Self { shared: Arc::new(SharedBucket::new(store)) })
    }

    pub(crate) fn view_now(&self) -> Result<BucketView, ReadError> {
        self.shared.refresh()?;
        Ok(BucketView::new(Arc::clone(&self.shared)))
    }

    /// Returns what was shipped at once, by node. Segments that cannot be read are left out.
    pub(crate) fn runs(&self) -> Result<BTreeMap<NodeId, Vec<Run>>, ReadError> {
        self.shared.refresh()?;
        let packs = self.shared.units(self.shared.range()).into_iter().filter_map(|unit| match unit {
            Unit::Pack(pack) => Some(pack),
            Unit::Segment(_) => None,
        });
        self.shared.open_packs(&packs.collect::<Vec<_>>())?;
        let segments = self.shared.units(self.shared.range()).into_iter().filter_map(|unit| match unit {
            Unit::Segment(segment) => Some(segment),
            Unit::Pack(_) => None,
        });
        let segments: Vec<_> = segments.collect();
        let mut runs: BTreeMap<NodeId, Vec<Run>> = BTreeMap::new();
        for some in segments.chunks(AT_ONCE) {
            for (segment, tail) in some.iter().zip(self.shared.load(some)?) {
                let of_node = runs.entry(segment.node).or_default();
                match tail {
                    Ok(Some((_, tail))) => of_node.extend(tail.tail.runs.iter().copied()),
                    Ok(None) => {}
                    // The damaged object is there, so it is no gap.
                    Err(_) => of_node.push(Run { first: segment.first, last: segment.last, after: 0 }),
                }
            }
        }
        Ok(runs)
    }
}

impl SealedBlocks for BucketBlocks {
    fn place(&self) -> String {
        self.shared.place()
    }

    fn view(&self) -> Result<Box<dyn BlocksView>, ReadError> {
        Ok(Box::new(self.view_now()?))
    }

    fn wrapped_key(&self, id: KeyId) -> Result<Option<Vec<u8>>, ReadError> {
        let found = wrapped_key(self.shared.store(), id).map_err(|error| self.shared.outage(error))?;
        Ok(found.map(|wrapped| wrapped.to_vec()))
    }
}
