//! Adds the blocks of a node to a bucket, and the report of the node after them.
//!
//! The report is what acknowledges: a service that was killed before it looks, when it starts again, whether the segment
//! that begins with its next block is there.

use std::time::{Duration, Instant};

use bytes::Bytes;
use zerver_recorder::{Backlog, BuildRecords, ClosedBlock, NodeId};

use crate::bucket::bucket_url::BucketUrl;
use crate::bucket::format::records::{self, NodeReport, node_key};
use crate::bucket::format::segment::{BlockRecords, WholeSegment, segment};
use crate::bucket::format::segment_name::{Bounds, SegmentName, hour_of};
use crate::bucket::init::settings;
use crate::bucket::keys::{DataKeyName, put_data_key, read_current_key};
use crate::bucket::object_store::ObjectStore;
use crate::fault_point;
use crate::fleet_error::FleetError;
use crate::keys::key_status::OfferedKey;
use crate::keys::wrapped_key::WrappedKey;
use crate::ship::destination::{Destination, Sent, traces};

/// Time after which a report that says nothing new is written again.
const REPORT_INTERVAL: Duration = Duration::from_secs(60);

/// A namespace in a bucket, as a node adds to it.
pub(crate) struct BucketDestination {
    store: ObjectStore,
    name: String,
    build: String,
    report: NodeReport,
    /// The node whose report it is, and the time at which it was written.
    reported: Option<(NodeId, Instant)>,
    /// True if no segment with the next block can be there: this process wrote the one before it.
    is_certain: bool,
}

impl BucketDestination {
    pub(crate) fn new(url: &BucketUrl, name: String) -> Result<Self, FleetError> {
        let (build, report) = (String::new(), NodeReport::default());
        Ok(Self { store: ObjectStore::new(url)?, name, build, report, reported: None, is_certain: false })
    }

    /// Writes one segment, unless one that begins with the same block is there.
    fn ship(&mut self, node: NodeId, blocks: &[ClosedBlock], sent: &mut Sent) -> Result<(), FleetError> {
        if !self.is_certain
            && let Some(found) = self.find(node, blocks)?
        {
            fault_point::reached("a segment was found");
            self.arrived(&found, sent);
            return Ok(());
        }
        let Some((name, content)) = segment(node, blocks, self.report.next_seq) else { return Ok(()) };
        let content = Bytes::from(content);
        fault_point::reached("a segment is built");
        if !self.store.put(&name.key(), content.clone(), true)?
            && self.store.get(&name.key())?.is_some_and(|there| there != content)
        {
            return Err(collision(node));
        }
        fault_point::reached("a segment was written");
        self.is_certain = true;
        self.arrived(&name, sent);
        Ok(())
    }

    /// Finds the segment that begins with the first of these blocks.
    fn find(&self, node: NodeId, blocks: &[ClosedBlock]) -> Result<Option<SegmentName>, FleetError> {
        let Some(first) = blocks.first() else { return Ok(None) };
        let listing = self.store.list(&SegmentName::start(first, node), None)?;
        let Some(name) = listing.objects.iter().find_map(|object| SegmentName::parse(&object.key)) else {
            return Ok(None);
        };
        let Some(content) = self.store.get(&name.key())? else { return Ok(None) };
        let whole = WholeSegment::read(&name, &content).map_err(|error| {
            FleetError::lasting(
                format!(
                    "the object {}{} is not what this node shipped: {error}",
                    self.store.url.prefix,
                    name.key()
                ),
                "remove it, so that the node ships its blocks again",
            )
        })?;
        let is_ours = |(there, ours): (BlockRecords, &ClosedBlock)| {
            there.seq != ours.seq || there.body[..] == ours.body[..]
        };
        // Both lists begin with the same block. What a store has removed meanwhile cannot be compared.
        if whole.records().into_iter().zip(blocks).all(is_ours) {
            Ok(Some(name))
        } else {
            Err(collision(node))
        }
    }

    fn not_shipped<'b>(&self, blocks: &'b [ClosedBlock]) -> &'b [ClosedBlock] {
        let next = blocks.iter().position(|block| block.seq >= self.report.wanted());
        blocks.get(next.unwrap_or(blocks.len())..).unwrap_or_default()
    }

    /// Writes the report, if it says something new or was last written some time ago.
    fn write_report(&mut self, node: NodeId, left: Backlog, before: &NodeReport) -> Result<(), FleetError> {
        let Backlog { traces, bytes, recorded, not_kept, dropped } = left;
        let report = NodeReport {
            name: self.name.clone(),
            build: self.build.clone(),
            recorded,
            not_kept,
            dropped,
            waiting: traces,
            behind_bytes: bytes,
            ..self.report.clone()
        };
        let is_due = self.reported.is_none_or(|(of, at)| of != node || at.elapsed() >= REPORT_INTERVAL);
        fault_point::reached("a report is due, or not");
        if is_due || report != *before {
            self.store.put(&node_key(node), records::write(&report), false)?;
            fault_point::reached("a report was written");
            self.reported = Some((node, Instant::now()));
        }
        self.report = report;
        Ok(())
    }

    fn arrived(&mut self, name: &SegmentName, sent: &mut Sent) {
        self.report.next_seq = self.report.next_seq.max(name.last + 1);
        self.report.shipped = self.report.shipped.saturating_add(name.bounds.traces);
        sent.next = self.report.wanted();
        sent.traces = sent.traces.saturating_add(name.bounds.traces);
        sent.blocks += name.last - name.first + 1;
    }
}

impl Destination for BucketDestination {
    fn declare(&mut self, build: &BuildRecords) -> Result<(), FleetError> {
        // Nothing is written before the namespace is there.
        settings(&self.store)?;
        let (key, content) = records::write_build(build);
        self.store.put(&key, content, false)?;
        self.build.clone_from(&build.build);
        Ok(())
    }

    fn wanted(&mut self, node: NodeId) -> Result<u64, FleetError> {
        settings(&self.store)?;
        self.is_certain = false;
        self.report = match self.store.get(&node_key(node))? {
            None => NodeReport::default(),
            Some(content) => serde_json::from_slice(&content).map_err(|_| {
                FleetError::lasting(
                    format!("the object {}{} is not a report", self.store.url.prefix, node_key(node)),
                    "restore an earlier version of it; without one, the node ships all that it has again",
                )
            })?,
        };
        self.reported = None;
        Ok(self.report.wanted())
    }

    fn current_key(&mut self) -> Result<Option<OfferedKey>, FleetError> {
        read_current_key(&self.store)
    }

    fn share_key(&mut self, node: NodeId, key: &WrappedKey) -> Result<(), FleetError> {
        let name = DataKeyName { id: key.id(), public: key.wrapped_for(), node };
        put_data_key(&self.store, name, key.bytes())
    }

    fn send(&mut self, node: NodeId, blocks: &[ClosedBlock], left: Backlog) -> Result<Sent, FleetError> {
        let mut sent = Sent { next: self.report.wanted(), ..Sent::default() };
        let before = self.report.clone();
        let hour = |block: &ClosedBlock| hour_of(Bounds::of(block).max_ms);
        for part in blocks.chunk_by(|one, next| hour(one) == hour(next)) {
            // What was found may reach further than these blocks, or less far.
            let mut rest = self.not_shipped(part);
            while !rest.is_empty() {
                self.ship(node, rest, &mut sent)?;
                rest = self.not_shipped(rest);
            }
        }
        self.write_report(node, left, &before)?;
        Ok(sent)
    }

    fn leave(&mut self, node: NodeId, blocks: &[ClosedBlock], left: Backlog) -> Result<u64, FleetError> {
        let before = self.report.clone();
        let blocks = self.not_shipped(blocks);
        if let Some(last) = blocks.last() {
            self.report.unshipped = self.report.unshipped.saturating_add(traces(blocks));
            self.report.left_until = last.seq + 1;
        }
        self.write_report(node, left, &before)?;
        Ok(self.report.wanted())
    }
}

fn collision(node: NodeId) -> FleetError {
    FleetError::lasting(
        format!("another service has sent other blocks as node {node}"),
        "two services write with copies of one store: remove the copy, so that it gets a new id",
    )
}
