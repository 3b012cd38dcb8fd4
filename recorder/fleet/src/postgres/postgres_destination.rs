//! Adds the blocks of a node to the tables.

use std::time::{Duration, Instant};

use tokio_postgres::types::Type;
use zerver_recorder::{Backlog, BuildRecords, ClosedBlock, NodeId};

use crate::fleet_error::FleetError;
use crate::keys::key_status::OfferedKey;
use crate::keys::wrapped_key::WrappedKey;
use crate::postgres::VERSION;
use crate::postgres::block_columns::{BlockColumns, number};
use crate::postgres::connection::{Connection, Parameter};
use crate::postgres::keys::read_current_key;
use crate::postgres::postgres_url::PostgresUrl;
use crate::ship::destination::{Destination, Sent, traces};

/// Time between two calls for partitions.
const MAINTENANCE_INTERVAL: Duration = Duration::from_secs(60 * 60);

/// Time to the next call after one that failed.
const MAINTENANCE_RETRY: Duration = Duration::from_secs(60);

/// Statement that ships blocks, and reports.
const SHIP: &str = "select {ns}.ship($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, \
                    $19, $20, $21, $22, $23, $24, $25, $26, $27)";

/// The tables of a namespace, as a node adds to them.
pub(crate) struct PostgresDestination {
    name: String,
    build: String,
    connection: Connection,
    /// Time of the next call for partitions.
    maintain_at: Option<Instant>,
}

impl PostgresDestination {
    pub(crate) fn new(url: PostgresUrl, name: String) -> Result<Self, FleetError> {
        Ok(Self { name, build: String::new(), connection: Connection::new(url)?, maintain_at: None })
    }

    fn ship(
        &mut self,
        node: NodeId,
        blocks: &[ClosedBlock],
        left_out: &[ClosedBlock],
        left: Option<Backlog>,
    ) -> Result<u64, FleetError> {
        let columns = BlockColumns::new(blocks);
        let counters = left.map(|left| [left.recorded, left.not_kept, left.dropped, left.traces, left.bytes]);
        let mut counters: Vec<i64> = counters.into_iter().flatten().map(number).collect();
        if let (Some(first), Some(last)) = (left_out.first(), left_out.last()) {
            counters.extend([first.seq, last.seq + 1, traces(left_out)].map(number));
        }
        let id = node.0.cast_signed();
        let mut parameters: Vec<Parameter<'_>> = vec![
            (&VERSION, Type::INT4),
            (&id, Type::INT8),
            (&self.name, Type::TEXT),
            (&self.build, Type::TEXT),
            (&counters, Type::INT8_ARRAY),
        ];
        parameters.extend(columns.parameters());
        let rows = self.connection.query(SHIP, &parameters)?;
        let wanted: i64 = rows.first().map_or(0, |row| row.get(0));
        Ok(u64::try_from(wanted).unwrap_or_default())
    }
}

impl Destination for PostgresDestination {
    fn declare(&mut self, build: &BuildRecords) -> Result<(), FleetError> {
        let parameters: [Parameter<'_>; 4] = [
            (&build.build, Type::TEXT),
            (&build.catalog, Type::BYTEA),
            (&build.declarations, Type::BYTEA),
            (&build.origin, Type::BYTEA),
        ];
        self.connection.query("select {ns}.declare_build($1, $2, $3, $4)", &parameters)?;
        self.build.clone_from(&build.build);
        Ok(())
    }

    fn wanted(&mut self, node: NodeId) -> Result<u64, FleetError> {
        self.ship(node, &[], &[], None)
    }

    fn current_key(&mut self) -> Result<Option<OfferedKey>, FleetError> {
        read_current_key(&mut self.connection)
    }

    fn share_key(&mut self, node: NodeId, key: &WrappedKey) -> Result<(), FleetError> {
        let (id, public, wrapped) = (&key.id().0[..], &key.wrapped_for().0[..], key.bytes());
        let parameters: [Parameter<'_>; 5] = [
            (&VERSION, Type::INT4),
            (&id, Type::BYTEA),
            (&public, Type::BYTEA),
            (&node.0.cast_signed(), Type::INT8),
            (&wrapped, Type::BYTEA),
        ];
        self.connection.query("select {ns}.share_key($1, $2, $3, $4, $5)", &parameters)?;
        Ok(())
    }

    fn send(&mut self, node: NodeId, blocks: &[ClosedBlock], left: Backlog) -> Result<Sent, FleetError> {
        Ok(Sent::all(blocks, self.ship(node, blocks, &[], Some(left))?))
    }

    fn leave(&mut self, node: NodeId, blocks: &[ClosedBlock], left: Backlog) -> Result<u64, FleetError> {
        self.ship(node, &[], blocks, Some(left))
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
