//! The keys of a namespace: the public halves, and the data keys that are wrapped for them.

use std::time::Duration;

use tokio_postgres::Row;
use tokio_postgres::types::Type;

use crate::fleet_error::FleetError;
use crate::keys::key_status::{FleetKeyStatus, OfferedKey};
use crate::keys::pair::{KeyId, PublicKey};
use crate::postgres::connection::Connection;
use crate::postgres::postgres_url::PostgresUrl;

/// Lists the public keys, the current one first.
pub(crate) fn keys(url: &PostgresUrl) -> Result<Vec<FleetKeyStatus>, FleetError> {
    read_keys(&mut Connection::new(url.clone())?)
}

pub(super) fn read_keys(connection: &mut Connection) -> Result<Vec<FleetKeyStatus>, FleetError> {
    let rows = connection.query(
        "select p.id, extract(epoch from now() - p.born)::float8, count(s.key_id), count(distinct s.node) \
         from {ns}.public_key p left join {ns}.sealing_key s on s.public_id = p.id \
         group by p.id, p.born, p.number order by p.number desc",
        &[],
    )?;
    let count = |row: &Row, at: usize| u64::try_from(row.get::<_, i64>(at)).unwrap_or_default();
    let keys = rows.iter().enumerate().filter_map(|(at, row)| {
        Some(FleetKeyStatus {
            id: KeyId(row.get::<_, &[u8]>(0).try_into().ok()?),
            age: Duration::try_from_secs_f64(row.get(1)).unwrap_or_default(),
            data_keys: count(row, 2),
            nodes: count(row, 3),
            is_current: at == 0,
        })
    });
    Ok(keys.collect())
}

/// Returns the public key that was added last.
pub(crate) fn current_key(url: &PostgresUrl) -> Result<Option<OfferedKey>, FleetError> {
    read_current_key(&mut Connection::new(url.clone())?)
}

pub(super) fn read_current_key(connection: &mut Connection) -> Result<Option<OfferedKey>, FleetError> {
    let rows = connection.query("select * from {ns}.current_key()", &[])?;
    let Some(row) = rows.first() else { return Ok(None) };
    let (public, proof): (&[u8], &[u8]) = (row.get(0), row.get(1));
    let offered = PublicKey::new(public).zip(proof.try_into().ok());
    offered.map(|(public, proof)| Some(OfferedKey { public, proof })).ok_or_else(|| {
        FleetError::lasting(
            "the public key of the fleet is not one",
            "it was changed in the table public_key: `zerver fleet key new` adds another",
        )
    })
}

/// Adds a public key, which is the current one from then on.
pub(crate) fn offer_key(url: &PostgresUrl, key: &OfferedKey) -> Result<(), FleetError> {
    let (id, public, proof) = (&key.public.id().0[..], &key.public.bytes()[..], &key.proof[..]);
    let mut connection = Connection::new(url.clone())?;
    connection.query_once(
        "insert into {ns}.public_key (id, public, proof) values ($1, $2, $3)",
        &[(&id, Type::BYTEA), (&public, Type::BYTEA), (&proof, Type::BYTEA)],
    )?;
    Ok(())
}
