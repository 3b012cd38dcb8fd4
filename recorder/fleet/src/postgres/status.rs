//! The state of a fleet: its nodes, and how far behind each is.

use std::time::Duration;

use zerver_recorder::NodeId;

use crate::fleet_error::FleetError;
use crate::node_status::{FleetStatus, NodeStatus};
use crate::postgres::VERSION;
use crate::postgres::connection::Connection;
use crate::postgres::keys::read_keys;
use crate::postgres::postgres_url::PostgresUrl;

/// Reads the state of a fleet.
///
/// # Errors
/// If the database cannot be read, or the namespace has another version.
pub(crate) fn status(url: &PostgresUrl) -> Result<FleetStatus, FleetError> {
    let mut connection = Connection::new(url.clone())?;
    let rows = connection.query(
        "select version, keep_days, (select count(*) from {ns}.block), \
         (select coalesce(sum(n), 0)::bigint from {ns}.block), (select count(*) from {ns}.catalog), \
         (select coalesce(sum(pg_total_relation_size(oid)), 0)::bigint from pg_class \
          where relnamespace = '{ns}'::regnamespace and relkind = 'r') from {ns}.fleet",
        &[],
    )?;
    let row = rows.first().ok_or_else(|| {
        FleetError::lasting("the namespace is empty", format!("run `zerver fleet init --store '{url}'`"))
    })?;
    let version: i32 = row.get(0);
    if version != VERSION {
        return Err(FleetError::version(url.namespace(), url, version, VERSION));
    }
    let count = |at: usize| u64::try_from(row.get::<_, i64>(at)).unwrap_or_default();
    let (blocks, traces, builds, bytes) = (count(2), count(3), count(4), count(5));
    let keep_days = u32::try_from(row.get::<_, i32>(1)).unwrap_or_default();
    let nodes = read_nodes(&mut connection)?;
    let archives = connection.query("select archive from {ns}.fleet", &[])?;
    let archive = archives.first().and_then(|row| row.get(0));
    let (keys, foreign) = (read_keys(&mut connection)?, Vec::new());
    Ok(FleetStatus { version, keep_days, blocks, traces, bytes, builds, nodes, keys, archive, foreign })
}

/// Reads the state of the nodes of a fleet, the one that was seen last first.
///
/// # Errors
/// If the database cannot be read.
pub(crate) fn nodes(url: &PostgresUrl) -> Result<Vec<NodeStatus>, FleetError> {
    read_nodes(&mut Connection::new(url.clone())?)
}

fn read_nodes(connection: &mut Connection) -> Result<Vec<NodeStatus>, FleetError> {
    let rows = connection.query(
        "select node, name, build, extract(epoch from now() - seen)::float8, recorded, shipped, waiting, \
         behind_bytes, unshipped from {ns}.node order by seen desc, node",
        &[],
    )?;
    let nodes = rows.iter().map(|row| {
        let count = |at: usize| u64::try_from(row.get::<_, i64>(at)).unwrap_or_default();
        NodeStatus {
            node: NodeId(row.get::<_, i64>(0).cast_unsigned()),
            name: row.get(1),
            build: row.get(2),
            seen: Duration::try_from_secs_f64(row.get(3)).unwrap_or_default(),
            recorded: count(4),
            shipped: count(5),
            waiting: count(6),
            behind_bytes: count(7),
            unshipped: count(8),
        }
    });
    Ok(nodes.collect())
}
