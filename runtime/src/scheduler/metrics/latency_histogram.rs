//! Latencies of the requests of a flow on one thread, in buckets, each with the last request in it that is recorded.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use zerver_engine::Slo;
#[cfg(feature = "metrics")]
use zerver_engine::service_docs::{LatencyBucket, LatencyExemplar};
use zerver_trace::RequestId;

use super::slo_window::SloWindow;

/// Upper bounds of the buckets, in nanoseconds. A last bucket has no bound.
const BOUNDS_NS: [u64; 16] = [
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
    2_500_000_000,
    5_000_000_000,
    10_000_000_000,
];
const BUCKETS: usize = BOUNDS_NS.len() + 1;

/// Latencies of the requests of a flow. One thread writes, and others read for the metrics.
#[derive(Debug, Default)]
pub(crate) struct LatencyHistogram {
    counts: [AtomicU64; BUCKETS],
    sum_ns: AtomicU64,
    /// Last kept request of each bucket.
    exemplars: Mutex<[Option<Exemplar>; BUCKETS]>,
    /// Requests that missed an objective, if the flow has one.
    slo: Option<Box<SloWindow>>,
}

/// A request that is recorded.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(not(feature = "metrics"), expect(dead_code, reason = "only the metrics read it"))]
struct Exemplar {
    id: RequestId,
    duration_ns: u64,
    unix_ns: u64,
}

impl LatencyHistogram {
    /// Creates the counters of a flow with these objectives.
    pub(crate) fn new(slo: Slo) -> Self {
        Self { slo: SloWindow::new(slo), ..Self::default() }
    }

    /// Returns the counters of objectives, if the flow has one.
    #[inline]
    pub(crate) fn slo(&self) -> Option<&SloWindow> {
        self.slo.as_deref()
    }

    /// Counts a request. `kept` is its id if it is recorded, and the time at which it ended.
    pub(crate) fn observe(&self, duration_ns: u64, kept: Option<(RequestId, u64)>) {
        let bucket = BOUNDS_NS.partition_point(|bound_ns| *bound_ns < duration_ns);
        let add = |cell: &AtomicU64, n: u64| {
            cell.store(cell.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
        };
        add(&self.counts[bucket], 1);
        add(&self.sum_ns, duration_ns);
        // A request never waits for a reader of the metrics, so the bucket then keeps its last exemplar.
        if let Some((id, unix_ns)) = kept
            && let Ok(mut exemplars) = self.exemplars.try_lock()
        {
            exemplars[bucket] = Some(Exemplar { id, duration_ns, unix_ns });
        }
    }

    /// Adds the latencies to those of other threads. Returns the sum, in nanoseconds.
    #[cfg(feature = "metrics")]
    pub(crate) fn add_to(&self, buckets: &mut Vec<LatencyBucket>) -> u64 {
        let bounds = BOUNDS_NS.iter().copied().map(Some).chain([None]);
        let empty = |bound_ns| LatencyBucket { bound_ns, ..LatencyBucket::default() };
        if buckets.is_empty() {
            buckets.extend(bounds.map(empty));
        }
        let exemplars = self.exemplars.lock().map(|exemplars| *exemplars).unwrap_or_default();
        for ((bucket, count), exemplar) in buckets.iter_mut().zip(&self.counts).zip(exemplars) {
            bucket.count += count.load(Ordering::Relaxed);
            let known_ns = bucket.exemplar.as_ref().map_or(0, |known| known.unix_ns);
            if let Some(Exemplar { id, duration_ns, unix_ns }) =
                exemplar.filter(|new| new.unix_ns >= known_ns)
            {
                bucket.exemplar = Some(LatencyExemplar { request_id: id.to_string(), duration_ns, unix_ns });
            }
        }
        self.sum_ns.load(Ordering::Relaxed)
    }
}

#[cfg(all(test, feature = "metrics"))]
mod tests {
    use super::*;

    #[test]
    fn each_bucket_keeps_its_last_recorded_request() {
        let id = RequestId::from_u128;
        let (one, two) = (LatencyHistogram::default(), LatencyHistogram::default());
        one.observe(100_000, Some((id(1), 10)));
        one.observe(99_999, Some((id(2), 20)));
        one.observe(100_001, None);
        two.observe(5, Some((id(3), 15)));
        two.observe(u64::MAX / 4, Some((id(4), 5)));
        let mut buckets = Vec::new();
        let sum_ns = one.add_to(&mut buckets) + two.add_to(&mut buckets);
        assert_eq!(sum_ns, 300_005 + u64::MAX / 4);
        let filled: Vec<_> = buckets.iter().filter(|bucket| bucket.count > 0).collect();
        let of = |bucket: &LatencyBucket| bucket.exemplar.as_ref().map(|exemplar| exemplar.unix_ns);
        assert_eq!(
            filled.iter().map(|bucket| (bucket.bound_ns, bucket.count, of(bucket))).collect::<Vec<_>>(),
            [(Some(100_000), 3, Some(20)), (Some(250_000), 1, None), (None, 1, Some(5))]
        );
        assert_eq!(filled[0].exemplar.as_ref().unwrap().request_id, id(2).to_string());
        assert_eq!(buckets.len(), BUCKETS);
    }
}
