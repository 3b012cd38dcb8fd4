//! A round of shipping: everything that the spool has, and a report.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_postgres::types::Type;
use zerver_recorder::{Backlog, BuildRecords, ClosedBlock, NodeId, ReadError, Spool, SpoolEnd, SpoolReader};

use crate::connection::{Connection, Parameter};
use crate::fleet_error::FleetError;
use crate::fleet_url::FleetUrl;
use crate::schema::VERSION;
use crate::ship::block_columns::{BlockColumns, number};
use crate::ship::shipper_status::SharedStatus;

/// Maximum number of blocks in a transaction, and of bytes.
const MAX_BLOCKS: usize = 64;
const MAX_BYTES: usize = 4 << 20;
/// Rate at which a node catches up after an outage, in bytes a second.
const MAX_BYTES_PER_SECOND: f64 = 4e6;
/// Time between two calls for partitions.
const MAINTENANCE_INTERVAL: Duration = Duration::from_secs(60 * 60);

/// Time to the next call after one that failed.
const MAINTENANCE_RETRY: Duration = Duration::from_secs(60);

/// Statement that ships blocks, and reports.
const SHIP: &str = "select {ns}.ship($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, \
                    $19, $20, $21, $22, $23, $24, $25, $26)";

/// The reason why a round ended early.
#[derive(Debug)]
pub(super) enum ShipError {
    /// The spool cannot be read.
    Spool(ReadError),
    /// The database does not take it.
    Fleet(FleetError),
}

impl From<ReadError> for ShipError {
    fn from(error: ReadError) -> Self {
        Self::Spool(error)
    }
}

impl From<FleetError> for ShipError {
    fn from(error: FleetError) -> Self {
        Self::Fleet(error)
    }
}

/// Ships what a spool has.
pub(super) struct Shipment {
    spool: Spool,
    name: String,
    connection: Connection,
    status: Arc<SharedStatus>,
    reader: Option<SpoolReader>,
    /// The store that is shipped, and the key of its next block.
    position: Option<(NodeId, u64)>,
    declared: Option<BuildRecords>,
    /// Time of the next call for partitions.
    maintain_at: Option<Instant>,
}

impl Shipment {
    pub(super) fn new(
        spool: Spool,
        url: FleetUrl,
        name: String,
        status: Arc<SharedStatus>,
    ) -> Result<Self, FleetError> {
        let connection = Connection::new(url)?;
        let (reader, position, declared, maintain_at) = (None, None, None, None);
        Ok(Self { spool, name, connection, status, reader, position, declared, maintain_at })
    }

    /// Ships every closed block. `pause` waits for a time, and returns false if there is none left.
    pub(super) fn run(&mut self, mut pause: impl FnMut(Duration) -> bool) -> Result<(), ShipError> {
        let end = self.spool.end();
        let Some(node) = end.node else { return Ok(()) };
        let reader = match self.reader.take().filter(SpoolReader::is_in_place) {
            Some(reader) => reader,
            None => SpoolReader::open(self.spool.dir())?,
        };
        let result = self.ship_all(&reader, node, end, &mut pause);
        self.reader = Some(reader);
        if result.is_err() {
            // The database may come back as it was earlier, from a backup.
            self.position = None;
        }
        result
    }

    fn ship_all(
        &mut self,
        reader: &SpoolReader,
        node: NodeId,
        end: SpoolEnd,
        pause: &mut dyn FnMut(Duration) -> bool,
    ) -> Result<(), ShipError> {
        self.declare(reader)?;
        let mut next = match self.position {
            Some((known, next)) if known == node => next,
            _ => self.send(node, &[], None)?,
        };
        self.maintain();
        loop {
            let Some(blocks) = reader.closed_blocks(end, next, MAX_BLOCKS, MAX_BYTES)? else { return Ok(()) };
            if blocks.is_empty() {
                break;
            }
            let Some(backlog) = reader.backlog(end, blocks.last().map_or(next, |last| last.seq + 1))? else {
                return Ok(());
            };
            let started = Instant::now();
            next = self.send(node, &blocks, Some(backlog))?;
            self.position = Some((node, next));
            let bytes: usize = blocks.iter().map(|block| block.body.len() + block.summaries.len()).sum();
            let due = Duration::from_secs_f64(bytes as f64 / MAX_BYTES_PER_SECOND);
            let is_behind = blocks.len() == MAX_BLOCKS || bytes > MAX_BYTES;
            if is_behind && !pause(due.saturating_sub(started.elapsed())) {
                return Ok(());
            }
        }
        // Blocks that are damaged are left out.
        next = next.max(end.closed);
        let Some(backlog) = reader.backlog(end, next)? else { return Ok(()) };
        self.send(node, &[], Some(backlog))?;
        self.position = Some((node, next));
        Ok(())
    }

    /// Sends blocks with a report. Returns the key of the block that the database wants next.
    fn send(
        &mut self,
        node: NodeId,
        blocks: &[ClosedBlock],
        backlog: Option<Backlog>,
    ) -> Result<u64, ShipError> {
        let columns = BlockColumns::new(blocks);
        let build = self.declared.as_ref().map_or("", |declared| declared.build.as_str());
        let counters =
            backlog.map(|left| [left.recorded, left.not_kept, left.dropped, left.traces, left.bytes]);
        let counters: Vec<i64> = counters.into_iter().flatten().map(number).collect();
        let id = node.0.cast_signed();
        let mut parameters: Vec<Parameter<'_>> = vec![
            (&VERSION, Type::INT4),
            (&id, Type::INT8),
            (&self.name, Type::TEXT),
            (&build, Type::TEXT),
            (&counters, Type::INT8_ARRAY),
        ];
        parameters.extend(columns.parameters());
        let rows = self.connection.query(SHIP, &parameters)?;
        let wanted: i64 = rows.first().map_or(0, |row| row.get(0));
        let traces = blocks.iter().map(|block| u64::from(block.index.bounds().count)).sum();
        self.status.shipped(traces, blocks.len() as u64, backlog);
        Ok(u64::try_from(wanted).unwrap_or_default())
    }

    /// Describes the build, once for each version of its description.
    fn declare(&mut self, reader: &SpoolReader) -> Result<(), ShipError> {
        let Some(build) = reader.build()? else { return Ok(()) };
        if self.declared.as_ref() == Some(&build) {
            return Ok(());
        }
        let parameters: [Parameter<'_>; 4] = [
            (&build.build, Type::TEXT),
            (&build.catalog, Type::BYTEA),
            (&build.declarations, Type::BYTEA),
            (&build.origin, Type::BYTEA),
        ];
        self.connection.query("select {ns}.declare_build($1, $2, $3, $4)", &parameters)?;
        self.declared = Some(build);
        Ok(())
    }

    /// Has the database make partitions ahead and drop old ones. Any node may do it.
    fn maintain(&mut self) {
        if self.maintain_at.is_some_and(|at| Instant::now() < at) {
            return;
        }
        // It waits for those who read what it drops, and must not keep anything from being shipped.
        let result = self.connection.query("select {ns}.maintain()", &[]);
        let next = if result.is_ok() { MAINTENANCE_INTERVAL } else { MAINTENANCE_RETRY };
        self.maintain_at = Some(Instant::now() + next);
    }
}
