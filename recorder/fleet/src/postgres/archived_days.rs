//! Days that move to an archive, as the tables have them.

use bytes::Bytes;
use tokio_postgres::Row;
use tokio_postgres::types::Type;
use zerver_recorder::{BuildRecords, NodeId};

use crate::bucket::format::records::NodeReport;
use crate::bucket::format::segment::BlockRecords;
use crate::bucket::keys::DataKeyName;
use crate::fleet_error::FleetError;
use crate::keys::key_status::OfferedKey;
use crate::keys::pair::{KeyId, PublicKey};
use crate::postgres::VERSION;
use crate::postgres::block_columns::number;
use crate::postgres::connection::Connection;
use crate::postgres::postgres_url::PostgresUrl;

/// Number of blocks that are read at once.
const AT_ONCE: i64 = 128;

/// The tables of a namespace, as an archive run reads and empties them.
pub(crate) struct ArchivedDays {
    connection: Connection,
    /// The archive, if the namespace has one.
    pub(crate) archive: Option<String>,
    /// The first day that is not in the archive, counted from 1970.
    pub(crate) before: i32,
    /// The present day by the clock of the database.
    pub(crate) today: i32,
}

impl ArchivedDays {
    pub(crate) fn open(url: &PostgresUrl) -> Result<Self, FleetError> {
        let mut connection = Connection::new(url.clone())?;
        let versions = connection.query("select version from {ns}.fleet", &[])?;
        let version = versions.first().map_or(VERSION, |row| row.get(0));
        if version != VERSION {
            return Err(FleetError::version(url.namespace(), url, version, VERSION));
        }
        let rows = connection.query(
            "select archive, archived_before, floor(extract(epoch from now()) / 86400)::int from {ns}.fleet",
            &[],
        )?;
        let row = rows.first().ok_or_else(|| {
            FleetError::lasting("the namespace is empty", format!("run `zerver fleet init --store '{url}'`"))
        })?;
        let (archive, before, today) = (row.get(0), row.get(1), row.get(2));
        Ok(Self { connection, archive, before, today })
    }

    /// Notes where the archive is.
    pub(crate) fn set_archive(&mut self, archive: &str) -> Result<(), FleetError> {
        self.connection.query("update {ns}.fleet set archive = $1", &[(&archive, Type::TEXT)])?;
        Ok(())
    }

    /// Returns the days before another that have blocks and are not in the archive, the oldest first.
    pub(crate) fn days_before(&mut self, day: i32) -> Result<Vec<i32>, FleetError> {
        let rows = self.connection.query(
            "select distinct day from {ns}.block where day >= $1 and day < $2 order by day",
            &[(&self.before, Type::INT4), (&day, Type::INT4)],
        )?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    /// Returns the next blocks of a day whose latest request began in a span of time, in nanoseconds since the Unix epoch, by
    /// node and key, after another block.
    pub(crate) fn blocks(
        &mut self,
        day: i32,
        (from_ns, until_ns): (u64, u64),
        after: Option<(NodeId, u64)>,
    ) -> Result<Vec<(NodeId, BlockRecords)>, FleetError> {
        let (from, until) = (number(from_ns), number(until_ns));
        let (node, seq) = after.map_or((i64::MIN, -1), |(node, seq)| (node.0.cast_signed(), number(seq)));
        let rows = self.connection.query(
            "select node, seq, head, summaries, body from {ns}.block where day = $1 and max_ns >= $2 and max_ns < $3 \
             and (node, seq) > ($4, $5) order by node, seq limit $6",
            &[
                (&day, Type::INT4),
                (&from, Type::INT8),
                (&until, Type::INT8),
                (&node, Type::INT8),
                (&seq, Type::INT8),
                (&AT_ONCE, Type::INT8),
            ],
        )?;
        let bytes = |row: &Row, at| Bytes::copy_from_slice(row.get::<_, &[u8]>(at));
        let block = |row: &Row| {
            let seq = row.get::<_, i64>(1).cast_unsigned();
            let records =
                BlockRecords { seq, index: bytes(row, 2), summaries: bytes(row, 3), body: bytes(row, 4) };
            (NodeId(row.get::<_, i64>(0).cast_unsigned()), records)
        };
        Ok(rows.iter().map(block).collect())
    }

    /// Removes a day, unless it has another number of blocks than this. Returns true if it is gone.
    pub(crate) fn drop(&mut self, day: i32, blocks: u64) -> Result<bool, FleetError> {
        let blocks = number(blocks);
        let rows = self
            .connection
            .query_once("select {ns}.drop_archived($1, $2)", &[(&day, Type::INT4), (&blocks, Type::INT8)])?;
        Ok(rows.first().is_some_and(|row| row.get(0)))
    }

    /// Returns the last reports of the nodes.
    pub(crate) fn reports(&mut self) -> Result<Vec<(NodeId, NodeReport)>, FleetError> {
        let nodes = self.connection.query(
            "select node, name, build, shipped, recorded, not_kept, dropped, waiting, behind_bytes, unshipped \
             from {ns}.node",
            &[],
        )?;
        let count = |row: &Row, at: usize| u64::try_from(row.get::<_, i64>(at)).unwrap_or_default();
        let nodes = nodes.iter().map(|row| {
            let report = NodeReport {
                name: row.get(1),
                build: row.get(2),
                next_seq: 0,
                shipped: count(row, 3),
                recorded: count(row, 4),
                not_kept: count(row, 5),
                dropped: count(row, 6),
                waiting: count(row, 7),
                behind_bytes: count(row, 8),
                unshipped: count(row, 9),
                left_until: 0,
            };
            (NodeId(row.get::<_, i64>(0).cast_unsigned()), report)
        });
        Ok(nodes.collect())
    }

    /// Returns the public keys, the oldest first.
    pub(crate) fn public_keys(&mut self) -> Result<Vec<OfferedKey>, FleetError> {
        let rows = self.connection.query("select public, proof from {ns}.public_key order by number", &[])?;
        let key = |row: &Row| {
            let proof = row.get::<_, &[u8]>(1).try_into().ok()?;
            Some(OfferedKey { public: PublicKey::new(row.get(0))?, proof })
        };
        Ok(rows.iter().filter_map(key).collect())
    }

    /// Returns the wrapped data keys.
    pub(crate) fn data_keys(&mut self) -> Result<Vec<(DataKeyName, Vec<u8>)>, FleetError> {
        let rows =
            self.connection.query("select key_id, public_id, node, wrapped from {ns}.sealing_key", &[])?;
        let key = |row: &Row| {
            let id = |at| row.get::<_, &[u8]>(at).try_into().ok().map(KeyId);
            let node = NodeId(row.get::<_, i64>(2).cast_unsigned());
            Some((DataKeyName { id: id(0)?, public: id(1)?, node }, row.get(3)))
        };
        Ok(rows.iter().filter_map(key).collect())
    }

    /// Returns the descriptions of the builds.
    pub(crate) fn builds(&mut self) -> Result<Vec<BuildRecords>, FleetError> {
        let builds =
            self.connection.query("select build, catalog, declarations, origin from {ns}.catalog", &[])?;
        let builds = builds.iter().map(|row| BuildRecords {
            build: row.get(0),
            catalog: row.get(1),
            declarations: row.get(2),
            origin: row.get(3),
        });
        Ok(builds.collect())
    }
}
